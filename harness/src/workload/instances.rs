//! Several processes that answer `/metrics` in turn, distinguished by their metrics.
//!
//! Workers of a cluster often start in the same second, and some report no start. Counters of a process never fall, so
//! its scrapes form a chain in which every counter rises. A scrape continues the chain whose last scrape is nearest
//! below it; a scrape that is below every chain in some counter is of a new process.
//!
//! The first scrapes are held back, because a second process that has counted more looks like growth of the first.
//! Chains are found among all of them at once, smallest steps first. Later scrapes are assigned at once. With several
//! processes, a step far above the usual rate is not counted: it may lead from one process to another.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::tally;
use crate::{
    gateway::Exposition,
    journal::{Buckets, Source},
    session::StartPoint,
};

/// Scrapes of processes with the same start that are held back until chains are found.
pub(super) const HELD_MAX: usize = 6;
/// Processes with the same start that are remembered; a further one replaces the one that has not answered for longest.
pub(super) const CHAINS_MAX: usize = 32;
/// Starts that are remembered.
pub(super) const GROUPS_MAX: usize = 16;
/// A process that has not answered for this number of scrapes is gone.
const SILENT_MAX: u64 = 24;
/// Counters that are compared, beside the buckets of histograms. Other names that end in `_total` may be gauges.
const COUNTERS: [&str; 4] =
    ["process_cpu_seconds_total", "runs_started_total", "sse_connections_total", "sse_messages_total"];
/// Buckets of one histogram that are compared.
const BUCKETS_MAX: usize = 256;
/// Samples by which a bucket without those below it may fall: some libraries read one bucket after another.
const BUCKET_SLACK: f64 = 2.0;
/// With several processes, maximum ratio of a step to the greatest rate so far.
const STEP_FACTOR: f64 = 10.0;

/// The counts of a process so far.
#[derive(Debug, Clone)]
pub(super) struct ProcessCounts {
    counters: BTreeMap<String, f64>,
    sources: BTreeMap<Source, Vec<(f64, f64)>>,
}

impl ProcessCounts {
    pub(super) fn of(exposition: &Exposition) -> Self {
        let value = |name: &&'static str| Some(((*name).to_owned(), exposition.value(name)?));
        let mut counters: BTreeMap<String, f64> = COUNTERS.iter().filter_map(value).collect();
        let histogram = |source: &Source| Some((*source, exposition.histograms.get(source.name())?.clone()));
        let sources: BTreeMap<Source, Vec<(f64, f64)>> = Source::ALL.iter().filter_map(histogram).collect();
        for (source, buckets) in &sources {
            let named = buckets.iter().map(|(bound, count)| (format!("{source} {bound}"), *count));
            counters.extend(named.take(BUCKETS_MAX));
        }
        Self { counters, sources }
    }

    /// The same histograms, when nothing had been counted yet.
    fn nothing(&self) -> Self {
        let zero = |buckets: &Vec<(f64, f64)>| buckets.iter().map(|(bound, _)| (*bound, 0.0)).collect();
        let sources = self.sources.iter().map(|(source, buckets)| (*source, zero(buckets))).collect();
        Self { counters: BTreeMap::new(), sources }
    }

    /// Returns the distance from here to `later`; `None` if a counter fell on the way.
    fn step_to(&self, later: &Self) -> Option<f64> {
        // Another process may have more samples in all, and fewer in one bucket.
        let fell = |(source, before): (&Source, &Vec<(f64, f64)>)| {
            let later = later.sources.get(source).filter(|later| later.len() == before.len());
            later.is_some_and(|later| own(before).zip(own(later)).any(|(before, now)| now < before - BUCKET_SLACK))
        };
        if self.sources.iter().any(fell) {
            return None;
        }
        let mut sum = 0.0;
        for (name, before) in &self.counters {
            if let Some(now) = later.counters.get(name) {
                if now < before {
                    return None;
                }
                sum += (now - before) / (1.0 + now.abs() + before.abs());
            }
        }
        Some(sum)
    }
}

/// Samples of each bucket without those below it.
fn own(buckets: &[(f64, f64)]) -> impl Iterator<Item = f64> {
    let below = std::iter::once(0.0).chain(buckets.iter().map(|(_, count)| *count));
    buckets.iter().zip(below).map(|((_, count), below)| count - below)
}

/// One scrape.
#[derive(Debug, Clone)]
pub(super) struct Scraped {
    pub(super) counted: ProcessCounts,
    /// Gauges of which each process has a part.
    pub(super) gauges: BTreeMap<&'static str, f64>,
    pub(super) mark: StartPoint,
}

/// The gains of histograms, each with the time of its request.
pub(super) type Gains = Vec<(Source, Buckets, StartPoint)>;

