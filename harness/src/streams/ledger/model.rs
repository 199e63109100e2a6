//! The ledger against two models: a gateway with a log, whose clients come and go, and the [`reference`] ledger. What
//! is done to each client is drawn; what the ledger should find follows from it; and it has to find just that, as the
//! reference does.
//!
//! `PROPTEST_CASES=100000 cargo test -p s2-harness ledger::model` plays more of them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{reference, *};

const CLIENTS: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Ids {
    /// Of the events, with holes.
    ForGood,
    /// They begin anew when the gateway restarts, which loses its log.
    AnewAfterRestart,
    /// They begin anew on every connection.
    AnewOnConnection,
}

/// The fate of one event at one client.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Delivered,
    Lost,
    Twice,
    TwiceUnderANewId,
    /// The second time with another timestamp, under the same id.
    TwiceStampedAnew,
    /// Once, with a timestamp of its own.
    StampedAnew,
}

/// The past events that a returning client is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Resume {
    Exact,
    /// And so many before that.
    TooEarly(usize),
    /// The same, with other timestamps.
    TooEarlyStampedAnew(usize),
    Ignored,
    /// It sent no `Last-Event-ID`, and is owed nothing of the past.
    Fresh,
}

#[derive(Debug, Clone)]
enum Step {
    Event(Vec<Fate>),
    Leave(usize, Away),
    /// Everyone is cut. No event happens before the first is back.
    Restart(Vec<Away>),
}

impl Drawn {
    fn comes_back_fresh(&self) -> bool {
        self.steps.iter().any(|(_, step)| match step {
            Step::Leave(_, Away(_, resume)) => *resume == Resume::Fresh,
            Step::Restart(away) => away.iter().any(|Away(_, resume)| *resume == Resume::Fresh),
            Step::Event(_) => false,
        })
    }
}

/// How many steps, and then how.
#[derive(Debug, Clone, Copy)]
struct Away(usize, Resume);

#[derive(Debug)]
struct Drawn {
    ids: Ids,
    holes: bool,
    /// Whether events are stamped anew where only ids for good show that they are the same; if so, nobody comes back
    /// fresh, so that there are witnesses to each.
    stamps: bool,
    /// So many events in a row say the same.
    alike: usize,
    /// Milliseconds before each step, and the step.
    steps: Vec<(u64, Step)>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let ids = prop_oneof![Just(Ids::ForGood), Just(Ids::AnewAfterRestart), Just(Ids::AnewOnConnection)];
    let fate = prop_oneof![
        20 => Just(Fate::Delivered),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Twice),
        1 => Just(Fate::TwiceUnderANewId),
        1 => Just(Fate::TwiceStampedAnew),
        1 => Just(Fate::StampedAnew),
    ];
    let resume = prop_oneof![
        6 => Just(Resume::Exact),
        1 => (1..12_usize).prop_map(Resume::TooEarly),
        1 => (1..12_usize).prop_map(Resume::TooEarlyStampedAnew),
        1 => Just(Resume::Ignored),
        1 => Just(Resume::Fresh),
    ];
    let away = (1..8_usize, resume).prop_map(|(steps, resume)| Away(steps, resume)).boxed();
    let step = prop_oneof![
        16 => prop::collection::vec(fate, CLIENTS).prop_map(Step::Event),
        3 => (0..CLIENTS, away.clone()).prop_map(|(client, away)| Step::Leave(client, away)),
        1 => prop::collection::vec(away, CLIENTS).prop_map(Step::Restart),
    ];
    // Bursts, a steady flow, and pauses on either side of the margin and of the grace.
    let pause = prop_oneof![6 => Just(0_u64), 6 => Just(100), 2 => Just(1_900), 2 => Just(2_100), 1 => Just(9_900), 1 => Just(10_100)];
    let steps = prop::collection::vec((pause, step), 1..60);
    (ids, any::<bool>(), any::<bool>(), 1..4_usize, steps).prop_map(|(ids, holes, stamps, alike, steps)| {
        let stamps = stamps && ids == Ids::ForGood;
        Drawn { ids, holes, stamps, alike, steps }
    })
}

/// Who, which event, and for a repeat whether under the same id.
type Findings = (Vec<(usize, usize)>, Vec<(usize, usize, bool)>);

/// A gateway and its clients, the ledger that watches them, and what it should find.
struct World {
    ids: Ids,
    holes: bool,
    stamps: bool,
    alike: usize,
    now: u64,
    ledger: Ledger,
    /// It has to find the same.
    reference: reference::Ledger,
    clients: Vec<Peer>,
    /// The fate of each event at each client.
    log: Vec<Vec<Fate>>,
    first_seen: BTreeMap<usize, u64>,
    /// The first event of this life of the gateway.
    life_from: usize,
    stamped: usize,
    /// The clients that got an event again as if it were an equal one.
    equal: BTreeMap<usize, u32>,
    found: Findings,
    made: Findings,
}

