//! A gateway in a process of its own, as a user's is, so that its memory and descriptors are its own. It ends when its
//! standard input does, and so with its parent, however that ends.

use std::{
    io::{self, BufRead, BufReader, Read},
    process::{Child, Command, ExitCode, Stdio},
};

use crate::AnyError;

/// A gateway that was started. It ends when this is dropped.
#[derive(Debug)]
pub struct GatewayProcess {
    /// Its process.
    pub child: Child,
    /// The line that it wrote when it was ready: its URL, and further words if its `start` gave some.
    pub ready_line: String,
}

impl GatewayProcess {
    /// Starts the gateway that a command [serves](serve).
    ///
    /// # Errors
    ///
    /// The process cannot be started, or its output cannot be read.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().expect("its output is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(Self { child, ready_line: line.trim().to_owned() })
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It may have ended before.
        let _ = self.child.wait();
    }
}

/// Runs a gateway until the parent closes the standard input. `start` gives the line to write when it is ready, and a
/// future that ends it.
pub fn serve<S: Future<Output = ()>>(start: impl Future<Output = Result<(String, S), AnyError>>) -> ExitCode {
    match served(start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

fn served<S: Future<Output = ()>>(start: impl Future<Output = Result<(String, S), AnyError>>) -> Result<(), AnyError> {
    // One thread is enough, and leaves the others to the soak.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (ready_line, end) = start.await?;
        println!("{ready_line}");
        tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
        end.await;
        Ok(())
    })
}
