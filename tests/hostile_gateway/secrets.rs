//! A gateway that repeats the token that it was sent, wherever it can say anything.

use mock_gateway::Config;
use serde_json::json;
use testkit::{AnyError, Soak};

use crate::{
    front::{Asked, STREAM, answer, behaviour},
    scene::{self, TOKEN},
};

pub(crate) fn a_gateway_that_repeats_the_token_brings_it_nowhere(trial: &str) -> Result<(), AnyError> {
    let parrot = behaviour(|asked: Asked| async move {
        // As it was sent, and as JSON may write it.
        let token = asked.header("authorization").unwrap_or_default();
        let escaped = token.replace("token", "\\u0074oken");
        let error = |status: &str| answer(&format!("{status} {token}"), &token, format!("no entry for {token}"));
        let says = match asked.call.as_str() {
            "GET /health" => answer("200 OK", &token, format!(r#"{{"time":"{escaped}"}}"#)),
            "GET /metrics" => {
                let name = token.replace([' ', '-'], "_");
                answer(
                    "200 OK",
                    &token,
                    format!("# {token}\n{name}{{auth=\"{token}\"}} 1\na{{b=\"{token}\"}} NaN\na 1\na 2\n"),
                )
            }
            "GET /api/safety/check" => error("401"),
            "POST /api/workspace/plan" => error("403"),
            "POST /api/registry/publish" => error("500"),
            "GET /api/registry/agents" => answer("200 OK", &token, format!(r#"{{"agents":"{escaped}"}}"#)),
            "GET /api/runs/guard/stream" => {
                format!("HTTP/1.1 307 {token}\r\nlocation: /?{token}\r\nx-auth: {token}\r\ncontent-length: 0\r\n\r\n")
                    .into()
            }
            "GET /api/runs/logs/stream" => {
                let end = |status: &str| format!(r#"{{"run_id":"{token}","type":"end","status":"{status}"}}"#);
                let events = format!(
                    "retry: {token}\n\nid: {token}\nevent: {token}\ndata: {}\n\nid: {token}\ndata: {}\n\ndata: {token}\n\n\
                     data: {}\n\n{token}: {token}\n\ndata: {token}",
                    end(&token),
                    end(&token),
                    end(&escaped),
                );
                return asked.say(format!("{STREAM}{events}")).await;
            }
            _ if asked.is_after_a_run() => {
                let logs = json!([{ "level": "info", "message": token }]);
                let body = json!({ "id": token, "status": "TOKEN", "logs": logs }).to_string();
                answer("200 OK", "application/json", body.replace("TOKEN", &escaped))
            }
            _ => return asked.pass().await,
        };
        asked.say(says).await
    });
    scene::at(parrot, Config::default(), |url| {
        // Whatever can be logged is.
        let soak = Soak { log: "trace", ..scene::soak(trial, url) };
        let played = scene::watch_own(&soak)?;
        played.to_its_end()?;
        // Where it stood there is a mark; that it is nowhere itself is held of every soak.
        for (kind, says) in [
            ("request_failed", "401 no entry for Bearer ***"),
            ("request_failed", "an end with status 'Bearer ***', which the contract does not know"),
            ("request_failed", "500 no entry for Bearer ***"),
            ("run_failed", "status 'Bearer ***', which the contract does not know"),
            ("source_failed", "307 to '/?Bearer ***'"),
            ("source_failed", "200 {\"time\":\"Bearer ***\"}"),
        ] {
            played.found(kind, &[&json!(says).to_string()[1..json!(says).to_string().len() - 1]])?;
        }
        debug_assert!(TOKEN.starts_with("token"), "or there would be no escapes");
        Ok(())
    })
}