/// The processes that answer.
#[derive(Debug, Default)]
pub(super) struct Instances {
    groups: Vec<Group>,
    scrapes: u64,
    /// Start and number of the process that answered last.
    last: Option<(Option<u64>, usize)>,
    /// Whether one answered again after another.
    pub(super) are_several: bool,
}

impl Instances {
    /// Takes in a scrape of a process with this start, if known. All counts of a process that began within the soak
    /// were gained in it. Returns the gains that can be counted now.
    pub(super) fn take_in(&mut self, started_s: Option<f64>, is_of_soak: bool, scraped: Scraped) -> Gains {
        self.scrapes += 1;
        let started = started_s.map(f64::to_bits);
        let known = self.groups.iter().position(|group| group.started == started);
        let mut group = match known {
            Some(at) => self.groups.remove(at),
            // The first to answer were there before S2 asked, whatever the clocks say.
            None => Group { started, is_of_soak: is_of_soak && !self.groups.is_empty(), ..Group::default() },
        };
        let gains = group.take_in(scraped, self.scrapes);
        let number = group.chains.iter().find(|chain| chain.scrape == self.scrapes).map_or(1, |chain| chain.number);
        let is_another = self.last.replace((started, number)).is_some_and(|last| last != (started, number));
        self.are_several |=
            group.is_interleaved || (is_another && known.is_some() && group.was_seen(number, self.scrapes));
        if self.groups.len() == GROUPS_MAX {
            self.groups.remove(0);
        }
        self.groups.push(group);
        gains
    }

    /// Gains of scrapes that are still held back, when no further scrape comes.
    pub(super) fn finish(&mut self) -> Gains {
        let gains = self.groups.iter_mut().filter(|group| !group.is_open).flat_map(Group::open).collect();
        self.are_several |= self.groups.iter().any(|group| group.is_interleaved);
        gains
    }

    /// Number of processes that answered lately.
    pub(super) fn count(&self) -> usize {
        self.answering().count()
    }

    /// The sum of a gauge over the processes that answered lately, each with its last value.
    pub(super) fn sum(&self, name: &str) -> Option<f64> {
        let values = self.answering().filter_map(|chain| chain.gauges.get(name));
        values.copied().reduce(|sum, value| sum + value)
    }

    /// A name of the process that answered last; `None` if nothing distinguishes it from another.
    pub(super) fn name(&self) -> Option<String> {
        let (started, number) = self.last?;
        let process = if number > 1 { format!("process {number}") } else { String::new() };
        match started.map(f64::from_bits) {
            Some(started_s) if process.is_empty() => Some(format!("started {started_s}")),
            Some(started_s) => Some(format!("started {started_s}, {process}")),
            None => self.are_several.then(|| format!("process {number}")),
        }
    }

    fn answering(&self) -> impl Iterator<Item = &Chain> {
        let chains = self.groups.iter().flat_map(|group| &group.chains);
        chains.filter(|chain| self.scrapes - chain.scrape <= SILENT_MAX)
    }
}

/// The scrapes of one process.
#[derive(Debug)]
struct Chain {
    /// Among those with the same start, from 1.
    number: usize,
    last: ProcessCounts,
    at: Instant,
    /// The numbers of its last scrape, and of its last but one.
    scrape: u64,
    scrape_before: Option<u64>,
    gauges: BTreeMap<&'static str, f64>,
}

/// The processes that reported the same start, or none.
#[derive(Debug, Default)]
struct Group {
    started: Option<u64>,
    is_of_soak: bool,
    held: Vec<(u64, Scraped)>,
    is_open: bool,
    chains: Vec<Chain>,
    numbers: usize,
    /// The usual rates of histograms, samples per second.
    rates: BTreeMap<Source, f64>,
    are_several: bool,
    /// Whether one of them answered again after another.
    is_interleaved: bool,
}

impl Group {
    fn take_in(&mut self, scraped: Scraped, scrape: u64) -> Gains {
        if !self.is_open {
            self.held.push((scrape, scraped));
            return if self.held.len() < HELD_MAX { Gains::new() } else { self.open() };
        }
        let steps =
            self.chains.iter().enumerate().filter_map(|(n, chain)| Some((n, chain.last.step_to(&scraped.counted)?)));
        let nearest = steps.min_by(|a, b| a.1.total_cmp(&b.1));
        let mut gains = Gains::new();
        let (number, scrape_before) = match nearest.map(|(at, _)| self.chains.remove(at)) {
            Some(chain) => {
                self.count_step((&chain.last, chain.at), &scraped, &mut gains);
                self.is_interleaved |= self.chains.iter().any(|other| other.scrape >= chain.scrape);
                (chain.number, Some(chain.scrape))
            }
            None => {
                self.begin(&scraped, &mut gains);
                (self.numbers, None)
            }
        };
        self.keep(number, scraped, scrape, scrape_before);
        gains
    }

