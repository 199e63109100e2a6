//! Streams as gateways may write them: what is shown does not depend on how the bytes are cut, and it is what the format
//! says it is. All of it goes the way that it goes in production, from the chunks of a body to a connection's events.

use std::{
    future::ready,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use eventsource_client::{Client as _, ClientBuilder, ReconnectOptions};
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use launchdarkly_sdk_transport::{ByteStream, HttpTransport, ResponseFuture};
use sync_wrapper::SyncStream;

use super::{
    Connection, EventContent, EventReading, KnownEvents, LogEvent, event_lines::EventLines, response_meta::ResponseMeta,
};
use crate::{fuzzing::within, settings::built_in_dialect};

/// The limit by default.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// Answers with these chunks.
#[derive(Clone)]
struct Fed(Arc<Mutex<Vec<Bytes>>>, ResponseMeta, Option<Arc<KnownEvents>>);

impl HttpTransport for Fed {
    fn request(&self, _: Request<Option<Bytes>>) -> ResponseFuture {
        let chunks = std::mem::take(&mut *self.0.lock().unwrap());
        let chunks =
            EventLines::of(stream::iter(chunks.into_iter().map(Ok)), self.1.clone(), EVENT_BYTES_MAX, self.2.clone());
        let body: ByteStream = Box::pin(SyncStream::new(chunks));
        Box::pin(ready(Ok(Response::new(body))))
    }
}

/// An event that a stream shows: id, name, data; or in their place, what is told of it where it was skipped.
pub(super) type Event = (Option<String>, String, String);

/// The events that a stream of these chunks shows, the delay that it asks for last, and how it ends.
pub(super) type Shown = (Vec<Event>, Option<Duration>, String);

/// Returns the output of a stream of these chunks.
pub(super) fn shown(chunks: impl IntoIterator<Item = Bytes>) -> Shown {
    shown_beside(chunks, None)
}

/// The same, where another stream has shown all of it before, so that no plain event is parsed.
pub(super) fn shown_again(chunks: impl IntoIterator<Item = Bytes>) -> Shown {
    let chunks: Vec<Bytes> = chunks.into_iter().collect();
    let known = Arc::new(KnownEvents::default());
    for (id, name, data) in shown(chunks.clone()).0 {
        let log = || LogEvent { message: Some(data.clone()), ..built_in_log() };
        let content = Arc::new(EventContent { id, name, data: data.clone(), ..EventContent::default() });
        known.of_run(&content, || EventReading::OfRun(Box::new(log()))).unwrap();
    }
    shown_beside(chunks, Some(known))
}

fn built_in_log() -> LogEvent {
    match built_in_dialect().events.reading(None, "log", r#"{"type":"log","run_id":"7"}"#) {
        EventReading::OfRun(log) => *log,
        other => panic!("{other:?}"),
    }
}

fn shown_beside(chunks: impl IntoIterator<Item = Bytes>, known: Option<Arc<KnownEvents>>) -> Shown {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let client = ClientBuilder::for_url("http://127.0.0.1").unwrap();
        let client = client.reconnect(ReconnectOptions::reconnect(false).retry_initial(false).build());
        let meta = ResponseMeta::default();
        let fed = Fed(Arc::new(Mutex::new(chunks.into_iter().collect())), meta.clone(), known);
        let mut events = client.build_with_transport(fed).stream();
        let _connected = events.next().await.unwrap().unwrap();
        let mut connection = Connection::over(events, meta);
        let mut shown = Vec::new();
        loop {
            match connection.next().await {
                Ok(event) => {
                    let data = event.oversized.map(|skipped| format!("{} bytes: {}", skipped.bytes, skipped.beginning));
                    let EventContent { id, name, data: text, log } = EventContent::clone(&event.content);
                    // What is known says the same.
                    assert!(log.get().is_none_or(|log| log.message.as_ref() == Some(&text)), "{text}");
                    shown.push((id, name, data.unwrap_or(text)));
                }
                Err(ended) => return (shown, connection.retry(), ended.answer),
            }
        }
    })
}

