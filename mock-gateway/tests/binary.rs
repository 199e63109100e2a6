//! The binary: what it says, how it ends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};

use mock_gateway::Defect;
use rustix::process::{Pid, Signal, kill_process};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mock-gateway")).args(arguments).output().unwrap()
}

#[test]
fn help_names_every_flag() {
    let output = run(&["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    let flags =
        "--port --host --redis --redis-prefix --token --defect --certificate --threads --without --help --version";
    for flag in flags.split(' ') {
        assert!(help.contains(flag), "{flag} is not in\n{help}");
    }
    for defect in Defect::ALL {
        let line = help.lines().find(|line| line.trim_start().starts_with(&format!("{} ", defect.name())));
        assert!(line.is_some_and(|line| line.ends_with(defect.does())), "{defect:?} is not in\n{help}");
    }
}

#[test]
fn an_unknown_defect_is_an_error_that_lists_all() {
    let output = run(&["--port", "0", "--defect", "slow-judge,slow-jugde"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("\"slow-jugde\""), "{error}");
    assert!(Defect::ALL.iter().all(|defect| error.contains(defect.name())), "{error}");
}

#[test]
fn bad_arguments_are_a_clear_error_and_exit_code_2() {
    for arguments in [
        &["--prot", "3000"][..],
        &["--port", "many"],
        &["--port"],
        &["3000"],
        &["--host", "nowhere"],
        &["--threads", "0"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("mock-gateway: ") && error.contains("--help"), "{arguments:?}: {error}");
    }
}

#[test]
fn it_says_where_it_listens_and_ends_in_good_order_on_a_signal() {
    for (signal, threads) in [(Signal::TERM, "1"), (Signal::INT, "1"), (Signal::TERM, "2")] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mock-gateway"))
            .args(["--port", "0", "--threads", threads])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("mock gateway listening on http://").expect("the line");
        assert!(std::net::TcpStream::connect(address).is_ok(), "{line}");

        kill_process(Pid::from_child(&child), signal).unwrap();
        assert!(child.wait().unwrap().success(), "{signal:?}");
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "one line, and no more");
    }
}

#[test]
fn it_says_where_its_metrics_are_and_leaves_its_certificate_where_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("gateway.pem");
    let mut child = Command::new(env!("CARGO_BIN_EXE_mock-gateway"))
        .args(["--port", "0", "--defect", "metrics-elsewhere,http2-only", "--certificate"])
        .arg(&certificate)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap()).lines().take(2).map(Result::unwrap).collect();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(lines[0].starts_with("mock gateway listening on https://127.0.0.1:"), "{lines:?}");
    assert!(
        lines[1].starts_with("its metrics are at http://127.0.0.1:") && lines[1].ends_with("/metrics"),
        "{lines:?}"
    );
    let pem = std::fs::read_to_string(certificate).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n") && pem.ends_with("-----END CERTIFICATE-----\n"), "{pem}");
}

#[test]
fn a_port_that_is_taken_is_a_clear_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(&["--port", &port]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains(&port));
}
