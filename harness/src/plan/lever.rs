//! How a chaos event is brought about.

use std::time::Duration;

/// The means of injecting a chaos event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lever {
    /// The dialect's call.
    Http,
    /// A program, run without a shell.
    Command {
        /// Its name or path.
        program: String,
        /// Its arguments, one by one.
        arguments: Vec<String>,
        /// How long it may take, real time.
        timeout: Duration,
    },
    /// The fault proxy between the harness and the gateway.
    Proxy {
        /// How far an added latency goes up and down, real time.
        jitter: Duration,
    },
    /// Nothing, for a reason.
    Not(String),
}
