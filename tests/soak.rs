//! The soak: a trial for each workload and KPI. `cargo test --test soak` plays the smoke test and the compressed two
//! hours against the embedded mock gateway; `S2_GATEWAY_URL` names a gateway of yours.

use std::process::ExitCode;

use mock_gateway::{Config, MockGateway};
use s2_harness::{
    runner::{self, Embedded, EmbeddedGateway, StartingGateway},
    workload,
};

fn main() -> ExitCode {
    runner::main(&Embedded { soak_toml: include_str!("soak.toml"), gateway: start_gateway, workers: workload::workers })
}

fn start_gateway() -> StartingGateway {
    Box::pin(async {
        let gateway = MockGateway::start(Config::default()).await.map_err(|error| error.to_string())?;
        Ok(EmbeddedGateway::new(gateway.url(), async move { gateway.shutdown().await }))
    })
}
