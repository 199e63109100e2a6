//! The requests of workers: held by the gate, repeated if the gateway asks for it, counted, timed, recorded as errors.

use std::time::Duration;

use tokio::time::Instant;

use super::{Gate, Recorder, StartPoint, Stop, descriptors};
use crate::{
    catalog::{CallName, Workload},
    clock,
    gateway::{Answer, Client, Connection, Outcome, Streams, Trouble, TroubleKind},
    journal::{Counter, EndReason, Finding, Timing, clip},
};

/// Delay before a request is repeated that was answered with a `wait` status, unless the answer gives one.
const WAIT_UNLESS_ASKED: Duration = Duration::from_secs(1);
const WAIT_MIN: Duration = Duration::from_millis(50);
/// Maximum total time in which such a request is repeated. After that, its last answer counts as a refusal.
pub(super) const WAIT_LIMIT: Duration = Duration::from_secs(180);
/// Status for an object that the gateway has, and that cannot be read yet. A replica may be a moment behind.
const NOT_THERE_YET: u16 = 404;
/// Maximum number of repeats of a request that was throttled.
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
    pub(super) recorder: Recorder,
    pub(super) stop: Stop,
}

/// A call: its sender, its subject, and the answers that should come.
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
    /// Statuses that ask for a repeat a moment later, as a plan's limits do, and are no error while that helps.
    pub wait: &'a [u16],
    /// Start of the operation that it belongs to, if that began before. The request counts for the window of that time.
    pub since: Option<StartPoint>,
    /// Latest time of a repeat, where that is before the longest wait is over.
    pub until: Option<Instant>,
    /// Whether it repeats a question. Then only an error counts as a request: a long wait would dilute the error rate.
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

