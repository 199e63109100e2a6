//! Reasons why a judgement is red although its value does not say so, in words.

use super::{
    super::number::{self, rounded, with_unit},
    phrase::{joined, stood_still, whole},
};
use crate::{
    catalog::Kpi,
    judge::{Fault, LateEvents, LateStarts, Range},
    plan::moment,
};

pub(super) fn fault(fault: &Fault) -> String {
    match fault {
        Fault::HeartbeatsMissed => "not every heartbeat came within five seconds".to_owned(),
        Fault::RecordCut { at_ms } => format!("the record stops at {}", moment(*at_ms)),
        Fault::HolesTooLong { percent } => format!("holes take {percent:.1} % of the plan"),
        Fault::StartsMissed { started, planned } => format!("{started} of {planned} planned starts happened"),
        Fault::StartsLate { harm, stall } => {
            let cause = match stall {
                Some((until_ms, stalled_ms)) => stood_still(*until_ms, *stalled_ms),
                None => "is the machine busy with something else?".to_owned(),
            };
            format!("{}: {cause}", late_starts(harm))
        }
        Fault::StreamsReadLate { streams, kpis } => format!(
            "this machine read {streams} streams late, which {}: it needs more processors, or fewer streams",
            may_have_missed(kpis)
        ),
        Fault::WorkerGivenUp { at_ms, message } => {
            format!("its worker panicked too often, and was given up at {}: {message}", moment(*at_ms))
        }
        Fault::PanicsTooMany { panics, message } => {
            format!("its worker panicked {panics} times, the last time: {message}")
        }
        Fault::CyclesMissed => "not every cycle that was due took place".to_owned(),
        Fault::WorkerUnended => "its worker was not seen to end as planned".to_owned(),

        Fault::BucketUnbounded { source, lower_ms } => {
            format!("{source} has no bound above {lower_ms} ms, and it is over")
        }
        Fault::EventsSlower { source, at_most_ms, reported_ms } => {
            format!("{source} puts it at {at_most_ms} ms at most, and events say {reported_ms:.0} ms")
        }
        Fault::EventsArriveLate { source, at_most_ms, p99_ms, which, late_ms, ready_ms } => {
            let which = match which {
                LateEvents::OneInTen => "one in ten",
                LateEvents::OneInHundredOnAll => "one log line and one end of a run in a hundred on every stream",
            };
            format!(
                "{source} puts it at {at_most_ms} ms at most, and events arrive {} after their time, {which} later \
                 than {}, where /ready takes {} there and back: is there a proxy between us that buffers streams, or \
                 do events wait before the histogram counts them?",
                whole(*p99_ms),
                whole(*late_ms),
                whole(*ready_ms)
            )
        }
        Fault::EventsBehind { stream, late_ms, ready_ms, without_ms } => {
            let without =
                without_ms.map_or_else(String::new, |ms| format!(" (without it this would be {})", whole(ms)));
            format!(
                "stream {stream} shows one event in ten over {} later than the latest of several streams that show it \
                 before{without}, and /ready takes {} there and back: does something compress streams and hold events back until its buffer is \
                 full? It has to be flushed after every event, or to leave text/event-stream alone",
                whole(*late_ms),
                whole(*ready_ms)
            )
        }
        Fault::VersionsNotFound { not_found, published } => {
            format!("{not_found} of {published} did not appear in search while we looked")
        }
        Fault::NotRecovered { chaos, waited_ms, answer } => {
            format!("the gateway was not well {:.0} s after {chaos}: {answer}", number::seconds(*waited_ms))
        }
        Fault::RelapsedForGood { chaos, relapse } => {
            format!("the gateway was not seen to be well again after {chaos}: it {relapse}")
        }
        Fault::EventsForeign { events } => {
            format!("{events} events of runs of another workspace were shown, and no share of them is fine")
        }
        Fault::WindowMissed { phase, errors, requests, least_percent } => {
            format!("in the {phase} window {errors} of {requests} went wrong, {least_percent:.1} % at the least")
        }
        Fault::WindowsJudgedApart => "the other windows do not make up for that".to_owned(),
        Fault::Regressed { unit, limit, max_percent, then, now, worse_percent } => {
            let value = |value: f64| with_unit(&rounded(value).to_string(), *unit);
            let ranged = |(of, range): (f64, Option<Range>)| {
                let range = range.map_or_else(
                    || "no range".to_owned(),
                    |range| format!("{} to {}", rounded(range.low), value(range.high)),
                );
                format!("{} ({range})", value(of))
            };
            format!(
                "the target of {} is met, and the regression limit of {} % is not: {} then, {} now, worse by {:.0} %",
                value(*limit),
                rounded(*max_percent),
                ranged(*then),
                ranged(*now),
                worse_percent.unwrap_or(f64::INFINITY)
            )
        }
    }
}

fn late_starts(harm: &LateStarts) -> String {
    match harm {
        LateStarts::TooMany { late, starts, percent, limit_ms } => {
            format!("{late} of {starts} planned starts, {percent:.0} %, were more than {limit_ms} ms late")
        }
        LateStarts::StoodStill { percent, stalled_ms } => {
            let seconds = number::seconds(*stalled_ms);
            format!("for {percent:.0} % of the plan, {seconds:.0} s in all, nothing was started")
        }
        LateStarts::Decisive { kpis } => format!("planned starts were late, which {}", may_have_missed(kpis)),
    }
}

fn may_have_missed(kpis: &[Kpi]) -> String {
    format!("may be why {} missed the target", joined(kpis, " and ", Kpi::to_string))
}
