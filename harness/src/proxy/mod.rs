//! A TCP proxy between the harness and a gateway, which disturbs what it carries.

mod connection;
mod counters;
mod fault;
mod line;
mod listener;
mod pace;
mod pump;
mod upstream;

pub use counters::Counters;
pub use fault::{Darkness, Fault};
pub use line::LINE_BYTES_MAX;
pub use listener::{CONNECTIONS_MAX, FaultProxy, ProxyError};

#[cfg(test)]
mod carrying_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod scene;
