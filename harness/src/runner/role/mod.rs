//! Roles of the binary when it is not the runner.

mod gateway;
mod session;
mod turn;
mod watch;

use std::{fmt, future::Future, io, path::Path, pin::Pin, process::ExitCode};

use super::folder::AttachFolder;
use crate::{
    catalog::Suite,
    session::Workers,
    settings::{ATTACH, Environment, ROLE, SUITE},
};

/// A role that the runner starts its own binary in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Plays a suite.
    Session,
    /// Is the mock gateway.
    Gateway,
}

impl Role {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Gateway => "gateway",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Parts that the library does not have itself. The test binary passes them in.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    /// The text of `tests/soak.toml`, for where the binary runs without its sources.
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

impl fmt::Debug for EmbeddedGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedGateway").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A role could not be played. It is said on stderr, which is a log in the attach folder.
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
    Folder(#[from] super::FolderError),
    #[error(transparent)]
    Lock(#[from] super::LockError),
    #[error(transparent)]
    Settings(#[from] crate::settings::SettingsError),
}

/// Plays the role that the environment names; `None` where it names none, and this is the runner.
pub(super) fn play(environment: &Environment, embedded: &Embedded) -> Option<ExitCode> {
    let name = environment.get(ROLE)?;
    let played = match name {
        "session" => {
            folder(environment, Role::Session).and_then(|folder| session::play(environment, embedded, &folder))
        }
        "gateway" => folder(environment, Role::Gateway).and_then(|folder| gateway::play(embedded.gateway, &folder)),
        other => Err(RoleError::Unknown(other.to_owned())),
    };
    Some(match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    })
}

fn folder(environment: &Environment, role: Role) -> Result<AttachFolder, RoleError> {
    let path = environment.get(ATTACH).map(Path::new);
    let suite = environment.get(SUITE).and_then(Suite::from_name);
    match (path, suite) {
        (Some(path), Some(suite)) => Ok(AttachFolder::at(path, suite)),
        _ => Err(RoleError::NoFolder(role)),
    }
}
