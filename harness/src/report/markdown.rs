//! The table of KPIs as Markdown, for the summary of a CI job: red first, and the texts of what is red below it.
//!
//! What a gateway said is text here and nothing else: in the table it is escaped, character by character, and the texts
//! stand in `<pre>`, in which Markdown is not looked for.

use super::{failure_text, table};
use crate::{
    catalog::Suite,
    judge::{Judged, Judgement, Verdict, Verdicts},
    plan::Unsupported,
};

/// Texts of failures are told while all of it stays below this; GitHub takes 1 MiB a step, and a step may play several
/// suites.
const BYTES_MAX: usize = 128 * 1024;

/// The verdicts on a suite as Markdown. `waived` says what is not judged, `folder` where failures say to read on.
#[must_use]
pub fn summary_markdown(suite: Suite, verdicts: &Verdicts, waived: &Unsupported, folder: &str) -> String {
    let mut told: Vec<(Rank, &Judgement)> =
        verdicts.iter().map(|judgement| (Rank::of(judgement, waived), judgement)).collect();
    // What is not a KPI is told of where it is red: a verdict on a gateway is worth as much as those.
    told.retain(|(rank, judgement)| judgement.kind == Judged::Kpi || rank.is_red());
    // Stable: within a rank the order is that of the table.
    told.sort_by_key(|(rank, _)| *rank);
    let mut text = format!("### S2 {suite}: {}\n\n", counts(verdicts, waived));
    text.push_str("| verdict | KPI | value | target | samples / promised |\n|---|---|---:|---:|---:|\n");
    for (rank, judgement) in &told {
        let [name, value, target, samples, _] = table::cells(judgement, waived).map(|cell| escaped(&cell));
        let name = if judgement.kind == Judged::Kpi { name } else { escaped(&judgement.kind.trial_name(suite, &name)) };
        text.push_str(&format!("| {} | {name} | {value} | {target} | {samples} |\n", rank.word()));
    }
    let reds: Vec<&Judgement> =
        told.iter().filter(|(rank, _)| rank.is_red()).map(|(_, judgement)| *judgement).collect();
    text.push_str(&texts(&reds, suite, folder));
    let waivers = told.iter().filter_map(|(_, judgement)| Some((&judgement.name, table::waiver(judgement, waived)?)));
    for (name, reason) in waivers {
        text.push_str(&format!("\n{} is waived: {}\n", escaped(name), escaped(&crate::journal::clip(reason))));
    }
    text.push('\n');
    text
}

/// The order in which a reader wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Fail,
    Unproven,
    Pass,
    Waived,
}

impl Rank {
    fn of(judgement: &Judgement, waived: &Unsupported) -> Self {
        match (table::waiver(judgement, waived), judgement.verdict) {
            (Some(_), _) => Self::Waived,
            (None, Verdict::Fail) => Self::Fail,
            (None, Verdict::Unproven) => Self::Unproven,
            (None, Verdict::Pass) => Self::Pass,
        }
    }

    const fn is_red(self) -> bool {
        matches!(self, Self::Fail | Self::Unproven)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Fail => "🔴 **FAIL**",
            Self::Unproven => "🟠 **UNPROVEN**",
            Self::Pass => "🟢 pass",
            Self::Waived => "⚪ waived",
        }
    }
}

