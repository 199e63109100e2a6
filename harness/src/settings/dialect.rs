//! Reads and checks a dialect's file over the one that it extends. Each problem has its line.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use super::{
    dialect_calls::{call, codes, headers},
    dialect_events::{events, states},
    dialect_limits::limits,
    dialect_metrics::metrics,
    problem::Problems,
    spans::Spans,
    table::TableReader,
};
use crate::{
    catalog::CallName,
    gateway::dialect::{BUILT_IN, BUILT_IN_NAME, Dialect},
};

/// Limit of files that extend one another.
const DEPTH_MAX: usize = 4;

/// The contract.
///
/// # Panics
/// Never: it is part of the program, and a test reads it.
#[must_use]
pub fn built_in_dialect() -> Dialect {
    let problems = Problems::default();
    let table = BUILT_IN.parse::<Table>().expect("the built-in dialect is TOML");
    let mut dialect = dialect(BUILT_IN_NAME, BUILT_IN_NAME, table, &problems);
    dialect.places = Spans::of(BUILT_IN).places(BUILT_IN_NAME);
    problems.none().expect("the built-in dialect is right");
    dialect
}

/// Reads a dialect by name or path. Problems have their lines.
pub(super) fn read(name_or_path: &str, folder: &Path, problems: &Problems) -> Option<Dialect> {
    if name_or_path == BUILT_IN_NAME {
        return Some(built_in_dialect());
    }
    let path = folder.join(name_or_path);
    let own = Problems::default();
    let shown = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
    let Some((table, spans, places)) = merged(&path, &shown, DEPTH_MAX, &own) else {
        problems.take_over(own, &Spans::default());
        return None;
    };
    let mut dialect = dialect(name_or_path, &shown, table, &own);
    dialect.places = places;
    problems.take_over(own, &spans);
    Some(dialect)
}

/// A file over the one it extends, with the file's lines and each key's place.
fn merged(
    path: &Path,
    shown: &str,
    depth: usize,
    problems: &Problems,
) -> Option<(Table, Spans, BTreeMap<String, String>)> {
    let problem = |key: &str, what: String| problems.add(shown, key, what);
    let right = format!("a dialect is `{BUILT_IN_NAME}` or a file, relative to the current folder");
    let text = fs::read_to_string(path).map_err(|e| problem("", format!("{e}; {right}"))).ok()?;
    let table = text.parse::<Table>().map_err(|e| problem("", format!("is not TOML: {}", e.to_string().trim_end())));
    let mut table = table.ok()?;
    let extends = match table.remove("extends") {
        None => BUILT_IN_NAME.to_owned(),
        Some(Value::String(name)) => name,
        Some(other) => {
            problem("extends", format!("is {other}; it should be `{BUILT_IN_NAME}` or a file"));
            return None;
        }
    };
    let (base, mut places) = if extends == BUILT_IN_NAME {
        let base = BUILT_IN.parse::<Table>().expect("the built-in dialect is TOML");
        (base, Spans::of(BUILT_IN).places(BUILT_IN_NAME))
    } else if depth == 0 {
        problem("extends", format!("goes on for over {DEPTH_MAX} files: do they extend one another?"));
        return None;
    } else {
        let base: PathBuf = path.parent().unwrap_or(Path::new(".")).join(&extends);
        let (base, _, places) = merged(&base, &base.display().to_string(), depth - 1, problems)?;
        (base, places)
    };
    let spans = Spans::of(&text);
    places.extend(spans.places(shown));
    Some((over(base, table), spans, places))
}

/// Merges two tables: a value in `with` replaces the one in `base`; nested tables are merged in the same way.
fn over(mut base: Table, with: Table) -> Table {
    // A call with a path is there, even where it is absent in the base.
    if with.contains_key("path") {
        base.remove("absent");
    }
    for (key, value) in with {
        let value = match (base.remove(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => Value::Table(over(below, above)),
            (_, value) => value,
        };
        base.insert(key, value);
    }
    base
}

fn dialect(name: &str, file: &str, table: Table, problems: &Problems) -> Dialect {
    let mut file = TableReader::new(file, table, problems);
    let headers = file.within("headers", headers);
    let calls = file.within("calls", |calls| {
        CallName::ALL.iter().map(|name| (*name, calls.within(name.name(), |table| call(table, *name)))).collect()
    });
    let (states, refused_states) = file.within("run_states", states);
    let dialect = Dialect {
        name: name.to_owned(),
        headers,
        calls,
        states,
        refused_states,
        codes: file.within("answers", codes),
        limits: file.within("limits", limits),
        events: file.within("events", events),
        metrics: file.within("metrics", metrics),
        places: BTreeMap::new(),
    };
    if dialect.absence(CallName::LogsStream).is_some() && dialect.absence(CallName::RunLogsStream).is_some() {
        let what = "is absent, and so is `calls.run_logs_stream`: one of them S2 cannot do without";
        file.problem("calls.logs_stream", what);
    }
    let creates = dialect.call(CallName::CreateRun);
    if creates.is_some_and(|spec| !spec.has_place("id") && !spec.pointers.contains_key("id")) {
        file.problem("calls.create_run.id", "is missing: no {id} is sent, so it must say where the gateway's is");
    }
    file.done();
    dialect
}
