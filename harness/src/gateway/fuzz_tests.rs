//! Input that a gateway may send, and should not: any bytes, any JSON, any metrics, any stream. Each parser reports its reading
//! of the input, never panics, and takes no memory out of proportion to the size of the input.
//!
//! `PROPTEST_CASES=1000000 cargo test --release -p s2-harness --lib gateway::fuzz` plays more of them.

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use proptest::{prelude::*, sample::Index};
use serde_json::Value;

use super::{
    Answer, Dialect, Exposition, LogEvent, RunStanding,
    event_lines_tests::{Event, shown, shown_again},
    json_contains,
};
use crate::{
    fuzzing::{cases, within},
    journal::{TEXT_CHARS_MAX, clip, fuzz_tests::any_json},
};

/// The contract's own, read once.
fn dialect() -> &'static Dialect {
    static DIALECT: LazyLock<Dialect> = LazyLock::new(crate::settings::built_in_dialect);
    &DIALECT
}

/// Memory that any parser may take, even for the smallest input; bytes.
const LEAST_BYTES: usize = 64 * 1024;
/// JSON becomes a tree, in which an object of one field, six characters long, has room for eleven; what grows is held
/// twice for a moment, and an event's content is kept as text once more.
const JSON_BYTES_PER_BYTE: usize = 120;
/// A series of metrics keeps a hash of its labels, and its value. Names that differ take a map each.
const METRICS_BYTES_PER_BYTE: usize = 40;
/// A line of a stream is held, put in order, parsed into lines and then into an event.
const STREAM_BYTES_PER_BYTE: usize = 32;
/// No text that is told of a gateway is longer: each of its characters escaped.
const TOLD_BYTES_MAX: usize = TEXT_CHARS_MAX * 10 + 3;

/// JSON that has the keys of the contract, whatever is in them.
fn near_json() -> impl Strategy<Value = String> {
    let keys = [
        "type",
        "run_id",
        "timestamp",
        "duration_ms",
        "status",
        "message",
        "run",
        "id",
        "logs",
        "agents",
        "slug",
        "version",
    ];
    let values = prop_oneof![
        any_json(),
        Just("\"2026-11-23T10:00:00Z\"".to_owned()),
        "\"[0-9TZ:+.-]{0,30}\"",
        Just("\"log\"".to_owned()),
    ];
    let pair = (prop::sample::select(keys.to_vec()), values).prop_map(|(key, value)| format!("\"{key}\":{value}"));
    let object = prop::collection::vec(pair, 0..9).prop_map(|pairs| format!("{{{}}}", pairs.join(",")));
    let wrapped = prop_oneof![
        Just(("", "")),
        Just(("{\"run\":", "}")),
        Just(("{\"agents\":[", "]}")),
        Just(("{\"logs\":[", "]}")),
    ];
    let whole = (object, wrapped).prop_map(|(object, (head, tail))| format!("{head}{object}{tail}"));
    (whole, prop::option::weighted(0.3, (any::<Index>(), any::<char>()))).prop_map(|(text, flipped)| {
        let mut chars: Vec<char> = text.chars().collect();
        if let Some((at, to)) = flipped {
            let at = at.index(chars.len());
            chars[at] = to;
        }
        chars.into_iter().collect()
    })
}

fn json_text() -> impl Strategy<Value = String> {
    prop_oneof![6 => near_json(), 3 => any_json(), 1 => ".{0,80}"]
}

/// Lines of metrics that are right, and lines that are nearly so.
fn metrics() -> impl Strategy<Value = String> {
    let name =
        || prop_oneof!["[a-c]{1,2}", "[a-c]{1,2}_bucket", Just("sse_write_duration_seconds".to_owned()), "\\PC{1,8}"];
    let number = || {
        let extremes =
            ["NaN", "+Inf", "-Inf", "0", "-0", "1e308", "-1e308", "1e999", "18446744073709551616", "0x1p4", ".5", ""];
        prop_oneof![
            prop::sample::select(extremes.to_vec()).prop_map(str::to_owned),
            any::<f64>().prop_map(|n| n.to_string())
        ]
    };
    let label = prop_oneof![
        3 => number().prop_map(|bound| format!("le=\"{bound}\"")),
        1 => ("[a-c]?", "[^\n]{0,6}").prop_map(|(key, value)| format!("{key}=\"{value}\"")),
        1 => "[a-c=,\"{}\\\\]{0,8}",
    ];
    let labels = prop_oneof![
        8 => prop::collection::vec(label, 0..4).prop_map(|labels| labels.join(",")),
        1 => (1..400_usize).prop_map(|many| (0..many).map(|n| format!("{n}=")).collect::<Vec<_>>().join(",")),
    ];
    let kind = prop::sample::select(vec!["histogram", "counter", "gauge", "summary", "untyped", "", "odd"]);
    let line = prop_oneof![
        4 => (name(), labels, number(), prop_oneof![Just(String::new()), number()])
            .prop_map(|(name, labels, value, time)| format!("{name}{{{labels}}} {value} {time}")),
        2 => (name(), number()).prop_map(|(name, value)| format!("{name} {value}")),
        2 => (name(), kind).prop_map(|(name, kind)| format!("# TYPE {name} {kind}")),
        1 => "\\PC{0,30}",
    ];
    prop::collection::vec(line, 0..25).prop_map(|lines| lines.join("\n"))
}

