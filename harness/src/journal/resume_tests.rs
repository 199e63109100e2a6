//! A journal that is cut and resumed, and one who reads it meanwhile.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use super::{Finding, Incident, ReadError, Reader, Record, Torn, WriteError, Writer};
use crate::{
    catalog::{Phase, Suite},
    fuzzing::within,
    plan::{Arrivals, PER_MINUTE_MAX, Plan, Pulse, SOAK_MAX, STREAMS_MAX, Scenario},
};

fn said(at_ms: u64, answer: &str) -> Record {
    Record::Incident(Incident { at_ms, phase: Phase::Steady, finding: Finding::NotReady { answer: answer.into() } })
}

fn line(record: &Record) -> Vec<u8> {
    [serde_json::to_vec(record).unwrap(), b"\n".to_vec()].concat()
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.ndjson");
    (folder, path)
}

/// Appends bytes, as a writer does that is killed in the middle of a line.
fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// A journal with its header, and a reader that has read that.
fn begun(path: &Path) -> (Vec<u8>, Reader) {
    let header = line(&super::tests::header());
    append(path, &header);
    let mut reader = Reader::open(path).unwrap();
    assert_eq!(Some(super::tests::header()), reader.next_record().unwrap());
    (header, reader)
}

#[test]
fn a_line_that_was_cut_off_is_forgotten_and_what_is_written_instead_is_read() {
    let (_folder, path) = folder();
    let (header, mut reader) = begun(&path);
    let lost = line(&said(1_000, "503 of the one that was killed"));
    append(&path, &lost[..40]);
    assert_eq!(None, reader.next_record().unwrap());
    assert_eq!(Some(Torn { line_number: 2, bytes: 40 }), reader.torn());

    let (mut writer, cut_bytes) = Writer::resume(&path).unwrap();
    assert_eq!((40, header.len() as u64), (cut_bytes, fs::metadata(&path).unwrap().len()));
    assert_eq!(None, reader.next_record().unwrap());
    assert_eq!(None, reader.torn());
    let after = [said(2_000, "503 of the one that came after it"), said(3_000, "504")];
    after.iter().for_each(|record| writer.append(record).unwrap());
    assert_eq!(after.map(Some), [reader.next_record().unwrap(), reader.next_record().unwrap()]);
    assert_eq!((None, None), (reader.next_record().unwrap(), reader.torn()));
}

#[test]
fn the_start_of_a_line_that_was_read_ahead_is_not_glued_to_what_replaced_it() {
    let (_folder, path) = folder();
    // In one read with the header comes half a line whose other half, of another record, would make a whole one of it.
    let lost = line(&said(1_000, "503"));
    append(&path, &[line(&super::tests::header()), lost[..40].to_vec()].concat());
    let mut reader = Reader::open(&path).unwrap();
    reader.next_record().unwrap();
    let (mut writer, _) = Writer::resume(&path).unwrap();
    writer.append(&said(2_000, "504")).unwrap();
    assert_eq!(Some(said(2_000, "504")), reader.next_record().unwrap());
}

#[test]
fn a_journal_torn_at_any_byte_is_resumed_after_its_last_whole_line() {
    let records = [said(1_000, "503"), said(2_000, "504"), said(3_000, "Grüße")];
    let whole: Vec<u8> = records.iter().flat_map(line).collect();
    let next = said(4_000, "200");
    for cut in 0..=whole.len() {
        let (_folder, path) = folder();
        let (header, mut reader) = begun(&path);
        append(&path, &whole[..cut]);
        let kept = whole[..cut].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);

        let (mut writer, cut_bytes) = Writer::resume(&path).unwrap();
        assert_eq!((cut - kept) as u64, cut_bytes, "torn at byte {cut}");
        writer.append(&next).unwrap();
        assert_eq!([&header, &whole[..kept], &line(&next)].concat(), fs::read(&path).unwrap(), "torn at byte {cut}");

        let lines = whole[..kept].iter().filter(|byte| **byte == b'\n').count();
        for record in records[..lines].iter().chain([&next]) {
            assert_eq!(Some(record), reader.next_record().unwrap().as_ref(), "torn at byte {cut}");
        }
        assert_eq!((None, None), (reader.next_record().unwrap(), reader.torn()), "torn at byte {cut}");
    }
}