/// Whether an answer asks for a repeat. An expected status, as a 404 of a run that was refused, asks for nothing.
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
    /// A call of a workload, as the gateway's dialect has it.
    pub fn of<'a>(&'a self, workload: Workload, call: CallName, subject: &'a str) -> Call<'a> {
        let dialect = self.client.dialect();
        let spec = dialect.call(call);
        let (expected, wait) = spec.map_or((&[][..], &[][..]), |spec| (&spec.yes, &spec.wait));
        let route = dialect.route(call);
        Call { workload, route, subject, expected, wait, since: None, until: None, is_again: false }
    }

    /// Sends a request of W1 to W5: not while the gateway is known to be down, counted and timed. `None`, with
    /// evidence, if it fails or is answered other than expected.
    pub async fn call<F: Future<Output = Outcome>>(&self, call: Call<'_>, send: impl Fn() -> F) -> Option<Answer> {
        self.outcome(call, send).await.ok()
    }

    /// The same. The error is the text of the answer, or of the trouble.
    pub async fn outcome<F: Future<Output = Outcome>>(
        &self,
        call: Call<'_>,
        send: impl Fn() -> F,
    ) -> Result<Answer, String> {
        let Sent { outcome, mark, .. } = self.send(call, send).await;
        self.as_expected(call, outcome, mark).map_err(|wrong| wrong.text)
    }

    /// Times a request that was sent. An error or an unexpected answer is counted, with its evidence.
    pub fn as_expected(&self, call: Call<'_>, outcome: Outcome, mark: StartPoint) -> Result<Answer, Wrong> {
        let Call { workload, route, subject, expected, .. } = call;
        self.recorder.time(Timing::Request, mark, route);
        let either = || expected.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ");
        let (text, status, is_unread) = match outcome {
            Ok(answer) if answer.is(expected) => return Ok(answer),
            Ok(answer) if answer.is_denial && expected.contains(&answer.status) => {
                (format!("{answer} (its status says yes, and its body an error)"), Some(answer.status), false)
            }
            Ok(answer) => (format!("{answer} (expected {})", either()), Some(answer.status), false),
            Err(trouble) => (trouble.text, None, trouble.kind == TroubleKind::Unread),
        };
        if is_unread {
            // A limit of S2's is no error, and is named where it matters.
            self.recorder.count(Counter::AnswersUnread, mark);
            tracing::debug!("{workload}: {route} ({subject}): {text}");
            let (route, subject, answer) = (route.to_owned(), clip(subject), clip(&text));
            self.recorder.incident_since(Finding::AnswerUnread { route, subject, answer }, mark);
        } else {
            self.request_failed(workload, route, subject, &text, mark);
        }
        Err(Wrong { text, status, is_unread })
    }

    /// Sends a request, and repeats it where the answer asks for that and gives a delay. Gives the last outcome, with
    /// the time of the first request. A 429 on the way is an error like any other, and its delay is latency.
    pub async fn send<F: Future<Output = Outcome>>(&self, call: Call<'_>, send: impl Fn() -> F) -> Sent {
        self.gate.pass().await;
        let Call { workload, route, subject, .. } = call;
        let mut mark = self.recorder.mark_since(call.since);
        let (mut sent_again, mut waited, limit) = (0, Duration::ZERO, mark.at + WAIT_LIMIT);
        let outcome = loop {
            let outcome = send().await;
            if let Err(Trouble { text, kind: TroubleKind::OutOfDescriptors }) = &outcome {
                self.stop_without_descriptors(text);
            }
            let is_fine = outcome.as_ref().is_ok_and(|answer| answer.is(call.expected));
            self.recorder.add(Counter::Requests, u64::from(!call.is_again || !is_fine), mark);
            let Ok(answer) = &outcome else { break outcome };
            if let Some(why) = &answer.repeated {
                self.recorder.count(Counter::RequestsRepeated, mark);
                tracing::debug!("{workload}: {route} ({subject}): sent once more: {why}");
            }
            if is_told_to_wait(&call, answer) {
                // An object that is not there yet is no limit of a plan.
                let is_limit = answer.status != NOT_THERE_YET;
                self.recorder.add(Counter::RequestsThrottled, u64::from(is_limit), mark);
                let wait = answer.retry_after.unwrap_or(WAIT_UNLESS_ASKED).clamp(WAIT_MIN, WAIT_LIMIT);
                let wait_ms = wait.as_millis();
                tracing::debug!("{workload}: {route} ({subject}): {answer}; again in {wait_ms} ms");
                let asked_at = clock::now();
                let wait = within(wait, call.until, asked_at);
                if wait.is_zero() || asked_at + wait >= limit || !self.pause(wait).await {
                    break outcome;
                }
                waited += clock::now().saturating_duration_since(asked_at);
                mark.at = clock::now();
                continue;
            }
            if answer.status != 429 {
                break outcome;
            }
            self.recorder.count(Counter::RequestsThrottled, mark);
            let Some(wait) = answer.retry_after.map(|wait| within(wait, call.until, clock::now())) else {
                break outcome;
            };
            let is_too_late = sent_again == SENT_AGAIN_MAX || wait.is_zero() || clock::now() + wait >= limit;
            let answer = throttled(&answer.to_string(), wait);
            if is_too_late || !self.pause(wait).await {
                break outcome;
            }
            sent_again += 1;
            self.request_failed(workload, route, subject, &answer, mark);
        };
        Sent { outcome, mark, waited }
    }

    /// Opens a stream that is not kept, counted as a request; and again where the gateway gives a delay. The error has
    /// the status of the refusal, where it is one of `tolerated`: then that is no error of the gateway.
    pub async fn open_stream(
        &self,
        call: Call<'_>,
        stream: CallName,
        path: &str,
        (workspace, last_id): (&str, Option<&str>),
        tolerated: &[u16],
    ) -> Result<Connection, Option<u16>> {
        self.gate.pass().await;
        let mark = self.recorder.mark_since(call.since);
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
            let (answer, comes_again) = match wait {
                Some(wait) if self.pause(wait).await => (throttled(&refusal.answer, wait), true),
                _ => (refusal.answer, false),
            };
            self.request_failed(call.workload, call.route, call.subject, &answer, mark);
            if !comes_again {
                break;
            }
        }
        Err(None)
    }

    /// Waits for a time, and until the gateway is not known to be down; `false` if the session is to stop before.
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
        let (route, subject, answer) = (route.to_owned(), clip(subject), clip(answer));
        self.recorder.incident_since(Finding::RequestFailed { workload, route, subject, answer }, mark);
    }
}

/// Limits a wait to the latest moment at which a request may be repeated. At that moment it is sent for the last time.
fn within(wait: Duration, until: Option<Instant>, now: Instant) -> Duration {
    until.map_or(wait, |until| wait.min(until.saturating_duration_since(now)))
}

/// Describes the answer to a request that was sent again.
fn throttled(answer: &str, wait: Duration) -> String {
    // The answer may be long, and the wait must not be cut off.
    format!("429, and sent again after the {} s that it asked for: {answer}", wait.as_secs())
}
