//! Real processes that listen, are killed, and listen again. Each test has an address of the loopback to itself, so
//! that a port that was let go of is nobody else's meanwhile.

#![cfg(target_os = "linux")]

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tracing_test::traced_test;

use super::{
    gateway_process::{GatewayProcess, ProcessLookup},
    process::ProcessReader,
    process_watch::ProcessWatch,
};
use crate::{
    gateway::{GatewayAccess, LocalPort},
    journal::{Finding, Gauge, Interval, Reader, Record},
    session::{
        Context,
        tests::{config, context, findings, short},
    },
};

/// A process that listens, until it is killed or this one is gone.
struct Listening {
    child: Killed,
    address: String,
}

impl Listening {
    /// Listens on an address; on any port where that is 0.
    fn at(address: &str) -> Self {
        Self::of(&std::env::current_exe().unwrap(), address)
    }

    /// The same, of a program that is this one under whatever name.
    fn of(program: &Path, address: &str) -> Self {
        let child = "workload::gateway_process_tests::is_a_process_that_listens";
        let mut command = Command::new(program);
        command.args(["--exact", child, "--ignored", "--nocapture"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Killed::spawn(&mut command);
        writeln!(child.0.stdin.as_mut().unwrap(), "{address}").unwrap();
        let lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
        let told = lines.filter_map(|line| Some(line.split_once("listens on ")?.1.to_owned())).next();
        Self { child, address: told.expect("it listens") }
    }

    fn pid(&self) -> u32 {
        self.child.0.id()
    }

    fn kill(&mut self) {
        self.child.0.kill().unwrap();
        self.child.0.wait().unwrap();
    }
}

/// Killed with the test that started it, however that ends.
pub(super) struct Killed(pub(super) Child);

impl Killed {
    pub(super) fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "is what other tests start"]
fn is_a_process_that_listens() {
    let mut address = String::new();
    std::io::stdin().read_line(&mut address).unwrap();
    // Who runs the ignored tests gives it no address.
    if let Ok(listener) = TcpListener::bind(address.trim()) {
        println!("listens on {}", listener.local_addr().unwrap());
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    }
}

pub(super) fn access(address: &str, pid: Option<u32>) -> GatewayAccess {
    let out = tempfile::tempdir().unwrap();
    let url = format!("http://{address}");
    let listens_at = LocalPort::of(&url);
    GatewayAccess { listens_at, pid, ..config(out.path(), &url, &short(2)).gateway }
}

/// A pid that nobody has any more.
fn gone() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// Returns the process that a look sees, if it sees one.
fn seen(gateway: &mut GatewayProcess) -> Result<u32, ProcessLookup> {
    match gateway.look(&mut ProcessReader::default()) {
        ProcessLookup::Seen(view) => Ok(view.root),
        other => Err(other),
    }
}

#[tokio::test]
async fn the_process_that_listens_is_found_and_found_again_under_its_new_pid() {
    let mut first = Listening::at("127.83.0.1:0");
    let mut gateway = GatewayProcess::new(&access(&first.address, None));
    assert_eq!(Ok(first.pid()), seen(&mut gateway));
    assert_eq!(Ok(first.pid()), seen(&mut gateway));
    first.kill();
    assert_eq!(Err(ProcessLookup::Away), seen(&mut gateway));
    let second = Listening::at(&first.address);
    assert_ne!(first.pid(), second.pid());
    assert_eq!(Ok(second.pid()), seen(&mut gateway));
}

#[tokio::test]
async fn who_listens_at_another_address_is_not_the_gateway_and_localhost_is_both_loopbacks() {
    let here = Listening::at("127.83.0.2:0");
    let port = here.address.rsplit(':').next().unwrap();
    let mut elsewhere = GatewayProcess::new(&access(&format!("127.83.0.3:{port}"), None));
    assert_eq!(Err(ProcessLookup::Unseen), seen(&mut elsewhere));
    let everywhere = Listening::at("0.0.0.0:0");
    let port = everywhere.address.rsplit(':').next().unwrap();
    assert_eq!(Ok(everywhere.pid()), seen(&mut GatewayProcess::new(&access(&format!("localhost:{port}"), None))));
}

#[tokio::test]
async fn a_named_process_comes_first_and_where_it_is_gone_who_listens() {
    let listening = Listening::at("127.83.0.4:0");
    let other = Listening::at("127.83.0.5:0");
    assert_eq!(Ok(other.pid()), seen(&mut GatewayProcess::new(&access(&listening.address, Some(other.pid())))));
    let pid = gone();
    assert_eq!(Ok(listening.pid()), seen(&mut GatewayProcess::new(&access(&listening.address, Some(pid)))));
    assert_eq!(Err(ProcessLookup::Gone(pid)), seen(&mut GatewayProcess::new(&access("127.83.0.6:9", Some(pid)))));
}

#[tokio::test]
async fn a_named_process_that_has_ended_is_gone_even_before_its_parent_knows() {
    let mut child = Killed::spawn(Command::new("sleep").arg("600"));
    let pid = child.0.id();
    let mut gateway = GatewayProcess::new(&access("127.83.0.7:9", Some(pid)));
    assert_eq!(Ok(pid), seen(&mut gateway));
    child.0.kill().unwrap();
    // It is a zombie from some moment on until it is waited for.
    let is_gone = async {
        while seen(&mut gateway) != Err(ProcessLookup::Gone(pid)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_gone).await.expect("a process that was killed is gone");
}

#[tokio::test(start_paused = true)]
async fn several_that_listen_together_are_the_gateway_together() {
    let listener = TcpListener::bind("127.83.0.8:0").unwrap();
    // A socket that is handed on as another's standard input is that one's, too.
    let hand_on = || {
        let input = Stdio::from(OwnedFd::from(listener.try_clone().unwrap()));
        Killed::spawn(Command::new("sleep").arg("600").stdin(input))
    };
    let address = listener.local_addr().unwrap().to_string();
    // A test beside this one that is about to start a program holds the socket for a moment, and may be seen.
    let mut tries = 0;
    let (mut gateway, one, two) = loop {
        let mut gateway = GatewayProcess::new(&access(&address, None));
        // This process is the only one that holds it, and is not the gateway.
        let before = seen(&mut gateway);
        let (one, two) = (hand_on(), hand_on());
        if before == Err(ProcessLookup::Unseen) && seen(&mut gateway) == before {
            break (gateway, one, two);
        }
        tries += 1;
        assert!(tries < 50, "who listens is asked at every look, or {before:?}");
    };
    let later = Duration::from_secs(61);
    // A test beside this one that is about to start a program holds what this process holds, for a moment.
    let both = BTreeSet::from([one.0.id(), two.0.id()]);
    let mut looks = 0;
    loop {
        tokio::time::advance(later).await;
        let sight = gateway.look(&mut ProcessReader::default());
        if let ProcessLookup::Seen(view) = &sight
            && view.cpu_ms.keys().map(|(pid, _)| *pid).collect::<BTreeSet<_>>() == both
        {
            assert!(both.contains(&view.root));
            break;
        }
        looks += 1;
        assert!(looks < 50, "{sight:?}");
    }
}

#[traced_test]
#[tokio::test]
async fn a_program_that_holds_the_port_for_another_is_not_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["docker-proxy", "nginx"] {
        let program = folder.path().join(name);
        std::os::unix::fs::symlink(std::env::current_exe().unwrap(), &program).unwrap();
        let holder = Listening::of(&program, "127.83.0.10:0");
        assert_eq!(Err(ProcessLookup::Unseen), seen(&mut GatewayProcess::new(&access(&holder.address, None))));
        assert!(logs_contain(&format!(": {name}, pid {}, does, for another; its memory", holder.pid())));
    }
}

/// The intervals of a journal.
fn intervals(context: &Context, folder: &crate::report::RunFolder) -> Vec<Interval> {
    context.recorder.flush();
    let mut journal = Reader::open(&folder.journal()).unwrap();
    let mut intervals = Vec::new();
    while let Some(record) = journal.next_record().unwrap() {
        if let Record::Interval(interval) = record {
            intervals.push(*interval);
        }
    }
    intervals
}

#[tokio::test]
async fn a_restart_is_another_life_and_while_nobody_listens_there_is_no_sample_and_no_incident() {
    let mut first = Listening::at("127.83.0.9:0");
    let out = tempfile::tempdir().unwrap();
    let mut config = config(out.path(), &format!("http://{}", first.address), &short(2));
    config.gateway.listens_at = LocalPort::of(&config.gateway.url);
    let context = context(&config);
    let mut watch = ProcessWatch::default();
    let mut look = || {
        watch.look(&context, context.recorder.mark(), false);
        let interval = intervals(&context, &config.folder).pop().unwrap();
        let has = |gauge| interval.gauges.contains_key(&gauge);
        let gateway = [Gauge::GatewayRss, Gauge::GatewayFds, Gauge::GatewayFdSurplus].map(has);
        (gateway, has(Gauge::HarnessRss), !watch.are_seen, interval.gateway_life.unwrap())
    };
    let life_of = |life: &str, process: &Listening| life.starts_with(&format!("pid {}, started ", process.pid()));
    let (gateway, own, by_metrics, before) = look();
    assert!(gateway == [true; 3] && own && !by_metrics && life_of(&before, &first), "{before}");
    first.kill();
    let (gateway, own, by_metrics, _) = look();
    assert!(gateway == [false; 3] && own && !by_metrics);
    let told = findings(&config.folder);
    assert!(matches!(&told[..], [Finding::ProcessesRead { how, .. }] if how == "resident memory"), "{told:?}");
    let second = Listening::at(&first.address);
    let (gateway, _, _, after) = look();
    assert!(gateway == [true; 3] && life_of(&after, &second), "{after}");
    let told = findings(&config.folder);
    assert!(told.contains(&Finding::GatewayRestarted { before, after }) && told.len() == 3, "{told:?}");
}
