//! The public port: its listener, its connections, and the stubs that go before every call.

mod connection;
mod listener;
mod stubs;

pub(crate) use connection::ConnectionCut;
pub(crate) use listener::{bind, listen, serve};
pub(crate) use stubs::{Stubbed, Stubs};
