//! One direction of a connection: reads, delays, writes.

use std::{cell::RefCell, io::ErrorKind::WouldBlock, sync::Arc, time::Duration};

use bytes::{BufMut, Bytes};
use rand::RngExt;
use rand_pcg::Pcg64;
use tokio::{
    io::AsyncWriteExt,
    net::tcp::{ReadHalf, WriteHalf},
    sync::{Semaphore, watch},
    task::coop::consume_budget,
    time::{Instant, sleep_until},
};

use super::{
    counters::Count,
    fault::{AddedLatency, RULES_OUTLIVE_CONNECTIONS, Rules},
    line::{CHUNK_BYTES, DelayLine, Item},
};
use crate::clock;

thread_local! {
    /// The read buffer of this thread. Bytes are written or copied before the next read.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(CHUNK_BYTES));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DirectionEnd {
    /// The sender sends no more, and all was written. [`Pump::close`] passes this on.
    InOrder,
    /// The sender reset the connection.
    SourceReset,
    /// The receiver takes no more.
    SinkGone,
}

/// Carries bytes from one socket to another, in order and untouched.
///
/// Without a fault, bytes are written at once and before the next read: the line is empty, no clock is read and no
/// timer set. With a latency, up to the line's bound is read ahead.
#[derive(Debug)]
pub(super) struct Pump<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    passed: &'a Count,
    /// Counter of late bytes, and random source of their delays; for answers only.
    lateness: Option<(&'a Count, Pcg64)>,
    rules: watch::Receiver<Rules>,
    line: DelayLine,
    latency: Option<AddedLatency>,
    is_read: bool,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        (from, to): (ReadHalf<'a>, WriteHalf<'a>),
        passed: &'a Count,
        lateness: Option<(&'a Count, Pcg64)>,
        rules: watch::Receiver<Rules>,
        shared: &Arc<Semaphore>,
    ) -> Self {
        let line = DelayLine::new(Arc::clone(shared));
        let mut pump = Self { from, to, passed, lateness, rules, line, latency: None, is_read: false };
        pump.follow_rules();
        pump
    }

    /// Carries until one side has ended and all is written, or cannot be. Changes of the rules take effect at once.
    pub(super) async fn run(&mut self) -> DirectionEnd {
        loop {
            // A connection that always has something to carry lets others run.
            consume_budget().await;
            if self.rules.has_changed().unwrap_or(false) {
                self.follow_rules();
            }
            let (until, is_blocked) = match self.write() {
                Ok(wait) => wait,
                Err(ended) => return ended,
            };
            let may_read = !self.is_read && self.may_read();
            tokio::select! {
                biased;
                changed = self.rules.changed() => {
                    changed.expect(RULES_OUTLIVE_CONNECTIONS);
                    self.follow_rules();
                }
                _ = self.from.readable(), if may_read => self.read(),
                _ = self.to.writable(), if is_blocked => {}
                () = sleep_until(until.unwrap_or_else(clock::now)), if until.is_some() => {}
            }
        }
    }

    /// Tells the receiver that no more comes. Returns whether it was still there.
    pub(super) async fn close(&mut self) -> bool {
        self.to.shutdown().await.is_ok()
    }

    fn follow_rules(&mut self) {
        let rules = *self.rules.borrow_and_update();
        if self.lateness.is_some() && self.latency != rules.latency {
            self.latency = rules.latency;
            if !self.line.is_empty() {
                let delay_max = rules.latency.map_or(Duration::ZERO, |latency| latency.delay_max());
                let now = clock::now();
                self.line.hasten(now.checked_add(delay_max).unwrap_or(now));
            }
        }
    }

    fn may_read(&mut self) -> bool {
        if self.latency.is_none() {
            return self.line.is_empty();
        }
        let room = self.line.room();
        self.line.settle();
        room > 0
    }

    /// Reads the available bytes, and writes them at once if there is no fault.
    fn read(&mut self) {
        BUFFER.with_borrow_mut(|buffer| self.read_into(buffer));
        self.line.settle();
    }

    fn read_into(&mut self, buffer: &mut Vec<u8>) {
        buffer.clear();
        let room = if self.latency.is_some() { self.line.room() } else { CHUNK_BYTES };
        match self.from.try_read_buf(&mut (&mut *buffer).limit(room)) {
            _ if room == 0 => {}
            Ok(0) => self.hold(Item::End),
            Ok(n) => {
                let is_undisturbed = self.latency.is_none() && self.line.is_empty();
                // An error shows at the next write.
                let written = if is_undisturbed { self.to.try_write(buffer).unwrap_or(0) } else { 0 };
                self.passed.add(written);
                if written < n {
                    self.hold(Item::Bytes(Bytes::copy_from_slice(&buffer[written..n])));
                }
            }
            Err(error) if error.kind() == WouldBlock => {}
            Err(_) => self.hold(Item::Reset),
        }
    }

    fn hold(&mut self, item: Item) {
        self.is_read |= !matches!(item, Item::Bytes(_));
        let delay = match (self.latency, &mut self.lateness) {
            (Some(latency), Some((_, dice))) => delay(latency, dice),
            _ => Duration::ZERO,
        };
        self.line.push(item, clock::now(), delay);
    }

    /// Writes the bytes that are due. Returns the time of the next write, and whether the receiver is full.
    fn write(&mut self) -> Result<(Option<Instant>, bool), DirectionEnd> {
        while let Some(held) = self.line.front() {
            if held.release > clock::now() {
                return Ok((Some(held.release), false));
            }
            let bytes = match &held.item {
                Item::Bytes(bytes) => bytes,
                Item::End => return Err(DirectionEnd::InOrder),
                Item::Reset => return Err(DirectionEnd::SourceReset),
            };
            let n = match self.to.try_write(bytes) {
                Ok(n) => n,
                Err(error) if error.kind() == WouldBlock => return Ok((None, true)),
                Err(_) => return Err(DirectionEnd::SinkGone),
            };
            self.passed.add(n);
            if let (true, Some((delayed, _))) = (held.is_late, &self.lateness) {
                delayed.add(n);
            }
            self.line.advance(n);
        }
        Ok((None, false))
    }
}

