//! One round of a row: both soaks, and the processor time and memory of each process between the same moments.

use std::{
    env,
    io::{self, BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use s2_harness::{
    clock,
    journal::{self, Counter, LatencyHistogram, Record, Timing},
};
use testkit::{AnyError, GatewayProcess, Soak, cpu_ms, memory_bytes, own_binary, session_of};

use crate::{GATEWAY, READER, Row};

/// Streams are open and pages are warm by then, scenario time of the soak.
const FROM_MS: u64 = 30_000;
/// Before the end, when streams are closed.
const BEFORE_END_MS: u64 = 10_000;
/// Between looks at the processes.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Measurements of one round.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) delivered_per_second: f64,
    pub(crate) session_events_per_core_second: f64,
    pub(crate) reader_events_per_core_second: f64,
    pub(crate) session_bytes: f64,
    pub(crate) session_processor_percent: f64,
    /// By how much the session is larger than with two streams, for each further stream.
    pub(crate) bytes_per_stream: f64,
    pub(crate) lateness_p99_ms: f64,
    pub(crate) gateway_processor_percent: f64,
    /// Requests and openings of streams of W1 to W5 by core second of the whole session, with all that it does beside them.
    pub(crate) session_requests_per_core_second: f64,
    /// Those of `wrk` at the same gateway, which asks for `/ready` and looks at no answer. Not a number without the program.
    pub(crate) wrk_requests_per_core_second: f64,
}

/// A process at a moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    at_ms: f64,
    cpu_ms: f64,
    bytes: f64,
    /// Events that the reader has read.
    events: f64,
}

/// Measurements of a soak between the two moments.
struct Played {
    session: [Look; 2],
    gateway: [Look; 2],
    reader: Option<[Look; 2]>,
    delivered: f64,
    requests: f64,
    lateness_p99_ms: f64,
    wrk_requests_per_core_second: f64,
}

pub(crate) fn measure(row: Row, duration: Duration) -> Result<Measured, AnyError> {
    let with = play(row, row.streams, None, duration)?;
    let without = play(row, 2, Some(row.streams), duration)?;
    let core_seconds = |looks: [Look; 2]| (looks[1].cpu_ms - looks[0].cpu_ms) / 1_000.0;
    let seconds = |looks: [Look; 2]| (looks[1].at_ms - looks[0].at_ms) / 1_000.0;
    let reader = without.reader.ok_or("there was no reader")?;
    let events_read = reader[1].events - reader[0].events;
    // What the runs cost is no cost of streams.
    let streams_cost = (core_seconds(with.session) - core_seconds(without.session)).max(0.001);
    let is_by_streams = row.streams > 20;
    let (delivered, cost) = if is_by_streams {
        (with.delivered - without.delivered, streams_cost)
    } else {
        (with.delivered, core_seconds(with.session))
    };
    Ok(Measured {
        delivered_per_second: with.delivered / seconds(with.session),
        session_events_per_core_second: delivered / cost,
        reader_events_per_core_second: events_read / core_seconds(reader).max(0.001),
        session_bytes: with.session[1].bytes,
        session_processor_percent: core_seconds(with.session) / seconds(with.session) * 100.0,
        bytes_per_stream: (with.session[1].bytes - without.session[1].bytes) / f64::from((row.streams - 2).max(1)),
        lateness_p99_ms: with.lateness_p99_ms,
        gateway_processor_percent: core_seconds(with.gateway) / seconds(with.gateway) * 100.0,
        session_requests_per_core_second: with.requests / core_seconds(with.session).max(0.001),
        wrk_requests_per_core_second: without.wrk_requests_per_core_second,
    })
}

/// Plays a soak that holds `streams` streams. With `read`, a reader holds that many others beside it.
fn play(row: Row, streams: u32, read: Option<u32>, duration: Duration) -> Result<Played, AnyError> {
    let gateway = GatewayProcess::spawn(own_binary()?.arg(GATEWAY))?;
    let reader = read.map(|streams| Reader::start(&gateway.ready_line, streams)).transpose()?;
    let folder = env::temp_dir().join("s2-scale").join(format!("{streams}-streams"));
    let soak = Soak {
        folder,
        suite: "smoke",
        pace: 1.0,
        settings: settings(row, streams, duration),
        gateway_url: Some(gateway.ready_line.clone()),
        token: "",
        log: "info",
    };
    let mut playing = soak.start()?;
    let out = playing.out();
    let mut looks: [Vec<Look>; 3] = Default::default();
    let left = loop {
        if let Some(left) = playing.ended()? {
            break left;
        }
        let reader_pid = reader.as_ref().map(|reader| reader.process.id());
        let events = reader.as_ref().map_or(0, Reader::events);
        for (looks, pid) in looks.iter_mut().zip([session_of(&out), Some(gateway.child.id()), reader_pid]) {
            let Some((cpu_ms, bytes)) = pid.and_then(|pid| Some((cpu_ms(pid)?, memory_bytes(pid)?))) else { continue };
            let at_ms = clock::wall_now().as_millisecond();
            looks.push(Look { at_ms: at_ms as f64, cpu_ms: cpu_ms as f64, bytes: bytes as f64, events: events as f64 });
        }
        thread::sleep(LOOK_EVERY);
    };
    if !left.status.success() {
        eprintln!("a soak was red: {}", left.folder.display());
    }
    let is_read = reader.is_some();
    // It reads no more while others are measured.
    drop(reader);
    let wrk_requests_per_core_second = if is_read { wrk(&gateway.ready_line) } else { f64::NAN };
    let to_ms = u64::try_from(duration.as_millis())?.saturating_sub(BEFORE_END_MS);
    let recorded = Recorded::read(&out.join("latest-smoke/journal.ndjson"), to_ms)?;
    let between = |looks: &[Look]| -> Result<[Look; 2], AnyError> {
        let nearest = |scenario_ms: u64| {
            let at_ms = recorded.started.as_millisecond() as f64 + scenario_ms as f64;
            looks.iter().copied().min_by(|a, b| (a.at_ms - at_ms).abs().total_cmp(&(b.at_ms - at_ms).abs()))
        };
        let ends = nearest(recorded.from_ms).zip(nearest(recorded.to_ms)).ok_or("a process was never seen")?;
        Ok([ends.0, ends.1])
    };
    let reader = if is_read { Some(between(&looks[2])?) } else { None };
    let (session, gateway) = (between(&looks[0])?, between(&looks[1])?);
    let lateness_p99_ms = recorded.lateness.quantile_us(0.99) as f64 / 1_000.0;
    let (delivered, requests) = (recorded.delivered as f64, recorded.requests as f64);
    Ok(Played { session, gateway, reader, delivered, requests, lateness_p99_ms, wrk_requests_per_core_second })
}

