//! The resources of the ledger are bounded: events, memory, and the work of a delivery.

use super::{
    sequence::{OPEN_MAX, REMEMBERED_MAX},
    tests::{T, ledger, saw, saw_stamped},
    *,
};
use crate::streams::Settlement;

#[test]
fn a_flood_that_one_never_takes_is_bounded_and_said() {
    let mut ledger = ledger(2);
    ledger.lost(1);
    for n in 0..=OPEN_MAX {
        saw(&mut ledger, 0, T, &n.to_string(), &n.to_string());
    }
    assert_eq!(ledger.sequence.open(), OPEN_MAX);
    assert_eq!((ledger.take_evicted(), ledger.take_evicted()), (1, 0));
}

#[test]
fn events_stamped_anew_are_bounded_with_the_others_that_are_open() {
    let mut ledger = ledger(2);
    // Each remembered under its id, so each comes again, stamped anew, to one that is back.
    for round in 0..=OPEN_MAX / numbering::KNOWN_MAX {
        for n in 0..numbering::KNOWN_MAX {
            saw_stamped(&mut ledger, 0, T, &n.to_string(), &round.to_string(), &n.to_string());
        }
        ledger.lost(0);
        ledger.opened(0, T, true);
    }
    assert_eq!(ledger.sequence.open(), OPEN_MAX);
    assert!(ledger.take_evicted() > 0);
    // The other client owes each event once, with its first timestamp. None of these is given up.
    assert_eq!(ledger.settle(T + GRACE_MS).missed.len(), OPEN_MAX - 2 * numbering::KNOWN_MAX);
}

#[test]
fn at_a_thousand_runs_a_second_the_ends_of_half_a_minute_are_remembered() {
    const RUNS: usize = 30_000;
    /// Returns the sighting of a repeat: the first of `RUNS` ends comes again under another id.
    fn repeat(mut ledger: Ledger) -> DeliveryKind {
        let mut end = |number: usize, id: &str| {
            let (run, said) = (format!("run-{number}"), format!("end of {number}"));
            let delivery = Delivery { stamp: "noon", unstamped: &said, run: &run, id, kind: "end", message: None };
            let sighting = ledger.saw(0, T, &delivery).sighting;
            if number.is_multiple_of(1_000) {
                ledger.settle(T);
            }
            sighting
        };
        (0..RUNS).for_each(|number| assert_eq!(DeliveryKind::New, end(number, &number.to_string())));
        end(0, "again")
    }
    assert_eq!(DeliveryKind::Again { same_id: false }, repeat(ledger(1).with_room(1_000.0)));
    assert_ne!(DeliveryKind::Again { same_id: false }, repeat(ledger(1).with_room(1.0)));
}

#[test]
fn of_what_all_have_seen_the_oldest_is_forgotten_first() {
    let mut ledger = ledger(1);
    for n in 0..=REMEMBERED_MAX {
        saw(&mut ledger, 0, T, &n.to_string(), "");
        if n % 1_000 == 0 || n == REMEMBERED_MAX {
            ledger.settle(T);
        }
    }
    assert_eq!((ledger.sequence.open(), ledger.sequence.remembered()), (0, REMEMBERED_MAX));
    assert_eq!(saw(&mut ledger, 0, T, "1", ""), DeliveryKind::Equal);
    assert_eq!(saw(&mut ledger, 0, T, "0", ""), DeliveryKind::New);
}

/// Deliveries of the same events to all clients, in order, once.
fn deliver(ledger: &mut Ledger, clients: usize, events: std::ops::Range<u32>) {
    for event in events {
        let said = event.to_string();
        for client in 0..clients {
            saw(ledger, client, T, &said, &said);
        }
    }
}

#[test]
fn a_delivery_of_a_known_event_allocates_nothing_however_many_clients_there_are() {
    for clients in [2, 128, 5_000] {
        let mut ledger = ledger(clients);
        // Until each client remembers as many of its ids as it ever will.
        deliver(&mut ledger, clients, 0..300);
        ledger.settle(T);
        saw(&mut ledger, 0, T, "300", "300");
        let taken = allocation_counter::measure(|| {
            (1..clients).for_each(|client| _ = saw(&mut ledger, client, T, "300", "300"));
        });
        assert_eq!((0, 0), (taken.count_total, taken.bytes_total), "{clients} clients");
    }
}

#[test]
fn a_client_takes_two_kilobytes_at_most_and_what_it_was_sent_takes_no_more() {
    const CLIENTS: usize = 5_000;
    const BYTES_MAX: u64 = 2 * 1_024;
    let mut held = None;
    let taken = allocation_counter::measure(|| {
        let mut ledger = ledger(CLIENTS);
        for events in [0..150, 150..300] {
            deliver(&mut ledger, CLIENTS, events);
            ledger.settle(T);
        }
        held = Some(ledger);
    });
    assert!(taken.bytes_max < BYTES_MAX * CLIENTS as u64, "{} bytes a client", taken.bytes_max / CLIENTS as u64);
    assert_eq!(0, held.map_or(usize::MAX, |ledger| ledger.sequence.open()));
}

#[test]
fn a_client_that_lacks_events_in_too_many_places_is_given_up_for_the_oldest() {
    let mut ledger = ledger(2);
    let events = 2 * GAPS_MAX as u32 + 20;
    for event in 0..events {
        let said = event.to_string();
        saw(&mut ledger, 0, T, &said, "");
        if event % 2 == 1 {
            saw(&mut ledger, 1, T, &said, "");
        }
    }
    assert!(ledger.settle(T + GRACE_MS - 1) == Settlement::default());
    let given_up = ledger.take_evicted();
    assert_eq!(11, given_up, "those before the last ranges");
    let missed = ledger.settle(T + GRACE_MS).missed.len() as u64;
    assert_eq!(u64::from(events / 2), given_up + missed, "all others are missed");
}
