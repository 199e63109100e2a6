//! The inputs of each call of the contract, and the required results.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use super::{attempt::Attempts, hints::pointers};
use crate::{
    catalog::CallName,
    clock,
    gateway::{
        Answer, Client, Connection, Dialect, EventReading, Exposition, GatewayAccess, NewRun, Outcome, Refusal,
        RunStanding, StreamEvent, Streams,
        dialect::{Fill, Spec},
        heap, time_of,
    },
    session::seems_coarse,
    settings::Settings,
};

/// Maximum time to wait for a run, a search or a restart.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Maximum total time in which a call is repeated after `wait` statuses.
const WAIT_PATIENCE: Duration = Duration::from_secs(180);
/// Minimum of a time in milliseconds since 1970; it is in 2001.
const MILLISECONDS_MIN: i64 = 1_000_000_000_000;
const WAIT_UNLESS_ASKED: Duration = Duration::from_secs(1);

/// A trial under way.
pub(super) struct Check<'a> {
    pub(super) access: GatewayAccess,
    pub(super) client: Client,
    pub(super) streams: Streams,
    pub(super) settings: &'a Settings,
    pub(super) attempts: Attempts,
}

/// Tries a call. The text has all requests and answers, and for an error the changes that would help.
pub(super) async fn check(call: CallName, access: &GatewayAccess, settings: &Settings) -> Result<String, String> {
    let client = Client::new(access).map_err(|e| e.to_string())?;
    let streams = Streams::new(access).map_err(|e| e.to_string())?;
    let mut check = Check { access: access.clone(), client, streams, settings, attempts: Attempts::default() };
    // The attempts have the result.
    let _ = check.of(call).await;
    check.attempts.into_result()
}