/// Requests of `wrk` by core second. Not a number without the program, or if it fails: the soak beside it counts all the
/// same.
fn wrk(url: &str) -> f64 {
    run_wrk(url).unwrap_or_else(|error| {
        eprintln!("wrk: {error}");
        f64::NAN
    })
}

fn run_wrk(url: &str) -> Result<f64, AnyError> {
    let mut command = Command::new("wrk");
    command.args(["-t1", "-c16", "-d5", &format!("{url}/ready")]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = command.spawn()?;
    let mut spent_ms = 0;
    while process.try_wait()?.is_none() {
        spent_ms = cpu_ms(process.id()).unwrap_or(0).max(spent_ms);
        thread::sleep(Duration::from_millis(20));
    }
    let said = io::read_to_string(process.stdout.take().ok_or("its output is piped")?)?;
    let requests = said.lines().find_map(|line| line.split_once(" requests in ")?.0.trim().parse::<f64>().ok());
    Ok(requests.ok_or("it does not say how many requests it sent")? / (spent_ms.max(1) as f64 / 1_000.0))
}

/// A short smoke test with all its workloads.
fn settings(row: Row, streams: u32, duration: Duration) -> String {
    let churn_s = (duration.as_secs() / 3).max(10);
    format!(
        "[suites]\nsmoke_duration = \"{}s\"\nheartbeat_every = \"30s\"\n\
         [w1_realistic_runs]\nper_minute = {}\n\
         [w2_sse_churn]\nstreams = {streams}\nchurn_every = \"{churn_s}s\"\n\
         [w3_registry_pulse]\nfirst_at = \"5s\"\nevery = \"20s\"\n\
         [w4_safety_probes]\nfirst_at = \"10s\"\n\
         [w5_privacy_slice]\nfirst_at = \"15s\"\n",
        duration.as_secs(),
        row.runs_per_minute,
    )
}

/// Contents of a journal for the time that is measured.
struct Recorded {
    started: jiff::Timestamp,
    /// The intervals that are measured, scenario milliseconds.
    from_ms: u64,
    to_ms: u64,
    delivered: u64,
    requests: u64,
    lateness: LatencyHistogram,
}

impl Recorded {
    /// Reads the intervals up to a moment.
    fn read(journal: &Path, to_ms: u64) -> Result<Self, AnyError> {
        let mut reader = journal::Reader::open(journal)?;
        let Some(Record::Header(header)) = reader.next_record()? else {
            return Err("the journal has no header".into());
        };
        let lateness = LatencyHistogram::new();
        let started = header.started_at.parse()?;
        let mut read = Self { started, from_ms: u64::MAX, to_ms: 0, delivered: 0, requests: 0, lateness };
        while let Some(record) = reader.next_record()? {
            let Record::Interval(interval) = record else { continue };
            // An interval ends a little later than it should.
            if interval.from_ms + 1_000 < FROM_MS || interval.to_ms > to_ms + 1_000 {
                continue;
            }
            (read.from_ms, read.to_ms) = (read.from_ms.min(interval.from_ms), read.to_ms.max(interval.to_ms));
            let count = |counter| interval.counters.get(&counter).copied().unwrap_or(0);
            read.delivered += count(Counter::EventsDelivered);
            read.requests += count(Counter::Requests);
            if let Some(timing) = interval.timings.get(&Timing::StartLateness) {
                read.lateness.merge(&timing.histogram);
            }
        }
        Ok(read)
    }
}

/// A reader in a process of its own. It ends when this is dropped.
struct Reader {
    process: Child,
    events: Arc<Mutex<u64>>,
}

impl Reader {
    fn start(url: &str, streams: u32) -> Result<Self, AnyError> {
        let mut command = own_binary()?;
        command.args([READER, url, &streams.to_string()]);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = process.stdout.take().ok_or("its output is piped")?;
        let events = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&events);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let read = line.parse().unwrap_or(0);
                *counted.lock().unwrap_or_else(PoisonError::into_inner) = read;
            }
        });
        Ok(Self { process, events })
    }

    fn events(&self) -> u64 {
        *self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