    /// Finds chains among the scrapes that were held back, and counts what they gained.
    fn open(&mut self) -> Gains {
        self.is_open = true;
        let held = std::mem::take(&mut self.held);
        let chains = chains(&held);
        let mut gains = Gains::new();
        self.are_several = chains.len() > 1;
        for chain in &chains {
            self.is_interleaved |= chain.windows(2).any(|pair| pair[1] - pair[0] > 1);
            let Some((first, last)) = chain.first().zip(chain.last()) else { continue };
            self.begin(&held[*first].1, &mut gains);
            for pair in chain.windows(2) {
                let (from, to) = (&held[pair[0]].1, &held[pair[1]].1);
                self.count_step((&from.counted, from.mark.at), to, &mut gains);
            }
            let (scrape, scraped) = held[*last].clone();
            let scrape_before = chain.len().checked_sub(2).map(|at| held[chain[at]].0);
            self.keep(self.numbers, scraped, scrape, scrape_before);
        }
        gains
    }

    /// Begins a process that was not seen before. Its counts are of the soak if it began within it.
    fn begin(&mut self, first: &Scraped, gains: &mut Gains) {
        self.numbers += 1;
        self.are_several |= self.numbers > 1;
        if self.is_of_soak {
            gains.extend(
                gained(&first.counted.nothing(), &first.counted).map(|(source, all)| (source, all, first.mark)),
            );
        }
    }

    fn count_step(&mut self, (from, at): (&ProcessCounts, Instant), to: &Scraped, gains: &mut Gains) {
        let seconds = to.mark.at.saturating_duration_since(at).as_secs_f64().max(0.001);
        for (source, buckets) in gained(from, &to.counted) {
            let samples = buckets.total() as f64;
            let usual = self.rates.entry(source).or_default();
            let samples_max = STEP_FACTOR * *usual * seconds + step_samples(source);
            *usual = usual.max(samples.min(samples_max) / seconds);
            if samples <= samples_max || !self.are_several {
                gains.push((source, buckets, to.mark));
            }
        }
    }

    fn keep(&mut self, number: usize, scraped: Scraped, scrape: u64, scrape_before: Option<u64>) {
        let Scraped { counted, gauges, mark } = scraped;
        if self.chains.len() == CHAINS_MAX {
            self.chains.remove(0);
        }
        self.chains.push(Chain { number, last: counted, at: mark.at, scrape, scrape_before, gauges });
    }

    /// Whether a process had answered before it did now.
    fn was_seen(&self, number: usize, now: u64) -> bool {
        let chain = self.chains.iter().find(|chain| chain.number == number);
        !self.is_open || chain.is_some_and(|chain| chain.scrape < now || chain.scrape_before.is_some())
    }
}

/// Samples of a step that is never unusual: one run has one verdict, and is written to all streams.
const fn step_samples(source: Source) -> f64 {
    match source {
        Source::Judge | Source::Shield => 10.0,
        Source::SseWrite => 1_000.0,
    }
}

/// Returns the gain of each histogram from one scrape to a later scrape of the same process.
fn gained(from: &ProcessCounts, to: &ProcessCounts) -> impl Iterator<Item = (Source, Buckets)> {
    to.sources.iter().filter_map(|(source, after)| Some((*source, tally::gained(from.sources.get(source)?, after))))
}

/// The chains that scrapes form, each a list of places. The smallest steps are taken first; each scrape has at most one
/// predecessor and one successor.
fn chains(held: &[(u64, Scraped)]) -> Vec<Vec<usize>> {
    let mut steps: Vec<(f64, usize, usize)> = Vec::new();
    for (to, (_, later)) in held.iter().enumerate() {
        for (from, (_, earlier)) in held[..to].iter().enumerate() {
            steps.extend(earlier.counted.step_to(&later.counted).map(|step| (step, from, to)));
        }
    }
    // Of equal steps the shortest in time first.
    steps.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.2 - a.1).cmp(&(b.2 - b.1))));
    let (mut next, mut has_previous) = (vec![None; held.len()], vec![false; held.len()]);
    for (_, from, to) in steps {
        if next[from].is_none() && !has_previous[to] {
            next[from] = Some(to);
            has_previous[to] = true;
        }
    }
    let firsts = (0..held.len()).filter(|place| !has_previous[*place]);
    firsts.map(|first| std::iter::successors(Some(first), |place| next[*place]).collect()).collect()
}

#[cfg(test)]
impl Instances {
    /// The greatest numbers of groups, of processes with the same start, and of scrapes that are held back.
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        let most = |of: fn(&Group) -> usize| self.groups.iter().map(of).max().unwrap_or(0);
        (self.groups.len(), most(|group| group.chains.len()), most(|group| group.held.len()))
    }
}
