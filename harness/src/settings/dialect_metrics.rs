//! The part of a dialect that describes metrics.

use std::collections::BTreeMap;

use toml::Table;

use super::{dialect_calls::is_pointer, table::TableReader};
use crate::gateway::dialect::{BUILT_IN, MetricNames};

/// The format of the metrics and their names.
pub(super) fn metrics(table: &mut TableReader<'_>) -> MetricNames {
    let is_json = table.choice("format", &[("prometheus", false), ("json", true)]);
    let known = contract_metrics();
    let mut absent = table.within("absent", |table| of_names(table, &known, |_, _, _| true));
    absent.retain(|_, why| !why.trim().is_empty());
    // An absent metric needs no name. The base's names lead nowhere in JSON: the preflight says so, with the names
    // there are.
    let is_right = |table: &TableReader<'_>, key: &str, name: &str| {
        !is_json || absent.contains_key(key) || name == key || is_pointer(table, key, name)
    };
    let names = table.within("names", |table| of_names(table, &known, is_right));
    MetricNames { is_json, names, absent }
}

/// The names of the contract's metrics.
fn contract_metrics() -> Vec<String> {
    let table = BUILT_IN.parse::<Table>().expect("the built-in dialect is TOML");
    let names = table["metrics"]["names"].as_table().map(|names| names.keys().cloned().collect());
    names.unwrap_or_default()
}

fn of_names(
    table: &mut TableReader<'_>,
    known: &[String],
    is_right: impl Fn(&TableReader<'_>, &str, &str) -> bool,
) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    for name in known {
        if let Some(text) = table.text(name)
            && is_right(table, name, &text)
        {
            said.insert(name.clone(), text);
        }
    }
    said
}