/// A stream of right lines, wrong ones, and the ends that lines may have, as bytes.
fn stream_text() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        4 => Just("data"), 2 => Just("id"), 2 => Just("event"), 2 => Just("retry"), 1 => Just(""), 1 => Just("ping"), 1 => Just("Data"),
    ];
    let value = prop_oneof![
        "[a-c :]{0,6}".prop_map(String::into_bytes),
        "[0-9+]{0,21}".prop_map(String::into_bytes),
        "\\PC{0,4}".prop_map(String::into_bytes),
        prop::collection::vec(prop_oneof![any::<u8>(), Just(0), Just(0xef), Just(0xbb), Just(0xbf)], 0..5),
    ];
    let colon = prop::sample::select(vec![": ", ":", "", " : "]);
    let line =
        (field, colon, value).prop_map(|(field, colon, value)| [field.as_bytes(), colon.as_bytes(), &value].concat());
    let end = prop::sample::select(vec!["\n", "\n", "\r\n", "\r", "\n\n", "\n\n", "\r\n\r\n", "\r\r", "\n\r\n", ""]);
    let mark = prop::sample::select(vec!["", "", "\u{feff}", "\u{feff}\u{feff}"]);
    let lines = prop::collection::vec((line, end).prop_map(|(line, end)| [&line, end.as_bytes()].concat()), 0..14);
    (mark, lines).prop_map(|(mark, lines)| [mark.as_bytes(), &lines.concat()].concat())
}

/// The format, read off its specification as simply as can be: of a whole stream at once.
/// The events, and the delay that is asked for last.
fn reference(bytes: &[u8]) -> (Vec<Event>, Option<Duration>) {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n");
    let (mut shown, mut id, mut name, mut data, mut retry_ms) = (Vec::new(), None, String::new(), String::new(), None);
    // What follows the last end of a line is no line.
    let whole = text.rfind('\n').map_or("", |at| &text[..at]);
    for line in whole.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() => {
                if data.pop().is_some() {
                    let name = if name.is_empty() { "message".to_owned() } else { name.clone() };
                    let id = id.clone().filter(|id: &String| !id.is_empty());
                    shown.push((id, name, std::mem::take(&mut data)));
                }
                name.clear();
            }
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "event" => value.clone_into(&mut name),
            "id" if !value.contains('\0') => id = Some(value.to_owned()),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                retry_ms = Some(value.parse().unwrap_or(u64::MAX));
            }
            _ => {}
        }
    }
    (shown, retry_ms.map(Duration::from_millis))
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn any_json_is_an_event_a_run_a_search_or_none_of_them(text in json_text(), name in prop_oneof!["[a-z.]{0,8}", "log|end|judge.verdict"]) {
        let allowed = LEAST_BYTES + JSON_BYTES_PER_BYTE * text.len();
        // Whoever asks first makes it, and that is none of the parser's bytes.
        let _made = dialect();
        let event = within(allowed, || LogEvent::read(&dialect().events, &name, &text))?;
        if let Some(event) = event {
            prop_assert!((1..=128).contains(&event.run_id.len()));
            prop_assert!(event.duration_ms.is_none_or(|ms| ms.is_finite() && ms >= 0.0));
            // Read again, its content is the same.
            let again = LogEvent::read(&dialect().events, &name, &event.unstamped).map(|again| again.unstamped);
            prop_assert_eq!(again, Some(event.unstamped));
        }
        let answer = Answer::new(200, text);
        let Some(json) = within(allowed, || answer.json())? else { return Ok(()) };
        within(allowed, || {
            drop((dialect().run_id_of(&json), dialect().search_page(&json, &super::PageStart::default()), json_contains(&json, &["canary".to_owned()])));
            let run = dialect().run_view(&json);
            (run.messages().len(), dialect().standing(&run))
        })?;
        prop_assert!(dialect().run_id_of(&json).is_none_or(|id| (1..=128).contains(&id.len())));
    }

    #[test]
    fn what_stands_anywhere_in_json_is_found_whatever_its_case_and_escapes(
        json in any_json(), needle in "[a-z0-9]{3,12}", around in "\\PC{0,9}", as_key: bool, is_escaped: bool, is_upper: bool,
    ) {
        let text = if is_upper { needle.to_uppercase() } else { needle.clone() };
        let text = if is_escaped { text.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect() } else { text };
        let around = serde_json::to_string(&around).unwrap();
        let text = format!("{}{text}\"", &around[..around.len() - 1]);
        let json = if as_key { format!("[{json},{{{text}:0}}]") } else { format!("[{json},{text}]") };
        let Ok(json) = serde_json::from_str::<Value>(&json) else { return Ok(()) };
        prop_assert!(json_contains(&json, &[needle]));
    }

    #[test]
    fn any_answer_is_told_on_one_short_line(status: u16, body in prop::collection::vec(any::<u8>(), 0..600), text in "\\PC{0,300}|.{0,300}") {
        for body in [body, text.into_bytes()] {
            let word = String::from_utf8_lossy(&body).into_owned();
            let answer = Answer::new(status, body);
            let meta = within(LEAST_BYTES, || [answer.to_string(), clip(&word)])?;
            let RunStanding::Unknown(of_word) = dialect().standing_of(&word) else { continue };
            for meta in meta.iter().chain([&of_word]) {
                prop_assert!(meta.len() < TOLD_BYTES_MAX + 64 && !meta.chars().any(char::is_control), "{meta:?}");
            }
        }
    }

    #[test]
    fn any_metrics_are_finite_values_and_rising_bounds(text in metrics()) {
        let Some(read) = within(LEAST_BYTES + METRICS_BYTES_PER_BYTE * text.len(), || Exposition::read(&text))? else {
            return Ok(());
        };
        prop_assert!(read.values.values().all(|value| value.is_finite()), "{read:?}");
        for buckets in read.histograms.values() {
            prop_assert!(buckets.windows(2).all(|two| two[0].0 < two[1].0), "{buckets:?}");
            prop_assert!(buckets.iter().all(|(_, count)| count.is_finite()), "{buckets:?}");
        }
        prop_assert_eq!(Some(read), Exposition::read(&text), "twice the same");
    }

    #[test]
    fn a_stream_shows_what_the_format_says_however_its_bytes_are_cut(
        bytes in stream_text(), cuts in prop::collection::vec(any::<Index>(), 0..6),
    ) {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
        at.sort_unstable();
        let chunks: Vec<Bytes> = at.windows(2).map(|two| Bytes::copy_from_slice(&bytes[two[0]..two[1]])).collect();
        let (events, retry, ended) = within(LEAST_BYTES + STREAM_BYTES_PER_BYTE * bytes.len(), || shown(chunks.clone()))?;
        let again = shown_again(chunks);
        prop_assert_eq!((&events, &retry, &ended), (&again.0, &again.1, &again.2), "where its events are known");
        prop_assert_eq!((events, retry), reference(&bytes));
        let is_whole = matches!(bytes.last(), None | Some(b'\n' | b'\r'));
        let expected = if is_whole { "closed by the gateway" } else { "closed by the gateway in the middle of an event" };
        prop_assert_eq!(ended, expected);
    }
}

