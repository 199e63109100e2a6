//! How workers speak to the gateway: requests that wait for the gate, come again where they are told to, are counted and timed,
//! and leave their evidence where they fail.

use std::{future::Future, time::Duration};

use tokio::time::Instant;

use super::{Gate, Recorder, StartPoint, Stop, descriptors};
use crate::{
    catalog::{CallName, Workload},
    clock,
    gateway::{Answer, Client, Connection, Outcome, Streams, Trouble, TroubleKind},
    journal::{Counter, EndReason, Finding, Timing, clip},
};

/// Where a status means that a request is to come again, so long after it, unless the answer says.
const WAIT_UNLESS_ASKED: Duration = Duration::from_secs(1);
const WAIT_MIN: Duration = Duration::from_millis(50);
/// For so long it comes again, longer than any single wait; what is told to wait then is told no.
pub(super) const WAIT_LIMIT: Duration = Duration::from_secs(180);
/// Status for an object that the gateway has, and that cannot be read yet. A replica may be a moment behind.
const NOT_THERE_YET: u16 = 404;
/// A request that is told to come later is sent again so often.
const SENT_AGAIN_MAX: u32 = 3;

/// The calls of a session. Clones are of the same session.
#[derive(Debug, Clone)]
pub struct Calls {
    /// Calls of the soak's own workspace.
    pub client: Client,
    /// Opens streams.
    pub streams: Streams,
    /// Holds new requests.
    pub gate: Gate,
    recorder: Recorder,
    stop: Stop,
}

/// A call: who sends it, what it is about, and what should be answered.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The workload that sends it.
    pub workload: Workload,
    /// Method and path, with placeholders.
    pub route: &'a str,
    /// The run, version or stream that it is about.
    pub subject: &'a str,
    /// Statuses that are as they should be.
    pub expected: &'a [u16],
    /// Statuses that ask to come again a moment later, as a plan's limits do, and are no error while that helps.
    pub wait: &'a [u16],
    /// Start of the operation that it belongs to, if that began before. A request for something that a window broke counts
    /// for that window.
    pub since: Option<StartPoint>,
    /// Until when it may come again at the latest, where that is before the longest wait is over.
    pub until: Option<Instant>,
    /// Whether it asks once more what was asked before. Then it counts as a request only where it goes wrong: who waits
    /// long asks often, and errors would be few among so many.
    pub is_again: bool,
}

/// A request was answered other than expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The answer, or the trouble.
    pub text: String,
    /// The status, where there was one.
    pub status: Option<u16>,
    /// Whether S2 could not read the answer: a limit of S2's.
    pub is_unread: bool,
}

/// Whether an answer asks to come again. What is expected of the call, as a 404 is of a run that was refused, asks for nothing.
fn is_told_to_wait(call: &Call<'_>, answer: &Answer) -> bool {
    call.wait.contains(&answer.status) && !answer.is(call.expected)
}

/// The outcome of a request.
#[derive(Debug)]
pub struct Sent {
    /// The answer, or the trouble, of the last time that it was sent.
    pub outcome: Outcome,
    /// When it was sent, and in which phase.
    pub mark: StartPoint,
    /// The wait before that, as the gateway requested it: it enforces a rate limit and is no latency.
    pub waited: Duration,
}

impl Calls {
    /// Calls by this client, on record.
    #[must_use]
    pub fn new((client, streams): (Client, Streams), gate: Gate, recorder: Recorder, stop: Stop) -> Self {
        Self { client, streams, gate, recorder, stop }
    }

    /// A call of a workload, as the gateway's dialect has it.
    #[must_use]
    pub fn of<'a>(&'a self, workload: Workload, call: CallName, subject: &'a str) -> Call<'a> {
        let dialect = self.client.dialect();
        let spec = dialect.call(call);
        let (expected, wait) = spec.map_or((&[][..], &[][..]), |spec| (&spec.yes, &spec.wait));
        Call {
            workload,
            route: dialect.route(call),
            subject,
            expected,
            wait,
            since: None,
            until: None,
            is_again: false,
        }
    }

    /// Sends a request of W1 to W5: not while the gateway is known to be down, counted, timed, and if it fails or is
    /// answered other than expected, with its evidence. `None` then.
    pub async fn call<F: Future<Output = Outcome>>(&self, call: Call<'_>, send: impl Fn() -> F) -> Option<Answer> {
        self.outcome(call, send).await.ok()
    }

