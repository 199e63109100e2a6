//! The gateway of a row, in a process of its own, as a user's is. It ends when its standard input does, and so with its
//! parent, however that ends.

use std::{
    error::Error,
    io::{self, BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use mock_gateway::{Config, Defects, MockGateway};
use rustix::process::{Pid, Signal, kill_process};

use crate::rows::Row;

pub(crate) type AnyError = Box<dyn Error + Send + Sync>;

/// The first argument of a process that is to be a gateway; the second is the trial's name.
pub(crate) const ROLE: &str = "gateway";

/// A gateway that was started.
pub(crate) struct GatewayProcess {
    child: Child,
    /// Where it listens.
    pub(crate) url: String,
}

impl GatewayProcess {
    /// Starts the gateway of a trial.
    pub(crate) fn start(trial: &str) -> Result<Self, AnyError> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.args([ROLE, trial]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("the gateway's output was asked for")?;
        let mut url = String::new();
        BufReader::new(stdout).read_line(&mut url)?;
        Ok(Self { child, url: url.trim().to_owned() })
    }

    /// Stops the process for a while, as a machine that swaps or a collector that stops the world does.
    pub(crate) fn stop_for(&self, how_long: Duration) -> Result<(), AnyError> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::STOP)?;
        thread::sleep(how_long);
        kill_process(pid, Signal::CONT)?;
        Ok(())
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It was ours to start, and is ours to wait for.
        let _ = self.child.wait();
    }
}

/// Is the gateway of a row, until the parent hangs up.
pub(crate) fn serve(row: &Row) -> Result<(), AnyError> {
    // One thread is enough, and leaves the others to what is under test.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let defects: Defects = row.defects.iter().copied().collect();
        let without = row.without.iter().map(|call| call.parse()).collect::<Result<_, _>>()?;
        let gateway = MockGateway::start(Config { defects, without, ..Config::default() }).await?;
        println!("{}", gateway.url());
        tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
        gateway.shutdown().await;
        Ok(())
    })
}
