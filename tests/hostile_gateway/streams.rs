//! Gateways whose streams are odd, and must turn nothing red; and those whose streams are none, and must.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use testkit::AnyError;

use crate::{
    front::{Asked, STREAM, answer, behaviour},
    scene::{self, Played},
};

/// Plays at a gateway all of whose streams begin so, and come in such pieces. They are as good as any.
fn odd(trial: &str, begins: &str, pause: Duration, pieces: fn(&[u8]) -> Vec<Vec<u8>>) -> Result<Played, AnyError> {
    let head: Arc<str> = format!("{STREAM}{begins}").into();
    let odd = behaviour(move |asked: Asked| {
        let head = Arc::clone(&head);
        async move {
            if asked.call.ends_with("/stream") {
                asked.pass_in_pieces(&head, pause, pieces).await
            } else {
                asked.pass().await
            }
        }
    });
    let played = scene::play(trial, odd)?;
    played.to_its_end()?;
    played.green(&scene::OF_STREAMS_AND_REQUESTS)?;
    Ok(played)
}

fn with_line_ends(bytes: &[u8], line_end: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').flat_map(|line| ended(line, line_end)).collect()
}

/// A line, and its end in a piece of its own.
fn ended(line: &[u8], line_end: &[u8]) -> Vec<Vec<u8>> {
    let bare = line.strip_suffix(b"\n");
    bare.map_or_else(|| vec![line.to_vec()], |bare| vec![bare.to_vec(), line_end.to_vec()])
}

pub(crate) fn lines_that_end_in_cr_are_lines(trial: &str) -> Result<(), AnyError> {
    odd(trial, "", Duration::ZERO, |bytes| with_line_ends(bytes, b"\r")).map(drop)
}

pub(crate) fn lines_that_end_in_crlf_are_lines(trial: &str) -> Result<(), AnyError> {
    odd(trial, "", Duration::ZERO, |bytes| with_line_ends(bytes, b"\r\n")).map(drop)
}

pub(crate) fn events_in_single_bytes_are_events(trial: &str) -> Result<(), AnyError> {
    odd(trial, "", Duration::ZERO, |bytes| bytes.iter().map(|byte| vec![*byte]).collect()).map(drop)
}

pub(crate) fn a_byte_order_mark_is_no_part_of_the_first_line(trial: &str) -> Result<(), AnyError> {
    // The first line is one that is missed where it is not heard.
    stayed_away(&odd(trial, "\u{feff}retry: 2500\n\n", Duration::ZERO, |bytes| vec![bytes.to_vec()])?)
}

pub(crate) fn fields_that_nobody_knows_are_passed_over(trial: &str) -> Result<(), AnyError> {
    odd(trial, "ping\n\nx-trace: 7\n\nevent: nothing\n\n", Duration::ZERO, |bytes| vec![bytes.to_vec()]).map(drop)
}

pub(crate) fn a_stream_that_trickles_brings_all_it_has(trial: &str) -> Result<(), AnyError> {
    odd(trial, "", Duration::from_millis(10), |bytes| bytes.chunks(128).map(<[u8]>::to_vec).collect()).map(drop)
}

pub(crate) fn a_retry_without_an_event_is_heeded(trial: &str) -> Result<(), AnyError> {
    stayed_away(&odd(trial, "retry: 2500\n\n", Duration::ZERO, |bytes| vec![bytes.to_vec()])?)
}

/// Whether every stream that was closed stayed away for as long as it was asked to. The journal leaves out the time in which a busy
/// machine ran nothing, so a stream may seem to come back earlier. Each must have stayed away for longer than a stream that was not
/// asked, which is back within 800 ms, and half of them for the full time.
fn stayed_away(played: &Played) -> Result<(), AnyError> {
    let worst = played.journal.iter().filter_map(|record| record["timings"]["stream_away"]["worst"].as_array());
    let away_ms: Vec<u64> =
        worst.flatten().filter_map(|exemplar| Some(exemplar["value_us"].as_u64()? / 1_000)).collect();
    let heeded = away_ms.iter().filter(|ms| **ms >= 2_500).count();
    if !away_ms.is_empty() && heeded * 2 >= away_ms.len() && away_ms.iter().all(|ms| (801..10_000).contains(ms)) {
        return Ok(());
    }
    Err(format!("streams were asked to stay away for 2,500 ms, and did for {away_ms:?}").into())
}

/// Plays at a gateway whose streams of the workspace are all such.
fn none(trial: &str, stream: impl AsRef<[u8]>) -> Result<Played, AnyError> {
    let stream: Arc<[u8]> = stream.as_ref().into();
    let ill = behaviour(move |asked: Asked| {
        let stream = Arc::clone(&stream);
        async move { if asked.is_workspace_stream() { asked.say_and_stay(&stream).await } else { asked.pass().await } }
    });
    let played = scene::play(trial, ill)?;
    played.to_its_end()?;
    Ok(played)
}

pub(crate) fn one_of_another_content_type_is_none(trial: &str) -> Result<(), AnyError> {
    let played = none(trial, answer("200 OK", "text/html", "<title>Not a stream</title>"))?;
    played.red(&["error_rate_steady"])?;
    played.found("request_failed", &["GET /api/runs/logs/stream", "200 with content type 'text/html'"])
}

pub(crate) fn a_line_that_is_not_utf_8_is_shown_with_marks(trial: &str) -> Result<(), AnyError> {
    let played = none(trial, [STREAM.as_bytes(), b"event: log\ndata: {\"message\":\"\xff\xfe\"}\n\n"].concat())?;
    played.red(&["error_rate_steady"])?;
    played.found("request_failed", &["no JSON object with a run_id", "\u{fffd}\u{fffd}"])
}

pub(crate) fn events_of_garbage_are_said_to_be_none(trial: &str) -> Result<(), AnyError> {
    let played = none(trial, format!("{STREAM}data: <html>\n\ndata: {{\"half\":\n\ndata: 7\n\n"))?;
    played.red(&["error_rate_steady"])?;
    played.found("request_failed", &["GET /api/runs/logs/stream", "no JSON object with a run_id: {"])
}

pub(crate) fn a_line_of_100_mb_is_cut_and_so_is_an_event_of_lines_without_end(trial: &str) -> Result<(), AnyError> {
    let drained = Arc::new(AtomicU32::new(0));
    let lavish = {
        let drained = Arc::clone(&drained);
        behaviour(move |asked: Asked| {
            let drained = Arc::clone(&drained);
            async move {
                let line = b"data: and so on, and so on, and so on\r\n".as_slice();
                match asked.call.as_str() {
                    "GET /api/runs/logs/stream" => asked.flood(format!("{STREAM}data: "), b"x", 100 << 20).await?,
                    "GET /api/runs/guard/stream" => asked.flood(STREAM, line, 100 << 20).await?,
                    _ => return asked.pass().await,
                }
                // Nobody hung up before the end.
                drained.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        })
    };
    let played = scene::play(trial, lavish)?;
    played.to_its_end()?;
    played.red(&["sse_reconnect_rate"])?;
    let says = "an event of over 33554432 bytes; the stream was cut";
    played.found("stream_dropped", &[r#""stream":"0""#, says])?;
    played.found("stream_dropped", &[r#""stream":"guard""#, says])?;
    match drained.load(Ordering::Relaxed) {
        0 => Ok(()),
        n => Err(format!("{n} streams were read to the end of their 100 MB").into()),
    }
}
