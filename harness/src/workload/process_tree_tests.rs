//! Real clusters: a process that listens, and workers that it starts.

#![cfg(target_os = "linux")]

use std::{
    io::{BufRead, BufReader, Lines, Read, Write, stdin},
    net::{TcpListener, UdpSocket},
    process::{Child, ChildStdout, Command, Stdio},
};

use super::{
    gateway_process::{GatewayProcess, ProcessLookup},
    gateway_process_tests::{Killed, access},
    process::ProcessReader,
    process_tree::{MemoryMeasure, TreeView},
};

const MIB: u64 = 1 << 20;

/// A process that does what it is told, line by line, and its workers. They end with the test that started them,
/// because their input ends.
pub(super) struct Cluster {
    child: Killed,
    says: Lines<BufReader<ChildStdout>>,
}

impl Cluster {
    pub(super) fn start() -> Self {
        let mut child = Killed::spawn(&mut this_program("is_a_cluster"));
        let says = BufReader::new(child.0.stdout.take().unwrap()).lines();
        Self { child, says }
    }

    /// A cluster that listens, and its address.
    pub(super) fn at(address: &str) -> (Self, String) {
        let mut cluster = Self::start();
        let address = cluster.tell(&format!("listen {address}"));
        (cluster, address)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// A worker that holds so much memory and so many descriptors; its pid.
    pub(super) fn worker(&mut self, mib: u64, fds: usize) -> u32 {
        self.tell(&format!("worker {mib} {fds}")).parse().unwrap()
    }

    /// A worker that starts a process of its own; both pids.
    fn worker_with_child(&mut self) -> (u32, u32) {
        let pids = self.tell("worker 1 1 child");
        let (worker, child) = pids.split_once(' ').unwrap();
        (worker.parse().unwrap(), child.parse().unwrap())
    }

    pub(super) fn end(&mut self, worker: u32) {
        self.tell(&format!("end {worker}"));
    }

    /// Gives an order; what the answer says.
    fn tell(&mut self, order: &str) -> String {
        writeln!(self.child.0.stdin.as_mut().unwrap(), "{order}").unwrap();
        answer(&mut self.says)
    }
}

/// The next answer of a process that is a test of this program.
fn answer(says: &mut Lines<BufReader<ChildStdout>>) -> String {
    let mut lines = says.map_while(Result::ok);
    lines.find_map(|line| Some(line.split_once("answer: ")?.1.to_owned())).expect("it answers")
}

fn this_program(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let test = format!("workload::process_tree_tests::{test}");
    command.args(["--exact", &test, "--ignored", "--nocapture"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

#[test]
#[ignore = "is what other tests start"]
fn is_a_cluster() {
    let (mut listeners, mut workers): (Vec<TcpListener>, Vec<Child>) = (Vec::new(), Vec::new());
    for order in stdin().lines().map_while(Result::ok) {
        match order.split_once(' ') {
            Some(("listen", address)) => {
                listeners.push(TcpListener::bind(address).unwrap());
                println!("answer: {}", listeners[listeners.len() - 1].local_addr().unwrap());
            }
            Some(("worker", what)) => {
                let mut worker = this_program("is_a_worker").spawn().unwrap();
                writeln!(worker.stdin.as_mut().unwrap(), "{what}").unwrap();
                let child = answer(&mut BufReader::new(worker.stdout.take().unwrap()).lines());
                println!("answer: {}{child}", worker.id());
                workers.push(worker);
            }
            Some(("end", pid)) => {
                let at = workers.iter().position(|worker| worker.id().to_string() == pid).unwrap();
                let mut worker = workers.remove(at);
                worker.kill().unwrap();
                worker.wait().unwrap();
                println!("answer: ended");
            }
            _ => break,
        }
    }
    for mut worker in workers {
        drop(worker.stdin.take());
        let _ = worker.wait();
    }
}

#[test]
#[ignore = "is what other tests start"]
fn is_a_worker() {
    let mut order = String::new();
    stdin().read_line(&mut order).unwrap();
    let mut words = order.split_whitespace();
    // Who runs the ignored tests gives it no order.
    let Some(mib) = words.next().and_then(|word| word.parse::<usize>().ok()) else { return };
    let fds: usize = words.next().unwrap().parse().unwrap();
    let _memory = std::hint::black_box(vec![1_u8; mib << 20]);
    let _fds: Vec<UdpSocket> = (0..fds).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    // It outlives this process, and ends by itself.
    let child = words.next().map(|_| Command::new("sleep").arg("60").stdout(Stdio::null()).spawn().unwrap());
    println!("answer: {}", child.map_or_else(String::new, |child| format!(" {}", child.id())));
    let _ = stdin().read_to_end(&mut Vec::new());
}

fn view(gateway: &mut GatewayProcess) -> TreeView {
    match gateway.look(&mut ProcessReader::default()) {
        ProcessLookup::Seen(view) => view,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn memory_and_descriptors_are_those_of_the_listener_and_its_workers() {
    let (mut cluster, address) = Cluster::at("127.83.1.1:0");
    for named in [None, Some(cluster.pid())] {
        let mut gateway = GatewayProcess::new(&access(&address, named));
        let alone = view(&mut gateway);
        assert_eq!((1, MemoryMeasure::Resident), (alone.processes(), alone.measure));
        let worker = cluster.worker(64, 40);
        let both = view(&mut gateway);
        assert_eq!((cluster.pid(), 2), (both.root, both.processes()));
        assert_eq!(MemoryMeasure::SharedOnce, both.measure);
        let grown = both.rss_bytes - alone.rss_bytes;
        assert!((64 * MIB..100 * MIB).contains(&grown), "{grown}");
        let opened = both.open_fds.unwrap() - alone.open_fds.unwrap();
        assert!((40..60).contains(&opened), "{opened}");
        cluster.end(worker);
        let alone_again = view(&mut gateway);
        assert_eq!((alone.root, 1), (alone_again.root, alone_again.processes()));
    }
}

#[tokio::test]
async fn a_worker_that_is_replaced_belongs_to_the_same_gateway() {
    let (mut cluster, address) = Cluster::at("127.83.1.2:0");
    let mut gateway = GatewayProcess::new(&access(&address, None));
    let first = cluster.worker(1, 1);
    let before = view(&mut gateway);
    cluster.end(first);
    let second = cluster.worker(1, 1);
    let after = view(&mut gateway);
    assert_eq!((before.root, before.started_s, 2), (after.root, after.started_s, after.processes()));
    assert!(after.cpu_ms.keys().any(|(pid, _)| *pid == second));
}

#[tokio::test]
async fn a_process_whose_parent_has_ended_is_still_the_gateways() {
    let (mut cluster, address) = Cluster::at("127.83.1.3:0");
    let mut gateway = GatewayProcess::new(&access(&address, None));
    let (worker, child) = cluster.worker_with_child();
    let has_child = |view: &TreeView| view.cpu_ms.keys().any(|(pid, _)| *pid == child);
    let before = view(&mut gateway);
    assert!(before.processes() == 3 && has_child(&before), "{before:?}");
    cluster.end(worker);
    let after = view(&mut gateway);
    assert!(after.processes() == 2 && has_child(&after), "{after:?}");
    // Who looks only now cannot know.
    assert!(!has_child(&view(&mut GatewayProcess::new(&access(&address, None)))));
    let pid = rustix::process::Pid::from_raw(child.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let is_gone = async {
        while has_child(&view(&mut gateway)) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), is_gone).await.expect("a process that was killed is gone");
}
