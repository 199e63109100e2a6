//! A gateway that writes what a person or a machine would take for the harness's own: lines of its log and of its test
//! report, elements of its JUnit file, and what a terminal obeys.

use std::{
    env, fs,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use mock_gateway::Config;
use roxmltree::Document;
use serde_json::{Value, json};
use testkit::{AnyError, Left};

use crate::{
    front::{Asked, Behaviour, STREAM, answer, behaviour},
    scene::{self, Played},
};

const LOG_LINE: &str = "[2026-01-01T00:00:00.000Z] [FATAL] [T+0m] forged";
const REPORT_LINE: &str = "test smoke::kpi::forged ... ok";
const FORGED: &str = "x\n[2026-01-01T00:00:00.000Z] [FATAL] [T+0m] forged\r\n\u{1b}[2J\u{1b}[32m\
    test smoke::kpi::forged ... ok\ntest smoke::kpi::forged ... ok\u{2028}\
    ]]></system-out></testcase><testcase name=\"forged\"><![CDATA[\n";
/// What no answer's head may carry is left out of what stands there.
const FORGED_HEAD: &str = "]]></system-out></testcase><testcase name=\"forged\">";

/// Forges wherever a text of the gateway's may get into one of the harness's.
fn forger() -> Behaviour {
    let count = AtomicU32::new(0);
    behaviour(move |asked: Asked| {
        let turn = count.fetch_add(1, Ordering::Relaxed);
        async move {
            let json = |status: &str, body: Value| answer(status, "application/json", body.to_string());
            let says = match asked.call.as_str() {
                "GET /ready" if turn > 9 && turn.is_multiple_of(3) => answer("503 No", "text/plain", FORGED),
                "GET /metrics" if turn.is_multiple_of(2) => answer("500 No", "text/plain", FORGED),
                "GET /metrics" => {
                    answer("200 OK", "text/plain", format!("a{{b=\"{FORGED}\"}} 1\n{FORGED} 1\na 1\na 1\n"))
                }
                "GET /health" => json("200 OK", json!({ "ok": true, "time": FORGED })),
                "GET /api/safety/check" => answer("500 No", "text/plain", FORGED),
                "POST /api/workspace/plan" => answer("500 No", "text/plain", FORGED),
                "POST /api/registry/publish" => answer("500 No", "text/html", FORGED),
                "GET /api/runs/guard/stream" => answer("302 No", FORGED_HEAD, FORGED),
                "GET /api/runs/logs/stream" => {
                    // In JSON the text comes whole, line breaks and all.
                    let event =
                        |message: &str| json!({ "run_id": &FORGED[..90], "message": message, "status": FORGED });
                    let events =
                        [event("1"), event("2"), event("2")].map(|event| format!("data: {event}\n\n")).concat();
                    return asked
                        .say_and_stay(format!("{STREAM}id: {FORGED_HEAD}\nevent: end\n{events}data: {FORGED}\n"))
                        .await;
                }
                _ if asked.is_after_a_run() => {
                    let logs = json!([{ "level": "info", "message": FORGED }]);
                    json("200 OK", json!({ "id": FORGED, "status": FORGED, "logs": logs }))
                }
                _ => return asked.pass().await,
            };
            asked.say(says).await
        }
    })
}

/// Whether nothing that was left reads as the harness's own that is the gateway's.
fn holds(left: &Left) -> Result<(), AnyError> {
    let mut forgeries_shown = 0;
    for (path, bytes) in left.files()? {
        let (text, path) = (String::from_utf8_lossy(&bytes), path.display());
        forgeries_shown += text.matches("forged").count();
        if bytes.contains(&0x1b) {
            return Err(format!("{path} steers a terminal").into());
        }
        let forged = text.lines().find(|line| [LOG_LINE, REPORT_LINE].iter().any(|f| line.trim_start().starts_with(f)));
        if let Some(line) = forged {
            return Err(format!("{path} has a line that is the gateway's: {line}").into());
        }
        let is_log = path.to_string().contains("s2-logs");
        if let Some(line) = text.lines().find(|line| is_log && !line.starts_with("[20")) {
            return Err(format!("{path} has a line that is no line of a log: {line}").into());
        }
    }
    // What is shown nowhere proves nothing.
    if forgeries_shown < 20 { Err(format!("shown {forgeries_shown} times only").into()) } else { Ok(()) }
}

pub(crate) fn no_line_of_the_log_or_the_report_is_the_gateways(trial: &str) -> Result<(), AnyError> {
    let played = scene::play(trial, forger())?;
    played.to_its_end()?;
    played.found("not_ready", &["\\\\n[2026-01-01T00:00:00.000Z] [FATAL]"])?;
    played.found("run_failed", &["status 'x", "[FATAL] [T+0m] forged"])?;
    holds(&played.left)
}

/// The same under nextest, whose JUnit file CI shows to people. It runs this binary under the name of the soak's, by the
/// profile of the workspace.
pub(crate) fn no_element_of_the_junit_file_is_the_gateways(trial: &str) -> Result<(), AnyError> {
    let played = scene::at(forger(), Config::default(), |url| nextest(trial, url))?;
    holds(&played.left)?;
    let junit = played.left.folder.join("nextest/smoke/junit.xml");
    let text = fs::read_to_string(&junit).map_err(|error| format!("{}: {error}", junit.display()))?;
    let document = Document::parse(&text)?;
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
    let mut names: Vec<&str> = cases.filter_map(|case| case.attribute("name")).collect();
    names.sort_unstable();
    let mut judged: Vec<String> = Vec::new();
    for (kind, of) in [("kpi", "kpis"), ("workload", "workloads"), ("harness", "harness")] {
        let all = played.results[of].as_array().ok_or("results name everything that was judged")?;
        judged.extend(all.iter().filter_map(|it| Some(format!("smoke::{kind}::{}", it["name"].as_str()?))));
    }
    judged.sort_unstable();
    if names != judged {
        return Err(format!("{} has the test cases {names:?}, and should have {judged:?}", junit.display()).into());
    }
    let told = document.descendants().filter_map(|node| node.text()).filter(|text| text.contains("forged")).count();
    if told == 0 { Err("no failure tells of what the gateway said".into()) } else { Ok(()) }
}

fn nextest(trial: &str, url: &str) -> Result<Played, AnyError> {
    let soak = scene::soak(trial, url);
    soak.prepare()?;
    let root = env!("CARGO_MANIFEST_DIR");
    let id = Command::new(env!("CARGO")).args(["pkgid", "--offline", "--package", "s2"]).current_dir(root).output()?;
    let id = String::from_utf8(id.stdout)?;
    let binaries = json!({
        "rust-build-meta": {
            "target-directory": env!("CARGO_TARGET_TMPDIR"),
            "base-output-directories": [],
            "non-test-binaries": {},
            "linked-paths": [],
        },
        "rust-binaries": { "s2::soak": {
            "binary-id": "s2::soak",
            "binary-name": "soak",
            "package-id": id.trim(),
            "kind": "test",
            "binary-path": env::current_exe()?,
            "build-platform": "target",
        } },
    });
    let [metadata, config] = ["binaries.json", "nextest.toml"].map(|name| soak.folder.join(name));
    fs::write(&metadata, binaries.to_string())?;
    let store = format!("\n[store]\ndir = {}\n", json!(soak.folder.join("nextest")));
    fs::write(&config, include_str!("../../nextest.toml").to_owned() + &store)?;
    let mut command = Command::new(env!("CARGO"));
    command.args(["nextest", "run", "--profile", "smoke", "--user-config-file", "none", "--color", "never"]);
    command.arg("--config-file").arg(config).arg("--binaries-metadata").arg(metadata).current_dir(root);
    scene::watch(&soak, soak.start_by(command)?)
}