/// The same in one piece, byte by byte, and cut in two anywhere.
fn however_cut(text: &[u8]) -> Shown {
    let whole = shown([Bytes::copy_from_slice(text)]);
    assert_eq!(whole, shown(text.iter().map(|byte| Bytes::copy_from_slice(&[*byte]))), "byte by byte");
    for cut in 0..text.len() {
        let (head, tail) = text.split_at(cut);
        assert_eq!(whole, shown([head, tail].map(Bytes::copy_from_slice)), "cut at {cut}");
        assert_eq!(whole, shown_again([head, tail].map(Bytes::copy_from_slice)), "known, and cut at {cut}");
    }
    whole
}

fn event(id: Option<&str>, name: &str, data: &str) -> Event {
    (id.map(str::to_owned), name.to_owned(), data.to_owned())
}

#[test]
fn what_a_stream_shows_does_not_depend_on_how_its_bytes_are_cut() {
    let text = "\u{feff}: open\r\nid: 1\r\nevent: log\r\ndata: Grüße\r\n\r\nid:2\rdata:a\rdata: b\r\r\ndata\n\n";
    let expected =
        [event(Some("1"), "log", "Grüße"), event(Some("2"), "message", "a\nb"), event(Some("2"), "message", "")];
    assert_eq!((expected.to_vec(), None, "closed by the gateway".to_owned()), however_cut(text.as_bytes()));
}

#[test]
fn an_event_without_an_id_has_the_last_one_also_after_events_that_are_known() {
    let (shown, _, _) = however_cut(b": open\n\nid: 1\ndata: a\n\nid: 2\ndata: b\n\ndata: c\n\nretry: 7\ndata: d\n\n");
    let expected = [(Some("1"), "a"), (Some("2"), "b"), (Some("2"), "c"), (Some("2"), "d")];
    assert_eq!(expected.map(|(id, data)| event(id, "message", data)).to_vec(), shown);
}

