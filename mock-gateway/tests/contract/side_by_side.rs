//! Many runs at a time.

use serde_json::Value;
use tokio::task::JoinSet;

use crate::caller::Caller;

/// Plays runs side by side, and gives them as they ended.
pub(crate) async fn play_many(caller: &Caller, runs: usize) -> Vec<Value> {
    let mut playing = JoinSet::new();
    for _ in 0..runs {
        let caller = caller.clone();
        playing.spawn(async move { caller.play("hello").await });
    }
    playing.join_all().await
}