/// A delay of that latency, evenly between its bounds.
fn delay(latency: AddedLatency, dice: &mut Pcg64) -> Duration {
    let jitter_us = latency.jitter_ms.saturating_mul(1_000);
    let delay_us = latency.delay_ms.saturating_mul(1_000);
    let least = delay_us.saturating_sub(jitter_us);
    Duration::from_micros(dice.random_range(least..=delay_us.saturating_add(jitter_us)))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn draws(delay_ms: u64, jitter_ms: u64, seed: u64) -> Vec<u128> {
        let mut dice = Pcg64::seed_from_u64(seed);
        (0..10_000).map(|_| delay(AddedLatency { delay_ms, jitter_ms }, &mut dice).as_millis()).collect()
    }

    #[test]
    fn jitter_stays_within_its_bounds_and_reaches_them() {
        let drawn = draws(150, 50, 1);
        assert!(drawn.iter().all(|ms| (100..=200).contains(ms)));
        assert!(drawn.iter().any(|ms| *ms < 105) && drawn.iter().any(|ms| *ms > 195));
        assert!(draws(150, 0, 1).iter().all(|ms| *ms == 150));
    }

    #[test]
    fn jitter_beyond_the_delay_is_never_sooner_than_now() {
        let drawn = draws(10, 50, 1);
        assert!(drawn.contains(&0) && drawn.iter().all(|ms| *ms <= 60));
        assert_eq!(draws(u64::MAX, u64::MAX, 1).len(), 10_000);
    }

    #[test]
    fn the_same_seed_rolls_the_same_dice() {
        assert_eq!(draws(150, 50, 3), draws(150, 50, 3));
        assert_ne!(draws(150, 50, 3), draws(150, 50, 4));
    }
}
