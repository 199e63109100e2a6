//! The gateways of a trial: one in a process of its own, so that its memory is its own, and the embedded one.

use std::process::ExitCode;

use mock_gateway::{Config, MockGateway};
use s2_harness::runner::{EmbeddedGateway, StartingGateway};
use testkit::{AnyError, GatewayProcess, own_binary, serve};

/// Set where this binary is to be a gateway: to the token that opens it.
const BE_THE_GATEWAY: &str = "UNKILLABLE_BE_THE_GATEWAY";

/// Starts a gateway that a token opens.
pub(crate) fn start(token: &str) -> Result<GatewayProcess, AnyError> {
    Ok(GatewayProcess::spawn(own_binary()?.env(BE_THE_GATEWAY, token))?)
}

/// Is a gateway, where the environment asks for one.
pub(crate) fn served() -> Option<ExitCode> {
    let (_, token) = std::env::vars_os().find(|(name, _)| name == BE_THE_GATEWAY)?;
    let token = token.to_string_lossy().into_owned();
    let started = async {
        let gateway = MockGateway::start(Config { token: Some(token), ..Config::default() }).await?;
        Ok((gateway.url(), async move { gateway.shutdown().await }))
    };
    Some(serve(started))
}

/// The embedded gateway of the soak, as the user's binary has it.
pub(crate) fn embedded() -> StartingGateway {
    Box::pin(async {
        let gateway = MockGateway::start(Config::default()).await.map_err(|error| error.to_string())?;
        Ok(EmbeddedGateway::new(gateway.url(), async move { gateway.shutdown().await }))
    })
}
