//! The gateway of a row, in a process of its own.

use std::{fs, process::ExitCode, thread, time::Duration};

use mock_gateway::{Config, MockGateway};
use rustix::process::{Pid, Signal, kill_process};
use testkit::{AnyError, GatewayProcess, own_binary};

use crate::{group::Group, out};

/// The first argument of a process that is to be a gateway; the second is the soak's name.
pub(crate) const ROLE: &str = "gateway";

/// Starts the gateway of a soak.
pub(crate) fn start(soak: &str) -> Result<GatewayProcess, AnyError> {
    Ok(GatewayProcess::spawn(own_binary()?.args([ROLE, soak]))?)
}

/// What a gateway says first: where it is, and what has to be known of it.
pub(crate) struct Says<'a> {
    pub(crate) url: &'a str,
    pub(crate) metrics_url: &'a str,
    /// A file with the certificate to trust, where there is one.
    pub(crate) ca_file: Option<&'a str>,
}

impl<'a> Says<'a> {
    pub(crate) fn of(gateway: &'a GatewayProcess) -> Result<Self, AnyError> {
        let mut words = gateway.ready_line.splitn(3, ' ');
        let (Some(url), Some(metrics_url)) = (words.next(), words.next()) else {
            return Err(format!("the gateway says {:?}", gateway.ready_line).into());
        };
        Ok(Self { url, metrics_url, ca_file: words.next() })
    }
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
    Ok(testkit::serve(async {
        let gateway = MockGateway::start(Config { defects, without, ..Config::default() }).await?;
        let mut says = format!("{} {}", gateway.url(), gateway.metrics_url());
        if let (Some(group), Some(pem)) = (group, gateway.certificate()) {
            let file = out(&group.name).with_extension("pem");
            fs::write(&file, pem)?;
            says = format!("{says} {}", file.display());
        }
        Ok((says, async move { gateway.shutdown().await }))
    }))
}
