//! Why a judgement is unproven, in words.

use super::phrase::whole;
use crate::{
    history::Violation,
    journal::{EndReason, Gauge},
    judge::{LatePart, UnprovenReason},
    plan::moment,
};

const BUSY_MACHINE: &str = "that may be the machine that plays the load, not the gateway";

pub(super) fn unproven_reason(reason: &UnprovenReason) -> String {
    match reason {
        UnprovenReason::NeverBegan => "the record is empty: the session never began".to_owned(),
        UnprovenReason::EndMissing { reached_ms } => {
            let reached = moment(*reached_ms);
            format!("the record stops at {reached} without an end: the session died, or is still running")
        }
        UnprovenReason::EndedEarly { at_ms, reason, fatal } => ended_early(*at_ms, *reason, fatal.as_deref()),
        UnprovenReason::NothingPlayed { from_ms, to_ms, cause } => {
            format!("nothing was played from {} to {}: {cause}", moment(*from_ms), moment(*to_ms))
        }
        UnprovenReason::NoSamples => "the record has none".to_owned(),
        UnprovenReason::FewSamples => "fewer samples than the plan promised".to_owned(),
        UnprovenReason::RouteAnswered { route, answer, last_ms } => {
            format!("{route} answered {answer} (last at {})", moment(*last_ms))
        }
        UnprovenReason::ChaosUnproven(event) => {
            format!("{} {}", event.subject, event.answer.as_deref().unwrap_or_default())
        }

        UnprovenReason::LoadThrottled { throttled, requests, percent } => format!(
            "{throttled} of {requests} requests, {percent:.0} %, were throttled: the gateway's plan does not allow this load; \
             raise its limits, or lower the rates in soak.toml"
        ),
        UnprovenReason::LatenessUnmeasured { measured, started } => {
            format!("how late they were was measured for {measured} of {started} starts")
        }
        UnprovenReason::HarnessLate { part, quantile, value_ms, late_ms } => {
            let name = quantile * 100.0;
            let late = match part {
                LatePart::Starts => format!("was {late_ms:.0} ms late at the p{name:.0} of its starts"),
                LatePart::Reading => format!("read events {late_ms:.0} ms late at the p{name:.0}"),
            };
            format!("the p{name:.0} is {value_ms:.0} ms, and the harness itself {late}: {BUSY_MACHINE}")
        }
        UnprovenReason::EventsReadLate { late_ms } => {
            let late = whole(*late_ms);
            format!("events arrive late, and the harness itself read them {late} late at the p99: {BUSY_MACHINE}")
        }
        UnprovenReason::LogLinesMissing => "no run wrote a log line".to_owned(),

        UnprovenReason::GaugeUnmeasured { gauge } => format!("{gauge} was never measured out of chaos windows"),
        UnprovenReason::ClockUnread => "the gateway's clock was never read out of chaos windows".to_owned(),
        UnprovenReason::LivesTooShort { lives, minutes_min } => {
            let none = match lives {
                1 => "the process has not".to_owned(),
                _ => format!("none of the process's {lives} lives has"),
            };
            format!("{none} {minutes_min} steady minutes after its warm-up")
        }
        UnprovenReason::CountTooLow { gauge, before, from_ms, after, to_ms } => {
            let (from, to) = (moment(*from_ms), moment(*to_ms));
            let counted =
                if *gauge == Gauge::GatewayQueueDepth { "waiting runs" } else { "streams, less those that we hold," };
            format!(
                "the gateway's count of {counted} was {before:.0} at {from}, and is {after:.0} from {to} on: what it \
                 takes off too often hides what it never takes off"
            )
        }
        UnprovenReason::AnotherProcess { is_by_metrics, fewer, connections } => {
            let of = if *is_by_metrics { "that answers the metrics" } else { "that is read" };
            format!(
                "the process {of} has {fewer:.0} open descriptors fewer than S2 has connections to the gateway \
                 ({connections:.0} at last): it is not the process that serves them, or not the only one. \
                 S2_GATEWAY_PID names the right one, or its parent"
            )
        }
        UnprovenReason::ProcessesChanged { most, until_ms } => format!(
            "up to {most} processes answer the metrics in turn, and how many answer changed until {}: what one of them \
             holds may have been there before it was seen. calls.metrics.path in the dialect may name metrics that add \
             up all of them",
            moment(*until_ms)
        ),

        UnprovenReason::SearchesCut { searches, first } => {
            let times = if *searches == 1 { "a search".to_owned() } else { format!("{searches} searches") };
            format!("{times} did not show all that they found, first that for {}", answered(first))
        }
        UnprovenReason::InjectionsUnclear { injections, first } => format!(
            "{injections} prompt injections were accepted when their runs were created, and the runs did not succeed: \
             {}. If the safety layer did that, the dialect can say so: the word belongs into run_states.refused",
            answered(first)
        ),
        UnprovenReason::PiiRefused { runs, first } => format!(
            "{runs} runs with personal data were refused ({}). If that is how the gateway protects such data, the \
             dialect can say so: calls.create_run.personal_data = \"refused\"",
            answered(first)
        ),
    }
}

fn ended_early(at_ms: u64, reason: EndReason, fatal: Option<&str>) -> String {
    let at = moment(at_ms);
    let why = match (reason, fatal) {
        (EndReason::Played, _) => return format!("the session says that it played the plan, and ended at {at}"),
        (EndReason::Fatal, None) => {
            return format!("the session stopped at {at} by a fatal error that it did not name");
        }
        (EndReason::Fatal, Some(message)) => message,
        (EndReason::Abandoned, _) => "no trial was waiting for it any more",
        (EndReason::Deadline, _) => "its master deadline passed",
        (EndReason::Signal, _) => "it was asked to by a signal",
    };
    format!("the session stopped at {at}: {why}")
}

fn answered(first: &Violation) -> String {
    format!("{}: {}", first.subject, first.answer.as_deref().unwrap_or_default())
}
