use http::StatusCode;
use serde_json::{Value, json};

use crate::caller::{eventually, quick, start};

fn manifest(version: &str) -> Value {
    json!({
        "slug": "soak-agent",
        "name": "Soak agent",
        "version": version,
        "summary": "An agent",
        "tags": ["soak"],
        "readme_md": "# Soak agent",
        "publisher_id": "p",
        "workspace_id": "w",
    })
}

pub(crate) async fn a_published_version_is_found_from_another_workspace_and_stays_found() {
    let (gateway, caller) = start(quick()).await;
    let other = caller.of_workspace("another");
    for version in ["1.0.0-1", "1.0.0-2"] {
        let published = caller.post("/api/registry/publish", &manifest(version)).await;
        assert_eq!(published.status, StatusCode::CREATED, "{}", published.text);
        eventually("the version is found", async || {
            let found = other.get("/api/registry/agents?q=soak-agent").await.json();
            let agents = found["agents"].as_array().unwrap();
            assert_eq!(found["total"], agents.len());
            agents.iter().any(|agent| agent["slug"] == "soak-agent" && agent["version"] == version)
        })
        .await;
    }
    let found = caller.get("/api/registry/agents?q=soak-agent").await.json();
    assert_eq!(found["total"], 2);
    assert_eq!(caller.get("/api/registry/agents?q=nothing-like-it").await.json()["total"], 0);
    assert_eq!(caller.get("/api/agents/soak-agent").await.json()["version"], "1.0.0-2");
    assert_eq!(caller.post("/api/registry/publish", &manifest("1.0.0-2")).await.status, StatusCode::CONFLICT);
    gateway.shutdown().await;
}

pub(crate) async fn a_tampered_manifest_is_refused_and_never_found() {
    let (gateway, caller) = start(quick()).await;
    let mut tampered = manifest("1.0.0-3");
    tampered["signature"] = "0".repeat(64).into();
    let refused = caller.post("/api/registry/publish", &tampered).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.json()["error"].is_string());
    assert_eq!(caller.get("/api/registry/agents?q=soak-agent").await.json()["total"], 0);
    gateway.shutdown().await;
}

pub(crate) async fn the_demo_agents_exist_and_others_do_not() {
    let (gateway, caller) = start(quick()).await;
    for slug in ["demo-enricher", "demo-scraper", "demo-emailer"] {
        let agent = caller.get(&format!("/api/agents/{slug}")).await;
        assert_eq!((agent.status, &agent.json()["slug"]), (StatusCode::OK, &json!(slug)));
    }
    assert_eq!(caller.get("/api/agents/nobody").await.status, StatusCode::NOT_FOUND);
    gateway.shutdown().await;
}
