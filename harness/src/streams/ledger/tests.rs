use super::*;
use crate::streams::{Missed, RepeatedEvent, Settlement};

/// After every opening margin.
pub(super) const T: u64 = OPENING_MARGIN_MS + 1;

pub(super) fn ledger(clients: usize) -> Ledger {
    let mut ledger = Ledger::new(clients);
    for client in 0..clients {
        ledger.opened(client, 0, false);
    }
    ledger
}

/// An event of always the same stamp.
pub(super) fn saw(ledger: &mut Ledger, client: usize, now_ms: u64, said: &str, id: &str) -> DeliveryKind {
    saw_stamped(ledger, client, now_ms, said, "noon", id)
}

pub(super) fn saw_stamped(
    ledger: &mut Ledger,
    client: usize,
    now_ms: u64,
    said: &str,
    stamp: &str,
    id: &str,
) -> DeliveryKind {
    let kind = if said == "end" { "end" } else { "log" };
    ledger.saw(client, now_ms, &Delivery { stamp, unstamped: said, run: "run", id, kind, message: Some(said) }).sighting
}

fn missed_by(missed: &[Missed]) -> Vec<(usize, String)> {
    missed.iter().map(|m| (m.client, m.run.clone())).collect()
}

#[test]
fn an_event_that_all_saw_is_neither_missed_nor_duplicated() {
    let mut ledger = ledger(3);
    for client in 0..3 {
        assert_eq!(saw(&mut ledger, client, T, "a", "1"), DeliveryKind::New);
    }
    assert!(ledger.settle(T + GRACE_MS * 2) == Settlement::default());
    assert_eq!(ledger.outstanding(), 0);
}

#[test]
fn an_event_that_one_did_not_see_is_missed_by_it_once_and_only_after_the_grace() {
    let mut ledger = ledger(3);
    saw(&mut ledger, 0, T, "a", "1");
    saw(&mut ledger, 1, T, "a", "1");
    assert!(ledger.settle(T + GRACE_MS - 1) == Settlement::default());
    let missed = ledger.settle(T + GRACE_MS).missed;
    assert_eq!(missed_by(&missed), [(2, "run".to_owned())]);
    assert_eq!((missed[0].seen_by, missed[0].after_return_ms), (2, None));
    assert!(ledger.settle(T + GRACE_MS * 2) == Settlement::default());
}

#[test]
fn a_client_that_is_away_owes_what_it_is_sent_after_its_return() {
    let mut ledger = ledger(2);
    saw(&mut ledger, 0, T, "a", "1");
    saw(&mut ledger, 1, T, "a", "1");
    ledger.lost(1);
    saw(&mut ledger, 0, T + 10, "b", "2");
    saw(&mut ledger, 0, T + 20, "c", "3");
    assert!(ledger.settle(T + GRACE_MS * 3) == Settlement::default(), "one that is away is no witness");
    ledger.opened(1, T + GRACE_MS * 3, true);
    assert_eq!(saw(&mut ledger, 1, T + GRACE_MS * 3, "b", "2"), DeliveryKind::New);
    assert_eq!(ledger.outstanding(), 1);
    let missed = ledger.settle(T + GRACE_MS * 4).missed;
    assert_eq!(missed_by(&missed), [(1, "run".to_owned())]);
    assert_eq!(missed[0].after_return_ms, Some(20 - GRACE_MS.cast_signed() * 3));
}

#[test]
fn a_client_that_comes_back_without_an_id_owes_nothing_of_what_went_by() {
    let mut ledger = ledger(2);
    ledger.lost(1);
    saw(&mut ledger, 0, T, "a", "1");
    ledger.opened(1, T + 10, false);
    assert!(ledger.settle(T + GRACE_MS * 3) == Settlement::default());
}

#[test]
fn an_event_is_a_duplicate_under_the_same_id_and_under_a_new_one() {
    let mut ledger = ledger(2);
    saw(&mut ledger, 0, T, "a", "1");
    assert_eq!(saw(&mut ledger, 0, T, "a", "1"), DeliveryKind::Again { same_id: true });
    assert_eq!(saw(&mut ledger, 0, T, "a", "9"), DeliveryKind::Equal);
    saw(&mut ledger, 1, T, "a", "1");
    assert!(ledger.settle(T + GRACE_MS - 1) == Settlement::default(), "the other may still get it as often");
    let settled = ledger.settle(T + GRACE_MS);
    let (run, id, line) = ("run".into(), "9".into(), "a".into());
    let repeated = RepeatedEvent { client: 0, run, id, line, same_id: false, others: 1 };
    assert_eq!(settled, Settlement { missed: Vec::new(), repeated: vec![repeated] });
    assert_eq!((ledger.outstanding(), ledger.sequence.open()), (0, 0));
    assert_eq!(
        saw(&mut ledger, 1, T + GRACE_MS, "a", "1"),
        DeliveryKind::Again { same_id: true },
        "closed, not forgotten"
    );
}

