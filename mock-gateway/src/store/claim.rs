//! A process's claim to write: nobody else does, nothing is written twice, and what is lost is noticed.
//!
//! Every commit has a number, which Redis keeps with what it writes. So a commit whose answer got lost can simply be sent
//! again: it is written unless it was. A Redis that knows a lower number than it acknowledged has lost something, be it
//! all or only its last second. And one that knows another owner is written to no more, not even by a command that was on
//! its way when its process was killed.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult, cmd, pipe};
use uuid::Uuid;

use super::commands::Commands;
use super::keys::Keys;

/// A Redis that does not accept a connection by then is away.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// A Redis that accepts connections, and does not answer by then, is away.
const ANSWER_MAX: Duration = Duration::from_secs(2);

const SCRIPT: &str = include_str!("commit.lua");

/// State of the claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// All that was acknowledged is there.
    Held,
    /// Some or all of it is not.
    Lost,
    /// Another process has the claim.
    Taken,
}

pub(super) struct Claim {
    client: Client,
    pub(super) keys: Keys,
    owner: String,
    /// Commits that were acknowledged, also to earlier owners.
    commits: u64,
    ended_capacity: usize,
    pub(super) event_capacity: usize,
}

impl Claim {
    pub(super) fn new(client: Client, keys: Keys, ended_capacity: usize, event_capacity: usize) -> Self {
        Self { client, keys, owner: Uuid::new_v4().to_string(), commits: 0, ended_capacity, event_capacity }
    }

    pub(super) async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_MAX))
            .set_response_timeout(Some(ANSWER_MAX));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Takes the claim, from whoever had it.
    pub(super) async fn take(&mut self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let claim = &self.keys.claim;
        let mut taking = pipe();
        taking.atomic().cmd("HSET").arg(claim).arg("owner").arg(&self.owner).ignore();
        taking.cmd("HSETNX").arg(claim).arg("commits").arg(0).ignore();
        taking.cmd("HGET").arg(claim).arg("commits");
        [self.commits] = taking.query_async(connection).await?;
        Ok(())
    }

    /// Asks how the claim stands.
    pub(super) async fn check(&self, connection: &mut MultiplexedConnection) -> RedisResult<Standing> {
        let asked = cmd("HMGET").arg(&self.keys.claim).arg("owner").arg("commits").to_owned();
        let (owner, commits): (Option<String>, Option<u64>) = asked.query_async(connection).await?;
        Ok(match owner {
            None => Standing::Lost,
            Some(owner) if owner != self.owner => Standing::Taken,
            // One more is a commit whose answer got lost.
            Some(_) if commits.is_none_or(|commits| commits < self.commits) => Standing::Lost,
            Some(_) => Standing::Held,
        })
    }

    /// Writes the next commit, or finds it written.
    pub(super) async fn commit(
        &mut self,
        connection: &mut MultiplexedConnection,
        commits: impl Iterator<Item = &Commands>,
    ) -> RedisResult<Standing> {
        let number = self.commits + 1;
        let mut script = cmd("EVAL");
        script.arg(SCRIPT).arg(2).arg(&self.keys.claim).arg(&self.keys.ended);
        script.arg(&self.owner).arg(number).arg(self.ended_capacity).arg(self.keys.run_prefix());
        commits.for_each(|commands| commands.add_to(&mut script));
        let standing: String = script.query_async(connection).await?;
        Ok(match standing.as_str() {
            "LOST" => Standing::Lost,
            "TAKEN" => Standing::Taken,
            _ => {
                self.commits = number;
                Standing::Held
            }
        })
    }

    /// Takes the claim again after a loss, together with what is written anew.
    pub(super) async fn renew(
        &mut self,
        connection: &mut MultiplexedConnection,
        written: &Commands,
    ) -> RedisResult<()> {
        let mut renewing = pipe();
        renewing.atomic();
        written.iter().for_each(|command| _ = renewing.add_command(command.clone()).ignore());
        let claim = renewing.cmd("HSET").arg(&self.keys.claim).arg("owner").arg(&self.owner);
        claim.arg("commits").arg(self.commits).ignore();
        renewing.query_async(connection).await
    }
}
