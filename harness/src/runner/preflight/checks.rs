//! What each call of the contract is tried with, and what must come of it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{attempt::Attempts, hints::pointers};
use crate::{
    clock,
    gateway::{
        Answer, CallName, Client, Dialect, Exposition, GatewayAccess, Manifest, NewRun, RunStanding, Streams,
        dialect::{Fill, Spec},
        heap, time_of,
    },
    settings::Settings,
    workload::INJECTIONS,
};

/// How long a run, a search or a restart is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Between looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a call that is told to wait comes again.
const WAIT_PATIENCE: Duration = Duration::from_secs(30);
const WAIT_UNLESS_ASKED: Duration = Duration::from_secs(1);

/// A trial under way.
pub(super) struct Check<'a> {
    pub(super) client: Client,
    pub(super) streams: Streams,
    pub(super) settings: &'a Settings,
    pub(super) attempts: Attempts,
}

/// Tries a call.
///
/// # Errors
/// All that was sent and came, and what would have to change.
pub(super) async fn check(call: CallName, access: &GatewayAccess, settings: &Settings) -> Result<String, String> {
    let client = Client::new(access).map_err(|e| e.to_string())?;
    let streams = Streams::new(access).map_err(|e| e.to_string())?;
    let mut check = Check { client, streams, settings, attempts: Attempts::default() };
    // Whoever finds nothing wrong says so by leaving nothing.
    let _ = check.of(call).await;
    check.attempts.told()
}

