//! What is switched off in a gateway turns the KPIs red that lived on it, and only those.
//!
//! The gateway is a process of its own, as a user's is: this binary again, with `gateway` as its first argument. It ends
//! when its standard input does, and so with its parent, however that ends.

use std::{
    collections::BTreeMap,
    error::Error,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
};

use libtest_mimic::{Arguments, Failed, Trial};
use mock_gateway::{Config, MockGateway, wiremock};
use s2_harness::{
    journal::Reader,
    judge::{Digest, Targets, Verdict, Verdicts, judge},
    plan::{Plan, Scenario, Suite},
    report::{RunFolder, failure_text},
    session::{GatewayAccess, SessionConfig, Stop, play},
};
use wiremock::{Mock, ResponseTemplate, matchers};

type AnyError = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("gateway") {
        return match runtime().and_then(|runtime| runtime.block_on(serve_without_metrics())) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("the gateway of the test: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let trials = vec![Trial::test(
        "metrics_that_answer_404_turn_red_what_lived_on_them_and_name_the_answer",
        metrics_that_answer_404_turn_red_what_lived_on_them_and_name_the_answer,
    )];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn metrics_that_answer_404_turn_red_what_lived_on_them_and_name_the_answer() -> Result<(), Failed> {
    let out = tempfile::tempdir()?;
    let gateway = GatewayProcess::start().map_err(|error| error.to_string())?;
    let verdicts = runtime().and_then(|runtime| runtime.block_on(soak(&gateway, out.path())));
    let reds = reds(&verdicts.map_err(|error| error.to_string())?);
    let names: Vec<&str> = reds.keys().map(String::as_str).collect();
    assert_eq!(names, ["fd_drift", "queue_drift", "rss_drift", "sse_connection_drift"], "{reds:#?}");
    for text in reds.values() {
        assert!(text.contains("GET /metrics") && text.contains("404 no metrics here"), "{text}");
    }
    Ok(())
}

/// Plays the whole two hours in a minute, and judges the journal that they left.
async fn soak(gateway: &GatewayProcess, out: &Path) -> Result<Verdicts, AnyError> {
    let plan = Plan::new(Suite::Rehearsal, &Scenario::default(), 1, 120.0);
    let folder = RunFolder::new(out, Suite::Rehearsal, "2026-01-01T00-00-00");
    let gateway = GatewayAccess {
        url: gateway.url.clone(),
        token: None,
        workspace: "s2-soak".into(),
        // Not said, so that memory and descriptors live on the metrics too.
        pid: None,
        embedded: false,
    };
    let config = SessionConfig {
        plan: plan.clone(),
        gateway,
        folder: folder.clone(),
        targets: Targets::default(),
        waivers: BTreeMap::new(),
        shown: BTreeMap::new(),
        log_filter: None,
    };
    play(config, Stop::new()).await;
    let mut digest = Digest::new(&plan, &Targets::default());
    let mut journal = Reader::open(&folder.journal())?;
    while let Some(record) = journal.next_record()? {
        digest.absorb(&record);
    }
    Ok(judge(&plan, &Targets::default(), &digest))
}

/// Everything that is not green: its name and its text.
fn reds(verdicts: &Verdicts) -> BTreeMap<String, String> {
    let all = verdicts.kpis.iter().chain(&verdicts.workloads).chain(&verdicts.harness);
    all.filter(|judgement| judgement.verdict != Verdict::Pass)
        .map(|judgement| (judgement.name.clone(), failure_text(judgement, Suite::Rehearsal, "the folder")))
        .collect()
}

/// A gateway in a process of its own.
struct GatewayProcess {
    child: Child,
    url: String,
}

impl GatewayProcess {
    fn start() -> Result<Self, AnyError> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("gateway").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("the gateway's output was asked for")?;
        let mut url = String::new();
        BufReader::new(stdout).read_line(&mut url)?;
        Ok(Self { child, url: url.trim().to_owned() })
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It was ours to start, and is ours to wait for.
        let _ = self.child.wait();
    }
}

async fn serve_without_metrics() -> Result<(), AnyError> {
    let gateway = MockGateway::start(Config::default()).await?;
    let gone = ResponseTemplate::new(404).set_body_string("no metrics here");
    gateway.mount(Mock::given(matchers::path("/metrics")).respond_with(gone)).await;
    println!("{}", gateway.url());
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
    gateway.shutdown().await;
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime, AnyError> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