impl Check<'_> {
    pub(super) fn dialect(&self) -> &Dialect {
        self.client.dialect()
    }

    pub(super) fn spec(&self, call: CallName) -> Option<Spec> {
        self.dialect().call(call).cloned()
    }

    /// None if a step failed, and no further one was tried.
    async fn of(&mut self, call: CallName) -> Option<()> {
        match call {
            CallName::Health => {
                let answer = self.call(call, &[]).await?;
                let time = self.find(call, "time", &answer, &["time", "now"], &is_time)?;
                if time_of(&time).is_some_and(seems_coarse) {
                    let what = "the time has no fractions of a second: a movement of the clock of less than about 2.5 s may \
                                not be seen by clock_drift, and no event says how long it was on its way";
                    self.note(what, &[]);
                }
                Some(())
            }
            CallName::Ready | CallName::SafetyCheck | CallName::CollectGarbage => self.call(call, &[]).await.map(drop),
            CallName::SetPlan => self.call(call, &[("plan", json!("pro"))]).await.map(drop),
            CallName::Agent => self.call(call, &[("slug", json!(self.agent()))]).await.map(drop),
            CallName::TogglePrivacy => self.hash_only().await,
            CallName::Metrics => {
                self.metrics().await?;
                self.processes().await
            }
            CallName::CreateRun => {
                self.create().await?;
                self.inject().await;
                self.send_personal_data().await
            }
            CallName::StartRun => self.started().await.map(drop),
            CallName::Run => self.run().await,
            CallName::LogsStream | CallName::GuardStream => self.stream_of_all(call).await,
            CallName::RunLogsStream | CallName::RunGuardStream => self.stream_of_run(call).await,
            CallName::Publish => self.publish().await.map(drop),
            CallName::Search => self.search().await,
            CallName::RedisRestart | CallName::GatewayRestart | CallName::Latency => self.disturb(call).await,
        }
    }

    pub(super) fn agent(&self) -> String {
        self.settings.scenario.runs.agents.first().map_or_else(String::new, |(agent, _)| agent.clone())
    }

    /// Makes a call; its answer, if the status means yes.
    pub(super) async fn call(&mut self, call: CallName, fill: &Fill<'_>) -> Option<Answer> {
        let spec = self.spec(call)?;
        let give_up_at = clock::now() + WAIT_PATIENCE;
        let outcome = loop {
            let outcome = self.send(call, fill).await;
            // A call that has to wait is repeated, as in a soak.
            let wait = match &outcome {
                Ok(answer) if spec.wait.contains(&answer.status) => answer.retry_after.unwrap_or(WAIT_UNLESS_ASKED),
                _ => break outcome,
            };
            if clock::now() + wait > give_up_at {
                let what = format!("it was told to wait for longer than {} s", WAIT_PATIENCE.as_secs());
                return self.fail(what, &[&format!("calls.{call}.wait")], None);
            }
            sleep(wait).await;
        };
        let key = |key: &str| format!("calls.{call}.{key}");
        match outcome {
            Ok(answer) if answer.is(&spec.yes) => Some(answer),
            Ok(answer) if answer.is_denial && spec.yes.contains(&answer.status) => {
                let what = "the status means yes, and the body says that the call was not done";
                let is_by_code = !self.dialect().codes.code.is_empty();
                let hint = "a code of success stands for 200: [answers.statuses] CODE = 200".to_owned();
                self.fail(what, if is_by_code { &["answers.statuses"] } else { &[] }, is_by_code.then_some(hint))
            }
            Ok(answer) => {
                let (status, yes, path, method) = (answer.status, key("yes"), key("path"), key("method"));
                let what = format!("{status} is none of the statuses that mean yes, {:?}", spec.yes);
                let (keys, hint): (&[&str], _) = match status {
                    401 | 403 => (&["headers"], Some("S2_TOKEN: is it set, and in the right header?".to_owned())),
                    404 if call == CallName::Run => {
                        let wait =
                            "or, if a run can be read only a moment after it was created: calls.get_run.wait = [404]";
                        (&[&path], Some(wait.to_owned()))
                    }
                    404 | 405 | 501 => {
                        let mut absent = format!("or, if the gateway has no such call: calls.{call}.absent = \"why\"");
                        if call == CallName::Metrics {
                            absent = format!(
                                "where metrics are on another port, the path is a whole URL: {path} = \
                                 \"http://127.0.0.1:9090/metrics\"\n{absent}"
                            );
                        }
                        (&[&path, &method], Some(absent))
                    }
                    400 | 415 | 422 => (&[&key("body"), &yes], None),
                    409 | 429 => {
                        let hint =
                            format!("or, where it asks to come again a moment later: calls.{call}.wait = [{status}]");
                        (&[&yes], Some(hint))
                    }
                    200..=299 => (&[&yes], None),
                    _ => (&[&yes, &path], None),
                };
                self.fail(what, keys, hint)
            }
            Err(_) => {
                let hint = "is the gateway there, and S2_GATEWAY_URL right?".to_owned();
                self.fail("no whole answer came", &[&key("path")], Some(hint))
            }
        }
    }

    /// Makes a call once; none without a whole answer.
    pub(super) async fn try_once(&mut self, call: CallName, fill: &Fill<'_>) -> Option<Answer> {
        self.send(call, fill).await.ok()
    }

    async fn send(&mut self, call: CallName, fill: &Fill<'_>) -> Outcome {
        let (sent, began) = (self.client.describe(call, fill), clock::now());
        let outcome = self.client.attempt(call, fill).await;
        self.attempts.answered(sent, &outcome, clock::now().saturating_duration_since(began));
        outcome
    }

    pub(super) fn wrong(&mut self, what: impl Into<String>, keys: &[&str], hint: Option<String>) {
        self.attempts.wrong(self.client.dialect(), what, keys, hint);
    }

    /// Records an error, after which nothing more is tried.
    pub(super) fn fail<T>(&mut self, what: impl Into<String>, keys: &[&str], hint: Option<String>) -> Option<T> {
        self.wrong(what, keys, hint);
        None
    }

    /// Records a habit that is not wrong, and the lines that describe it in a dialect.
    pub(super) fn note(&mut self, what: impl Into<String>, write: &[&str]) {
        self.attempts.note(what, write);
    }

    /// Opens a stream, of a run if the call is of one.
    pub(super) async fn connect(&self, call: CallName, run: Option<&str>) -> Result<Connection, Refusal> {
        let path = self.client.stream_path(call, run);
        self.streams.open(call, &path, self.client.workspace(), None).await
    }

    /// Reads an event of a call's stream, which may be the stream of a run.
    pub(super) fn reading(&self, call: CallName, run: &str, event: &StreamEvent) -> EventReading {
        self.dialect().events.reading(call.is_stream_of_run().then_some(run), &event.content.name, &event.content.data)
    }

    /// Returns the value at a pointer of the call in its answer, if the value satisfies `is_so`.
    pub(super) fn find(
        &mut self,
        call: CallName,
        pointer: &'static str,
        answer: &Answer,
        words: &[&str],
        is_so: &dyn Fn(&Value) -> bool,
    ) -> Option<Value> {
        let key = format!("calls.{call}.{pointer}");
        let Some(json) = answer.json() else {
            return self.fail("the answer is no JSON", &[&format!("calls.{call}.path")], None);
        };
        let spec = self.spec(call)?;
        let found = spec.find(pointer, &json).filter(|value| is_so(value)).cloned();
        if found.is_none() {
            let at = spec.pointers.get(pointer).map_or("", String::as_str);
            self.wrong(format!("there is no {pointer} at {at:?}"), &[&key], pointers(&json, words, is_so));
        }
        found
    }

    pub(super) fn new_run(&self) -> NewRun {
        let message = "Soak preflight: look up the order and sum up its state.".to_owned();
        NewRun { id: Uuid::new_v4().to_string(), agent: self.agent(), name: "soak-preflight".into(), message }
    }

    pub(super) async fn create(&mut self) -> Option<String> {
        self.create_run(&self.new_run()).await
    }

    pub(super) async fn create_run(&mut self, new: &NewRun) -> Option<String> {
        let answer = self.call(CallName::CreateRun, &new.fill()).await?;
        let is_id = |value: &Value| value.as_str().is_some_and(|id| !id.is_empty()) || value.is_u64();
        // A gateway that does not name runs need not repeat the name in its answer.
        let spec = self.spec(CallName::CreateRun)?;
        let repeats = answer.json().is_some_and(|json| spec.find("id", &json).is_some_and(is_id));
        if !self.dialect().gives_run_ids() && !repeats {
            return Some(new.id.clone());
        }
        let id = self.find(CallName::CreateRun, "id", &answer, &["id"], &is_id)?;
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        if !self.dialect().gives_run_ids() && id != new.id {
            // The id that was sent may be a reference of the caller's, or an idempotency key.
            let what = format!("the gateway calls the run {id:?} that was to be {:?}: its own word counts", new.id);
            self.note(what, &[]);
        }
        Some(id)
    }

    pub(super) async fn started(&mut self) -> Option<String> {
        self.started_with(&self.new_run()).await
    }

    pub(super) async fn started_with(&mut self, new: &NewRun) -> Option<String> {
        let id = self.create_run(new).await?;
        self.start(&id).await?;
        Some(id)
    }

    /// Starts a run, if that is a call of its own.
    pub(super) async fn start(&mut self, id: &str) -> Option<()> {
        if self.dialect().has(CallName::StartRun) {
            self.call(CallName::StartRun, &[("id", json!(id))]).await?;
        }
        Some(())
    }

    async fn run(&mut self) -> Option<()> {
        let id = self.started().await?;
        self.until_over(&id).await;
        let answer = self.call(CallName::Run, &[("id", json!(id))]).await?;
        self.find(CallName::Run, "status", &answer, &["status", "state", "phase"], &Value::is_string)?;
        let view = self.dialect().run_view(&answer.json()?);
        match self.dialect().standing(&view) {
            RunStanding::Succeeded => {}
            RunStanding::Unknown(what) => {
                let keys = ["run_states.waiting", "run_states.under_way", "run_states.success", "run_states.failure"];
                self.wrong(what, &keys, Some("the word belongs into one of these lists".into()));
            }
            RunStanding::Failed(word) => {
                let hint =
                    "or the agent fails: [w1_realistic_runs.agents] in soak.toml names agents that do not".to_owned();
                self.wrong(format!("the run ended as {word}"), &["run_states.failure"], Some(hint));
            }
            RunStanding::Waiting | RunStanding::UnderWay => {
                self.wrong("the run had not ended by then", &["run_states.under_way", "run_states.success"], None);
            }
        }
        self.find(CallName::Run, "output", &answer, &["output", "result", "answer"], &|value| !value.is_null());
        if self.spec(CallName::Run)?.pointers.get("logs").is_some_and(String::is_empty) {
            self.note("calls.get_run.logs is empty: a line that no stream shows will go unseen", &[]);
            return Some(());
        }
        let logs = self.find(CallName::Run, "logs", &answer, &["log", "lines"], &Value::is_array)?;
        let lines = logs.as_array().map_or(0, Vec::len);
        if view.messages().len() != lines {
            let hint = logs.get(0).and_then(|line| pointers(line, &["message", "text", "line"], &Value::is_string));
            let what = format!("of {lines} log lines {} have a message", view.messages().len());
            self.wrong(what, &["calls.get_run.message"], hint);
        }
        Some(())
    }

    async fn metrics(&mut self) -> Option<()> {
        let answer = self.call(CallName::Metrics, &[]).await?;
        let names = self.dialect().metrics.clone();
        let json = answer.json().filter(|_| names.is_json);
        let Some(read) = Exposition::of(&answer, &names) else {
            return self.fail("none of the metrics is there", &["metrics.format", "metrics.names"], None);
        };
        for (name, theirs) in &names.names {
            let is_needed = !names.absent.contains_key(name) && !heap::OF_CONTRACT.contains(&name.as_str());
            if !is_needed {
                continue;
            }
            if read.empty_gauges.contains(name) && read.value(name) == Some(0.0) {
                self.note(format!("{theirs} is declared, and has no series now: it counts as 0"), &[]);
            } else if read.value(name).is_some() || read.histograms.contains_key(name) {
                continue;
            } else if !names.is_json && is_declared(&answer.text(), theirs) {
                let what =
                    format!("{theirs} is declared, and has no sample yet: a counter by label may begin with its first");
                self.note(what, &[]);
            } else {
                let absent = format!("or, if the gateway has none: metrics.absent.{name} = \"why\"");
                let words: Vec<&str> = name.split('_').filter(|word| word.len() > 2).collect();
                let numbers = json.as_ref().and_then(|json| pointers(json, &words, &Value::is_number));
                let hint = numbers.map_or_else(|| absent.clone(), |numbers| format!("{numbers}\n{absent}"));
                self.wrong(format!("there is no {name}"), &[&format!("metrics.names.{name}")], Some(hint));
            }
        }
        Some(())
    }
}