    /// The same, with what was answered instead.
    ///
    /// # Errors
    /// The answer, or the trouble, as text.
    pub async fn outcome<F: Future<Output = Outcome>>(
        &self,
        call: Call<'_>,
        send: impl Fn() -> F,
    ) -> Result<Answer, String> {
        let Sent { outcome, mark, .. } = self.send(call, send).await;
        self.as_expected(call, outcome, mark).map_err(|wrong| wrong.text)
    }

    /// Times a request that was sent. Where it failed or was answered other than expected, that is counted, with its evidence.
    ///
    /// # Errors
    /// The answer, or the trouble, that came instead.
    pub fn as_expected(&self, call: Call<'_>, outcome: Outcome, mark: StartPoint) -> Result<Answer, Wrong> {
        self.recorder.time(Timing::Request, mark, call.route);
        let (text, status, is_unread) = match outcome {
            Ok(answer) if answer.is(call.expected) => return Ok(answer),
            Ok(answer) if answer.is_denial && call.expected.contains(&answer.status) => {
                (format!("{answer} (its status says yes, and its body an error)"), Some(answer.status), false)
            }
            Ok(answer) => (format!("{answer} (expected {})", either(call.expected)), Some(answer.status), false),
            Err(trouble) => (trouble.text, None, trouble.kind == TroubleKind::Unread),
        };
        if is_unread {
            // A limit of ours is nobody's error, and is named where it matters.
            self.recorder.count(Counter::AnswersUnread, mark);
            tracing::debug!("{}: {} ({}): {text}", call.workload, call.route, call.subject);
            let finding = Finding::AnswerUnread {
                route: call.route.to_owned(),
                subject: clip(call.subject),
                answer: clip(&text),
            };
            self.recorder.incident_since(finding, mark);
        } else {
            self.request_failed(call.workload, call.route, call.subject, &text, mark);
        }
        Err(Wrong { text, status, is_unread })
    }

    /// Sends a request, and again where the gateway says 429 and when to come back; what came of the last time, and when
    /// the first was sent. What it says on the way is an error like any other, and who waits for it goes on waiting.
    pub async fn send<F: Future<Output = Outcome>>(&self, call: Call<'_>, send: impl Fn() -> F) -> Sent {
        self.gate.pass().await;
        let now = self.recorder.mark();
        let mut mark = call.since.map_or(now, |since| StartPoint { at: now.at, ..since });
        let mut sent_again = 0;
        let mut waited = Duration::ZERO;
        let limit = now.at + WAIT_LIMIT;
        loop {
            let outcome = send().await;
            if let Err(Trouble { text, kind: TroubleKind::OutOfDescriptors }) = &outcome {
                self.stop_without_descriptors(text);
            }
            let is_fine = outcome.as_ref().is_ok_and(|answer| answer.is(call.expected));
            self.recorder.add(Counter::Requests, u64::from(!call.is_again || !is_fine), mark);
            if let Some(why) = outcome.as_ref().ok().and_then(|answer| answer.repeated.as_ref()) {
                self.recorder.count(Counter::RequestsRepeated, mark);
                tracing::debug!("{}: {} ({}): sent once more: {why}", call.workload, call.route, call.subject);
            }
            if let Some(answer) = outcome.as_ref().ok().filter(|answer| is_told_to_wait(&call, answer)) {
                // What is not there yet is no limit of a plan.
                let is_limit = answer.status != NOT_THERE_YET;
                self.recorder.add(Counter::RequestsThrottled, u64::from(is_limit), mark);
                let wait = answer.retry_after.unwrap_or(WAIT_UNLESS_ASKED).clamp(WAIT_MIN, WAIT_LIMIT);
                tracing::debug!(
                    "{}: {} ({}): {answer}; again in {} ms",
                    call.workload,
                    call.route,
                    call.subject,
                    wait.as_millis()
                );
                let asked_at = clock::now();
                let wait = within(wait, call.until, asked_at);
                if asked_at + wait < limit && !wait.is_zero() && self.pause(wait).await {
                    waited += clock::now().saturating_duration_since(asked_at);
                    mark = StartPoint { at: clock::now(), ..mark };
                    continue;
                }
                return Sent { outcome, mark, waited };
            }
            let Some(answer) = outcome.as_ref().ok().filter(|answer| answer.status == 429) else {
                return Sent { outcome, mark, waited };
            };
            self.recorder.count(Counter::RequestsThrottled, mark);
            let wait = answer.retry_after.map(|wait| within(wait, call.until, clock::now()));
            let comes_again =
                |wait: &Duration| sent_again < SENT_AGAIN_MAX && !wait.is_zero() && clock::now() + *wait < limit;
            let Some(wait) = wait.filter(comes_again) else {
                return Sent { outcome, mark, waited };
            };
            let answer = answer.to_string();
            if !self.pause(wait).await {
                return Sent { outcome, mark, waited };
            }
            sent_again += 1;
            self.request_failed(call.workload, call.route, call.subject, &throttled(&answer, wait), mark);
        }
    }

