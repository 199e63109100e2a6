//! Journals that no writer wrote. A reader says what is wrong, never panics, and takes no memory out of proportion to
//! the longest line.
//!
//! `PROPTEST_CASES=1000000 cargo test --release -p s2-harness --lib journal::fuzz` plays more of them; what is done to
//! whole journals is in the fuzz tests of `judge`.

use std::{fs, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use tempfile::TempDir;

use super::{LatencyHistogram, ReadError, Reader, Record, packed};
use crate::fuzzing::{cases, within};

/// Memory for reading, besides the parsed line: the buffer, and the text of an error.
const READ_BYTES: usize = 64 * 1024;
/// A line of JSON becomes trees, one for each tag that is looked for, whose smallest leaf is two characters long and
/// takes 32 bytes; and what grows is held twice for a moment.
const READ_BYTES_PER_BYTE: usize = 64;
/// A histogram that is merged has all its buckets, up to an hour.
const BUCKETS_BYTES: usize = 2 * 1024 * 1024;
const HOUR_US: u64 = 3_600_000_000;

/// A file of one thread's own, used again and again.
struct Journal {
    path: PathBuf,
    _folder: TempDir,
}

thread_local! {
    static JOURNAL: Journal = {
        // In memory where there is such a place: millions of journals are written.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        Journal { path: folder.path().join("journal.ndjson"), _folder: folder }
    };
}

/// Reads a journal of these bytes to its end, or to what is wrong with it.
pub(crate) fn read(bytes: &[u8]) -> Result<(Vec<Record>, Option<ReadError>), TestCaseError> {
    JOURNAL.with(|journal| {
        fs::write(&journal.path, bytes).unwrap();
        let longest = bytes.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap_or(0);
        let mut reader = Reader::open(&journal.path).unwrap();
        let mut records = Vec::new();
        loop {
            match within(READ_BYTES + READ_BYTES_PER_BYTE * longest, || reader.next_record())? {
                Ok(Some(record)) => records.push(record),
                Ok(None) => break,
                Err(error) => {
                    let text = error.to_string();
                    prop_assert!(text.len() < 4_096 && !text.chars().any(char::is_control), "{text:?}");
                    return Ok((records, Some(error)));
                }
            }
        }
        let rest = bytes.len() - bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        prop_assert_eq!(rest, reader.torn().map_or(0, |torn| torn.bytes));
        Ok((records, None))
    })
}

/// `hdrhistogram`'s form with a head of any numbers, and any counts.
pub(crate) fn crafted_histogram() -> impl Strategy<Value = Vec<u8>> {
    let wild = || prop_oneof![Just(0_u64), Just(1), Just(u64::MAX), Just(1 << 62), any::<u64>()];
    let cookie = prop_oneof![9 => Just(0x1c84_9313_u32), 1 => any::<u32>()];
    let digits = prop_oneof![9 => Just(3_u32), 1 => any::<u32>()];
    let lowest = prop_oneof![9 => Just(1_u64), 1 => wild()];
    let ratio = prop_oneof![9 => Just(1.0_f64.to_bits()), 1 => wild()];
    let counts = prop::collection::vec(prop_oneof![any::<u8>(), Just(0xff), 0..8_u8], 0..80);
    let length = prop::option::weighted(0.1, any::<u32>());
    (cookie, length, digits, lowest, wild(), ratio, counts).prop_map(
        |(cookie, length, digits, lowest, highest, ratio, counts)| {
            let length = length.unwrap_or(counts.len() as u32);
            let words = [cookie, length, 0, digits].map(u32::to_be_bytes).concat();
            [words, [lowest, highest, ratio].map(u64::to_be_bytes).concat(), counts].concat()
        },
    )
}

fn histogram_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => crafted_histogram(), 1 => prop::collection::vec(any::<u8>(), 0..90)]
}

