//! Any metrics, written in any of the ways that the formats allow, are read as what they are.

use proptest::prelude::*;

use super::*;

/// A series: labels and a value.
type Series = (Vec<(String, String)>, f64);

fn blanks() -> impl Strategy<Value = String> {
    "[ \t]{0,3}"
}

/// Up to three labels with different names, with whatever text as values.
fn labels() -> impl Strategy<Value = Vec<(String, String)>> {
    let value =
        prop_oneof!["[a-z/{}=#,\"\\\\\n ]{0,8}", any::<String>().prop_map(|text| text.chars().take(8).collect())];
    prop::collection::btree_map("[a-z_][a-z0-9_]{0,4}", value, 0..4)
        .prop_map(|labels| labels.into_iter().filter(|(name, _)| name != "le").collect())
}

/// Metrics by name, each with series that differ in their labels.
fn metrics() -> impl Strategy<Value = BTreeMap<String, Vec<Series>>> {
    let name = prop_oneof!["[a-z_:][a-z0-9_:]{0,6}", "[a-zäß.{}\"\\\\\n# -]{1,6}"];
    let series = prop::collection::btree_map(labels(), -1e9..1e9, 1..4)
        .prop_map(|series| series.into_iter().collect::<Vec<Series>>());
    prop::collection::btree_map(name, series, 1..5)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Writes a sample with blanks where they are allowed.
fn write(name: &str, (labels, value): &Series, blanks: &[String], is_name_inside: bool) -> String {
    let blank = |at: usize| blanks[at % blanks.len()].as_str();
    let is_plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c));
    let is_inside = is_name_inside || !is_plain;
    let mut text = if is_inside { String::new() } else { name.to_owned() };
    let mut inside: Vec<String> =
        labels.iter().map(|(label, value)| format!("{label}{}={}{}", blank(0), blank(1), quoted(value))).collect();
    if is_inside {
        inside.insert(0, quoted(name));
    }
    if !inside.is_empty() {
        let separator = format!("{},{}", blank(2), blank(3));
        text.push_str(&format!("{}{{{}{}{}}}", blank(4), blank(5), inside.join(&separator), blank(6)));
    }
    format!("{}{text} {}{value}{}", blank(7), blank(8), blank(9))
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        metrics in metrics(),
        blanks in prop::collection::vec(blanks(), 1..10),
        is_name_inside in any::<bool>(),
        end in prop_oneof![Just("\n"), Just("\r\n"), Just("\n\n# comment\n")],
    ) {
        let lines = metrics.iter().flat_map(|(name, series)| series.iter().map(move |one| (name, one)));
        let text: String = lines.map(|(name, one)| write(name, one, &blanks, is_name_inside) + end).collect();
        let read = Exposition::read(&text).unwrap();
        prop_assert_eq!(&read.unread, &UnreadLines::default(), "{}", text);
        prop_assert!(read.unusable.is_empty(), "{:?} {}", read.unusable, text);
        for (name, series) in &metrics {
            let sum: f64 = series.iter().map(|(_, value)| value).sum();
            let value = read.value(name).unwrap_or(f64::NAN);
            prop_assert!((value - sum).abs() <= 1e-3, "{} is {}, not {}: {}", name, value, sum, text);
        }
    }

    #[test]
    fn no_text_is_too_odd(text in any::<String>(), line in "[a-z\"{}=#, \\\\\n0-9.eN+]{0,60}") {
        for text in [text.as_str(), line.as_str()] {
            let read = Exposition::read(text);
            let lines = text.matches('\n').count() + 1;
            prop_assert!(read.is_none_or(|read| read.unread.count <= lines && read.unread.first.len() <= 8));
        }
    }

    #[test]
    fn a_broken_line_changes_no_other(metrics in metrics(), broken in "[a-z]{1,4}(\\{[a-z=, ]{0,9}| [a-z]{1,4}| )", at in any::<prop::sample::Index>()) {
        let lines = metrics.iter().flat_map(|(name, series)| series.iter().map(move |one| (name, one)));
        let mut lines: Vec<String> = lines.map(|(name, one)| write(name, one, &[String::new()], false)).collect();
        let whole = Exposition::read(&lines.join("\n")).unwrap();
        prop_assume!(line::read(&broken).is_err());
        let at = at.index(lines.len() + 1);
        lines.insert(at, broken.clone());
        let read = Exposition::read(&lines.join("\n")).unwrap();
        prop_assert_eq!(read.unread.count, 1, "{:?}", read.unread);
        let broken_name: String = broken.chars().take_while(char::is_ascii_lowercase).collect();
        for (name, value) in whole.values.iter().filter(|(name, _)| **name != broken_name) {
            prop_assert_eq!(Some(*value), read.value(name));
        }
    }
}
