//! Why there is too little: what a person needs to know who reads that a KPI is unproven.

use crate::{
    catalog::Kpi,
    journal::{Counter, EndReason},
    judge::{Digest, Judgement, Scope, kpi::chaos, record::story::SourceStory, verdict::assessment::Assessment},
    plan::{Plan, moment},
};

/// Concludes findings. Where there are too few samples, the cause is said.
pub(in crate::judge) fn conclude(found: Assessment, plan: &Plan, digest: &Digest) -> Judgement {
    found.conclude(|known| of_lack(known, plan, digest))
}

/// The cause of a lack of samples, in words: first the end of the session where it came early, then what the judge
/// knows of its source, then holes.
fn of_lack(known: Option<String>, plan: &Plan, digest: &Digest) -> String {
    let early = of_early_end(plan, digest);
    if let (true, Some(early)) = (digest.is_empty(), &early) {
        return early.clone();
    }
    let mut causes: Vec<String> = early.into_iter().chain(known).collect();
    if let Some((from_ms, to_ms, why)) = digest.story.holes.first() {
        causes.push(format!("nothing was played from {} to {}: {why}", moment(*from_ms), moment(*to_ms)));
    }
    if causes.is_empty() { "fewer samples than the plan promised".to_owned() } else { causes.join("; ") }
}

/// Why the session stopped before its plan was played; none where it was played.
pub(in crate::judge) fn of_early_end(plan: &Plan, digest: &Digest) -> Option<String> {
    if digest.is_empty() {
        return Some("the record is empty: the session never began".to_owned());
    }
    let Some(end) = digest.end() else {
        let reached = moment(digest.scenario_ms());
        return Some(format!("the record stops at {reached} without an end: the session died, or is still running"));
    };
    let at = moment(end.at_ms);
    match (end.reason, digest.fatal()) {
        (EndReason::Played, _) if end.at_ms < plan.duration_ms / 100 * 99 => {
            Some(format!("the session says that it played the plan, and ended at {at}"))
        }
        (EndReason::Played, _) => None,
        (EndReason::Fatal, Some(message)) => Some(format!("the session stopped at {at}: {message}")),
        (EndReason::Fatal, None) => Some(format!("the session stopped at {at} by a fatal error that it did not name")),
        (EndReason::Abandoned, _) => Some(format!("the session stopped at {at}: no trial was waiting for it any more")),
        (EndReason::Deadline, _) => Some(format!("the session stopped at {at}: its master deadline passed")),
        (EndReason::Signal, _) => Some(format!("the session stopped at {at}: it was asked to by a signal")),
    }
}

/// What a source answered when it last did not answer as it should: "GET /health answered 404 (12 times)". `route` is what
/// the contract calls it.
pub(in crate::judge) fn of_source(route: &str, digest: &Digest) -> Option<String> {
    digest.story.sources.get_key_value(&*digest.route(route)).map(told)
}

/// The same of a process that was looked at.
pub(in crate::judge) fn of_process(digest: &Digest) -> Option<String> {
    digest.story.sources.iter().find(|(source, _)| source.starts_with("process ")).map(told)
}

fn told((source, story): (&String, &SourceStory)) -> String {
    let (count, whence) =
        if story.steady_count > 0 { (story.steady_count, "") } else { (story.count, ", in chaos windows only") };
    let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
    format!("{source} answered {} ({times}{whence})", story.answer)
}

/// Why the gateway's metrics do not say something: scrapes that failed, or names that they lack.
pub(in crate::judge) fn of_scrapes(names: &[&str], digest: &Digest) -> Option<String> {
    let scrapes = digest.counter(Counter::Scrapes, Scope::All);
    let failed_of =
        |scope| digest.counter(Counter::Scrapes, scope).saturating_sub(digest.counter(Counter::ScrapesOk, scope));
    let failed = failed_of(Scope::All);
    // Those that S2 disturbed itself, and a few others, leave enough samples for every KPI, and are no cause.
    let decides = failed_of(Scope::Steady).saturating_mul(10) > digest.counter(Counter::Scrapes, Scope::Steady);
    let answered = digest.story.sources.get_key_value(&*digest.route("GET /metrics"));
    let failure = answered
        .filter(|_| failed > 0)
        .map(|(source, story)| format!("{source} answered {} ({failed} of {scrapes} scrapes)", story.answer));
    let lacks = |name: &&&str| digest.story.missing_metrics.contains(**name);
    let missing: Vec<&str> = names.iter().filter(lacks).copied().collect();
    // A name may be there, and be of no use: then the source has said why.
    let said = answered.filter(|_| !decides).map_or_else(String::new, |(_, story)| format!(" ({})", story.answer));
    let missing = (!missing.is_empty()).then(|| format!("the metrics lack {}{said}", missing.join(", ")));
    let unscraped = (scrapes == 0).then(|| "the metrics were never scraped".to_owned());
    let others = [missing, unscraped].into_iter().flatten();
    let causes: Vec<String> = if decides { failure.into_iter().chain(others).collect() } else { others.collect() };
    (!causes.is_empty()).then(|| causes.join("; "))
}

/// What the routes answered that a KPI has its samples from, where they did not answer as they should.
pub(in crate::judge) fn of_routes(kpi: Kpi, plan: &Plan, digest: &Digest) -> Option<String> {
    let told = |route: &&str| {
        let route = digest.route(route);
        let story = digest.story.routes.get(&*route).or_else(|| digest.story.sources.get(&*route))?;
        Some(format!("{route} answered {} (last at {})", story.answer, moment(story.last_ms)))
    };
    let mut causes: Vec<String> = kpi.spec().routes.iter().filter_map(told).collect();
    if matches!(kpi, Kpi::ChaosRecovery | Kpi::ErrorRateChaos) {
        causes.extend(chaos::in_words(&chaos::unproven_events(plan, digest)));
    }
    (!causes.is_empty()).then(|| causes.join("; "))
}
