//! The table of KPIs as Markdown, for the summary of a CI job: red first, and below it the texts of the failures.
//!
//! Data from a gateway stays plain text: table cells are escaped, and texts are in `<pre>`, which no Markdown
//! interprets.

use super::{failure_text, table};
use crate::{
    catalog::Suite,
    judge::Judged,
    results::{Results, Row, Status},
};

/// Upper bound with the texts of failures. GitHub takes 1 MiB a step, which may play several suites.
const BYTES_MAX: usize = 128 * 1024;

/// The results as Markdown. `folder` is the place where failures say to read on.
pub(crate) fn summary_markdown(results: &Results, folder: &str) -> String {
    let suite = results.suite;
    let mut rows = results.worst_first();
    // Workloads and checks are listed if they are red: without them a verdict on a gateway is worth nothing.
    rows.retain(|row| row.judgement.kind == Judged::Kpi || row.status.is_red());
    let counts: Vec<String> = results.counts().into_iter().map(|(_, count)| count).collect();
    let mut text = format!("### S2 {suite}: {}\n\n", counts.join(", "));
    text.push_str("| verdict | KPI | value | target | samples / promised |\n|---|---|---:|---:|---:|\n");
    for row in &rows {
        let kind = row.judgement.kind;
        let [name, value, target, samples, _] = table::cells(row).map(|cell| escaped(&cell));
        let name = if kind == Judged::Kpi { name } else { escaped(&kind.trial_name(suite, &name)) };
        text.push_str(&format!("| {} | {name} | {value} | {target} | {samples} |\n", status_word(&row.status)));
    }
    let reds: Vec<&Row> = rows.iter().filter(|row| row.status.is_red()).copied().collect();
    text.push_str(&texts(&reds, suite, folder));
    for (row, reason) in rows.iter().filter_map(|row| Some((row, row.status.waiver()?))) {
        let (name, reason) = (escaped(&row.judgement.name), escaped(&crate::journal::clip(reason)));
        text.push_str(&format!("\n{name} is waived: {reason}\n"));
    }
    text.push('\n');
    text
}

const fn status_word(status: &Status) -> &'static str {
    match status {
        Status::Fail => "🔴 **FAIL**",
        Status::Unproven => "🟠 **UNPROVEN**",
        Status::Pending => "🔵 pending",
        Status::Pass => "🟢 pass",
        Status::Waived(_) => "⚪ waived",
    }
}

fn texts(reds: &[&Row], suite: Suite, folder: &str) -> String {
    if reds.is_empty() {
        return String::new();
    }
    let mut text = "\n<details open><summary>What is red</summary>\n\n<pre>\n".to_owned();
    for (n, row) in reds.iter().enumerate() {
        let told = in_html(&failure_text(&row.judgement, suite, folder));
        if text.len() + told.len() > BYTES_MAX {
            text.push_str(&format!("… and {} more; the results have them\n", reds.len() - n));
            break;
        }
        // For some readers of Markdown a blank line would end the block.
        text.push_str(&told);
        text.push('\n');
    }
    text.push_str("</pre>\n\n</details>\n");
    text
}

fn in_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text in a cell: each character that means something to Markdown or HTML becomes a reference, which both show as the
/// character. An underscore within a word means nothing to Markdown, and names are full of it.
fn escaped(text: &str) -> String {
    let escaped = |c: char| match c {
        c if "&<>|`*[]()\\~!#@\"'$".contains(c) => format!("&#{};", u32::from(c)),
        c if c.is_control() => " ".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::Kpi,
        journal::{Counter, Finding},
        judge::{
            Note, Verdict, Verdicts,
            fixtures::{
                sick::{diagnosis, sick, take},
                soak::Soak,
            },
        },
        report::fixture::{FOLDER, waiving},
        results::Waivers,
        snapshots::assert_snapshot,
    };

    fn markdown(verdicts: &Verdicts, waivers: &Waivers) -> String {
        summary_markdown(&Results::new(Suite::Full, verdicts.clone(), waivers, |_| true), FOLDER)
    }

    #[test]
    fn the_summary_has_red_first_and_their_texts() {
        let verdicts = &diagnosis(Kpi::StartToLogP99).verdicts;
        let text = markdown(verdicts, &waiving(Kpi::RssDrift, "until 4711 is fixed"));
        assert_snapshot("summary_markdown", &text);
    }

    #[test]
    fn nothing_green_comes_before_anything_red() {
        let mut verdicts = diagnosis(Kpi::StartToLogP99).verdicts.clone();
        verdicts.kpis[20].verdict = Verdict::Unproven;
        verdicts.workloads[3].verdict = Verdict::Fail;
        let text = markdown(&verdicts, &Waivers::default());
        let words = ["| 🔴 **FAIL** |", "| 🟠 **UNPROVEN** |", "| 🟢 pass |"];
        let rank = |line: &str| words.iter().position(|word| line.starts_with(word));
        let ranks: Vec<usize> = text.lines().filter_map(rank).collect();
        let counts = [0, 1, 2].map(|rank| ranks.iter().filter(|it| **it == rank).count());
        // Of the workloads the red one.
        assert_eq!([3, 1, verdicts.kpis.len() + 1 - 4], counts, "{text}");
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
        let text = markdown(&soak.judge(), &waiving(Kpi::RssDrift, forged));
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
            judgement.evidence.notes = vec![Note::EventsHeldBack { stream: "<".repeat(10_000) }; 5];
        }
        verdicts.kpis.truncate(100);
        let text = markdown(&verdicts, &Waivers::default());
        assert!(text.len() < BYTES_MAX + 64 * 1024, "{}", text.len());
        assert!(text.contains("more; the results have them") && text.contains("</pre>"));
    }
}
