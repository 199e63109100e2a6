//! The public ports: their listener, its connections, TLS, and the stubs that go before every call.

mod connection;
mod listener;
mod stubs;
mod tls;

pub(crate) use connection::ConnectionCut;
pub(crate) use listener::{Port, bind, listen, serve};
pub(crate) use stubs::{Stubbed, Stubs};
pub(crate) use tls::http2_only;
