//! What is behind a gateway: a Redis of its own.

use mock_gateway::Config;

use crate::server::{Keeps, RedisServer};

pub(crate) struct Backend {
    _server: RedisServer,
}

impl Backend {
    pub(crate) fn of(config: Config) -> (Self, Config) {
        let server = RedisServer::start(Keeps::EverySecond);
        let config = Config { redis: Some(server.url()), ..config };
        (Self { _server: server }, config)
    }
}