#[test]
fn equal_events_that_all_get_as_often_are_neither_repeated_nor_missed() {
    let mut ledger = ledger(3);
    for id in ["1", "2", "3"] {
        for client in 0..3 {
            let expected = if id == "1" { DeliveryKind::New } else { DeliveryKind::Equal };
            assert_eq!(saw(&mut ledger, client, T, "a", id), expected);
        }
    }
    assert!(ledger.settle(T + GRACE_MS * 2) == Settlement::default());
    assert_eq!(saw(&mut ledger, 0, T, "a", "2"), DeliveryKind::Again { same_id: true }, "each has its own id");
    for _ in 0..40 {
        (0..3).for_each(|client| {
            assert_eq!(saw(&mut ledger, client, T, "a", ""), DeliveryKind::Equal, "nor need they any");
        });
    }
    assert!(ledger.settle(T + GRACE_MS * 4) == Settlement::default());
    assert_eq!(ledger.outstanding(), 0);
}

#[test]
fn an_equal_event_that_most_got_is_missed_by_the_others() {
    let mut ledger = ledger(4);
    for client in 0..4 {
        saw(&mut ledger, client, T, "a", "1");
        if client != 2 {
            saw(&mut ledger, client, T, "a", "2");
        }
    }
    let settled = ledger.settle(T + GRACE_MS);
    assert_eq!((missed_by(&settled.missed), settled.missed[0].seen_by), (vec![(2, "run".to_owned())], 3));
    assert!(settled.repeated.is_empty());
}

#[test]
fn what_comes_again_after_the_end_of_its_run_is_a_repeat_whoever_gets_it() {
    let mut ledger = ledger(2);
    for client in 0..2 {
        saw(&mut ledger, client, T, "a", "1");
        saw(&mut ledger, client, T, "end", "2");
    }
    for client in 0..2 {
        assert_eq!(saw(&mut ledger, client, T + 5, "a", "7"), DeliveryKind::Again { same_id: false });
        assert_eq!(saw(&mut ledger, client, T + 5, "end", "8"), DeliveryKind::Again { same_id: false });
    }
    assert!(ledger.settle(T + GRACE_MS * 2) == Settlement::default());
}

#[test]
fn an_equal_event_is_owed_by_one_that_is_away() {
    let mut ledger = ledger(2);
    (0..2).for_each(|client| assert_eq!(saw(&mut ledger, client, T, "a", "1"), DeliveryKind::New));
    ledger.lost(1);
    saw(&mut ledger, 0, T + 1, "a", "2");
    assert!(ledger.settle(T + GRACE_MS * 3) == Settlement::default(), "one that is away is no witness");
    ledger.opened(1, T + GRACE_MS * 3, true);
    assert_eq!(saw(&mut ledger, 1, T + GRACE_MS * 3, "a", "2"), DeliveryKind::Equal);
    assert!(ledger.settle(T + GRACE_MS * 5) == Settlement::default());
}

#[test]
fn a_known_id_on_the_same_connection_is_a_repeat_that_was_stamped_anew_and_the_others_owe_nothing() {
    let mut ledger = ledger(3);
    for client in 0..3 {
        saw(&mut ledger, client, T, "a", "1");
    }
    assert_eq!(saw_stamped(&mut ledger, 0, T, "a", "later", "1"), DeliveryKind::Again { same_id: true });
    assert!(ledger.settle(T + GRACE_MS * 2) == Settlement::default());
    // Nor does it matter whether they get it, too.
    assert_eq!(saw_stamped(&mut ledger, 1, T + GRACE_MS, "a", "later", "1"), DeliveryKind::Again { same_id: true });
}

#[test]
fn events_without_ids_of_their_own_are_no_repeats_under_the_last_id_there_was() {
    let mut ledger = ledger(2);
    for (said, stamp) in [("a", "noon"), ("b", "one"), ("b", "two"), ("", "three")] {
        for client in 0..2 {
            assert_eq!(saw_stamped(&mut ledger, client, T, said, stamp, "1"), DeliveryKind::New, "{said} at {stamp}");
        }
    }
    assert!(ledger.settle(T + GRACE_MS) == Settlement::default());
}

#[test]
fn a_stream_without_ids_has_its_repeats_found_by_content() {
    let mut ledger = ledger(2);
    assert_eq!(saw(&mut ledger, 0, T, "a", ""), DeliveryKind::New);
    assert_eq!(saw(&mut ledger, 0, T, "b", ""), DeliveryKind::New);
    assert_eq!(saw(&mut ledger, 0, T, "a", ""), DeliveryKind::Equal);
    saw(&mut ledger, 1, T, "a", "");
    saw(&mut ledger, 1, T, "b", "");
    assert_eq!(ledger.settle(T + GRACE_MS).repeated.len(), 1);
}

