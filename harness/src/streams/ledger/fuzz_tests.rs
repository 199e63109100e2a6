//! The ledger with any events at any moments, from clients that there are and that there are not: nothing panics, and
//! nothing grows beyond its bounds.

use proptest::prelude::*;

use super::*;
use crate::fuzzing::cases;

#[derive(Debug, Clone)]
enum Step {
    Opened(usize, bool),
    Lost(usize),
    Saw(usize, String, String, String),
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    let client = || prop_oneof![9 => 0..4_usize, 1 => prop::sample::select(vec![127_usize, 128, usize::MAX])];
    let word = || prop_oneof![4 => "[a-b]{0,1}", 1 => ".{0,5}"];
    prop_oneof![
        2 => (client(), any::<bool>()).prop_map(|(client, resumed)| Step::Opened(client, resumed)),
        1 => client().prop_map(Step::Lost),
        8 => (client(), word(), word(), word()).prop_map(|(client, stamp, said, id)| Step::Saw(client, stamp, said, id)),
        2 => Just(Step::Settle),
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
            prop_assert!(ledger.open.len() <= seen && ledger.closed.len() == ledger.closed_order.len());
            prop_assert_eq!(ledger.open.len(), ledger.order.len());
        }
    }
}
