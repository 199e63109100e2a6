//! Which processes are the gateway: the tree below the one that `S2_GATEWAY_PID` names; if that is gone or none is
//! named, the tree below the one that listens where requests go.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    listeners::{self, ListenerLookup},
    process::ProcessReader,
    process_table::ProcessTable,
    process_tree::{ProcessTree, TreeView},
};
use crate::{
    clock,
    gateway::{GatewayAccess, LocalPort},
};

/// Time after which the listener is looked up again anyway: a process may have started others that listen with it.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// The same if none was found: a lookup takes longer than a check for changes.
const UNSEEN_ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Maximum time for which a process that was seen may be away, as in a restart: until then nothing else speaks for it.
const AWAY_LIMIT: Duration = Duration::from_secs(60);

/// Beginnings of the names of programs that start gateways and much else. If one is the common ancestor of workers that
/// listen together, the workers are the gateway without it.
const SUPERVISORS: [&str; 23] = [
    "init",
    "systemd",
    "launchd",
    "tini",
    "dumb-init",
    "docker-init",
    "catatonit",
    "containerd-shim",
    "conmon",
    "supervisord",
    "runsv",
    "s6-svscan",
    "s6-supervise",
    "sh",
    "bash",
    "dash",
    "zsh",
    "fish",
    "busybox",
    "tmux",
    "screen",
    "sshd",
    "cargo",
];

/// One look for the gateway's processes.
#[derive(Debug, PartialEq)]
pub(super) enum ProcessLookup {
    Seen(TreeView),
    /// The named process does not exist.
    Gone(u32),
    /// It was there a moment ago, and no other has taken its place yet.
    Away,
    /// It cannot be seen from here: its metrics speak for it.
    Unseen,
}

/// Looks for the gateway's processes.
#[derive(Debug)]
pub(super) struct GatewayProcess {
    named: Option<LoggedProcess>,
    port: Option<LocalPort>,
    /// The result of the last listener lookup, and its time.
    asked: Option<(Instant, ListenerLookup)>,
    /// The root of the last tree that was found by listening, and its start.
    root: Option<(u32, u64)>,
    tree: ProcessTree,
    /// When it was last seen where it listens.
    seen: Option<Instant>,
    /// The last message to the log.
    told: String,
}

#[derive(Debug)]
struct LoggedProcess {
    pid: u32,
    /// When it started, as first seen: a pid may come again.
    started: Option<u64>,
}

impl GatewayProcess {
    pub(super) fn new(access: &GatewayAccess) -> Self {
        Self::at(access.pid, access.listens_at.clone())
    }

    /// A process that is named, or that listens on a port.
    pub(super) fn at(named: Option<u32>, port: Option<LocalPort>) -> Self {
        let named = named.map(|pid| LoggedProcess { pid, started: None });
        Self { named, port, asked: None, root: None, tree: ProcessTree::default(), seen: None, told: String::new() }
    }

    pub(super) fn look(&mut self, processes: &mut ProcessReader) -> ProcessLookup {
        let table = ProcessTable::read(processes);
        if let Some(named) = &mut self.named
            && let Some(started) = table.started(named.pid)
            && *named.started.get_or_insert(started) == started
            && let Some(view) = self.tree.read(processes, table.clone(), &[named.pid])
        {
            return ProcessLookup::Seen(view);
        }
        let now = clock::now();
        if let Some(view) = self.listening(processes, table, now) {
            self.seen = Some(now);
            return ProcessLookup::Seen(view);
        }
        match &self.named {
            Some(named) if self.seen.is_none() => ProcessLookup::Gone(named.pid),
            _ if self.is_away(now) => ProcessLookup::Away,
            _ => {
                if let Some(why) = self.why_unseen() {
                    self.log_once(why);
                }
                ProcessLookup::Unseen
            }
        }
    }

    /// The tree that listens, if there is one that can be read.
    fn listening(&mut self, processes: &mut ProcessReader, table: ProcessTable, now: Instant) -> Option<TreeView> {
        let port = self.port.as_ref()?;
        let asked_ago = |at: &Instant| now.saturating_duration_since(*at);
        let is_known = match &self.asked {
            None => false,
            Some((at, ListenerLookup::Some(holders))) => {
                asked_ago(at) < ASK_AGAIN_AFTER && holders.iter().all(listeners::SocketOwner::lasts)
            }
            Some((at, _)) if asked_ago(at) < UNSEEN_ASK_AGAIN_AFTER && !self.is_away(now) => return None,
            Some(_) => false,
        };
        if !is_known {
            self.asked = Some((now, listeners::who_listens(port)));
        }
        let Some((_, ListenerLookup::Some(holders))) = &self.asked else { return None };
        let holders: Vec<u32> = holders.iter().map(|holding| holding.pid).collect();
        let roots = roots(&table, &holders, self.root);
        let view = self.tree.read(processes, table, &roots)?;
        self.root = view.cpu_ms.keys().copied().find(|(pid, _)| *pid == view.root);
        if !is_known {
            let (port, descendants, name, pid) = (port.port, view.processes() - 1, &view.name, view.root);
            self.log_once(format!(
                "the gateway's process is pid {pid} ({name}) with {descendants} descendants, by listening on port {port}"
            ));
        }
        Some(view)
    }