#[test]
fn a_torn_line_longer_than_is_looked_at_at_once_is_cut_off_whole() {
    let (_folder, path) = folder();
    let (header, _) = begun(&path);
    for bytes in [65_535, 65_536, 65_537, 300_000] {
        append(&path, &vec![b'x'; bytes]);
        let (_, cut_bytes) = Writer::resume(&path).unwrap();
        assert_eq!((bytes as u64, header.len() as u64), (cut_bytes, fs::metadata(&path).unwrap().len()));
    }
}

#[test]
fn a_journal_that_is_whole_or_was_never_begun_is_resumed_as_it_is() {
    let (_folder, path) = folder();
    assert_eq!(0, Writer::resume(&path).unwrap().1);
    let (header, _) = begun(&path);
    assert_eq!(0, Writer::resume(&path).unwrap().1);
    assert_eq!(header, fs::read(&path).unwrap());
    // Of a header that was never whole nothing is left.
    fs::write(&path, &header[..10]).unwrap();
    assert_eq!((10, 0), (Writer::resume(&path).unwrap().1, fs::metadata(&path).unwrap().len()));
    assert!(Writer::resume(&path.join("of-a-file")).unwrap_err().to_string().contains("cannot open"));
}

#[test]
fn a_line_longer_than_a_record_is_not_read_to_its_end_and_an_error_with_its_number_however_often_it_is_asked_for() {
    let (_folder, path) = folder();
    let (header, mut reader) = begun(&path);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(header.len() as u64 + (100 << 20)).unwrap();
    for _ in 0..2 {
        let error = within(16 << 20, || reader.next_record()).unwrap().unwrap_err();
        assert!(matches!(error, ReadError::Line(_, 2, _)), "{error}");
    }
}

#[test]
fn a_record_that_no_reader_would_take_is_refused_and_those_after_it_are_written() {
    let (_folder, path) = folder();
    let (_, mut reader) = begun(&path);
    let (mut writer, _) = Writer::resume(&path).unwrap();
    let error = writer.append(&said(1_000, &"x".repeat(4 << 20))).unwrap_err();
    assert!(matches!(error, WriteError::TooLong { bytes_max: 4_194_304, .. }), "{error}");
    writer.append(&said(2_000, &"x".repeat(4_000_000))).unwrap();
    assert_eq!(Some(said(2_000, &"x".repeat(4_000_000))), reader.next_record().unwrap());
}

#[test]
fn the_header_of_the_largest_plan_is_small_and_a_list_that_is_too_long_is_refused() {
    let (_folder, path) = folder();
    let header = |plan: Plan| {
        let Record::Header(mut header) = super::tests::header() else { panic!("it is one") };
        header.plan = plan;
        Record::Header(header)
    };
    let mut scenario = Scenario { full_duration: SOAK_MAX, ..Scenario::default() };
    scenario.runs.per_minute = PER_MINUTE_MAX;
    scenario.streams.count = STREAMS_MAX;
    scenario.streams.churn_every = Duration::from_secs(10);
    let often = Pulse { first_at: Duration::ZERO, every: Duration::from_secs(10) };
    (scenario.safety, scenario.privacy.pulse, scenario.registry.pulse) = (often, often, often);
    scenario.heartbeat_every = Duration::from_secs(30);
    let mut plan = Plan::new(Suite::Full, &scenario, 1, 1.0);
    Writer::resume(&path).unwrap().0.append(&header(plan.clone())).unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < 8 * 1_024);
    assert_eq!(Some(header(plan.clone())), Reader::open(&path).unwrap().next_record().unwrap());

    // As an earlier version would have written it.
    plan.runs = Arrivals::Listed(plan.runs.iter().take(300_000).collect());
    let (_folder, path) = self::folder();
    let error = Writer::resume(&path).unwrap().0.append(&header(plan)).unwrap_err();
    assert!(matches!(error, WriteError::TooLong { bytes_max: 16_777_216, .. }), "{error}");
}