/// `1 failed, 2 unproven, 30 passed, 1 waived`; what there is none of is left out, but for those that passed.
fn counts(verdicts: &Verdicts, waived: &Unsupported) -> String {
    let count = |wanted| verdicts.iter().filter(|judgement| Rank::of(judgement, waived) == wanted).count();
    let counts =
        [(Rank::Fail, "failed"), (Rank::Unproven, "unproven"), (Rank::Pass, "passed"), (Rank::Waived, "waived")];
    let counts = counts.map(|(rank, word)| (rank, count(rank), word));
    let told = counts.iter().filter(|(rank, count, _)| *count > 0 || *rank == Rank::Pass);
    told.map(|(_, count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

fn texts(reds: &[&Judgement], suite: Suite, folder: &str) -> String {
    if reds.is_empty() {
        return String::new();
    }
    let mut text = "\n<details open><summary>What is red</summary>\n\n<pre>\n".to_owned();
    for (n, judgement) in reds.iter().enumerate() {
        let told = in_html(&failure_text(judgement, suite, folder));
        if text.len() + told.len() > BYTES_MAX {
            text.push_str(&format!("… and {} more; the results have them\n", reds.len() - n));
            break;
        }
        // A blank line would be the end of it to some readers of Markdown.
        text.push_str(&told);
        text.push('\n');
    }
    text.push_str("</pre>\n\n</details>\n");
    text
}

/// Text in an element.
fn in_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text in a cell: what Markdown or HTML would read is written as a reference, which both show as the character.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '|' | '`' | '*' | '[' | ']' | '(' | ')' | '\\' | '~' | '!' | '#' | '@' | '"' | '\''
            | '$' => {
                escaped.push_str(&format!("&#{};", u32::from(c)));
            }
            // Within a word it means nothing to Markdown, and names are full of it.
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::Kpi,
        journal::{Counter, Finding},
        judge::fixtures::{
            sick::{diagnosis, sick, take},
            soak::Soak,
        },
        snapshots::assert_snapshot,
    };

    const FOLDER: &str = "target/soak/full-2026-11-23T10-00-00";

    fn waived(reason: &str) -> Unsupported {
        Unsupported { kpis: [(Kpi::RssDrift, reason.to_owned())].into(), ..Unsupported::default() }
    }

    #[test]
    fn the_summary_has_red_first_and_their_texts() {
        let verdicts = &diagnosis(Kpi::StartToLogP99).verdicts;
        let text = summary_markdown(Suite::Full, verdicts, &waived("until 4711 is fixed"), FOLDER);
        assert_snapshot("summary_markdown", &text);
    }

    #[test]
    fn nothing_green_comes_before_anything_red() {
        let mut verdicts = diagnosis(Kpi::StartToLogP99).verdicts.clone();
        verdicts.kpis[20].verdict = Verdict::Unproven;
        verdicts.workloads[3].verdict = Verdict::Fail;
        let text = summary_markdown(Suite::Full, &verdicts, &Unsupported::default(), FOLDER);
        let words = ["| 🔴 **FAIL** |", "| 🟠 **UNPROVEN** |", "| 🟢 pass |"];
        let rank = |line: &str| words.iter().position(|word| line.starts_with(word));
        let ranks: Vec<usize> = text.lines().filter_map(rank).collect();
        assert_eq!([3, 1, 22], [0, 1, 2].map(|rank| ranks.iter().filter(|it| **it == rank).count()), "{text}");
        assert!(ranks.is_sorted(), "{text}");
        assert!(text.contains("| full::workload::w4_safety_probes |"), "{text}");
    }

    #[test]
    fn a_gateway_forges_no_markup() {
        let forged =
            "x|`y`\n## forged <img src=x onerror=alert(1)> </pre></details> [a](b) **b** &amp;\r\n| 🟢 pass | a |";
        let mut soak = Soak::healthy(Suite::Full);
        take(soak.minute(41), Counter::TamperedRejected, 1);
        soak.happens(3_660_000, Finding::TamperAccepted { version: forged.into(), answer: forged.into() });
        let text = summary_markdown(Suite::Full, &soak.judge(), &waived(forged), FOLDER);
        assert!(text.contains("forged"), "{text}");
        assert!(!text.contains("<img") && !text.contains("\n## "), "{text}");
        assert_eq!((1, 1), (text.matches("</pre>").count(), text.matches("</details>").count()), "{text}");
        let rows = text.lines().filter(|line| line.starts_with('|')).count();
        assert_eq!(Kpi::ALL.len() + 2, rows, "{text}");
        let reason = text.lines().find(|line| line.contains("is waived")).unwrap();
        assert!(!reason.contains(['|', '`', '<', '>', '*', '[']), "{reason}");
    }

    #[test]
    fn a_summary_is_bounded_however_much_is_red() {
        let mut verdicts = sick(Kpi::SseGaps).judge();
        let red = verdicts.kpi(Kpi::SseGaps).unwrap().clone();
        verdicts.kpis = vec![red; 5_000];
        for judgement in &mut verdicts.kpis {
            judgement.evidence.notes = vec!["<".repeat(10_000); 5];
        }
        verdicts.kpis.truncate(100);
        let text = summary_markdown(Suite::Full, &verdicts, &Unsupported::default(), FOLDER);
        assert!(text.len() < BYTES_MAX + 64 * 1024, "{}", text.len());
        assert!(text.contains("more; the results have them") && text.contains("</pre>"));
    }
}