#[derive(Default)]
struct Peer {
    since: Option<u64>,
    back: Option<Away>,
    owes_since: u64,
    /// How far it was served.
    up_to: usize,
    /// Of its connection.
    number: usize,
    seen: BTreeSet<usize>,
    owes: BTreeSet<usize>,
    /// The last event that it had under each id.
    named: BTreeMap<String, usize>,
}

impl World {
    fn new(drawn: &Drawn) -> Self {
        let mut ledger = Ledger::new(CLIENTS);
        let peer = || Peer { since: Some(0), owes_since: OPENING_MARGIN_MS, ..Peer::default() };
        let mut reference = reference::Ledger::new(CLIENTS);
        (0..CLIENTS).for_each(|client| {
            ledger.opened(client, 0, false);
            reference.opened(client, 0, false);
        });
        Self {
            ids: drawn.ids,
            holes: drawn.holes,
            stamps: drawn.stamps,
            alike: drawn.alike,
            now: OPENING_MARGIN_MS,
            ledger,
            reference,
            clients: (0..CLIENTS).map(|_| peer()).collect(),
            log: Vec::new(),
            first_seen: BTreeMap::new(),
            life_from: 0,
            stamped: 0,
            equal: BTreeMap::new(),
            found: Findings::default(),
            made: Findings::default(),
        }
    }

    fn play(&mut self, pause: u64, step: &Step) {
        self.now += pause;
        for client in 0..CLIENTS {
            if let Some(Away(steps, resume)) = self.clients[client].back {
                self.clients[client].back = Some(Away(steps - 1, resume));
                if steps == 1 {
                    self.come_back(client, resume);
                }
            }
        }
        match step {
            Step::Event(fates) if self.clients.iter().any(|peer| peer.since.is_some()) => {
                self.log.push(fates.clone());
                for client in 0..CLIENTS {
                    if self.clients[client].since.is_some() {
                        self.serve(client);
                    }
                }
            }
            Step::Event(_) => {}
            Step::Leave(client, away) => self.leave(*client, *away),
            Step::Restart(away) => {
                (0..CLIENTS).for_each(|client| self.leave(client, away[client]));
                self.life_from = if self.ids == Ids::AnewAfterRestart { self.log.len() } else { 0 };
            }
        }
        self.settle();
    }

    fn leave(&mut self, client: usize, away: Away) {
        if self.clients[client].since.take().is_some() {
            self.clients[client].back = Some(away);
            self.ledger.lost(client);
            self.reference.lost(client);
        }
    }

    fn come_back(&mut self, client: usize, resume: Resume) {
        let is_fresh = resume == Resume::Fresh && !self.stamps;
        self.ledger.opened(client, self.now, !is_fresh);
        self.reference.opened(client, self.now, !is_fresh);
        let peer = &mut self.clients[client];
        (peer.since, peer.back, peer.number) = (Some(self.now), None, 0);
        if is_fresh {
            peer.owes_since = self.now + OPENING_MARGIN_MS;
            peer.owes.clear();
        }
        match resume {
            Resume::Exact => {}
            Resume::Fresh if !is_fresh => {}
            Resume::Fresh | Resume::Ignored => peer.up_to = self.log.len(),
            Resume::TooEarly(many) | Resume::TooEarlyStampedAnew(many) => {
                let from = peer.up_to.saturating_sub(many).max(self.life_from);
                let is_stamped = matches!(resume, Resume::TooEarlyStampedAnew(_)) && self.stamps;
                for event in from..self.clients[client].up_to {
                    let id = self.name(client, event);
                    self.deliver(client, event, is_stamped, id);
                }
            }
        }
        let peer = &mut self.clients[client];
        // What a gateway forgot, it cannot send.
        peer.up_to = peer.up_to.max(self.life_from);
        self.serve(client);
    }

    /// Does to a client what it is in for.
    fn serve(&mut self, client: usize) {
        while let Some(fates) = self.log.get(self.clients[client].up_to) {
            let (event, fate) = (self.clients[client].up_to, fates[client]);
            self.clients[client].up_to += 1;
            let id = self.name(client, event);
            match fate {
                Fate::Lost => continue,
                Fate::StampedAnew => self.deliver(client, event, self.stamps, id.clone()),
                _ => self.deliver(client, event, false, id.clone()),
            }
            match fate {
                Fate::Twice => self.deliver(client, event, false, id),
                Fate::TwiceUnderANewId => self.deliver(client, event, false, format!("{event} again for {client}")),
                Fate::TwiceStampedAnew => self.deliver(client, event, true, id),
                _ => {}
            }
        }
    }

    fn name(&mut self, client: usize, event: usize) -> String {
        let number = match self.ids {
            Ids::ForGood => event,
            Ids::AnewAfterRestart => event - self.life_from,
            Ids::AnewOnConnection => {
                self.clients[client].number += 1;
                self.clients[client].number
            }
        };
        if self.holes { (number * 3 + number % 2).to_string() } else { number.to_string() }
    }

