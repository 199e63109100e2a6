//! A token changes nothing that is read.

use mock_gateway::{Config, MockGateway};

use super::{
    tests::{config, short},
    *,
};
use crate::{
    gateway::{Secret, Token},
    journal::EndReason,
};

#[tokio::test]
async fn a_token_that_is_a_word_of_the_gateway_changes_nothing_that_is_read() {
    for token in ["completed", "log", "run_id"] {
        let out = tempfile::tempdir().unwrap();
        let gateway = MockGateway::start(Config { token: Some(token.into()), ..Config::default() }).await.unwrap();
        let mut config = config(out.path(), &gateway.url(), &short(2));
        config.gateway.token = Some(Token::fixed(Secret::new(token)));
        assert_eq!(play(config.clone(), Stop::default()).await, EndReason::Played);
        let results = std::fs::read_to_string(config.folder.results()).unwrap();
        let results: serde_json::Value = serde_json::from_str(&results).unwrap();
        let kpi =
            |name: &str| results["kpis"].as_array().unwrap().iter().find(|kpi| kpi["name"] == name).unwrap().clone();
        assert_eq!(100.0, kpi("run_success")["value"], "{token}: {}", kpi("run_success"));
        assert!(kpi("start_to_log_p95")["samples"].as_u64() > Some(0), "{token}: {}", kpi("start_to_log_p95"));
        assert_eq!(0.0, kpi("error_rate_steady")["value"], "{token}: {}", kpi("error_rate_steady"));
        gateway.shutdown().await;
    }
}
