//! A gateway that is without one of the contract's calls.

use http::StatusCode;
use mock_gateway::{Call, Config};

use crate::caller::{Answer, Caller, quick, start};

/// Asks for a call about things that are not there.
async fn ask(caller: &Caller, call: Call) -> Answer {
    let name = call.to_string();
    let (method, path) = name.split_once(' ').unwrap();
    let path = path.replace("{id}", "none").replace("{slug}", "demo-scraper");
    caller.try_send(method.parse().unwrap(), &path, b"{}".to_vec()).await.unwrap()
}

pub(crate) async fn a_call_that_the_gateway_is_without_is_not_found_and_the_others_are() {
    for call in Call::all() {
        let (gateway, caller) = start(Config { without: vec![call], ..quick() }).await;
        let is_asked = |other: &Call| {
            let name = other.to_string();
            // An open stream has no end, and chaos would be in the way of what comes after it.
            *other == call || !(name.ends_with("/stream") || name.contains("/chaos/"))
        };
        for other in Call::all().filter(is_asked) {
            let answer = ask(&caller, other).await;
            let is_gone =
                answer.status == StatusCode::NOT_FOUND && answer.text.contains("this gateway has no such call");
            assert_eq!(is_gone, other == call, "without {call}, {other} answers {}: {}", answer.status, answer.text);
        }
        gateway.shutdown().await;
    }
}