    fn deliver(&mut self, client: usize, event: usize, is_stamped_anew: bool, id: String) {
        self.stamped += usize::from(is_stamped_anew);
        let stamp = if is_stamped_anew { format!("stamp {}", self.stamped) } else { format!("stamp of {event}") };
        let (said, run) = (format!("line {}", event / self.alike), event.to_string());
        let got = Delivery { stamp: &stamp, unstamped: &said, run: &run, id: &id, kind: "log", message: Some(&said) };
        let delivered = self.ledger.saw(client, self.now, &got);
        assert_eq!(self.reference.saw(client, self.now, &got), delivered);
        match delivered.sighting {
            DeliveryKind::Again { same_id } => self.found.1.push((client, event, same_id)),
            // Equal to what the client had: what the others get of it will tell.
            DeliveryKind::Equal => *self.equal.entry(event).or_default() |= 1 << client,
            DeliveryKind::New => {}
        }

        if !self.first_seen.contains_key(&event) {
            self.first_seen.insert(event, self.now);
            for peer in self.clients.iter_mut().filter(|peer| peer.owes_since <= self.now) {
                peer.owes.insert(event);
            }
        }
        let peer = &mut self.clients[client];
        let same_id = peer.named.insert(id, event) == Some(event);
        if !peer.seen.insert(event) {
            self.made.1.push((client, event, same_id));
        }
    }

    fn settle(&mut self) {
        let settled = self.ledger.settle(self.now);
        assert_eq!(self.reference.settle(self.now), settled);
        assert_eq!(self.reference.outstanding(), self.ledger.outstanding());
        self.found.0.extend(settled.missed.iter().map(|m| (m.client, m.run.parse::<usize>().unwrap())));
        self.found.1.extend(settled.repeated.iter().map(|r| (r.client, r.run.parse::<usize>().unwrap(), r.same_id)));

        for (client, peer) in self.clients.iter_mut().enumerate() {
            let Some(since) = peer.since else { continue };
            let is_over = |event: &usize| self.now >= since.max(self.first_seen[event]) + GRACE_MS;
            let missed: Vec<usize> = peer.owes.difference(&peer.seen).copied().filter(is_over).collect();
            for event in missed {
                peer.owes.remove(&event);
                self.made.0.push((client, event));
            }
        }
    }

    /// Everyone comes back, and the grace passes.
    fn end(mut self) -> (Findings, Findings, Ledger) {
        for client in 0..CLIENTS {
            if let Some(Away(_, resume)) = self.clients[client].back {
                self.come_back(client, resume);
            }
        }
        self.settle();
        self.now += GRACE_MS;
        self.settle();
        // Where several got an event again, it may be an equal one that the others have missed, and only the run's
        // record can tell. The same where nobody else was there all the time.
        let contested = |event: &usize| self.equal.get(event).is_some_and(|clients| clients.count_ones() > 1);
        for findings in [&mut self.found, &mut self.made] {
            findings.0.retain(|(_, event)| !contested(event));
            findings.1.retain(|(_, event, _)| !contested(event));
        }
        for findings in [&mut self.found, &mut self.made] {
            findings.0.sort_unstable();
            findings.1.sort_unstable();
        }
        (self.found, self.made, self.ledger)
    }
}

proptest! {
    // Two thousand, or more if PROPTEST_CASES says so.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1_000), ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_finds_what_was_done_to_each_client_and_nothing_else(drawn in drawn()) {
        // Where ids begin anew, a run that says the same again may look like one event; if it is lost, too, who can
        // tell.
        let alike = if drawn.ids == Ids::ForGood { drawn.alike } else { 1 };
        let drawn = Drawn { alike, ..drawn };
        let (found, mut made, ledger) = played(&drawn);
        if drawn.comes_back_fresh() {
            // One that comes back fresh owes nothing, so there may be no witness to a repeat.
            prop_assert!(found.1.iter().all(|repeated| made.1.contains(repeated)), "{:?} {:?}", found.1, made.1);
            made.1.clone_from(&found.1);
        }
        prop_assert_eq!(found, made);
        prop_assert_eq!((ledger.outstanding(), ledger.sequence.open()), (0, 0));
    }

    #[test]
    fn a_gateway_that_loses_and_repeats_nothing_is_never_accused(mut drawn in drawn()) {
        let heal = |Away(_, resume): &mut Away| if *resume != Resume::Fresh { *resume = Resume::Exact };
        for (_, step) in &mut drawn.steps {
            match step {
                Step::Event(fates) => fates.fill(Fate::Delivered),
                Step::Leave(_, away) => heal(away),
                Step::Restart(away) => away.iter_mut().for_each(heal),
            }
        }
        let (found, made, _) = played(&drawn);
        prop_assert!(made.1.is_empty());
        // Who is away when the gateway forgets, loses something all the same.
        if made.0.is_empty() {
            prop_assert_eq!(found, made);
        }
    }
}

fn played(drawn: &Drawn) -> (Findings, Findings, Ledger) {
    let mut world = World::new(drawn);
    for (pause, step) in &drawn.steps {
        world.play(*pause, step);
    }
    world.end()
}
