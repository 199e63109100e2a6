//! Results of the preflight for streams with habits, at a gateway on a real socket.

use std::{path::PathBuf, time::Duration};

use mock_gateway::{Config, Defect, Defects, MockGateway};

use super::checks;
use crate::{
    catalog::CallName,
    gateway::{GatewayAccess, dialect::Replay},
    settings::{Environment, Settings, built_in_dialect},
};

async fn gateway(habits: &[Defect]) -> MockGateway {
    let run_duration = Duration::from_millis(200)..=Duration::from_millis(250);
    let defects = Defects::from_iter(habits.iter().copied());
    MockGateway::start(Config { defects, run_duration, ..Config::default() }).await.unwrap()
}

/// Returns the preflight's result for a call at a gateway with habits.
async fn says(call: CallName, habits: &[Defect], replay: Replay) -> Result<String, String> {
    let gateway = gateway(habits).await;
    let settings = Settings::load(&Environment::new(PathBuf::from("/nonexistent/s2"), []), "").unwrap();
    let mut dialect = built_in_dialect();
    dialect.events.replay = replay;
    let access = GatewayAccess { dialect: dialect.into(), ..GatewayAccess::of_test(gateway.url()) };
    let said = checks::check(call, &access, &settings).await;
    gateway.shutdown().await;
    said
}

fn holds(said: &str, all: &[&str]) {
    for text in all {
        assert!(said.contains(text), "{text:?} is not said:\n{said}");
    }
}

#[tokio::test]
async fn a_gateway_without_habits_is_told_only_that_its_runs_are_shown_again() {
    let said = says(CallName::RunLogsStream, &[], Replay::Unknown).await.unwrap();
    holds(&said, &["it showed 5 events of the run again", "events.replay_on_run_streams = \"yes\""]);
    let said = says(CallName::RunLogsStream, &[], Replay::Yes).await.unwrap();
    assert!(!said.contains("note"), "{said}");
    let said = says(CallName::LogsStream, &[], Replay::Unknown).await.unwrap();
    assert!(!said.contains("note"), "{said}");
}

#[tokio::test]
async fn every_habit_of_a_stream_is_recognised_and_the_key_is_printed() {
    let habits = [Defect::ClosedAfterEnd, Defect::PingEvents, Defect::NoRunId, Defect::NoReplay];
    let said = says(CallName::RunLogsStream, &habits, Replay::Unknown).await.unwrap();
    holds(
        &said,
        &[
            "events that name no run, of types that the dialect does not use: \"connected\" (1)",
            "events.ignore = [\"connected\"]",
            "events of the run's own stream do not name the run, and need not",
            "it showed 0 events of the run again and ended: closed by the gateway",
            "events.replay_on_run_streams = \"no\"",
        ],
    );
    let said = says(CallName::RunGuardStream, &habits, Replay::Unknown).await.unwrap();
    holds(&said, &["events.ignore = [\"connected\"]"]);
    let said = says(CallName::LogsStream, &habits, Replay::Unknown).await.unwrap();
    holds(&said, &["events.ignore = [\"connected\""]);
}

#[tokio::test]
async fn a_dialect_that_promises_a_replay_that_does_not_come_is_wrong() {
    let said = says(CallName::RunLogsStream, &[Defect::NoReplay], Replay::Yes).await.unwrap_err();
    holds(&said, &["the stream of a run that is over does not show the run again", "events.replay_on_run_streams ("]);
    // The habits themselves are none.
    says(CallName::RunLogsStream, &[Defect::NoContentAfterEnd], Replay::Unknown).await.unwrap();
    says(CallName::RunLogsStream, &[Defect::ResetAfterEnd], Replay::Unknown).await.unwrap();
}