    /// Opens a stream for a look aside, counted as a request; and again where the gateway says when to come back.
    ///
    /// # Errors
    /// The status that it was refused with, where it is one of these: then that is no error of the gateway. Else none.
    pub async fn open_stream(
        &self,
        call: Call<'_>,
        stream: CallName,
        path: &str,
        (workspace, last_id): (&str, Option<&str>),
        tolerated: &[u16],
    ) -> Result<Connection, Option<u16>> {
        self.gate.pass().await;
        let now = self.recorder.mark();
        let mark = call.since.map_or(now, |since| StartPoint { at: now.at, ..since });
        for sent_again in 0.. {
            let opened = self.streams.open(stream, path, workspace, last_id).await;
            self.recorder.count(Counter::Requests, mark);
            let refusal = match opened {
                Ok(connection) => return Ok(connection),
                Err(refusal) => refusal,
            };
            if refusal.is_out_of_descriptors {
                self.stop_without_descriptors(&refusal.answer);
            }
            if let Some(status) = refusal.status.filter(|status| tolerated.contains(status)) {
                return Err(Some(status));
            }
            self.recorder.add(Counter::RequestsThrottled, u64::from(refusal.is_throttled), mark);
            let wait = refusal.retry_after.filter(|_| refusal.is_throttled && sent_again < SENT_AGAIN_MAX);
            let comes_again = match wait {
                Some(wait) => self.pause(wait).await,
                None => false,
            };
            let answer = wait.filter(|_| comes_again).map(|wait| throttled(&refusal.answer, wait));
            let answer = answer.unwrap_or(refusal.answer);
            self.request_failed(call.workload, call.route, call.subject, &answer, mark);
            if !comes_again {
                break;
            }
        }
        Err(None)
    }

    /// Waits so long, and until the gateway is not known to be down; `false` if the session is to stop before.
    pub async fn pause(&self, wait: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.stop.requested() => return false,
            () = tokio::time::sleep(wait) => {}
        }
        self.gate.pass().await;
        true
    }

    /// Stops the session: no request can be sent any more.
    pub fn stop_without_descriptors(&self, trouble: &str) {
        self.stop.request(EndReason::Fatal, descriptors::exhausted(trouble));
    }

    /// Counts a request that went wrong in a way that its status does not show.
    pub fn request_failed(&self, workload: Workload, route: &str, subject: &str, answer: &str, mark: StartPoint) {
        self.recorder.count(Counter::RequestErrors, mark);
        tracing::debug!("{workload}: {route} ({subject}): {answer}");
        let finding =
            Finding::RequestFailed { workload, route: route.to_owned(), subject: clip(subject), answer: clip(answer) };
        self.recorder.incident_since(finding, mark);
    }
}

/// Limits a wait to the latest moment at which a request may be repeated. At that moment it is sent for the last time.
fn within(wait: Duration, until: Option<Instant>, now: Instant) -> Duration {
    until.map_or(wait, |until| wait.min(until.saturating_duration_since(now)))
}

fn either(statuses: &[u16]) -> String {
    statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
}

/// Describes the answer to a request that was sent again.
fn throttled(answer: &str, wait: Duration) -> String {
    // What the answer says may be long, and the wait must not be what is cut.
    format!("429, and sent again after the {} s that it asked for: {answer}", wait.as_secs())
}
