//! Levers of chaos: a gateway's own call, a command, a proxy in front of the gateway, or none.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use super::table::TableReader;
use crate::{
    catalog::{CallName, Chaos, Kpi, Workload},
    gateway::Dialect,
    plan::{Lever, Unsupported},
};

const COMMAND_TIMEOUT: RangeInclusive<Duration> = RangeInclusive::new(Duration::from_secs(1), Duration::from_secs(600));
const COMMAND_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
const ARGUMENTS_MAX: usize = 64;

/// The lever of an event, as `[w6_light_chaos.<event>]` has it.
pub(super) fn lever(table: &mut TableReader<'_>, chaos: Chaos) -> Option<Lever> {
    let kind = table.text("lever");
    let (program, reason) = (table.text("program"), table.text("reason"));
    let arguments = table.words("arguments");
    let timeout = table.duration("timeout", COMMAND_TIMEOUT, COMMAND_TIMEOUT_DEFAULT);
    let jitter = table.duration("jitter", Duration::ZERO..=Duration::from_secs(10), Duration::ZERO);
    if arguments.len() > ARGUMENTS_MAX {
        table.problem("arguments", format!("are {}; there may be {ARGUMENTS_MAX}", arguments.len()));
    }
    let wrong = |key: &str, what: &str| {
        table.problem(key, what);
        None
    };
    let right = "it should be http, command, proxy or none";
    match kind.as_deref() {
        None if program.is_some() || reason.is_some() => wrong("lever", &format!("is missing; {right}")),
        None => None,
        Some("http") => Some(Lever::Http),
        Some("command") => match program.filter(|program| !program.is_empty()) {
            Some(program) => Some(Lever::Command { program, arguments, timeout }),
            None => wrong("program", "is missing; a command has a program, and `arguments`: no shell reads them"),
        },
        Some("proxy") if chaos == Chaos::RedisRestart => {
            wrong("lever", "is proxy, and no proxy before the gateway disturbs the store behind it")
        }
        Some("proxy") => Some(Lever::Proxy { jitter }),
        Some("none") => match reason.filter(|reason| !reason.trim().is_empty()) {
            Some(reason) => Some(Lever::Not(reason.trim().to_owned())),
            None => wrong("reason", "is missing; say why, for whoever reads the results"),
        },
        Some(other) => wrong("lever", &format!("is {other:?}; {right}")),
    }
}

/// Adds the events without a lever; without any event, the workload and its KPIs too.
pub(super) fn add_unsupported(levers: &BTreeMap<Chaos, Lever>, dialect: &Dialect, unsupported: &mut Unsupported) {
    for chaos in Chaos::ALL {
        let why = match levers.get(chaos).unwrap_or(&Lever::Http) {
            Lever::Not(why) => Some(why.clone()),
            Lever::Http => {
                let (name, call) = (&dialect.name, CallName::of_chaos(*chaos));
                let why = dialect.absence(call);
                why.map(|why| format!("the dialect {name} has no {call}: {why}; another lever may do"))
            }
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
