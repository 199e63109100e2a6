//! A gateway in Node, in a process of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use testkit::AnyError;

/// The gateway's process. It ends when this is dropped, and ends its workers.
pub(crate) struct Node {
    process: Child,
    /// What it writes when it is ready: where it listens.
    pub(crate) ready_line: String,
}

impl Node {
    /// Starts Node with these arguments.
    pub(crate) fn start(arguments: &[&str]) -> Result<Self, AnyError> {
        let mut command = Command::new("node");
        let mut process = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = process.stdout.take().ok_or("it has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(Self { process, ready_line: line.trim().to_owned() })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A process that has ended can be waited for, too.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let _ = self.process.wait();
    }
}