impl Check<'_> {
    pub(super) fn dialect(&self) -> &Dialect {
        self.client.dialect()
    }

    fn spec(&self, call: CallName) -> Option<Spec> {
        self.dialect().call(call).cloned()
    }

    /// None where it came no further.
    async fn of(&mut self, call: CallName) -> Option<()> {
        match call {
            CallName::Health => {
                let answer = self.call(call, &[]).await?;
                let is_time = |value: &Value| value.is_string() && time_of(value).is_some();
                self.find(call, "time", &answer, &["time", "now"], &is_time).map(drop)
            }
            CallName::Ready | CallName::SafetyCheck | CallName::CollectGarbage => self.call(call, &[]).await.map(drop),
            CallName::SetPlan => self.call(call, &[("plan", json!("pro"))]).await.map(drop),
            CallName::Agent => {
                let agent = self.agent();
                self.call(call, &[("slug", json!(agent))]).await.map(drop)
            }
            CallName::TogglePrivacy => self.hash_only().await,
            CallName::Metrics => self.metrics().await,
            CallName::CreateRun => {
                self.create().await?;
                self.inject().await
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

    fn agent(&self) -> String {
        self.settings.scenario.runs.agents.first().map_or_else(String::new, |(agent, _)| agent.clone())
    }

    /// Makes a call; its answer, where its status is one that means yes.
    pub(super) async fn call(&mut self, call: CallName, fill: &Fill<'_>) -> Option<Answer> {
        let spec = self.spec(call)?;
        let give_up_at = clock::now() + WAIT_PATIENCE;
        let outcome = loop {
            let (sent, began) = (self.client.shown(call, fill), clock::now());
            let outcome = self.client.attempt(call, fill).await;
            self.attempts.answered(sent, &outcome, clock::now().saturating_duration_since(began));
            // What is told to wait comes again, as in a soak.
            let told = outcome.as_ref().ok().filter(|answer| spec.wait.contains(&answer.status));
            let Some(wait) = told.map(|answer| answer.retry_after.unwrap_or(WAIT_UNLESS_ASKED)) else { break outcome };
            if clock::now() + wait > give_up_at {
                let (seconds, key) = (WAIT_PATIENCE.as_secs(), format!("calls.{call}.wait"));
                self.wrong(format!("it was told to wait for longer than {seconds} s"), &[&key], None);
                return None;
            }
            sleep(wait).await;
        };
        let key = |key: &str| format!("calls.{call}.{key}");
        match outcome {
            Ok(answer) if answer.is(&spec.yes) => Some(answer),
            Ok(answer) => {
                let (status, yes, path, method) = (answer.status, key("yes"), key("path"), key("method"));
                let what = format!("{status} is none of the statuses that mean yes, {:?}", spec.yes);
                let (keys, hint): (&[&str], _) = match status {
                    401 | 403 => (&["headers"], Some("S2_TOKEN: is it set, and in the right header?".to_owned())),
                    404 | 405 | 501 => {
                        let absent = format!("or, if the gateway has no such call: calls.{call}.absent = \"why\"");
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
                self.attempts.wrong(&self.client.dialect().clone(), what, keys, hint);
                None
            }
            Err(_) => {
                let hint = "is the gateway there, and S2_GATEWAY_URL right?".to_owned();
                self.attempts.wrong(
                    &self.client.dialect().clone(),
                    "no whole answer came",
                    &[&key("path")],
                    Some(hint),
                );
                None
            }
        }
    }

    pub(super) fn wrong(&mut self, what: impl Into<String>, keys: &[&str], hint: Option<String>) {
        let dialect = self.client.dialect().clone();
        self.attempts.wrong(&dialect, what, keys, hint);
    }

    /// What a pointer of the call leads to in its answer, if it is so.
    fn find(
        &mut self,
        call: CallName,
        pointer: &'static str,
        answer: &Answer,
        words: &[&str],
        is_so: &dyn Fn(&Value) -> bool,
    ) -> Option<Value> {
        let key = format!("calls.{call}.{pointer}");
        let Some(json) = answer.json() else {
            self.wrong("the answer is no JSON", &[&format!("calls.{call}.path")], None);
            return None;
        };
        let found = self.spec(call)?.find(pointer, &json).filter(|value| is_so(value)).cloned();
        if found.is_none() {
            let at = self.spec(call)?.pointers.get(pointer).cloned().unwrap_or_default();
            let what = format!("there is no {pointer} at {at:?}");
            self.wrong(what, &[&key], pointers(&json, words, is_so));
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
        // Where we name runs the answer need not repeat the name; where it does, it has to be the same.
        let spec = self.spec(CallName::CreateRun)?;
        let repeats = answer.json().is_some_and(|json| spec.find("id", &json).is_some_and(is_id));
        if self.dialect().gives_run_ids() || repeats {
            let id = self.find(CallName::CreateRun, "id", &answer, &["id"], &is_id)?;
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            if !self.dialect().gives_run_ids() && id != new.id {
                let hint = format!(
                    "the gateway calls the run {id:?} that was to be {:?}; if it names runs, leave {{id}} out",
                    new.id
                );
                self.wrong(
                    "the run has another id than was sent",
                    &["calls.create_run.body", "calls.create_run.id"],
                    Some(hint),
                );
            }
            return Some(id);
        }
        Some(new.id.clone())
    }

    /// What is right to be refused has to be refused by a status that the dialect knows: else the soak sees neither.
    async fn inject(&mut self) -> Option<()> {
        let (_, prompt) = INJECTIONS[0];
        let new = NewRun { message: prompt.to_owned(), ..self.new_run() };
        let fill = new.fill();
        let (sent, began) = (self.client.shown(CallName::CreateRun, &fill), clock::now());
        let outcome = self.client.attempt(CallName::CreateRun, &fill).await;
        self.attempts.answered(sent, &outcome, clock::now().saturating_duration_since(began));
        let spec = self.spec(CallName::CreateRun)?;
        // One that is accepted is a finding of the soak's, and no line of the dialect's.
        let is_known = |answer: &Answer| [&spec.refused, &spec.yes, &spec.wait].iter().any(|known| answer.is(known));
        let status = outcome.ok().filter(|answer| !is_known(answer))?.status;
        let what =
            format!("a prompt injection was answered {status}, none of the statuses that refuse, {:?}", spec.refused);
        self.wrong(what, &["calls.create_run.refused"], None);
        Some(())
    }

    pub(super) async fn started(&mut self) -> Option<String> {
        self.started_with(&self.new_run()).await
    }

    pub(super) async fn started_with(&mut self, new: &NewRun) -> Option<String> {
        let id = self.create_run(new).await?;
        self.start(&id).await?;
        Some(id)
    }

    /// Starts a run, where that is a call of its own.
    pub(super) async fn start(&mut self, id: &str) -> Option<()> {
        if self.dialect().has(CallName::StartRun) {
            self.call(CallName::StartRun, &[("id", json!(id))]).await?;
        }
        Some(())
    }

    /// Looks at a run until it has ended.
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
        let read = if names.is_json {
            json.as_ref().and_then(|json| Exposition::read_json(json, &names))
        } else {
            Exposition::read(&answer.text())
        };
        let Some(read) = read.map(|read| read.under(&names)) else {
            self.wrong("none of the metrics is there", &["metrics.format", "metrics.names"], None);
            return None;
        };
        let is_needed =
            |name: &&String| !names.absent.contains_key(*name) && !heap::OF_CONTRACT.contains(&name.as_str());
        for name in names.names.keys().filter(is_needed) {
            if read.value(name).is_none() && !read.histograms.contains_key(name) {
                let absent = format!("or, if the gateway has none: metrics.absent.{name} = \"why\"");
                let words: Vec<&str> = name.split('_').filter(|word| word.len() > 2).collect();
                let numbers = json.as_ref().and_then(|json| pointers(json, &words, &Value::is_number));
                let hint = numbers.map_or_else(|| absent.clone(), |numbers| format!("{numbers}\n{absent}"));
                self.wrong(format!("there is no {name}"), &[&format!("metrics.names.{name}")], Some(hint));
            }
        }
        Some(())
    }

    async fn publish(&mut self) -> Option<(String, String)> {
        let version = format!("1.0.0-{}", clock::wall_now().as_millisecond());
        let slug = "s2-soak-preflight".to_owned();
        let manifest = |version: &str, tampered| Manifest { slug: slug.clone(), version: version.to_owned(), tampered };
        self.call(CallName::Publish, &manifest(&version, false).fill()).await?;
        let spec = self.spec(CallName::Publish)?;
        if spec.has_place("signature") {
            let fill = manifest(&format!("{version}-tampered"), true).fill();
            let (sent, began) = (self.client.shown(CallName::Publish, &fill), clock::now());
            let outcome = self.client.attempt(CallName::Publish, &fill).await;
            self.attempts.answered(sent, &outcome, clock::now().saturating_duration_since(began));
            if outcome.is_ok_and(|answer| !answer.is(&spec.refused) && !answer.is(&spec.yes)) {
                let what =
                    format!("a manifest that was tampered with is neither refused, {:?}, nor accepted", spec.refused);
                self.wrong(what, &["calls.publish.refused"], None);
            }
        }
        Some((slug, version))
    }

    async fn search(&mut self) -> Option<()> {
        let (slug, version) =
            if self.dialect().has(CallName::Publish) { self.publish().await? } else { (self.agent(), String::new()) };
        let limit = clock::now() + PATIENCE;
        let is_found = |answer: &Answer, dialect: &Dialect| {
            let hits = answer.json().and_then(|json| dialect.search_hits(&json)).unwrap_or_default();
            hits.iter().any(|hit| hit.slug == slug && (version.is_empty() || hit.version == version))
        };
        while let Ok(answer) = self.client.search(&slug).await
            && !is_found(&answer, self.client.dialect())
            && answer
                .json()
                .is_some_and(|json| self.spec(CallName::Search).is_some_and(|spec| spec.find("hits", &json).is_some()))
            && clock::now() < limit
        {
            sleep(LOOK_EVERY).await;
        }
        let answer = self.call(CallName::Search, &[("text", json!(slug))]).await?;
        let hits =
            self.find(CallName::Search, "hits", &answer, &["agents", "items", "hits", "results"], &Value::is_array)?;
        if !is_found(&answer, self.client.dialect()) {
            let first = hits.get(0).cloned().unwrap_or_default();
            let hint = pointers(&first, &["slug", "version", "release"], &Value::is_string);
            let what = format!("{slug} {version} is not among the {} hits", hits.as_array().map_or(0, Vec::len));
            self.wrong(what, &["calls.search.slug", "calls.search.version", "calls.search.path"], hint);
        }
        Some(())
    }

    async fn is_ready(&self) -> bool {
        self.client.ready().await.is_ok_and(|answer| self.client.says_ready(&answer))
    }

    /// Disturbs the gateway, and waits until it is ready again.
    async fn disturb(&mut self, call: CallName) -> Option<()> {
        // Of a gateway that is not seen to be ready now nobody could see that it is again.
        if !self.is_ready().await {
            self.call(CallName::Ready, &[]).await?;
            self.wrong(
                "the gateway does not say that it is ready, so nothing was disturbed",
                &["calls.ready.yes"],
                None,
            );
            return None;
        }
        let added_ms = crate::plan::millis(self.settings.scenario.chaos.latency_added);
        self.call(call, &[("delay_ms", json!(added_ms)), ("duration_ms", json!(2_000))]).await?;
        let limit: Instant = clock::now() + PATIENCE;
        let mut in_a_row = 0;
        while in_a_row < 3 && clock::now() < limit {
            in_a_row = if self.is_ready().await { in_a_row + 1 } else { 0 };
            sleep(LOOK_EVERY).await;
        }
        if in_a_row < 3 {
            let what = format!("the gateway was not ready again within {} s", PATIENCE.as_secs());
            self.wrong(what, &["calls.ready.path", "calls.ready.yes"], None);
        }
        Some(())
    }
}