/// Whether S2 reads a value as a time. A small number is a time since the start, or in seconds.
fn is_time(value: &Value) -> bool {
    time_of(value).is_some() && value.as_i64().is_none_or(|ms| ms >= MILLISECONDS_MIN)
}

/// Whether metrics declare one that may have its first sample later. OpenMetrics declares counters without `_total`.
fn is_declared(text: &str, name: &str) -> bool {
    let family = name.strip_suffix("_total").unwrap_or(name);
    let declared = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.trim().split_once(' '));
    let may_begin_later = |of: &str| ["counter", "histogram"].contains(&of.trim());
    declared.into_iter().any(|(declared, of)| (declared == name || declared == family) && may_begin_later(of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rfc_3339_or_milliseconds_since_1970() {
        let times =
            [json!("2026-11-29T18:00:00Z"), json!(1_795_967_826_118_i64), json!(1_795_967_826), json!(7), json!("up")];
        assert_eq!([true, true, false, false, false], times.map(|value| is_time(&value)));
    }

    #[test]
    fn a_counter_or_histogram_may_be_declared_before_it_has_a_sample() {
        let text =
            "# HELP a_total x\n# TYPE a_total counter\n# TYPE b counter\n# TYPE c gauge\n# TYPE d_seconds histogram\n";
        let declared = ["a_total", "b_total", "c", "d_seconds", "e"].map(|name| is_declared(text, name));
        assert_eq!([true, true, false, true, false], declared);
    }
}
