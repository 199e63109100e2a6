//! How a process gets hold of what is kept.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::claim::Claim;
use super::keys::Keys;
use super::link::Link;
use super::load::{LoadError, Loaded, load};
use super::writer::Writer;
use super::{Redis, Store};
use crate::config::Config;

/// Maximum time that a starting gateway waits for its Redis.
const WAIT_MAX: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// Changes that wait to be written. Whoever has a further one waits, too.
const QUEUE_CAPACITY: usize = 1_024;

/// Why what is kept is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not that of a Redis. It may hold a password, so it is not repeated.
    #[error("the URL of the Redis cannot be used: {0}; one looks like redis://127.0.0.1:6379")]
    Url(String),
    /// Nothing answers there, or not as a Redis does.
    #[error(
        "cannot keep the state in the Redis at {address}, tried for {} s: {reason}; is redis-server running there? \
         (a gateway waits for a Redis that goes away later, but it does not start without one)",
        WAIT_MAX.as_secs()
    )]
    Absent {
        /// Where it was tried.
        address: String,
        /// The last error there.
        reason: String,
    },
    /// The data there was kept by something else.
    #[error(
        "what the Redis at {address} keeps is not what this gateway would: {reason}; delete the keys that begin with \
         \"{prefix}:\", or keep its state under another prefix"
    )]
    Foreign {
        /// Where it was found.
        address: String,
        /// Which key, and why it cannot be read.
        reason: String,
        /// That of the keys.
        prefix: String,
    },
}

/// The store, and what comes with it where it outlives the process.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) found: Option<(Loaded, Writer)>,
}

/// Opens the store that the configuration asks for.
pub(crate) async fn open(config: &Config) -> Result<Opened, OpenError> {
    let Some(url) = &config.redis else { return Ok(Opened { store: Store::Memory, found: None }) };
    let client = Client::open(url.as_str()).map_err(|e| OpenError::Url(e.to_string()))?;
    let address = client.get_connection_info().addr().to_string();
    let keys = Keys::new(&config.redis_prefix);
    let claim = Claim::new(client, keys.clone(), config.finished_run_capacity, config.event_log_capacity.max(1));

    let mut opening = Opening { claim, reason: "no answer".into() };
    let (connection, loaded) = match timeout(WAIT_MAX, opening.until_loaded()).await {
        Ok(Ok(loaded)) => loaded,
        Ok(Err(reason)) => return Err(OpenError::Foreign { address, reason, prefix: config.redis_prefix.clone() }),
        Err(_) => return Err(OpenError::Absent { address, reason: opening.reason }),
    };
    let link = Arc::new(Link::new(connection.clone()));
    let (queue, written) = mpsc::channel(QUEUE_CAPACITY);
    let writer = Writer::new(opening.claim, Arc::clone(&link), written, connection);
    Ok(Opened { store: Store::Redis(Box::new(Redis { queue, link, keys })), found: Some((loaded, writer)) })
}

struct Opening {
    claim: Claim,
    /// Why it has not gone well yet.
    reason: String,
}

impl Opening {
    /// Tries again and again. An error is one that does not go away by that: why what is there cannot be read.
    async fn until_loaded(&mut self) -> Result<(MultiplexedConnection, Loaded), String> {
        loop {
            match self.loaded().await {
                Ok(loaded) => return Ok(loaded),
                Err(LoadError::Redis(e)) => self.reason = told(&e),
                Err(e @ LoadError::Unreadable { .. }) => return Err(e.to_string()),
            }
            sleep(PAUSE).await;
        }
    }

    async fn loaded(&mut self) -> Result<(MultiplexedConnection, Loaded), LoadError> {
        let mut connection = self.claim.connect().await?;
        self.claim.take(&mut connection).await?;
        let loaded = load(&mut connection, &self.claim.keys).await?;
        Ok((connection, loaded))
    }
}

/// An error of Redis, or on the way to it, in one line.
pub(super) fn told(error: &RedisError) -> String {
    error.to_string().replace(['\r', '\n'], " ")
}
