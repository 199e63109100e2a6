use proptest::prelude::*;

use super::*;

/// After every opening margin.
const T: u64 = OPENING_MARGIN_MS + 1;

fn ledger(clients: usize) -> Ledger {
    let mut ledger = Ledger::new(clients);
    for client in 0..clients {
        ledger.opened(client, 0, false);
    }
    ledger
}

fn missed_by(missed: &[Missed]) -> Vec<(usize, String)> {
    missed.iter().map(|m| (m.client, m.run.clone())).collect()
}

#[test]
fn an_event_that_all_saw_is_neither_missed_nor_duplicated() {
    let mut ledger = ledger(3);
    for client in 0..3 {
        assert_eq!(ledger.saw(client, T, "a", "run", "1"), Sighting::New);
    }
    assert!(ledger.settle(T + GRACE_MS * 2).is_empty());
    assert_eq!(ledger.outstanding(), 0);
}

#[test]
fn an_event_that_one_did_not_see_is_missed_by_it_once_and_only_after_the_grace() {
    let mut ledger = ledger(3);
    ledger.saw(0, T, "a", "run", "1");
    ledger.saw(1, T, "a", "run", "1");
    assert!(ledger.settle(T + GRACE_MS - 1).is_empty());
    let missed = ledger.settle(T + GRACE_MS);
    assert_eq!(missed_by(&missed), [(2, "run".to_owned())]);
    assert_eq!((missed[0].seen_by, missed[0].first_seen_ms), (2, T));
    assert!(ledger.settle(T + GRACE_MS * 2).is_empty());
}

#[test]
fn a_client_that_is_away_owes_what_it_is_sent_after_its_return() {
    let mut ledger = ledger(2);
    ledger.saw(0, T, "a", "run", "1");
    ledger.saw(1, T, "a", "run", "1");
    ledger.lost(1);
    ledger.saw(0, T + 10, "b", "run", "2");
    ledger.saw(0, T + 20, "c", "run", "3");
    assert!(ledger.settle(T + GRACE_MS * 3).is_empty(), "one that is away is no witness");
    ledger.opened(1, T + GRACE_MS * 3, true);
    assert_eq!(ledger.saw(1, T + GRACE_MS * 3, "b", "run", "2"), Sighting::New);
    assert_eq!(ledger.outstanding(), 1);
    assert_eq!(missed_by(&ledger.settle(T + GRACE_MS * 4)), [(1, "run".to_owned())]);
}

#[test]
fn a_client_that_comes_back_without_an_id_owes_nothing_of_what_went_by() {
    let mut ledger = ledger(2);
    ledger.lost(1);
    ledger.saw(0, T, "a", "run", "1");
    ledger.opened(1, T + 10, false);
    assert!(ledger.settle(T + GRACE_MS * 3).is_empty());
}

#[test]
fn an_event_is_a_duplicate_under_the_same_id_and_under_a_new_one() {
    let mut ledger = ledger(2);
    ledger.saw(0, T, "a", "run", "1");
    assert_eq!(ledger.saw(0, T, "a", "run", "1"), Sighting::Again { same_id: true });
    assert_eq!(ledger.saw(0, T, "a", "run", "9"), Sighting::Again { same_id: false });
    ledger.saw(1, T, "a", "run", "1");
    ledger.settle(T + GRACE_MS);
    assert_eq!(
        ledger.saw(1, T + GRACE_MS, "a", "run", "1"),
        Sighting::Again { same_id: true },
        "closed, not forgotten"
    );
}

#[test]
fn another_content_under_the_same_id_is_a_repeat_that_was_stamped_anew() {
    let mut ledger = ledger(2);
    ledger.saw(0, T, "a at 1", "run", "1");
    assert_eq!(ledger.saw(0, T, "a at 2", "run", "1"), Sighting::Again { same_id: true });
}

#[test]
fn ids_that_start_anew_on_every_connection_are_no_duplicates() {
    let mut ledger = ledger(2);
    ledger.saw(0, T, "a", "run", "1");
    ledger.saw(1, T, "a", "run", "7");
    ledger.lost(0);
    ledger.opened(0, T + 5, true);
    assert_eq!(ledger.saw(0, T + 5, "b", "run", "1"), Sighting::New);
}

