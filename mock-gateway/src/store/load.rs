//! Everything that is kept, as a process finds it that starts, or that finds something lost.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, cmd, pipe};

use super::keys::Keys;
use super::record::{Unreadable, privacy_of, run_of};
use super::replay::sequence_of;
use crate::registry::Version;
use crate::runs::Run;
use crate::workspaces::Privacy;

/// Runs that are asked for at a time.
const RUNS_AT_A_TIME: usize = 64;

/// The data that is kept.
pub(crate) struct Loaded {
    /// The ended ones from the oldest to the newest.
    pub(crate) runs: Vec<Run>,
    /// From the oldest to the newest.
    pub(crate) versions: Vec<Version>,
    pub(crate) plans: HashMap<String, String>,
    pub(crate) privacy: HashMap<String, Privacy>,
    /// The last event's; 0 is before the first.
    pub(crate) sequence: u64,
}

/// Why nothing was loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error("{key:?} cannot be read: {source}")]
    Unreadable { key: String, source: Unreadable },
}

/// Loads it all. Nobody else writes meanwhile: the claim is taken.
pub(super) async fn load(connection: &mut MultiplexedConnection, keys: &Keys) -> Result<Loaded, LoadError> {
    let unreadable = |key: &str, source: Unreadable| LoadError::Unreadable { key: key.to_owned(), source };
    let mut kept = pipe();
    kept.cmd("LRANGE").arg(&keys.ended).arg(0).arg(-1).cmd("SMEMBERS").arg(&keys.live);
    kept.cmd("LRANGE").arg(&keys.versions).arg(0).arg(-1);
    kept.cmd("HGETALL").arg(&keys.plans).cmd("HGETALL").arg(&keys.privacy);
    type Kept = (Vec<String>, Vec<String>, Vec<String>, HashMap<String, String>, HashMap<String, String>);
    let (ended, live, versions, plans, privacy): Kept = kept.query_async(connection).await?;

    let newest = cmd("XREVRANGE").arg(&keys.events).arg("+").arg("-").arg("COUNT").arg(1).to_owned();
    let newest: Vec<(String, Vec<String>)> = newest.query_async(connection).await?;

    let mut runs = Vec::new();
    let ids: Vec<_> = ended.into_iter().chain(live).collect();
    for ids in ids.chunks(RUNS_AT_A_TIME) {
        let mut asked = pipe();
        for id in ids {
            asked.cmd("HGETALL").arg(keys.run(id)).cmd("LRANGE").arg(keys.run_logs(id)).arg(0).arg(-1);
        }
        let found: Vec<redis::Value> = asked.query_async(connection).await?;
        for (id, found) in ids.iter().zip(found.chunks_exact(2)) {
            let fields: HashMap<String, String> =
                redis::from_redis_value(found[0].clone()).map_err(RedisError::from)?;
            let logs: Vec<String> = redis::from_redis_value(found[1].clone()).map_err(RedisError::from)?;
            runs.push(run_of(id, &fields, &logs).map_err(|source| unreadable(&keys.run(id), source))?);
        }
    }
    let versions = versions.iter().map(|version| serde_json::from_str(version));
    let versions = versions.collect::<Result<_, _>>().map_err(|e| unreadable(&keys.versions, e.into()))?;
    let privacy = privacy.into_iter().map(|(workspace, record)| Ok((workspace, privacy_of(&record)?)));
    let privacy = privacy.collect::<Result<_, _>>().map_err(|source| unreadable(&keys.privacy, source))?;
    let sequence = newest.first().and_then(|(id, _)| sequence_of(id)).unwrap_or(0);
    Ok(Loaded { runs, versions, plans, privacy, sequence })
}
