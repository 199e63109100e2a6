//! The ledger with any events at any moments, from clients that there are and that there are not: nothing panics, and
//! nothing grows beyond its bounds.

use proptest::prelude::*;

use super::{reference, *};
use crate::fuzzing::cases;

#[derive(Debug, Clone)]
enum Step {
    Opened(usize, bool),
    Lost(usize),
    Saw(usize, String, String, String),
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    let client =
        || prop_oneof![9 => 0..4_usize, 1 => prop::sample::select(vec![CLIENTS_MAX - 1, CLIENTS_MAX, usize::MAX])];
    let word = || prop_oneof![4 => "[a-b]{0,1}", 1 => ".{0,5}"];
    prop_oneof![
        2 => (client(), any::<bool>()).prop_map(|(client, resumed)| Step::Opened(client, resumed)),
        1 => client().prop_map(Step::Lost),
        8 => (client(), word(), word(), word()).prop_map(|(client, stamp, said, id)| Step::Saw(client, stamp, said, id)),
        2 => Just(Step::Settle),
    ]
}

/// Clients of both ledgers.
const CLIENTS: usize = 4;

/// Around the opening margin and the grace.
fn pause() -> impl Strategy<Value = u64> {
    prop_oneof![6 => Just(0_u64), 4 => Just(1_000), 2 => Just(2_100), 1 => Just(9_900), 1 => Just(10_100)]
}

/// Steps that meet one another: few clients, contents and ids.
fn alike_step() -> impl Strategy<Value = Step> {
    let word = |of: &'static str| of.prop_map(|word| word);
    prop_oneof![
        2 => (0..CLIENTS, any::<bool>()).prop_map(|(client, resumed)| Step::Opened(client, resumed)),
        1 => (0..CLIENTS).prop_map(Step::Lost),
        12 => (0..CLIENTS, word("[x-y]"), word("[a-c]"), word("[1-4]?"))
            .prop_map(|(client, stamp, said, id)| Step::Saw(client, stamp, said, id)),
        3 => Just(Step::Settle),
    ]
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn any_events_are_entered_and_settled(
        clients in prop_oneof![0..5_usize, Just(CLIENTS_MAX), Just(usize::MAX)],
        steps in prop::collection::vec((prop_oneof![0..20_000_u64, any::<u64>()], step()), 0..40),
    ) {
        let mut ledger = Ledger::new(clients);
        let mut now_ms = 0_u64;
        let mut seen = 0;
        for (pause_ms, step) in &steps {
            now_ms = now_ms.saturating_add(*pause_ms);
            match step {
                Step::Opened(client, resumed) => ledger.opened(*client, now_ms, *resumed),
                Step::Lost(client) => ledger.lost(*client),
                Step::Saw(client, stamp, unstamped, id) => {
                    let kind = if unstamped == "b" { "end" } else { "log" };
                    let got = Delivery { stamp, unstamped, run: "run", id, kind, message: None };
                    let sighting = ledger.saw(*client, now_ms, &got).sighting;
                    // A client that there is not has seen nothing, now or before.
                    prop_assert!(*client < clients.min(CLIENTS_MAX) || sighting == DeliveryKind::New);
                    seen += 1;
                }
                Step::Settle => {
                    let settled = ledger.settle(now_ms);
                    prop_assert!(settled.missed.iter().all(|missed| missed.client < clients && missed.seen_by > 0));
                    prop_assert!(settled.repeated.iter().all(|repeated| repeated.client < clients));
                }
            }
            prop_assert!(ledger.sequence.open() <= seen && ledger.ended.len() == ledger.ended_order.len());
        }
    }

    #[test]
    fn any_events_are_found_to_be_what_the_reference_finds(
        steps in prop::collection::vec((pause(), alike_step()), 0..60),
    ) {
        let (mut ledger, mut reference) = (Ledger::new(CLIENTS), reference::Ledger::new(CLIENTS));
        let mut now_ms = 0;
        for (pause_ms, step) in &steps {
            now_ms += pause_ms;
            match step {
                Step::Opened(client, resumed) => {
                    ledger.opened(*client, now_ms, *resumed);
                    reference.opened(*client, now_ms, *resumed);
                }
                Step::Lost(client) => {
                    ledger.lost(*client);
                    reference.lost(*client);
                }
                Step::Saw(client, stamp, unstamped, id) => {
                    let kind = if unstamped == "c" { "end" } else { "log" };
                    let got = Delivery { stamp, unstamped, run: "run", id, kind, message: None };
                    prop_assert_eq!(reference.saw(*client, now_ms, &got), ledger.saw(*client, now_ms, &got));
                }
                Step::Settle => {
                    prop_assert_eq!(reference.settle(now_ms), ledger.settle(now_ms));
                    prop_assert_eq!(reference.outstanding(), ledger.outstanding());
                }
            }
        }
    }
}
