//! What a soak looks like: a real browser opens the reports of soaks at real gateways, and the page of one that goes on.
//! Every chart is drawn with its data, links lead where they say, nothing is asked for from anywhere, nothing goes wrong
//! on the page's console, and what a gateway says is text.

mod browser;
pub(crate) mod gateways;
mod looks;
mod markup;
mod sight;

use libtest_mimic::{Arguments, Trial};
use testkit::{CHROMEDRIVER, CHROMIUM, needing, trial};

/// The trials. A soak without a look at its report would prove little, so all of them need the browser.
pub(crate) fn trials(args: &Arguments) -> Vec<Trial> {
    let trials = vec![
        trial("report::a_healthy_soak_is_seen_while_it_goes_on_and_afterwards", looks::a_healthy_soak),
        trial("report::three_defects_are_seen_with_since_when", looks::three_defects),
        trial("report::what_a_gateway_says_is_text", markup::what_a_gateway_says),
        trial("report::what_goes_wrong_on_a_page_is_seen", sight::what_goes_wrong),
    ];
    needing(&[CHROMIUM, CHROMEDRIVER], args, trials)
}
