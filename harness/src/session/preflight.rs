//! Before the soak: waits for the gateway, and checks for its plan and agents, which the workloads need.

use std::{collections::BTreeSet, time::Duration};

use super::{SessionConfig, Stop};
use crate::{
    catalog::CallName,
    clock,
    gateway::{Client, Outcome, Trouble, TroubleKind},
};

/// Maximum time to wait for a gateway that is not ready.
const READY_LIMIT: Duration = Duration::from_secs(12);
/// Maximum time of each call before the soak.
const CALL_LIMIT: Duration = Duration::from_secs(5);
const TRY_EVERY: Duration = Duration::from_millis(500);

/// Waits until the gateway is ready. The error has the attempts, their target and possible remedies.
pub(super) async fn wait_until_ready(config: &SessionConfig, client: &Client, stop: &Stop) -> Result<(), String> {
    let url = &config.gateway.url;
    let began = clock::now();
    let mut tries = 0_u32;
    loop {
        tries += 1;
        let (last, says_what_helps) = match client.ready().await {
            Ok(answer) if client.says_ready(&answer) => return Ok(()),
            Ok(answer) => (answer.to_string(), false),
            Err(trouble) => (trouble.to_string(), trouble.kind == TroubleKind::CertificateRefused),
        };
        let waited = clock::now().saturating_duration_since(began);
        if waited >= READY_LIMIT || stop.is_requested() {
            let hint = if says_what_helps {
                ""
            } else if config.gateway.embedded {
                " It is the embedded mock gateway; its log is gateway.log in the attach folder."
            } else {
                " Is it running, and is S2_GATEWAY_URL right?"
            };
            let (seconds, ready) = (waited.as_secs(), client.dialect().route(CallName::Ready));
            return Err(format!(
                "the gateway at {url} was not ready: {ready}, tried {tries} times in {seconds} s, answered last: \
                 {last}.{hint}"
            ));
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
}

/// Sends a call before the soak. A failure is logged, not fatal: the runs will show it.
async fn attempt(client: &Client, name: CallName, of: &str, consequence: &str, call: impl Future<Output = Outcome>) {
    let route = client.dialect().route(name);
    let late = |_| Err(Trouble::new(format!("no answer within {} s", CALL_LIMIT.as_secs())));
    match tokio::time::timeout(CALL_LIMIT, call).await.unwrap_or_else(late) {
        Ok(answer) if client.is_yes(name, &answer) => {}
        Ok(answer) => tracing::error!("{route} {of}: {answer}{consequence}"),
        Err(trouble) => tracing::error!("{route} {of}: {trouble}"),
    }
}

/// Sets the workspaces' plan, and looks for the agents.
pub(super) async fn prepare(config: &SessionConfig, client: &Client) {
    let workspaces = ["", "-second", "-privacy"].map(|suffix| format!("{}{suffix}", client.workspace()));
    for workspace in workspaces.iter().filter(|_| client.has(CallName::SetPlan)) {
        let client = client.for_workspace(workspace);
        attempt(&client, CallName::SetPlan, &format!("for {workspace}"), "", client.set_plan("pro")).await;
    }
    let shares = config.plan.scenario.runs.agents.iter();
    let agents: BTreeSet<&String> = shares.filter(|(_, share)| *share > 0).map(|(agent, _)| agent).collect();
    for agent in agents.into_iter().filter(|_| client.has(CallName::Agent)) {
        let consequence = "; runs of it will fail";
        attempt(client, CallName::Agent, &format!("of {agent}"), consequence, client.agent(agent)).await;
    }
}