#[test]
fn what_says_nothing_is_passed_over_and_ends_no_stream() {
    for nothing in [
        "ping: 1\n\n",
        "event:\n\n",
        "event: log\nevent\n\n",
        "retry: soon\n\n",
        "id: a\0b\n\n",
        "\u{feff}data: of no field of that name\n\n",
    ] {
        let text = format!(": open\n\n{nothing}data: shown\n\n");
        let (shown, retry, _) = however_cut(text.as_bytes());
        assert_eq!((vec![event(None, "message", "shown")], None), (shown, retry), "{nothing:?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_marked_and_lose_no_event() {
    let text = b"data: before\n\n: \xff\n\xfe: x\ndata: a\xf0\x9f\nid: \xc3\n\ndata: after\n\n";
    let (shown, _, ended) = however_cut(text);
    let expected = [
        event(None, "message", "before"),
        event(Some("\u{fffd}"), "message", "a\u{fffd}"),
        event(Some("\u{fffd}"), "message", "after"),
    ];
    assert_eq!((&expected[..], "closed by the gateway"), (&shown[..], ended.as_str()));
}

#[test]
fn a_delay_that_is_asked_for_is_heard_with_an_event_or_without_one_and_the_last_counts() {
    for (text, retry_ms) in [
        ("retry: 3000\n\n", Some(3_000)),
        ("retry: 3000\n\nretry:7\ndata: a\n\ndata: b\n\n", Some(7)),
        ("retry: 5000\nretry: soon\nretry:\nretry\nretry: -1\n", Some(5_000)),
        ("retry: 99999999999999999999999\n", Some(u64::MAX)),
        ("retry: 30", None),
    ] {
        assert_eq!(retry_ms.map(Duration::from_millis), however_cut(text.as_bytes()).1, "{text:?}");
    }
}

#[test]
fn a_stream_that_breaks_off_in_a_line_is_told_from_one_that_is_closed() {
    for (text, ended) in [
        ("data: a\n\n", "closed by the gateway"),
        ("data: a\n\ndata: b", "closed by the gateway in the middle of an event"),
        ("data: a\n\nd", "closed by the gateway in the middle of an event"),
    ] {
        assert_eq!(
            (vec![event(None, "message", "a")], None, ended.to_owned()),
            however_cut(text.as_bytes()),
            "{text:?}"
        );
    }
}

#[test]
fn an_event_that_is_too_large_is_skipped_and_the_stream_goes_on_however_its_lines_end() {
    for line in ["data: x", "data: x\n", "data: x\r\n", "data: x\r", "data\r\n"] {
        let flood = line.repeat(2 * EVENT_BYTES_MAX / 4);
        let end = if line.ends_with('\r') { "\r" } else { "\n" };
        // A line that has an end needs no other: that would be the end of the event.
        let flood = if line == "data: x" { flood + end } else { flood };
        let text = format!("data: before\n\nid: 7\nevent: log\n{flood}id: 8{end}{end}data: after\n\n");
        let bytes = Bytes::from(text);
        let chunks: Vec<Bytes> = bytes.chunks(16 * 1024).map(|chunk| bytes.slice_ref(chunk)).collect();
        let (shown, _, ended) = within(4 * EVENT_BYTES_MAX, || shown(chunks)).unwrap();
        assert_eq!((3, "closed by the gateway"), (shown.len(), ended.as_str()), "{line:?}");
        let (id, name, meta) = &shown[1];
        assert_eq!((Some("8"), "log"), (id.as_deref(), name.as_str()), "{line:?}");
        let (size, beginning) = meta.split_once(" bytes: data").unwrap();
        assert!(size.parse::<usize>().unwrap() > EVENT_BYTES_MAX && beginning.len() <= 512, "{line:?}: {size}");
        assert_eq!(event(Some("8"), "message", "after"), shown[2], "{line:?}");
    }
}

#[test]
fn the_size_and_the_beginning_of_what_is_skipped_do_not_depend_on_how_it_is_cut() {
    let data = format!(r#"{{"run_id":"3f2a","message":"{}"}}"#, "y".repeat(EVENT_BYTES_MAX));
    let text = format!(": open\n\nid: 1\ndata: {data}\ndata: {data}\nevent: log\n\ndata: b\n\n");
    let whole = shown([Bytes::from(text.clone())]);
    for size in [1_000, 16_384, 1_048_583] {
        assert!(whole == shown(text.as_bytes().chunks(size).map(Bytes::copy_from_slice)), "in pieces of {size}");
    }
    let (id, name, meta) = &whole.0[0];
    let bytes = text.len() - ": open\n\n".len() - "\n\n\n\n\ndata: b\n\n".len();
    assert_eq!((Some("1"), "log"), (id.as_deref(), name.as_str()));
    assert!(meta.starts_with(&format!("{bytes} bytes: data: {{\"run_id\":\"3f2a\"")), "{bytes}: {}", &meta[..80]);
    assert_eq!(event(Some("1"), "message", "b"), whole.0[1]);
}

#[test]
fn what_is_just_as_large_as_an_event_may_be_is_shown_and_a_long_comment_is_no_event() {
    let long = "x".repeat(EVENT_BYTES_MAX - "data: ".len());
    for end in ["\n", "\r\n", "\r"] {
        let text = format!("data: {long}{end}{end}").repeat(2);
        let (shown, ..) = shown([Bytes::from(text)]);
        assert_eq!([&long; 2], [&shown[0].2, &shown[1].2], "{end:?}");
    }
    let comment = format!("data: a\n:{}\ndata: b\n\n", "x".repeat(2 * EVENT_BYTES_MAX));
    assert_eq!(vec![event(None, "message", "a\nb")], shown([Bytes::from(comment)]).0);
}

#[test]
fn an_event_without_end_cuts_the_stream() {
    let chunk = Bytes::from("x".repeat(EVENT_BYTES_MAX));
    let endless = std::iter::once(Bytes::from_static(b"data: a\n\ndata: ")).chain(std::iter::repeat_n(chunk, 40));
    let (shown, _, ended) = within(4 * EVENT_BYTES_MAX, || shown(endless)).unwrap();
    let cut = format!("an event of over {} bytes; the stream was cut", 32 * EVENT_BYTES_MAX);
    assert!(shown.len() == 1 && ended.contains(&cut), "{ended}");
}

#[test]
fn a_stream_that_ends_in_what_is_skipped_broke_off() {
    let (shown, _, ended) = shown([Bytes::from(format!("data: a\n\ndata: {}", "x".repeat(2 * EVENT_BYTES_MAX)))]);
    assert_eq!((1, "closed by the gateway in the middle of an event"), (shown.len(), ended.as_str()));
}

#[test]
fn comments_that_keep_a_stream_alive_for_weeks_are_no_event_without_end() {
    let comments = ": keep-alive\n".repeat(200_000);
    assert_eq!((vec![], None, "closed by the gateway".to_owned()), shown([Bytes::from(comments)]));
}
