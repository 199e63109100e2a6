//! Sessions at gateways that want a token under a name of their own, or whose certificates nobody vouches for.

use mock_gateway::{
    Config, MockGateway,
    wiremock::{Mock, ResponseTemplate, matchers},
};

use super::{
    Stop, play, preflight,
    tests::{TOKEN, config, everything_in, short},
};
use crate::{gateway::Client, journal::EndReason};

#[tokio::test]
async fn a_token_under_another_header_does_not_come_into_any_file_either() {
    let out = tempfile::tempdir().unwrap();
    let gateway = MockGateway::start(Config::default()).await.unwrap();
    let echo = |request: &mock_gateway::wiremock::Request| {
        let sent = request.headers.get("x-api-key").map(|key| key.to_str().unwrap().to_owned());
        let bearer = request.headers.contains_key("authorization");
        ResponseTemplate::new(500).set_body_string(format!("you sent the key {sent:?}, and bearer: {bearer}"))
    };
    gateway.mount(Mock::given(matchers::path_regex("^/api/runs")).respond_with(echo)).await;
    let mut config = config(out.path(), &gateway.url(), &short(2));
    let dialect = "extends = \"4runr\"\n[headers]\nAuthorization = \"\"\nX-API-Key = \"{token}\"";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.toml"), dialect).unwrap();
    config.gateway.dialect = crate::settings::load_dialect("keys.toml", folder.path()).unwrap().into();
    config.log_filter = Some("trace".into());
    assert_eq!(play(config.clone(), Stop::default()).await, EndReason::Played);
    let everything = everything_in(out.path());
    assert!(everything.contains("you sent the key Some(") && everything.contains("***"));
    assert!(!everything.contains("and bearer: true"));
    assert!(!everything.contains(TOKEN));
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_gateway_whose_certificate_is_refused_is_said_with_what_would_help() {
    let out = tempfile::tempdir().unwrap();
    let (url, _gateway) = crate::gateway::tls_tests::stranger().await;
    let config = config(out.path(), &url, &short(2));
    let stop = Stop::default();
    let client = Client::new(&config.gateway).unwrap();
    stop.request(EndReason::Signal, "one try is enough for a test");
    let said = preflight::wait_until_ready(&config, &client, &stop).await.unwrap_err();
    assert!(said.contains("was not ready: GET /ready, tried 1 times"), "{said}");
    assert!(said.contains("UnknownIssuer; S2_CA_FILE names a file of certificates to trust"), "{said}");
    assert!(said.ends_with("beyond the machine's."), "{said}");
}

#[tokio::test]
async fn that_no_certificate_is_looked_at_is_said_loudly() {
    let out = tempfile::tempdir().unwrap();
    let mut config = config(out.path(), "https://127.0.0.1:9", &short(2));
    let stop = Stop::default();
    stop.request(EndReason::Signal, "the log is what is of interest");
    config.gateway.trust = config.gateway.trust.without_verifying();
    play(config.clone(), stop).await;
    let log = std::fs::read_to_string(config.folder.log()).unwrap();
    assert!(log.contains("[ERROR] [T+0m] S2_TLS_VERIFY=off: no certificate is looked at"), "{log}");
}
