//! Roles of the binary when it is not the runner.

mod gateway;
mod session;
mod turn;
mod watch;

use std::{future::Future, io, path::Path, pin::Pin, process::ExitCode};

pub(super) use watch::Signals;

use super::{
    folder::{AttachFolder, FolderError},
    lock::LockError,
};
use crate::{
    catalog::Suite,
    session::Workers,
    settings::{ATTACH, Environment, ROLE, SUITE},
};

/// A role in which the runner starts its own binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Role {
    /// Plays a suite.
    Session,
    /// Is the mock gateway.
    Gateway,
}

/// Parts that the test binary passes to the library.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    /// The text of `tests/soak.toml`, for a binary that runs without its sources.
    pub soak_toml: &'static str,
    /// Starts the mock gateway on a free port of this machine.
    pub gateway: fn() -> StartingGateway,
    /// The function that makes the workers of a suite: [`workload::workers`](crate::workload::workers).
    pub workers: Workers,
}

/// A mock gateway that is being started.
pub type StartingGateway = Pin<Box<dyn Future<Output = Result<EmbeddedGateway, String>>>>;

/// A mock gateway that runs in this process.
pub struct EmbeddedGateway {
    url: String,
    stop: Pin<Box<dyn Future<Output = ()>>>,
}

impl EmbeddedGateway {
    /// A gateway that listens at `url`. Awaiting `stop` shuts it down in good order.
    #[must_use]
    pub fn new(url: impl Into<String>, stop: impl Future<Output = ()> + 'static) -> Self {
        Self { url: url.into(), stop: Box::pin(stop) }
    }
}

/// A role could not be played. The error goes to stderr, a log in the attach folder.
#[derive(Debug, thiserror::Error)]
enum RoleError {
    #[error("{ROLE} is {0:?}; S2 sets it itself, for processes it starts: unset it")]
    Unknown(String),
    #[error("{ATTACH} and {SUITE} must name a folder and a suite in the role of {0}; S2 sets all three itself")]
    NoFolder(Role),
    #[error("cannot start tokio: {0}")]
    Runtime(io::Error),
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    #[error("{0} names no folder of a soak; the runner makes one before it starts a session")]
    NoRunFolder(String),
    #[error("the embedded gateway did not start: {0}")]
    Gateway(String),
    #[error("the suite plays on the embedded gateway, and {0} does not say where that is")]
    NoGateway(String),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Settings(#[from] crate::settings::SettingsError),
}

/// Plays the role that the environment names; `None` if it names none, and this is the runner.
pub(super) fn play(environment: &Environment, embedded: &Embedded) -> Option<ExitCode> {
    Some(match play_as(environment.get(ROLE)?, environment, embedded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    })
}

fn play_as(role: &str, environment: &Environment, embedded: &Embedded) -> Result<(), RoleError> {
    let role: Role = role.parse().map_err(|_| RoleError::Unknown(role.to_owned()))?;
    let suite = environment.get(SUITE).and_then(Suite::from_name);
    let Some((path, suite)) = environment.get(ATTACH).zip(suite) else { return Err(RoleError::NoFolder(role)) };
    let folder = AttachFolder::at(Path::new(path), suite);
    match role {
        Role::Session => session::play(environment, embedded, &folder),
        Role::Gateway => gateway::play(embedded.gateway, &folder),
    }
}
