//! The processes that the gateway's memory, descriptors and counts are of, and whether these can be believed.

use crate::{
    catalog::{Kpi, SampleSource},
    history::History,
    journal::Gauge,
    judge::{Note, UnprovenReason, stats::trend::median, verdict::assessment::Assessment},
};

/// The least descriptors of a process beyond our connections. With fewer, it is not the process that serves them.
const SURPLUS_MIN: f64 = -5.0;

pub(crate) fn note(found: &mut Assessment, kpi: Kpi, history: &History) {
    let processes = &history.timeline.lives;
    let (read, source) = (history.totals.gauge(Gauge::GatewayProcesses), kpi.spec().source);
    let is_of_processes = matches!(source, SampleSource::ProcessEach | SampleSource::ProcessSum);
    if let Some(total) = read.filter(|_| is_of_processes && !processes.read.is_empty()) {
        let most = Some(total.max).filter(|most| *most > 1.0);
        found.note(Note::ProcessesRead { read: processes.read.clone(), most });
    }
    if let Some(several) = processes.answering.filter(|_| source.is_metrics(read.is_some())) {
        found.note(Note::MetricsInTurn { processes: several.most, source });
    }
}

/// Why the growth of a gauge of the gateway cannot be believed; none where it can.
pub(crate) fn doubt(gauge: Gauge, is_met: bool, warm_up_ms: u64, history: &History) -> Option<UnprovenReason> {
    match gauge {
        // If a part of the gateway grows, the gateway grows.
        Gauge::GatewayRss if is_met => another_process(history),
        Gauge::GatewayFdSurplus => {
            another_process(history).or_else(|| changed(is_met, warm_up_ms, history).filter(|_| is_by_metrics(history)))
        }
        Gauge::GatewaySseSurplus | Gauge::GatewayQueueDepth => changed(is_met, warm_up_ms, history),
        _ => None,
    }
}

fn is_by_metrics(history: &History) -> bool {
    history.totals.gauge(Gauge::GatewayProcesses).is_none()
}

/// The process has fewer descriptors than we have connections to the gateway.
fn another_process(history: &History) -> Option<UnprovenReason> {
    // A journal without this gauge counted all of our descriptors.
    let connections = history.totals.gauge(Gauge::HarnessConnections)?.last;
    let floors = history.series.floors(Gauge::GatewayFdSurplus)?.by_life();
    let surplus = median(floors.iter().flat_map(|(_, floors)| floors).map(|floor| floor.1).collect())?;
    let (is_by_metrics, fewer) = (is_by_metrics(history), surplus.abs());
    (surplus < SURPLUS_MIN).then_some(UnprovenReason::AnotherProcess { is_by_metrics, fewer, connections })
}

/// The sum over several processes rose, and so did their number.
fn changed(is_met: bool, warm_up_ms: u64, history: &History) -> Option<UnprovenReason> {
    let several = history.timeline.lives.answering.filter(|several| !is_met && several.changed_ms > warm_up_ms)?;
    Some(UnprovenReason::ProcessesChanged { most: several.most, until_ms: several.changed_ms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Finding, Incident};
    use crate::{
        catalog::{Phase, Suite},
        journal::{GaugeSummary, Interval, Record},
        judge::Targets,
        plan::{Plan, Scenario},
    };

    const WARM_UP_MS: u64 = 600_000;

    /// A soak whose surplus of descriptors is such in each minute, and where several answered from some moments on.
    fn history(surplus: f64, of_connections: bool, by_processes: bool, several_at_ms: &[u64]) -> History {
        let plan = Plan::new(Suite::Full, &Scenario::default(), 1, 1.0);
        let mut history = History::new(&plan, &Targets::default().sample_limits());
        for minute in 0..60 {
            let mut interval = Interval::empty(minute * 60_000, minute * 60_000 + 10_000, Phase::Steady);
            interval.gauges.insert(Gauge::GatewayFdSurplus, GaugeSummary::of(surplus));
            if of_connections {
                interval.gauges.insert(Gauge::HarnessConnections, GaugeSummary::of(31.0));
            }
            if by_processes {
                interval.gauges.insert(Gauge::GatewayProcesses, GaugeSummary::of(1.0));
            }
            history.absorb(&Record::Interval(Box::new(interval)));
        }
        for (n, at_ms) in several_at_ms.iter().enumerate() {
            let finding = Finding::SeveralAnswer { processes: u32::try_from(n).unwrap() + 2 };
            history.absorb(&Record::Incident(Incident { at_ms: *at_ms, phase: Phase::Steady, finding }));
        }
        history
    }

    #[test]
    fn a_process_with_far_fewer_descriptors_than_we_have_connections_is_not_the_gateway() {
        let few = history(-11.0, true, true, &[]);
        let another = Some(UnprovenReason::AnotherProcess { is_by_metrics: false, fewer: 11.0, connections: 31.0 });
        assert_eq!(another, doubt(Gauge::GatewayFdSurplus, true, WARM_UP_MS, &few));
        assert_eq!(another, doubt(Gauge::GatewayRss, true, WARM_UP_MS, &few));
        assert_eq!(another, doubt(Gauge::GatewayFdSurplus, false, WARM_UP_MS, &few));
        assert_eq!(None, doubt(Gauge::GatewayRss, false, WARM_UP_MS, &few), "what it has leaked it has leaked");
        assert_eq!(None, doubt(Gauge::GatewaySseSurplus, true, WARM_UP_MS, &few));
    }

    #[test]
    fn a_few_descriptors_more_or_fewer_say_nothing_and_nor_do_old_journals() {
        for (surplus, of_connections) in [(-3.0, true), (12.0, true), (-17.0, false)] {
            let history = history(surplus, of_connections, true, &[]);
            assert_eq!(None, doubt(Gauge::GatewayFdSurplus, false, WARM_UP_MS, &history), "{surplus}");
        }
    }

    #[test]
    fn a_sum_that_rose_when_another_process_was_seen_proves_no_growth() {
        let early = history(12.0, true, false, &[20_000, 400_000]);
        let late = history(12.0, true, false, &[20_000, 1_200_000]);
        for gauge in [Gauge::GatewaySseSurplus, Gauge::GatewayQueueDepth, Gauge::GatewayFdSurplus] {
            assert_eq!(None, doubt(gauge, false, WARM_UP_MS, &early));
            let changed = UnprovenReason::ProcessesChanged { most: 3, until_ms: 1_200_000 };
            assert_eq!(Some(changed), doubt(gauge, false, WARM_UP_MS, &late));
            assert_eq!(None, doubt(gauge, true, WARM_UP_MS, &late));
        }
        let read = history(12.0, true, true, &[1_200_000]);
        assert_eq!(
            None,
            doubt(Gauge::GatewayFdSurplus, false, WARM_UP_MS, &read),
            "the processes themselves were read"
        );
        assert_eq!(None, doubt(Gauge::GatewayRss, false, WARM_UP_MS, &late));
    }
}
