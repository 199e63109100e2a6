//! A gateway in a process of its own, as a user's is. It ends when its standard input does, and so with its parent,
//! however that ends.

use std::{
    error::Error,
    io::{self, BufRead, BufReader, Read},
    process::{Child, Command, ExitCode, Stdio},
};

/// What goes wrong with one.
type AnyError = Box<dyn Error + Send + Sync>;

/// A gateway that was started.
#[derive(Debug)]
pub(crate) struct GatewayProcess {
    pub(crate) child: Child,
    /// Where it listens.
    pub(crate) url: String,
}

impl GatewayProcess {
    /// Starts the gateway that a command [serves](serve).
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().expect("its output was asked for");
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

/// Is a gateway, until the parent hangs up: what `start` gives is what it says first, and what ends it.
pub(crate) fn serve<S: Future<Output = ()>>(start: impl Future<Output = Result<(String, S), AnyError>>) -> ExitCode {
    match served(start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

fn served<S: Future<Output = ()>>(start: impl Future<Output = Result<(String, S), AnyError>>) -> Result<(), AnyError> {
    // One thread is enough, and leaves the others to what is under test.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (says, end) = start.await?;
        println!("{says}");
        tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
        end.await;
        Ok(())
    })
}