#[test]
fn the_largest_answers_take_no_more_memory_than_small_ones_for_their_size() {
    const BODY_BYTES: usize = 4 * 1024 * 1024;
    let fill = |head: &str, item: &dyn Fn(usize) -> String, tail: &str| {
        let mut text = head.to_owned();
        (0..)
            .map(item)
            .take_while(|item| {
                text.push_str(item);
                text.len() < BODY_BYTES
            })
            .for_each(drop);
        text + tail
    };
    for item in ["0,", "[],", "{},", "\"\",", "{\"\":0},", "{\"message\":\"\"},"] {
        let text = fill("{\"run_id\":\"7\",\"logs\":[", &|_| item.to_owned(), "0]}");
        let read =
            within(JSON_BYTES_PER_BYTE * text.len(), || LogEvent::read(&dialect().events, "log", &text).is_some());
        assert!(read.unwrap(), "{item}");
    }
    let histogram = "# TYPE a histogram\n";
    for text in [
        fill(histogram, &|n| format!("a_bucket{{le=\"{n}\"}} 1\n"), ""),
        fill(histogram, &|n| format!("a_bucket{{x=\"{n}\",le=\"{n}\"}} 1\n"), ""),
        fill("", &|n| format!("a{{x=\"\",y=\"{n}\"}} 1\n"), ""),
        fill("", &|n| format!("a{{{}}} 1\n", (0..200).map(|k| format!("_{k}=\"{n}\"")).collect::<String>()), ""),
        fill("", &|n| format!("a{n} 1\n"), ""),
    ] {
        let read = within(LEAST_BYTES + METRICS_BYTES_PER_BYTE * text.len(), || Exposition::read(&text).is_some());
        assert!(read.unwrap(), "{}", &text[..40]);
    }
}

#[test]
fn sums_beyond_all_numbers_are_no_values_and_a_bucket_below_all_numbers_is_kept_to_be_seen() {
    let read = Exposition::read(
        "a 1e308\na 1e308\nb 1\n# TYPE h histogram\nh_bucket{le=\"-Inf\"} 1\nh_bucket{le=\"+Inf\"} 2\n",
    )
    .unwrap();
    assert_eq!((None, Some(1.0)), (read.value("a"), read.value("b")));
    assert_eq!(vec![(f64::NEG_INFINITY, 1.0), (f64::INFINITY, 2.0)], read.histograms["h"]);
}