/// Three clients had an event under an id, and then the first comes back.
fn with_one_back(said: &str) -> Ledger {
    let mut ledger = ledger(3);
    for client in 0..3 {
        saw(&mut ledger, client, T, said, "1");
    }
    ledger.settle(T);
    ledger.lost(0);
    ledger.opened(0, T + 5, true);
    ledger
}

#[test]
fn a_known_id_on_a_later_connection_is_a_repeat_when_the_others_do_not_get_it_so() {
    let mut ledger = with_one_back("a");
    assert_eq!(saw_stamped(&mut ledger, 0, T + 5, "a", "later", "1"), DeliveryKind::New);
    assert_eq!(ledger.outstanding(), 1, "the end of a soak waits for it");
    assert!(ledger.settle(T + 4 + GRACE_MS) == Settlement::default());
    let (run, id, line) = ("run".into(), "1".into(), "a".into());
    let repeated = RepeatedEvent { client: 0, run, id, line, same_id: true, others: 0 };
    assert_eq!(ledger.settle(T + 5 + GRACE_MS), Settlement { missed: Vec::new(), repeated: vec![repeated] });
    assert_eq!(ledger.outstanding(), 0);
    assert!(ledger.settle(T + GRACE_MS * 3) == Settlement::default(), "and nobody owes it");
}

#[test]
fn a_log_that_was_stamped_anew_is_repeated_to_everyone_who_gets_it_again_however_late() {
    let mut ledger = with_one_back("a");
    ledger.lost(1);
    saw_stamped(&mut ledger, 0, T + 5, "a", "later", "1");
    assert_eq!(ledger.settle(T + 5 + GRACE_MS).repeated.len(), 1);
    ledger.opened(1, T + GRACE_MS * 2, true);
    let again = saw_stamped(&mut ledger, 1, T + GRACE_MS * 2, "a", "later", "1");
    assert_eq!(again, DeliveryKind::Again { same_id: true });
    ledger.lost(0);
    ledger.opened(0, T + GRACE_MS * 2, true);
    let again = saw_stamped(&mut ledger, 0, T + GRACE_MS * 2, "a", "last", "1");
    assert_eq!(again, DeliveryKind::Again { same_id: true });
    assert_eq!(ledger.outstanding(), 0, "and nobody owes it");
}

#[test]
fn a_known_id_that_everyone_gets_with_another_time_is_no_repeat_since_ids_may_have_begun_anew() {
    let mut ledger = with_one_back("tick");
    ledger.lost(1);
    ledger.opened(1, T + 5, true);
    ledger.lost(2);
    ledger.opened(2, T + 5, true);
    for client in 0..3 {
        assert_eq!(saw_stamped(&mut ledger, client, T + 5, "tick", "later", "1"), DeliveryKind::New);
    }
    assert!(ledger.settle(T + GRACE_MS * 2) == Settlement::default());
}

#[test]
fn a_line_that_others_name_otherwise_is_an_event_and_owed() {
    let mut ledger = with_one_back("tick");
    // The same id, the same line, another time: a repeat, if ids were the events' own.
    assert_eq!(saw_stamped(&mut ledger, 0, T + 5, "tick", "later", "1"), DeliveryKind::New);
    saw_stamped(&mut ledger, 1, T + 5, "tick", "later", "2");
    let settled = ledger.settle(T + 5 + GRACE_MS);
    assert_eq!(missed_by(&settled.missed), [(2, "run".to_owned())]);
    assert!(settled.repeated.is_empty());
}

#[test]
fn an_id_that_comes_with_something_else_clears_all_that_was_suspected_and_takes_it_for_an_event() {
    let mut ledger = with_one_back("tick");
    assert_eq!(saw_stamped(&mut ledger, 0, T + 5, "tick", "later", "1"), DeliveryKind::New);
    assert!(ledger.settle(T + 5) == Settlement::default());
    saw(&mut ledger, 0, T + 6, "b", "2");
    saw(&mut ledger, 1, T + 6, "c", "2");
    let settled = ledger.settle(T + 6 + GRACE_MS);
    let mut missed = missed_by(&settled.missed);
    missed.sort();
    // What was suspected, by the two others; what 0 and 1 each saw alone, by two each.
    assert_eq!(missed.iter().map(|(client, _)| *client).collect::<Vec<_>>(), [0, 1, 1, 2, 2, 2]);
    assert!(settled.repeated.is_empty());
}