#[test]
fn a_flood_that_one_never_takes_is_bounded_and_said() {
    let mut ledger = ledger(2);
    ledger.lost(1);
    for n in 0..=OPEN_MAX {
        ledger.saw(0, T, &n.to_string(), "run", &n.to_string());
    }
    assert_eq!(ledger.open.len(), OPEN_MAX);
    assert_eq!(ledger.order.len(), OPEN_MAX);
    assert_eq!((ledger.take_evicted(), ledger.take_evicted()), (1, 0));
}

/// What is done to one client with one event.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Delivered,
    Lost,
    Twice,
    TwiceUnderANewId,
}

fn fates(clients: usize) -> impl Strategy<Value = Vec<Vec<Fate>>> {
    let fate = prop_oneof![
        20 => Just(Fate::Delivered),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Twice),
        1 => Just(Fate::TwiceUnderANewId),
    ];
    prop::collection::vec(prop::collection::vec(fate, clients), 1..60)
}

proptest! {
    /// A gateway that really did something to each client, and clients that come and go: the ledger finds what was
    /// done, to whom, and nothing else.
    #[test]
    fn the_ledger_finds_what_was_done_to_each_client(
        fates in fates(5),
        away in prop::collection::vec((0_usize..5, 0_usize..60, 1_usize..6), 0..8),
        ids_per_connection in any::<bool>(),
    ) {
        let mut ledger = ledger(5);
        let mut queued: Vec<Vec<usize>> = vec![Vec::new(); 5];
        let mut gone_until = [0_usize; 5];
        let mut numbers = [0_usize; 5];
        let (mut duplicates_found, mut duplicates_made) = (0, 0);
        let (mut missed, mut lost) = (Vec::new(), Vec::new());
        let mut now = T;
        let deliver = |ledger: &mut Ledger, numbers: &mut [usize; 5], client: usize, event: usize, now: u64| {
            let (content, run) = (format!("event {event}"), format!("{event}"));
            numbers[client] += 1;
            let id = |n: usize| if ids_per_connection { n.to_string() } else { event.to_string() };
            let (mut found, mut made) = (0, 0);
            let mut see = |ledger: &mut Ledger, id: String| {
                found += usize::from(ledger.saw(client, now, &content, &run, &id) != Sighting::New);
            };
            match fates[event][client] {
                Fate::Lost => {}
                Fate::Delivered => see(ledger, id(numbers[client])),
                Fate::Twice => {
                    see(ledger, id(numbers[client]));
                    see(ledger, id(numbers[client]));
                    made = 1;
                }
                Fate::TwiceUnderANewId => {
                    see(ledger, id(numbers[client]));
                    see(ledger, format!("again {}", numbers[client]));
                    made = 1;
                }
            }
            (found, made)
        };
        for event in 0..fates.len() + 6 {
            now += 100;
            for client in 0..5 {
                if gone_until[client] > 0 && gone_until[client] <= event {
                    gone_until[client] = 0;
                    numbers[client] = if ids_per_connection { 0 } else { numbers[client] };
                    ledger.opened(client, now, true);
                    for earlier in std::mem::take(&mut queued[client]) {
                        let (found, made) = deliver(&mut ledger, &mut numbers, client, earlier, now);
                        duplicates_found += found;
                        duplicates_made += made;
                    }
                }
                for (who, when, how_long) in &away {
                    if *who == client && *when == event && gone_until[client] == 0 && event < fates.len() {
                        ledger.lost(client);
                        gone_until[client] = event + how_long;
                    }
                }
                if event >= fates.len() {
                    continue;
                }
                if gone_until[client] > 0 {
                    queued[client].push(event);
                } else {
                    let (found, made) = deliver(&mut ledger, &mut numbers, client, event, now);
                    duplicates_found += found;
                    duplicates_made += made;
                }
            }
            missed.extend(missed_by(&ledger.settle(now)));
        }
        missed.extend(missed_by(&ledger.settle(now + GRACE_MS)));
        for (event, of_clients) in fates.iter().enumerate() {
            let lost_by = |client: &usize| of_clients[*client] == Fate::Lost;
            // What nobody saw, nobody can know of.
            if (0..5).all(|client| lost_by(&client)) {
                continue;
            }
            lost.extend((0..5).filter(lost_by).map(|client| (client, event.to_string())));
        }
        missed.sort();
        lost.sort();
        prop_assert_eq!(missed, lost);
        prop_assert_eq!(duplicates_found, duplicates_made);
    }
}