    /// Whether it was seen a moment ago.
    fn is_away(&self, now: Instant) -> bool {
        self.seen.is_some_and(|seen| now.saturating_duration_since(seen) < AWAY_LIMIT)
    }

    /// Why it cannot be seen, in words; `None` if no port was looked up.
    pub(super) fn why_unseen(&self) -> Option<String> {
        let port = self.port.as_ref()?.port;
        let why = match &self.asked {
            None | Some((_, ListenerLookup::Nobody)) => "nobody on this machine does",
            Some((_, ListenerLookup::Holder(name))) => &format!("{name} does, for another"),
            Some(_) => "that is another user's process, or one in a container",
        };
        Some(format!(
            "no process is the gateway's by listening on port {port}: {why}; its memory and descriptors are taken from its \
             metrics, unless S2_GATEWAY_PID names a process"
        ))
    }

    /// Logs a message unless it is the last one.
    fn log_once(&mut self, what: String) {
        if self.told != what {
            tracing::info!("{what}");
            self.told = what;
        }
    }
}

/// The roots of the trees that make up a gateway whose processes `holders` listen: usually one.
///
/// - The root of before, if all holders descend from it: workers that are replaced do not make another gateway.
/// - The nearest common ancestor of several holders: a master that does not listen itself. A program that starts anything
///   (init, a shell, a supervisor) or that started S2, too, is no part of the gateway.
/// - Otherwise each holder that has no holder among its ancestors.
fn roots(table: &ProcessTable, holders: &[u32], before: Option<(u32, u64)>) -> Vec<u32> {
    let descends = |pid: u32, from: u32| pid == from || table.ancestors(pid).any(|ancestor| ancestor == from);
    if let Some((root, started)) = before
        && table.is_alive_since(root, started)
        && holders.iter().all(|holder| descends(*holder, root))
    {
        return vec![root];
    }
    if let Some(ancestor) = table.common_ancestor(holders)
        && (holders.contains(&ancestor) || may_be_master(table, ancestor))
    {
        return vec![ancestor];
    }
    let has_holder_above = |pid: u32| table.ancestors(pid).any(|ancestor| holders.contains(&ancestor));
    holders.iter().copied().filter(|holder| !has_holder_above(*holder)).collect()
}

fn may_be_master(table: &ProcessTable, pid: u32) -> bool {
    let own = std::process::id();
    let started_s2 = pid == own || table.ancestors(own).any(|ancestor| ancestor == pid);
    let is_supervisor = table.name(pid).is_none_or(|name| SUPERVISORS.iter().any(|other| name.starts_with(other)));
    pid > 1 && !started_s2 && !is_supervisor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::process::ProcessEntry;

    fn table(rows: &[(u32, u32, &str)]) -> ProcessTable {
        let entry = |parent, name: &str| ProcessEntry { parent, started: 7, name: name.to_owned() };
        rows.iter().map(|(pid, parent, name)| (*pid, entry(*parent, name))).collect()
    }

    /// Beyond all pids: this process has one, too.
    const MASTER: u32 = 5_000_000;

    #[test]
    fn a_master_that_listens_is_the_root_and_so_is_one_that_only_its_workers_listen_for() {
        let [one, two] = [MASTER + 1, MASTER + 2];
        let table =
            table(&[(1, 0, "init"), (MASTER, 1, "gunicorn"), (one, MASTER, "gunicorn"), (two, MASTER, "gunicorn")]);
        assert_eq!(vec![MASTER], roots(&table, &[MASTER, one, two], None));
        assert_eq!(vec![MASTER], roots(&table, &[one, two], None));
        assert_eq!(vec![two], roots(&table, &[two], None), "a single process is not known to have a master");
        assert_eq!(vec![MASTER], roots(&table, &[two], Some((MASTER, 7))), "until it was seen with others");
        assert_eq!(vec![two], roots(&table, &[two], Some((MASTER, 6))), "that was another process of this pid");
    }

    #[test]
    fn a_supervisor_or_a_shell_is_no_part_of_the_gateway() {
        let [one, two, child] = [MASTER + 1, MASTER + 2, MASTER + 3];
        for supervisor in ["bash", "supervisord", "systemd"] {
            let rows = [
                (1, 0, "init"),
                (MASTER, 1, supervisor),
                (one, MASTER, "node"),
                (two, MASTER, "node"),
                (child, two, "node"),
            ];
            assert_eq!(vec![one, two], roots(&table(&rows), &[one, two, child], None), "{supervisor}");
        }
        let apart = table(&[(1, 0, "init"), (one, 1, "node"), (two, 1, "node")]);
        assert_eq!(vec![one, two], roots(&apart, &[one, two], None));
    }

    #[test]
    fn what_started_s2_is_not_the_gateway() {
        let [own, one, two] = [std::process::id(), MASTER + 1, MASTER + 2];
        let rows = [(MASTER, 1, "pytest"), (own, MASTER, "s2"), (one, MASTER, "node"), (two, MASTER, "node")];
        assert_eq!(vec![one, two], roots(&table(&rows), &[one, two], None));
    }
}
