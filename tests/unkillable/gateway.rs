//! The gateway of a trial, in a process of its own, so that its memory is its own. It ends when its standard input does,
//! and so with its parent, however that ends.

use std::{
    io::{self, BufRead, BufReader, Read},
    process::{Child, Command, ExitCode, Stdio},
};

use mock_gateway::{Config, MockGateway};
use s2_harness::runner::{EmbeddedGateway, StartingGateway};

use crate::soak::{AnyError, forget_surroundings};

/// Set where this binary is to be a gateway: to the token that opens it.
const BE_THE_GATEWAY: &str = "UNKILLABLE_BE_THE_GATEWAY";

/// A gateway that was started.
#[derive(Debug)]
pub(crate) struct GatewayProcess {
    child: Child,
    /// Where it listens.
    pub(crate) url: String,
}

impl GatewayProcess {
    /// Starts a gateway that a token opens.
    pub(crate) fn start(token: &str) -> Result<Self, AnyError> {
        let mut command = Command::new(std::env::current_exe()?);
        forget_surroundings(&mut command);
        let mut child = command.env(BE_THE_GATEWAY, token).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("the gateway's output was asked for")?;
        let mut url = String::new();
        BufReader::new(stdout).read_line(&mut url)?;
        Ok(Self { child, url: url.trim().to_owned() })
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It was ours to start, and is ours to wait for.
        let _ = self.child.wait();
    }
}

/// Is a gateway, where the environment asks for one, until the parent hangs up.
pub(crate) fn served() -> Option<ExitCode> {
    let (_, token) = std::env::vars_os().find(|(name, _)| name == BE_THE_GATEWAY)?;
    Some(match serve(token.to_string_lossy().into_owned()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the gateway: {error}");
            ExitCode::FAILURE
        }
    })
}

fn serve(token: String) -> Result<(), AnyError> {
    // One thread is enough, and leaves the others to what is under test.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let gateway = MockGateway::start(Config { token: Some(token), ..Config::default() }).await?;
        println!("{}", gateway.url());
        tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
        gateway.shutdown().await;
        Ok(())
    })
}

/// The embedded gateway of the soak, as the user's binary has it.
pub(crate) fn embedded() -> StartingGateway {
    Box::pin(async {
        let gateway = MockGateway::start(Config::default()).await.map_err(|error| error.to_string())?;
        Ok(EmbeddedGateway::new(gateway.url(), async move { gateway.shutdown().await }))
    })
}
