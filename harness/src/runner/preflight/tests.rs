//! The preflight at gateways with habits: it names the key and the value, and with them it finds nothing wrong.

use mock_gateway::{Config, Defect, MockGateway};
use tempfile::TempDir;

use super::checks::check;
use crate::{
    catalog::{CallName, Suite},
    gateway::GatewayAccess,
    settings::{Environment, Settings},
};

/// Returns the preflight's result for a call at a gateway with habits, called with a dialect.
async fn preflight(defects: &[Defect], dialect: &str, call: CallName) -> Result<String, String> {
    let defects = defects.iter().copied().collect();
    let gateway = MockGateway::start(Config { defects, ..Config::default() }).await.unwrap();
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("gateway.toml"), dialect).unwrap();
    let url = gateway.url();
    let variables = [("S2_GATEWAY_URL", url.as_str()), ("S2_DIALECT", "gateway.toml"), ("S2_WORKSPACE", "w")];
    let settings = Settings::load(&Environment::new(folder.path().to_owned(), variables), "").unwrap();
    let access = GatewayAccess {
        url: url.clone(),
        token: None,
        workspace: "w".into(),
        pid: None,
        listens_at: None,
        embedded: false,
        dialect: settings.dialect.clone(),
        trust: settings.trust_for(Suite::Full),
        by_way_of: None,
    };
    let told = check(call, &access, &settings).await;
    gateway.shutdown().await;
    told
}

/// Asserts that the preflight names something at a gateway with a habit, and that it is content with a dialect that says so.
async fn names(habit: Defect, call: CallName, key: &str, value: &str, dialect: &str) {
    let told = preflight(&[habit], "", call).await.unwrap_err();
    assert!(told.contains(key) && told.contains(value), "{told}");
    let told = preflight(&[habit], dialect, call).await;
    assert!(told.is_ok(), "{}", told.unwrap_err());
    let healthy = preflight(&[], "", call).await;
    assert!(healthy.is_ok(), "{}", healthy.unwrap_err());
}

#[tokio::test]
async fn a_registry_that_is_strict_about_versions_is_answered_with_a_form_that_it_accepts() {
    let (key, form) = ("calls.publish.version_form", "version_form = \"1.0.{seconds}\"");
    names(Defect::StrictVersions, CallName::Publish, key, form, &format!("[calls.publish]\n{form}\n")).await;
}

#[tokio::test]
async fn a_search_that_shows_a_page_at_a_time_is_noticed_with_as_many_versions_as_a_soak_publishes() {
    let dialect = "[calls.search]\npath = \"/api/registry/agents?q={text}&page={page}\"\n";
    let key = "calls.search.path";
    names(Defect::PagedSearch, CallName::Search, key, "a search shows 10 of 12 hits", dialect).await;
    let by_version = "[calls.search]\npath = \"/api/registry/agents?q={version}\"\n";
    let told = preflight(&[Defect::PagedSearch], by_version, CallName::Search).await;
    assert!(told.is_ok(), "{}", told.unwrap_err());
}

#[tokio::test]
async fn metrics_that_are_on_another_port_are_said_to_have_a_whole_url() {
    let told = preflight(&[Defect::MetricsElsewhere], "", CallName::Metrics).await.unwrap_err();
    let hint = "where metrics are on another port, the path is a whole URL: calls.metrics.path = \"http://";
    assert!(told.contains(hint), "{told}");
}

#[tokio::test]
async fn a_clock_that_is_told_to_the_second_is_noted() {
    let told = preflight(&[Defect::ClockInSeconds], "", CallName::Health).await.unwrap();
    assert!(told.contains("the time has no fractions of a second"), "{told}");
}

#[tokio::test]
async fn personal_data_that_is_refused_is_noticed() {
    let value = "personal_data = \"refused\"";
    let key = "calls.create_run.personal_data";
    names(Defect::PiiRefused, CallName::CreateRun, key, value, &format!("[calls.create_run]\n{value}\n")).await;
}

#[tokio::test]
async fn a_restart_that_cannot_be_seen_names_the_lever_and_one_that_drains_first_is_waited_for() {
    let short = "[limits]\nrestart_effect = \"5s\"\n";
    let told = preflight(&[Defect::UnnoticedRestart], short, CallName::RedisRestart).await.unwrap_err();
    assert!(told.contains("[w6_light_chaos.redis_restart] lever = \"none\""), "{told}");
    let told = preflight(&[Defect::DrainFirst], short, CallName::GatewayRestart).await.unwrap_err();
    assert!(told.contains("limits.restart_effect"), "{told}");
    let told = preflight(&[Defect::DrainFirst], "", CallName::GatewayRestart).await.unwrap();
    assert!(told.contains("after 8"), "{told}");
}

#[tokio::test]
async fn a_compressor_that_holds_events_back_is_noted_and_one_that_does_not_is_not() {
    let told = preflight(&[Defect::CompressedStreams], "", CallName::LogsStream).await.unwrap();
    assert!(told.contains("a compressor on the way seems to hold them back"), "{told}");
    let told = preflight(&[Defect::FlushedStreams], "", CallName::LogsStream).await.unwrap();
    assert!(!told.contains("compressor"), "{told}");
}

#[tokio::test]
async fn a_guard_whose_words_are_not_known_is_noted() {
    // A stream of a run: that of all may show the events of an earlier run.
    let dialect = "[events]\nverdict = [\"checked\"]\n";
    let told = preflight(&[], dialect, CallName::RunGuardStream).await.unwrap();
    assert!(told.contains("no event is a judge.verdict; the types that came are {"), "{told}");
    assert!(!told.contains("no event is a shield.decision"), "{told}");
    let neither = format!("{dialect}decision = [\"decided\"]\n");
    let told = preflight(&[], &neither, CallName::RunGuardStream).await.unwrap();
    assert!(told.contains("no event is a shield.decision; the types that came are {"), "{told}");
    let told = preflight(&[], "", CallName::RunGuardStream).await.unwrap();
    assert!(!told.contains("no event is a "), "{told}");
}

#[tokio::test]
async fn a_toggle_whose_effect_cannot_be_seen_is_noted() {
    // Its body asks for the same both times, and the other workspace never shows what a run was told.
    let dialect = "[calls.toggle_privacy]\nbody = '{\"workspace_id\": \"{workspace}\", \"storePlain\": false}'\n";
    let told = preflight(&[], dialect, CallName::TogglePrivacy).await.unwrap();
    assert!(told.contains("shows what the run was told in neither setting"), "{told}");
    let told = preflight(&[], "", CallName::TogglePrivacy).await.unwrap();
    assert!(!told.contains("in neither setting"), "{told}");
}

#[tokio::test]
async fn a_gateway_that_refuses_by_a_code_is_noticed_and_its_codes_are_understood() {
    let dialect = "[answers]\ncode = \"/code\"\n[answers.statuses]\n40000 = 400\n40300 = 403\n40400 = 404\n";
    let hint = "[answers] code = \"/code\", and [answers.statuses] \"40300\" = 403";
    names(Defect::CodedErrors, CallName::CreateRun, "answers.code", hint, dialect).await;
    let told = preflight(&[Defect::CodedErrors], "", CallName::Publish).await.unwrap_err();
    assert!(told.contains("a manifest that was tampered with was answered 200, with 40"), "{told}");
    let told = preflight(&[Defect::CodedErrors], dialect, CallName::Publish).await;
    assert!(told.is_ok(), "{}", told.unwrap_err());
}