/// JSON of any shape, as text. Some of it is deep, some of it is wide.
pub(crate) fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:e}")),
        "\\PC{0,20}|.{0,20}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        "[0-9eE+.-]{1,12}",
        Just(r#""\ud800\u0000\udfff""#.to_owned()),
    ];
    let tree = leaf.prop_recursive(4, 40, 6, |inner| {
        let pair = ("[a-z_]{0,8}", inner.clone()).prop_map(|(key, value)| format!("\"{key}\":{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(pair, 0..6).prop_map(|fields| format!("{{{}}}", fields.join(","))),
        ]
    });
    prop_oneof![
        12 => tree,
        1 => (1..300_usize).prop_map(|deep| "[".repeat(deep) + &"]".repeat(deep)),
        1 => (1..200_usize).prop_map(|deep| "{\"a\":".repeat(deep) + "0" + &"}".repeat(deep)),
        1 => (1..2_000_usize).prop_map(|long| format!("[{}0]", "0,".repeat(long))),
        1 => (1..1_000_usize).prop_map(|long| format!("[{}[]]", "[],".repeat(long))),
        1 => (1..500_usize).prop_map(|long| format!("{{{}\"\":0}}", "\"\":0,".repeat(long))),
    ]
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn any_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes)?.0.is_empty());
    }

    #[test]
    fn a_line_of_any_json_is_a_record_or_an_error(
        json in any_json(), tag in prop::sample::select(vec!["header", "interval", "incident", "end", "other"]),
    ) {
        let inner = json.strip_prefix('{').unwrap_or("}");
        let comma = if inner.starts_with('}') { "" } else { "," };
        read(format!("{{\"record\":\"{tag}\"{comma}{inner}\n{json}\n").as_bytes())?;
    }

    #[test]
    fn bytes_of_a_histogram_are_one_or_an_error(bytes in histogram_bytes()) {
        let is_read = within(READ_BYTES + 64 * bytes.len(), || packed::read(&bytes, HOUR_US).is_ok())?;
        let text = format!("\"{}\"", STANDARD.encode(&bytes));
        let parsed = within(BUCKETS_BYTES, || {
            let histogram = serde_json::from_str::<LatencyHistogram>(&text).ok()?;
            let mut merged = histogram.clone();
            (0..8).for_each(|_| merged.merge(&histogram));
            let quantiles = [0.0, 0.5, 0.99, 1.0].map(|quantile| merged.quantile_us(quantile));
            let again: LatencyHistogram = serde_json::from_str(&serde_json::to_string(&histogram).unwrap()).unwrap();
            Some((again == histogram, quantiles, merged.count_above(1_000) <= merged.len(), merged.max_us()))
        })?;
        prop_assert_eq!(is_read, parsed.is_some());
        if let Some((is_same, quantiles, is_part, max_us)) = parsed {
            prop_assert!(is_same && is_part && quantiles.is_sorted() && quantiles[3] == max_us, "{quantiles:?}");
        }
    }
}

#[test]
fn a_line_as_long_as_may_be_takes_no_more_memory_than_any_other_for_its_length() {
    for item in ["0,", "[],", "\"\",", "{},", "{\"\":0},"] {
        let list = item.repeat((4 * 1024 * 1024 - 64) / item.len());
        let line = format!("{{\"record\":\"incident\",\"kind\":\"hole\",\"why\":[{}]}}\n", list.trim_end_matches(','));
        let header = serde_json::to_string(&super::tests::header()).unwrap() + "\n";
        let (records, error) = read((header + &line).as_bytes()).unwrap();
        assert!(records.len() == 1 && matches!(error, Some(ReadError::Line(_, 2, _))), "{error:?}");
    }
}

/// As many samples as can be counted, less one.
pub(crate) fn all_but_endless(value_us: u64) -> LatencyHistogram {
    let (mut all, mut power) = (LatencyHistogram::new(), LatencyHistogram::new());
    power.record(value_us);
    for _ in 0..64 {
        all.merge(&power);
        power.merge(&power.clone());
    }
    all
}

#[test]
fn samples_beyond_all_numbers_are_not_summed_up() {
    let mut all = all_but_endless(1_000);
    assert_eq!(u64::MAX, all.len());
    // Each alone can be counted, and all together cannot.
    all.merge(&all_but_endless(2_000));
    assert_eq!((u64::MAX, u64::MAX, 0), (all.len(), all.count_above(10), all.count_above(10_000)));
    assert_eq!([1_000, 1_000], [0.5, 1.0].map(|quantile| all.quantile_us(quantile)));
}
