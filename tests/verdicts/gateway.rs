//! The gateway of a row, in a process of its own.

use std::{
    error::Error,
    process::{Command, ExitCode},
    thread,
    time::Duration,
};

use mock_gateway::{Config, MockGateway};
use rustix::process::{Pid, Signal, kill_process};

pub(crate) use crate::gateway_process::GatewayProcess;
use crate::{gateway_process, group::Group};

pub(crate) type AnyError = Box<dyn Error + Send + Sync>;

/// The first argument of a process that is to be a gateway; the second is the soak's name.
pub(crate) const ROLE: &str = "gateway";

/// Starts the gateway of a soak.
pub(crate) fn start(soak: &str) -> Result<GatewayProcess, AnyError> {
    Ok(GatewayProcess::spawn(Command::new(std::env::current_exe()?).args([ROLE, soak]))?)
}

/// Stops a gateway's process for a while, as a machine that swaps or a collector that stops the world does.
pub(crate) fn stop_for(gateway: &GatewayProcess, how_long: Duration) -> Result<(), AnyError> {
    let pid = Pid::from_child(&gateway.child);
    kill_process(pid, Signal::STOP)?;
    thread::sleep(how_long);
    kill_process(pid, Signal::CONT)?;
    Ok(())
}

/// Is the gateway of some rows, until the parent hangs up; a healthy one where there are none.
pub(crate) fn serve(group: Option<&Group>) -> Result<ExitCode, AnyError> {
    let defects = group.map(Group::defects).unwrap_or_default();
    let without = group.into_iter().flat_map(Group::without).map(str::parse).collect::<Result<_, _>>()?;
    Ok(gateway_process::serve(async {
        let gateway = MockGateway::start(Config { defects, without, ..Config::default() }).await?;
        Ok((gateway.url(), async move { gateway.shutdown().await }))
    }))
}
