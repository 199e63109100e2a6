//! Which process is the gateway: the one that `S2_GATEWAY_PID` names, and where that is gone or none is named, the one that
//! listens where requests go.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    listeners::{self, Who},
    process::{ProcessView, Processes},
};
use crate::{
    clock,
    gateway::{GatewayAccess, LocalPort},
};

/// Who listens is asked again after so long, even if nothing seems to have changed: a process may have started others that
/// listen with it.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// The same where nobody was found: to ask takes longer than to see that nothing has changed.
const UNSEEN_ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// For so long a process that was seen may be away, as in a restart: until then nothing else speaks for it.
const AWAY_LIMIT: Duration = Duration::from_secs(60);

/// One look for the gateway's process.
#[derive(Debug, PartialEq)]
pub(super) enum Sight {
    /// It is this one.
    Seen(u32, ProcessView),
    /// The one that was named is not there.
    Gone(u32),
    /// It was there a moment ago, and nobody has taken its place yet.
    Away,
    /// It cannot be seen from here: its metrics speak for it.
    Unseen,
}

/// Looks for the gateway's process.
#[derive(Debug)]
pub(super) struct GatewayProcess {
    named: Option<Named>,
    port: Option<LocalPort>,
    asked: Option<Asked>,
    /// When it was last seen where it listens.
    seen: Option<Instant>,
    /// What the log was last told.
    told: String,
}

#[derive(Debug)]
struct Named {
    pid: u32,
    /// When it started, as first seen: a pid may come again.
    started_s: Option<u64>,
}

/// Who listens, as it was found out.
#[derive(Debug)]
struct Asked {
    at: Instant,
    who: Who,
}

impl GatewayProcess {
    /// Nothing is looked for yet.
    pub(super) fn new(access: &GatewayAccess) -> Self {
        let named = access.pid.map(|pid| Named { pid, started_s: None });
        Self { named, port: access.listens_at.clone(), asked: None, seen: None, told: String::new() }
    }

    /// Looks for it.
    pub(super) fn look(&mut self, processes: &mut Processes) -> Sight {
        if let Some(named) = &mut self.named
            && let Some(view) = processes.look(named.pid)
            && *named.started_s.get_or_insert(view.started_s) == view.started_s
        {
            return Sight::Seen(named.pid, view);
        }
        let now = clock::now();
        if let Some((pid, view)) = self.listener(processes, now) {
            self.seen = Some(now);
            return Sight::Seen(pid, view);
        }
        match &self.named {
            Some(named) if self.seen.is_none() => Sight::Gone(named.pid),
            _ if self.is_away(now) => Sight::Away,
            _ => {
                self.tell_why_unseen();
                Sight::Unseen
            }
        }
    }

    /// The process that listens, where it is one and can be looked at.
    fn listener(&mut self, processes: &mut Processes, now: Instant) -> Option<(u32, ProcessView)> {
        let port = self.port.as_ref()?;
        if let Some(asked) = &self.asked {
            let asked_ago = now.saturating_duration_since(asked.at);
            match &asked.who {
                Who::One(holding) if asked_ago < ASK_AGAIN_AFTER && holding.lasts() => {
                    return asked.who.look(processes);
                }
                Who::One(_) => {}
                _ if asked_ago < UNSEEN_ASK_AGAIN_AFTER && !self.is_away(now) => return None,
                _ => {}
            }
        }
        let who = listeners::who_listens(port);
        let seen = who.look(processes);
        if let Some((pid, _)) = &seen {
            let port = port.port;
            self.tell(format!("the gateway's process is pid {pid}, which listens on port {port}"));
        }
        self.asked = Some(Asked { at: now, who });
        seen
    }

    /// Whether it was seen a moment ago.
    fn is_away(&self, now: Instant) -> bool {
        self.seen.is_some_and(|seen| now.saturating_duration_since(seen) < AWAY_LIMIT)
    }

    fn tell_why_unseen(&mut self) {
        let Some(port) = self.port.as_ref().map(|port| port.port) else { return };
        let why = match self.asked.as_ref().map(|asked| &asked.who) {
            None | Some(Who::Nobody) => "nobody on this machine does".to_owned(),
            Some(Who::Several(n)) => format!("{n} processes do"),
            Some(Who::Holder(name)) => format!("{name} does, for another"),
            Some(Who::Unseen | Who::One(_)) => "that is another user's process, or one in a container".to_owned(),
        };
        self.tell(format!(
            "no process is the gateway's by listening on port {port}: {why}; its memory and descriptors are taken from its \
             metrics, unless S2_GATEWAY_PID names a process"
        ));
    }

    /// Tells the log what it was not told last.
    fn tell(&mut self, what: String) {
        if self.told != what {
            tracing::info!("{what}");
            self.told = what;
        }
    }
}

impl Who {
    fn look(&self, processes: &mut Processes) -> Option<(u32, ProcessView)> {
        match self {
            Self::One(holding) => Some((holding.pid, processes.look(holding.pid)?)),
            _ => None,
        }
    }
}
