//! The commands that make a change lasting.

use redis::{Arg, Cmd, cmd};

use super::keys::Keys;
use super::record::{json, micros, privacy, run_fields};
use crate::change::{Change, Outcome};
use crate::event::{Channel, Event};
use crate::runs::{Run, Runs, Status};

/// Commands that are written as one: either all of them or none.
#[derive(Default)]
pub(super) struct Commands(Vec<Cmd>);

impl Commands {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Cmd> {
        self.0.iter()
    }

    /// Each command after the number of its words, as the commit's script reads them.
    pub(super) fn add_to(&self, script: &mut Cmd) {
        for command in &self.0 {
            script.arg(command.args_iter().count());
            for word in command.args_iter() {
                if let Arg::Simple(word) = word {
                    script.arg(word);
                }
            }
        }
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    fn push(&mut self, command: &mut Cmd) {
        self.0.push(std::mem::take(command));
    }

    /// Returns the commands that a change needs.
    pub(super) fn of_change(change: &Change, runs: &Runs, keys: &Keys) -> Self {
        let mut commands = Self::default();
        let status = |run, status| std::mem::take(cmd("HSET").arg(keys.run(run)).arg("status").arg(json(&status)));
        match change {
            Change::Created(run) => {
                // It is there: it has not ended.
                let written = runs.change(run, |run| Self::of_run(run, keys));
                written.into_iter().for_each(|written| commands.append(written));
            }
            Change::Queued(run) => commands.0.push(status(run, Status::Queued)),
            Change::Begun(run, at) => {
                let mut begun = status(run, Status::Running);
                commands.push(begun.arg("started_at_us").arg(micros(*at)));
            }
            Change::Logged(run, line) => commands.push(cmd("RPUSH").arg(keys.run_logs(run)).arg(json(line))),
            Change::Judged(run) => commands.push(cmd("HSET").arg(keys.run(run)).arg("judged").arg("true")),
            Change::Shielded(run) => commands.push(cmd("HSET").arg(keys.run(run)).arg("shielded").arg("true")),
            Change::Ended(run, Outcome { status: how, output, at }) => {
                let mut ended = status(run, *how);
                ended.arg("completed_at_us").arg(micros(*at));
                if let Some(output) = output {
                    ended.arg("output").arg(json(output));
                }
                commands.0.push(ended);
                commands.push(cmd("SREM").arg(&keys.live).arg(&**run));
                commands.push(cmd("RPUSH").arg(&keys.ended).arg(&**run));
            }
            Change::Published(version) => commands.push(cmd("RPUSH").arg(&keys.versions).arg(json(version))),
            Change::Planned(workspace, plan) => commands.push(cmd("HSET").arg(&keys.plans).arg(workspace).arg(plan)),
            Change::Toggled(workspace, toggled) => {
                commands.push(cmd("HSET").arg(&keys.privacy).arg(workspace).arg(privacy(toggled)));
            }
            Change::Nothing => {}
        }
        commands
    }

    /// Returns the commands that keep an event, and that forget the oldest one beyond the capacity.
    pub(super) fn of_event(event: &Event, capacity: usize, keys: &Keys) -> Self {
        let mut commands = Self::default();
        let mut add = cmd("XADD");
        add.arg(&keys.events).arg("MAXLEN").arg("=").arg(capacity).arg(format!("{}-0", event.sequence));
        let channel = channel_name(event.channel);
        for (field, text) in
            [("channel", channel), ("workspace", &event.workspace), ("run", &event.run), ("event", event.content())]
        {
            add.arg(field).arg(text);
        }
        commands.0.push(add);
        commands
    }

    /// Returns the commands that keep a run that has not ended. They replace the data that was kept of it before.
    pub(super) fn of_run(run: &Run, keys: &Keys) -> Self {
        let mut commands = Self::default();
        commands.push(cmd("DEL").arg(keys.run(&run.id)).arg(keys.run_logs(&run.id)));
        commands.push(cmd("HSET").arg(keys.run(&run.id)).arg(run_fields(run)));
        commands.push(cmd("SADD").arg(&keys.live).arg(&*run.id));
        if !run.logs.is_empty() {
            let lines: Vec<_> = run.logs.iter().map(json).collect();
            commands.push(cmd("RPUSH").arg(keys.run_logs(&run.id)).arg(lines));
        }
        commands
    }
}

pub(super) fn channel_name(channel: Channel) -> &'static str {
    match channel {
        Channel::Logs => "logs",
        Channel::Guard => "guard",
    }
}
