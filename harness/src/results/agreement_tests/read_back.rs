//! Reads the status of each judgement back from the text of each renderer, by the name of its trial.

use std::collections::BTreeMap;

use roxmltree::Document;
use serde_json::Value;

use crate::catalog::Suite;

/// The word of each status.
pub(crate) type Statuses = BTreeMap<String, String>;

/// The cases of a JUnit file. The element and the property of a case agree.
pub(crate) fn junit(text: &str) -> Statuses {
    let document = Document::parse(text).unwrap();
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
    let statuses = cases.map(|case| {
        let child = |name: &str| case.children().find(|child| child.has_tag_name(name));
        let of_element = match (child("failure"), child("skipped")) {
            (Some(failure), None) => failure.attribute("type").unwrap(),
            (None, Some(_)) => "waived",
            _ => "pass",
        };
        let verdict = case.descendants().find(|node| node.attribute("name") == Some("verdict")).unwrap();
        assert_eq!(Some(of_element), verdict.attribute("value"), "{case:?}");
        (case.attribute("name").unwrap().to_owned(), of_element.to_owned())
    });
    statuses.collect()
}

/// The judgements of a results file. Its summary agrees with them.
pub(crate) fn results_file(text: &str, suite: Suite) -> Statuses {
    let json: Value = serde_json::from_str(text).unwrap();
    let waived: Vec<&Value> = json["waived"].as_array().unwrap().iter().map(|waived| &waived["name"]).collect();
    let mut statuses = Statuses::new();
    for (kind, list) in [("kpi", "kpis"), ("workload", "workloads"), ("harness", "harness")] {
        for judgement in json[list].as_array().unwrap() {
            let is_waived = waived.contains(&&judgement["name"]);
            let word = if is_waived { "waived" } else { judgement["verdict"].as_str().unwrap() };
            statuses.insert(format!("{suite}::{kind}::{}", judgement["name"].as_str().unwrap()), word.to_owned());
        }
    }
    for (count, word) in [("passed", "pass"), ("failed", "fail"), ("unproven", "unproven"), ("waived", "waived")] {
        let counted = statuses.values().filter(|status| *status == word).count();
        assert_eq!(Some(counted as u64), json["summary"][count].as_u64(), "{count}");
    }
    let gravest = ["fail", "unproven", "pass"].into_iter().find(|word| statuses.values().any(|status| status == word));
    assert_eq!(gravest, json["summary"]["verdict"].as_str());
    statuses
}

/// The rows of a page's table of all that is judged. The classes, the badges and the red articles agree with them.
pub(crate) fn page(html: &str, suite: Suite) -> Statuses {
    let between = |text: &str, from: &str, to: &str| -> String {
        let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from} in {text}"));
        rest.split_once(to).unwrap().0.to_owned()
    };
    let rows = between(html, "All that is judged</caption>", "</table>");
    let mut statuses = Statuses::new();
    for row in rows.split("<tr class=\"").skip(1) {
        let word = row.split_once('"').unwrap().0;
        assert_eq!(word, between(row, "<span class=\"badge\">", "</span>"), "{row}");
        let name = between(row, "<th scope=\"row\"", "</th>");
        let name = name.rsplit_once('>').unwrap().1;
        let (kind, name) = name.split_once(' ').unwrap_or(("kpi", name));
        statuses.insert(format!("{suite}::{kind}::{name}"), word.to_owned());
    }
    let articles: Statuses = html
        .split("<article class=\"red ")
        .skip(1)
        .map(|article| {
            let id = between(article, "id=\"verdict-", "\"");
            let (kind, name) = id.split_once('-').unwrap();
            (format!("{suite}::{kind}::{name}"), article.split_once('"').unwrap().0.to_owned())
        })
        .collect();
    let is_red = |word: &String| word == "fail" || word == "unproven";
    let reds: Statuses = statuses.clone().into_iter().filter(|(_, word)| is_red(word)).collect();
    assert_eq!(reds, articles);
    statuses
}

/// The series of a scrape whose value is 1. Each judgement has exactly one.
pub(crate) fn prometheus(text: &str) -> Statuses {
    let mut statuses = Statuses::new();
    for line in text.lines().filter(|line| line.starts_with("s2_judgement_verdict{") && line.ends_with("} 1.0")) {
        let label = |name: &str| line.split_once(&format!("{name}=\"")).unwrap().1.split_once('"').unwrap().0;
        let trial = format!("{}::{}::{}", label("suite"), label("kind"), label(",name"));
        assert_eq!(None, statuses.insert(trial, label("verdict").to_owned()), "{line}");
    }
    statuses
}

/// The lines of the terminal's table.
pub(crate) fn table(text: &str, suite: Suite) -> Statuses {
    let rows = text.lines().skip(1).map(|line| {
        let mut words = line.split_whitespace();
        let (name, status) = (words.next().unwrap(), words.next_back().unwrap());
        (format!("{suite}::kpi::{name}"), status.to_lowercase())
    });
    rows.collect()
}

/// The rows of the Markdown table.
pub(crate) fn markdown(text: &str, suite: Suite) -> Statuses {
    let rows = text.lines().filter(|line| line.starts_with("| ")).skip(1).map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let word = cells[1].rsplit(' ').next().unwrap().trim_matches('*').to_lowercase();
        let name = if cells[2].contains("::") { cells[2].to_owned() } else { format!("{suite}::kpi::{}", cells[2]) };
        (name, word)
    });
    rows.collect()
}

/// The names that a block says are red. While a soak goes on, these are KPIs only.
pub(crate) fn block(lines: &[String], suite: Suite) -> Statuses {
    let reds = lines[1].split_once(" red: ").map_or("", |(_, reds)| reds);
    let names = reds.split(", ").filter(|name| !name.is_empty());
    names.map(|name| (format!("{suite}::kpi::{name}"), "fail".to_owned())).collect()
}
