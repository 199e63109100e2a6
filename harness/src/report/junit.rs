//! The results as a JUnit file, also for a job that is killed: nextest writes its own only at the end.
//!
//! JUnit has no pending: a pending judgement is a failure of the type `unproven`, and not green.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite, XmlString};

use super::{FileInput, failure_text, number::seconds, rounded};
use crate::{
    catalog::{Suite, Target},
    journal::one_line,
    results::{Row, Status},
};

/// The results as JUnit: a suite with a case for each trial, under the trial's name and with the text of its failure.
pub(crate) fn junit_xml(input: &FileInput<'_>) -> String {
    let FileInput { header, results, timeline, folder, .. } = *input;
    let mut suite = TestSuite::new(results.suite.name());
    // A time that does not parse is left out, and so is an invalid duration.
    suite.timestamp = header.started_at.parse().ok();
    suite.time = Duration::try_from_secs_f64(seconds(timeline.scenario_ms()) / header.plan.pace).ok();
    let end = timeline.end();
    for (name, value) in [
        ("finished", if end.is_some() { "yes" } else { "no" }.to_owned()),
        ("endReason", end.map(|end| in_camel_case(&end.reason)).unwrap_or_default()),
        ("startedAt", header.started_at.clone()),
        ("endedAt", end.map(|end| end.ended_at.clone()).unwrap_or_default()),
        ("scenarioMinutes", (timeline.scenario_ms() / 60_000).to_string()),
        ("plannedMinutes", (header.plan.duration_ms / 60_000).to_string()),
        ("pace", rounded(header.plan.pace).to_string()),
        ("seed", header.plan.seed.to_string()),
        ("gatewayUrl", header.gateway_url.clone()),
    ] {
        if !value.is_empty() {
            suite.add_property(property(name, &value));
        }
    }
    suite.add_test_cases(results.rows.iter().map(|row| case(row, results.suite, folder)));
    let mut report = Report::new("s2");
    (report.timestamp, report.time) = (suite.timestamp, suite.time);
    report.add_test_suite(suite);
    report.to_string().expect("text is written to memory")
}

fn case(row: &Row, suite: Suite, folder: &str) -> TestCase {
    let judgement = &row.judgement;
    let text = || failure_text(judgement, suite, folder);
    let (word, status) = match &row.status {
        Status::Waived(reason) => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(xml(&format!("waived: {}", one_line(reason))));
            ("waived", skipped)
        }
        Status::Pass => ("pass", TestCaseStatus::success()),
        Status::Pending | Status::Unproven => ("unproven", failure("unproven", &text())),
        Status::Fail => ("fail", failure("fail", &text())),
    };
    let mut case = TestCase::new(judgement.kind.trial_name(suite, &judgement.name), status);
    case.set_classname("s2::soak");
    if let Some(value) = judgement.value {
        case.add_property(property("value", &rounded(value).to_string()));
    }
    case.add_property(property("unit", &in_camel_case(&judgement.unit)));
    case.add_property(property("target", &comparison(judgement.target)));
    case.add_property(property("samples", &judgement.samples.to_string()));
    case.add_property(property("promised", &judgement.promised.to_string()));
    case.add_property(property("verdict", word));
    case
}

/// Most viewers list the message, which is the first line of the text.
fn failure(kind: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(kind).set_message(xml(text.lines().next().unwrap_or_default())).set_description(xml(text));
    status
}

fn property(name: &str, value: &str) -> Property {
    Property::new(name, xml(value))
}

/// A target for machines: `<= 1200`.
fn comparison(target: Target) -> String {
    let sign = match target {
        Target::AtLeast(_) => ">=",
        Target::AtMost(_) => "<=",
        Target::Below(_) => "<",
    };
    format!("{sign} {}", rounded(target.limit()))
}