#[test]
fn a_known_id_on_one_connection_is_a_repeat_also_after_ids_have_begun_anew_and_of_what_all_have_passed() {
    let mut ledger = with_one_back("a");
    for client in 0..3 {
        saw(&mut ledger, client, T + 5, "b", if client == 0 { "1" } else { "2" });
        saw(&mut ledger, client, T + 5, "c", if client == 0 { "2" } else { "3" });
    }
    for client in 0..3 {
        let id = if client == 0 { "2" } else { "3" };
        let again = saw_stamped(&mut ledger, client, T + 6, "c", "later", id);
        assert_eq!(again, DeliveryKind::Again { same_id: true }, "{client}");
        assert!(ledger.settle(T + 6 + GRACE_MS) == Settlement::default(), "{client}");
    }
}

#[test]
fn ids_that_start_anew_with_the_gateway_hide_no_gap_across_its_restart() {
    let mut ledger = ledger(3);
    for client in 0..3 {
        saw(&mut ledger, client, T, "a", "1");
        ledger.lost(client);
    }
    ledger.opened(0, T + 5, true);
    assert_eq!(saw(&mut ledger, 0, T + 5, "b", "1"), DeliveryKind::New);
    ledger.opened(1, T + 10, true);
    assert_eq!(saw(&mut ledger, 1, T + 10, "b", "1"), DeliveryKind::New);
    ledger.opened(2, T + 15, true);
    assert_eq!(missed_by(&ledger.settle(T + 15 + GRACE_MS).missed), [(2, "run".to_owned())]);
}

#[test]
fn an_event_that_one_had_stamped_otherwise_is_missed_by_nobody() {
    let mut ledger = ledger(3);
    saw(&mut ledger, 0, T, "a", "1");
    saw(&mut ledger, 1, T, "a", "1");
    assert_eq!(saw_stamped(&mut ledger, 2, T, "a", "later", "1"), DeliveryKind::New);
    assert!(ledger.settle(T + GRACE_MS) == Settlement::default());
    assert_eq!((ledger.outstanding(), ledger.sequence.open()), (0, 0));
}

#[test]
fn a_repeat_under_a_number_of_its_connection_is_found_after_ids_have_begun_anew() {
    let mut ledger = ledger(2);
    for number in 1..=25 {
        saw(&mut ledger, 0, T, &format!("event {number}"), &number.to_string());
        saw(&mut ledger, 1, T, &format!("event {number}"), &number.to_string());
    }
    ledger.lost(0);
    saw(&mut ledger, 1, T, "event 26", "26");
    ledger.opened(0, T, true);
    assert_eq!(saw(&mut ledger, 0, T, "event 26", "1"), DeliveryKind::New);
    assert_eq!(saw(&mut ledger, 0, T, "event 26", "1"), DeliveryKind::Again { same_id: true });
    assert_eq!(saw(&mut ledger, 0, T, "event 25", "2"), DeliveryKind::Equal);
    let settled = ledger.settle(T + GRACE_MS);
    assert_eq!((settled.repeated.len(), settled.repeated[0].id.as_str(), settled.missed.len()), (1, "2", 0));
}

#[test]
fn the_end_of_a_run_is_known_of_the_connection_that_showed_it() {
    let mut ledger = ledger(2);
    ledger.saw(0, T, &Delivery { stamp: "", unstamped: "end", run: "run", id: "1", kind: "end", message: None });
    let has_shown =
        |ledger: &Ledger| [(0, "run"), (1, "run"), (0, "other")].map(|(n, run)| ledger.has_shown_end(n, run));
    assert_eq!([true, false, false], has_shown(&ledger));
    ledger.opened(0, T, true);
    assert_eq!([false; 3], has_shown(&ledger), "on another connection lines may be replayed");
}

#[test]
fn a_repeat_that_counts_as_seen_by_all_hides_none_before_it() {
    let mut ledger = Ledger::new(4);
    let b = |ledger: &mut Ledger, client, now_ms| {
        let delivery = Delivery { stamp: "x", unstamped: "b", run: "run", id: "", kind: "log", message: None };
        ledger.saw(client, now_ms, &delivery)
    };
    for client in [3, 3, 1, 3] {
        b(&mut ledger, client, 0);
    }
    ledger.opened(0, 0, false);
    ledger.opened(0, 1_000, true);
    saw_stamped(&mut ledger, 0, 2_000, "a", "x", "");
    // The fourth is owed by one client, which got it less often, as most did. So it counts as seen by all.
    b(&mut ledger, 3, 2_000);
    ledger.settle(12_100);
    // The second and the third are known, of another client.
    let equal = Delivered { sighting: DeliveryKind::Equal, is_first: false };
    assert_eq!([equal, equal], [b(&mut ledger, 1, 12_100), b(&mut ledger, 1, 12_100)]);
}
