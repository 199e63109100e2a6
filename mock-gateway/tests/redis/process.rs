//! A gateway in a process of its own, which ends, by whichever signal, and starts again where it was.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use http::{Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process};

use crate::caller::{Caller, eventually, now};
use crate::server::free_port;

pub(crate) struct GatewayProcess {
    arguments: Vec<String>,
    child: Child,
}

impl GatewayProcess {
    /// Starts a gateway, and gives a caller of it that stays one when it is started again.
    pub(crate) async fn start(redis: &str) -> (Self, Caller) {
        let port = free_port();
        let arguments = ["--port", &port.to_string(), "--redis", redis].map(str::to_owned).to_vec();
        let gateway = Self { child: spawn(&arguments), arguments };
        let caller = Caller::at(format!("http://127.0.0.1:{port}"), "w");
        gateway.is_ready(&caller).await;
        (gateway, caller)
    }

    /// Ends it, and says how, and how long that took.
    pub(crate) fn end(&mut self, signal: Signal) -> (ExitStatus, Duration) {
        let since = now();
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        (self.child.wait().unwrap(), since.elapsed())
    }

    pub(crate) async fn start_again(&mut self, caller: &Caller) {
        self.child = spawn(&self.arguments);
        self.is_ready(caller).await;
    }

    async fn is_ready(&self, caller: &Caller) {
        eventually("the gateway is ready", async || {
            let ready = caller.try_send(Method::GET, "/ready", Vec::new()).await;
            ready.is_some_and(|answer| answer.status == StatusCode::OK)
        })
        .await;
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        // Whether or not the test got to its end, and the gateway to its own.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

fn spawn(arguments: &[String]) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mock-gateway"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    if !line.starts_with("mock gateway listening on ") {
        let mut error = String::new();
        child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        let _ = child.wait();
        panic!("the gateway does not start: {error}");
    }
    child
}
