//! How a gateway is disturbed: by a call of its own, by a command, by a proxy before it, or not at all.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use super::table::TableReader;
use crate::{
    catalog::{CallName, Chaos, Kpi, Workload},
    gateway::Dialect,
    plan::{Lever, Unsupported},
};

/// How long a command may take.
const COMMAND_TIMEOUT: RangeInclusive<Duration> = RangeInclusive::new(Duration::from_secs(1), Duration::from_secs(600));
const COMMAND_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
const ARGUMENTS_MAX: usize = 64;

/// The lever of an event, as `[w6_light_chaos.<event>]` has it.
pub(super) fn lever(mut table: TableReader<'_>, chaos: Chaos) -> Option<Lever> {
    let kind = table.text("lever");
    let (program, reason) = (table.text("program"), table.text("reason"));
    let arguments = table.words("arguments").unwrap_or_default();
    let timeout = table.duration("timeout", COMMAND_TIMEOUT, COMMAND_TIMEOUT_DEFAULT);
    let jitter = table.duration("jitter", Duration::ZERO..=Duration::from_secs(10), Duration::ZERO);
    if arguments.len() > ARGUMENTS_MAX {
        table.problem("arguments", format!("are {}; there may be {ARGUMENTS_MAX}", arguments.len()));
    }
    let lever = match kind.as_deref() {
        None => {
            if program.is_some() || reason.is_some() {
                table.problem("lever", "is missing; it should be http, command, proxy or none");
            }
            None
        }
        Some("http") => Some(Lever::Http),
        Some("command") => match program.filter(|program| !program.is_empty()) {
            Some(program) => Some(Lever::Command { program, arguments, timeout }),
            None => {
                table.problem("program", "is missing; a command has a program, and `arguments`: no shell reads them");
                None
            }
        },
        Some("proxy") if chaos == Chaos::RedisRestart => {
            table.problem("lever", "is proxy, and no proxy before the gateway disturbs the store behind it");
            None
        }
        Some("proxy") => Some(Lever::Proxy { jitter }),
        Some("none") => match reason.filter(|reason| !reason.trim().is_empty()) {
            Some(reason) => Some(Lever::Not(reason.trim().to_owned())),
            None => {
                table.problem("reason", "is missing; say why, for whoever reads the results");
                None
            }
        },
        Some(other) => {
            table.problem("lever", format!("is {other:?}; it should be http, command, proxy or none"));
            None
        }
    };
    table.done();
    lever
}

/// Events without a lever are not injected, and without any event there is nothing to judge of chaos.
pub(super) fn add_unsupported(levers: &BTreeMap<Chaos, Lever>, dialect: &Dialect, unsupported: &mut Unsupported) {
    for chaos in Chaos::ALL {
        let why = match levers.get(chaos).unwrap_or(&Lever::Http) {
            Lever::Not(why) => Some(why.clone()),
            Lever::Http => dialect.absence(CallName::of_chaos(*chaos)).map(|why| {
                format!(
                    "the dialect {} has no {}: {why}; another lever may do",
                    dialect.name,
                    CallName::of_chaos(*chaos)
                )
            }),
            Lever::Command { .. } | Lever::Proxy { .. } => None,
        };
        if let Some(why) = why {
            unsupported.chaos.insert(*chaos, why);
        }
    }
    if unsupported.chaos.len() == Chaos::ALL.len() {
        let why = unsupported.chaos.iter().map(|(chaos, why)| format!("{chaos}: {why}")).collect::<Vec<_>>().join("; ");
        for kpi in [Kpi::ErrorRateChaos, Kpi::ChaosRecovery] {
            unsupported.kpis.insert(kpi, why.clone());
        }
        unsupported.workloads.insert(Workload::Chaos, why);
    }
}
