//! A dialect's file, checked: what it extends, what it says otherwise, and the line of each thing that is wrong.

use std::{
    cell::RefCell,
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
    problem::{Problems, SettingsError},
    spans::Spans,
    table::TableReader,
};
use crate::{
    catalog::CallName,
    gateway::dialect::{BUILT_IN, BUILT_IN_NAME, Dialect},
};

/// How many files may extend one another.
const DEPTH_MAX: usize = 4;

/// The contract.
///
/// # Panics
/// Never: it is part of the program, and a test reads it.
#[must_use]
pub fn built_in_dialect() -> Dialect {
    let problems = RefCell::new(Problems::default());
    let table = BUILT_IN.parse::<Table>().expect("the built-in dialect is TOML");
    let mut dialect = dialect(BUILT_IN_NAME, BUILT_IN_NAME, table, &problems);
    dialect.places = Spans::of(BUILT_IN).places(BUILT_IN_NAME);
    problems.into_inner().none().expect("the built-in dialect is right");
    dialect
}

/// Reads a dialect by name or path.
///
/// # Errors
/// With every problem there is, each with its line.
pub fn load_dialect(name_or_path: &str, folder: &Path) -> Result<Dialect, SettingsError> {
    let problems = RefCell::new(Problems::default());
    let read = read(name_or_path, folder, &problems);
    problems.into_inner().none()?;
    Ok(read.unwrap_or_else(built_in_dialect))
}

/// The same, where problems are gathered with others.
pub(super) fn read(name_or_path: &str, folder: &Path, problems: &RefCell<Problems>) -> Option<Dialect> {
    if name_or_path == BUILT_IN_NAME {
        return Some(built_in_dialect());
    }
    let path = folder.join(name_or_path);
    let own = RefCell::new(Problems::default());
    let shown = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
    let Some((table, spans, places)) = merged(&path, &shown, DEPTH_MAX, &own) else {
        problems.borrow_mut().take_over(own.into_inner(), &Spans::default());
        return None;
    };
    let mut dialect = dialect(name_or_path, &shown, table, &own);
    dialect.places = places;
    problems.borrow_mut().take_over(own.into_inner(), &spans);
    Some(dialect)
}

/// A file over what it extends.
fn merged(
    path: &Path,
    shown: &str,
    depth: usize,
    problems: &RefCell<Problems>,
) -> Option<(Table, Spans, BTreeMap<String, String>)> {
    let problem = |key: &str, what: String| problems.borrow_mut().add(shown, key, what);
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) => {
            problem("", format!("{e}; a dialect is `{BUILT_IN_NAME}` or a file, relative to the current folder"));
            return None;
        }
    };
    let mut table = match text.parse::<Table>() {
        Ok(table) => table,
        Err(e) => {
            problem("", format!("is not TOML: {}", e.to_string().trim_end()));
            return None;
        }
    };
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
    // A call that is given a path is there, whatever the base says.
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

fn dialect(name: &str, file: &str, table: Table, problems: &RefCell<Problems>) -> Dialect {
    let mut file = TableReader::new(file, table, problems);
    let headers = headers(file.table("headers"));
    let mut of_calls = file.table("calls");
    let calls = CallName::ALL.iter().map(|name| (*name, call(of_calls.table(name.name()), *name))).collect();
    of_calls.done();
    let (states, refused_states) = states(file.table("run_states"));
    let dialect = Dialect {
        name: name.to_owned(),
        headers,
        calls,
        states,
        refused_states,
        codes: codes(file.table("answers")),
        limits: limits(file.table("limits")),
        events: events(file.table("events")),
        metrics: metrics(file.table("metrics")),
        places: BTreeMap::new(),
    };
    if dialect.absence(CallName::LogsStream).is_some() && dialect.absence(CallName::RunLogsStream).is_some() {
        file.problem(
            "calls.logs_stream",
            "is absent, and so is `calls.run_logs_stream`: one of them S2 cannot do without",
        );
    }
    let creates = dialect.call(CallName::CreateRun);
    if creates.is_some_and(|spec| !spec.has_place("id") && !spec.pointers.contains_key("id")) {
        file.problem("calls.create_run.id", "is missing: no {id} is sent, so it must say where the gateway's is");
    }
    file.done();
    dialect
}
