//! What is behind a gateway: nothing but its memory.

use mock_gateway::Config;

pub(crate) struct Backend;

impl Backend {
    pub(crate) fn of(config: Config) -> (Self, Config) {
        (Self, config)
    }
}
