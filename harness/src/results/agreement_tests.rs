//! All renderers agree: the JUnit file, the report, the results, the live page, the terminal, the Markdown summary and the numbers for
//! Prometheus show the same status of every judgement at every moment.
//!
//! Stored journals are folded minute by minute. At each minute everything is rendered twice: as of a soak that goes on, and as of one
//! whose session died there.

mod read_back;

use std::{collections::BTreeMap, fs, io::Read, path::Path};

use flate2::read::GzDecoder;
use read_back::{Statuses, block, junit, markdown, page, prometheus, results_file, table};

use super::{Results, Stage, Waivers};
use crate::{
    catalog::{Kpi, Phase, Workload},
    history::History,
    journal::{Header, Reader, Record},
    judge::Targets,
    plan::Unsupported,
    report::{
        self, FileInput, Glance, SoakStanding, TerminalLook, junit_xml, kpi_table, live_html, live_json,
        prometheus_text, report_html, results_json, summary_markdown,
    },
};

const MINUTE_MS: u64 = 60_000;

/// Waivers of each kind: by the settings, also of what fails; and for what the gateway does not support.
fn waivers() -> Waivers {
    let settings = [(Kpi::RunSuccess, "by <the> team".to_owned()), (Kpi::ErrorRateSteady, "known".to_owned())];
    let unsupported = Unsupported {
        kpis: [(Kpi::ClockDrift, "no clock".to_owned())].into(),
        workloads: [(Workload::Registry, "no registry".to_owned())].into(),
        ..Unsupported::default()
    };
    Waivers::new(settings.into(), unsupported)
}

/// Folds a stored journal, and looks at each minute. Gives the words of all statuses that were seen.
fn walk(name: &str) -> BTreeMap<&'static str, u32> {
    let stored =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/stored_journals").join(name).join("journal.ndjson.gz");
    let mut journal = tempfile::NamedTempFile::new().unwrap();
    std::io::copy(&mut GzDecoder::new(fs::File::open(stored).unwrap()).take(1 << 28), &mut journal).unwrap();
    let mut reader = Reader::open(journal.path()).unwrap();
    let Some(Record::Header(header)) = reader.next_record().unwrap() else { panic!("{name} has no header") };
    let targets = Targets::default();
    let mut history = History::of(&header, &targets.sample_limits());
    let (mut next_ms, mut seen) = (0, BTreeMap::new());
    while let Some(record) = reader.next_record().unwrap() {
        let at_ms = match &record {
            Record::Interval(interval) => interval.to_ms,
            Record::Incident(incident) => incident.at_ms,
            Record::Header(_) | Record::End(_) => u64::MAX,
        };
        if at_ms > next_ms {
            for stage in [Stage::Playing, Stage::Over] {
                compare(&header, &history, &targets, stage, &mut seen);
            }
            next_ms = (history.timeline.scenario_ms() / MINUTE_MS + 1) * MINUTE_MS;
        }
        history.absorb(&record);
    }
    compare(&header, &history, &targets, Stage::Over, &mut seen);
    assert!(next_ms >= header.plan.duration_ms, "{name} ends at {next_ms} ms");
    seen
}

fn compare(
    header: &Header,
    history: &History,
    targets: &Targets,
    stage: Stage,
    seen: &mut BTreeMap<&'static str, u32>,
) {
    let plan = &header.plan;
    let results = Results::of(plan, targets, history, &waivers(), stage);
    let glance = &Glance::at(plan, targets, history);
    let (series, timeline, folder) = (&history.charts, &history.timeline, "a/folder");
    let input = FileInput { header, results: &results, glance, series, timeline, targets, folder };
    let expected: Statuses = results
        .rows
        .iter()
        .map(|row| (row.judgement.kind.trial_name(results.suite, &row.judgement.name), row.status.word().to_owned()))
        .collect();
    for row in &results.rows {
        *seen.entry(row.status.word()).or_default() += 1;
    }
    let of = |is_shown: &dyn Fn(&str, &str) -> bool| -> Statuses {
        expected.iter().filter(|(name, word)| is_shown(name, word)).map(|(n, w)| (n.clone(), w.clone())).collect()
    };
    let is_kpi = |name: &str| name.contains("::kpi::");
    let is_red = |word: &str| ["fail", "unproven"].contains(&word);
    // JUnit and the results have three verdicts, and no word for what is pending.
    let of_three: Statuses =
        expected.iter().map(|(name, word)| (name.clone(), word.replace("pending", "unproven"))).collect();
    let live: serde_json::Value = serde_json::from_str(&live_json(&input)).unwrap();
    let suite = results.suite;
    for (renderer, shown, expected) in [
        ("JUnit", junit(&junit_xml(&input)), of_three.clone()),
        ("the results", results_file(&results_json(&input), suite), of_three),
        ("report.html", page(&report_html(&input), suite), expected.clone()),
        ("the live page", page(&live_html(&input), suite), expected.clone()),
        ("its updates", page(live["verdicts"].as_str().unwrap(), suite), expected.clone()),
        ("Prometheus", prometheus(&prometheus_text(&results, plan.duration_ms, history)), expected.clone()),
        ("the table", table(&kpi_table(&results, TerminalLook::PLAIN), suite), of(&|name, _| is_kpi(name))),
        (
            "Markdown",
            markdown(&summary_markdown(&results, "a/folder"), suite),
            of(&|name, word| is_kpi(name) || is_red(word)),
        ),
    ] {
        assert_eq!(expected, shown, "{renderer} at {} ms, {stage:?}", timeline.scenario_ms());
    }
    if stage == Stage::Playing {
        let at_ms = timeline.scenario_ms();
        let standing = SoakStanding { plan, at_ms, runs: 1, streams: 1, phase: Phase::Steady, results: &results };
        let reds = block(&report::block(&standing, TerminalLook::PLAIN), suite);
        assert_eq!(of(&|_, word| word == "fail"), reds, "the block at {at_ms} ms");
    }
    let counts: Vec<String> = results.counts().into_iter().map(|(_, count)| count).collect();
    let clock = live["clock"].as_str().unwrap();
    for count in &counts {
        assert!(clock.contains(&format!(">{count}</span>")), "{count} is not in {clock}");
    }
    let heading = format!("### S2 {suite}: {}\n", counts.join(", "));
    assert!(summary_markdown(&results, "").starts_with(&heading), "{heading}");
}

#[test]
fn renderers_agree_on_a_full_soak_with_defects() {
    let seen = walk("full_with_five_defects");
    assert_eq!(["fail", "pass", "pending", "unproven", "waived"], *seen.keys().copied().collect::<Vec<_>>());
}

#[test]
fn renderers_agree_on_a_smoke_soak() {
    let seen = walk("smoke_of_a_gateway_that_stood_still");
    assert!(seen.contains_key("fail") && seen.contains_key("waived"), "{seen:?}");
}