/// A word in the spelling of the results.
fn in_camel_case(word: &impl serde::Serialize) -> String {
    let json = serde_json::to_value(word).ok();
    json.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// Text that is valid in XML 1.0. The library removes controls, but not these two noncharacters.
fn xml(text: &str) -> XmlString {
    XmlString::new(text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}"))
}

#[cfg(test)]
mod tests {
    use roxmltree::{Document, Node};

    use super::*;
    use crate::{
        catalog::{Kpi, Suite},
        journal::{Counter, Finding},
        judge::{
            Verdict,
            fixtures::{
                sick::{sick, take},
                soak::Soak,
            },
        },
        report::fixture::{rendered, waiving},
        results::{Stage, Waivers},
        snapshots::assert_snapshot,
    };

    fn junit(soak: &Soak, waivers: &Waivers, stage: Stage) -> String {
        rendered(soak, waivers, stage, junit_xml)
    }

    fn cases<'a>(document: &'a Document<'a>) -> impl Iterator<Item = Node<'a, 'a>> {
        document.descendants().filter(|node| node.has_tag_name("testcase"))
    }

    fn property<'a>(of: Node<'a, 'a>, name: &str) -> Option<&'a str> {
        let properties = of.children().find(|child| child.has_tag_name("properties"))?;
        properties.children().find(|property| property.attribute("name") == Some(name))?.attribute("value")
    }

    #[test]
    fn the_junit_file_has_a_case_for_every_trial_with_its_text_and_figures() {
        let waivers = waiving(Kpi::RssDrift, "until 4711 is fixed");
        assert_snapshot("junit", &junit(&sick(Kpi::StartToLogP99), &waivers, Stage::Over));
    }

    #[test]
    fn a_soak_that_has_ended_has_the_verdicts_of_its_judge() {
        for soak in [Soak::healthy(Suite::Smoke), sick(Kpi::SseGaps)] {
            let text = junit(&soak, &Waivers::default(), Stage::Over);
            let document = Document::parse(&text).unwrap();
            let verdicts = soak.judge();
            assert_eq!(verdicts.iter().count(), cases(&document).count());
            for (judgement, case) in verdicts.iter().zip(cases(&document)) {
                let failure = case.children().find(|child| child.has_tag_name("failure"));
                assert_eq!(judgement.verdict == Verdict::Pass, failure.is_none(), "{}", judgement.name);
                assert_eq!(Some(in_camel_case(&judgement.verdict).as_str()), property(case, "verdict"));
            }
            let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
            assert_eq!((Some("yes"), Some("played")), (property(suite, "finished"), property(suite, "endReason")));
        }
    }

    #[test]
    fn a_soak_that_goes_on_has_nothing_green_and_says_that_it_has_not_finished() {
        for minute in [1, 60, 119, 120] {
            let soak = Soak::healthy(Suite::Full).cut_at(minute * 60_000);
            let text = junit(&soak, &Waivers::default(), Stage::Playing);
            let document = Document::parse(&text).unwrap();
            for case in cases(&document) {
                let failure = case.children().find(|child| child.has_tag_name("failure"));
                let kind = failure.and_then(|failure| failure.attribute("type"));
                assert_eq!(Some("unproven"), kind, "{:?} at minute {minute}", case.attribute("name"));
            }
            let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
            assert_eq!((Some("no"), None), (property(suite, "finished"), property(suite, "endReason")));
        }
        let text = junit(&Soak::healthy(Suite::Full).cut_at(119 * 60_000), &Waivers::default(), Stage::Playing);
        assert!(text.contains("availability is 100 % so far, and is unproven: the soak goes on"), "{text}");
        // What is bad already is told from that.
        let text = junit(&sick(Kpi::SseGaps).cut_at(60 * 60_000), &Waivers::default(), Stage::Playing);
        let document = Document::parse(&text).unwrap();
        let failed = cases(&document).filter(|case| property(*case, "verdict") == Some("fail"));
        assert_eq!(vec![Some("full::kpi::sse_gaps")], failed.map(|case| case.attribute("name")).collect::<Vec<_>>());
    }

    #[test]
    fn a_record_without_an_end_is_never_green_as_a_whole() {
        for minute in [1, 60, 119, 120] {
            let soak = Soak::healthy(Suite::Full).cut_at(minute * 60_000);
            let text = junit(&soak, &Waivers::default(), Stage::Over);
            assert!(!text.contains(r#"failures="0""#), "minute {minute}: {text}");
        }
    }

    #[test]
    fn a_gateway_forges_no_element_and_breaks_no_file() {
        let forged = "x\u{1b}[2J\u{0}\u{8}\u{b}\u{fffe}\u{ffff}]]></failure></testcase><testcase name=\"forged\">\
                      <!-- & &#0; &forged; \"'\r\n\u{85}\u{2028}";
        let mut soak = Soak::healthy(Suite::Full);
        take(soak.minute(41), Counter::TamperedRejected, 1);
        soak.happens(3_660_000, Finding::TamperAccepted { version: forged.into(), answer: forged.into() });
        let waivers = waiving(Kpi::RssDrift, forged);
        let text = junit(&soak, &waivers, Stage::Over);
        let document = Document::parse(&text).unwrap();
        assert!(cases(&document).all(|case| case.attribute("name") != Some("forged")), "{text}");
        let told = document.descendants().filter_map(|node| node.text()).filter(|told| told.contains("forged")).count();
        assert!(told > 0 && !text.chars().any(|c| c != '\n' && c.is_control()), "{text}");
    }
}
