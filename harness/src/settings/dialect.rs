//! A dialect's file, checked: what it extends, what it says otherwise, and the line of each thing that is wrong.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use http::{HeaderName, Method};
use serde_json::Value as Json;
use toml::{Table, Value};

use super::{
    problem::{Problems, SettingsError},
    spans::Spans,
    table::Reader,
};
use crate::gateway::dialect::{
    BUILT_IN, BUILT_IN_NAME, CallName, Dialect, EventKind, Events, Has, MetricNames, Spec, State, Template,
    places_of_json,
};

/// How many files may extend one another.
const DEPTH_MAX: usize = 4;
const PLACES_OF_HEADERS: [&str; 2] = ["workspace", "token"];

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

/// What stands in `with` counts; of tables, what stands in each.
fn over(mut base: Table, with: Table) -> Table {
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
    let mut file = Reader::new(file, table, problems);
    let headers = headers(file.table("headers"));
    let mut of_calls = file.table("calls");
    let calls = CallName::ALL.iter().map(|name| (*name, call(of_calls.table(name.name()), *name))).collect();
    of_calls.done();
    let dialect = Dialect {
        name: name.to_owned(),
        headers,
        calls,
        states: states(file.table("run_states")),
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
    if let Some(creates) = creates.filter(|spec| !spec.has_place("id") && !spec.pointers.contains_key("id")) {
        let _ = creates;
        file.problem("calls.create_run.id", "is missing: no {id} is sent, so it must say where the gateway's is");
    }
    file.done();
    dialect
}

fn headers(mut table: Reader<'_>) -> Vec<(HeaderName, Template)> {
    let mut headers: Vec<(HeaderName, Template)> = Vec::new();
    for key in table.keys() {
        let Some(text) = table.text(&key) else { continue };
        let Ok(name) = HeaderName::try_from(key.as_str()) else {
            table.problem(&key, "is no name that a header can have");
            continue;
        };
        let template = Template::read(&text);
        check_places(&table, &key, template.places(), &PLACES_OF_HEADERS);
        // What a file says comes after what its base says, and may write the same name in other letters. An empty one
        // takes the header away that the base has.
        headers.retain(|(before, _)| *before != name);
        if !text.is_empty() {
            headers.push((name, template));
        }
    }
    table.done();
    headers
}

/// Every place must be one that something is put into.
fn check_places<'a>(table: &Reader<'_>, key: &str, places: impl Iterator<Item = &'a str>, known: &[&str]) {
    for place in places.filter(|place| !known.contains(place)) {
        let known = known.iter().map(|known| format!("{{{known}}}")).collect::<Vec<_>>().join(", ");
        table.problem(key, format!("has a place {{{place}}}, which nothing is put into; here there are {known}"));
    }
}

fn call(mut table: Reader<'_>, name: CallName) -> Has {
    let absent = table.text("absent");
    let part_of = table.text("part_of");
    let method = table.text("method").unwrap_or_else(|| "GET".into());
    let path = table.text("path").unwrap_or_default();
    let body = table.text("body");
    let statuses = |table: &mut Reader<'_>, key: &str| table.statuses(key).unwrap_or_default();
    let [yes, refused, wait] = ["yes", "refused", "wait"].map(|key| statuses(&mut table, key));
    let own_headers = headers(table.table("headers"));
    let mut pointers = BTreeMap::new();
    for key in name.pointers() {
        if let Some(pointer) = table.text(key)
            && is_pointer(&table, key, &pointer)
        {
            pointers.insert(*key, pointer);
        }
    }
    let has = if let Some(why) = absent {
        if why.trim().is_empty() {
            table.problem("absent", "gives no reason; say why, for whoever reads the results");
        } else if name.is_indispensable() {
            table.problem("absent", "S2 cannot do without this call; whatever does the same is as good");
        }
        Has::Absent(why.trim().to_owned())
    } else if let Some(whole) = part_of {
        if name == CallName::StartRun && whole == CallName::CreateRun.name() {
            Has::PartOf(CallName::CreateRun)
        } else {
            table.problem("part_of", format!("is {whole:?}; only `start_run` may be part of another: of `create_run`"));
            Has::Absent(String::new())
        }
    } else {
        let places: Vec<&str> = ["workspace"].iter().chain(name.places()).copied().collect();
        let template = Template::read(&path);
        if !path.starts_with('/') {
            table.problem("path", format!("is {path:?}; it should begin with a slash"));
        }
        check_places(&table, "path", template.places(), &places);
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_else(|_| {
            table.problem("method", format!("is {method:?}; it should be GET, POST, PUT, PATCH or DELETE"));
            Method::GET
        });
        if name.is_stream() && method != Method::GET {
            table.problem("method", format!("is {method}; streams are opened with GET"));
        }
        for (key, statuses) in [("yes", &yes), ("refused", &refused), ("wait", &wait)] {
            if name.is_stream() && !statuses.is_empty() {
                let heeded =
                    "a stream is open where 200 and text/event-stream come, and 429 with Retry-After is heeded";
                table.problem(key, format!("is not for streams: {heeded}"));
            }
        }
        let body = body.filter(|body| !body.is_empty()).and_then(|text| json(&table, &text));
        check_places(
            &table,
            "body",
            body.iter().flat_map(places_of_json).collect::<Vec<_>>().iter().map(String::as_str),
            &places,
        );
        if yes.is_empty() && !name.is_stream() {
            table.problem("yes", "names no status; it should say which mean that all is well: [200]");
        }
        let route = format!("{method} {}", path.split('?').next().unwrap_or(&path));
        let headers = own_headers;
        Has::Call(Box::new(Spec { method, path: template, headers, body, yes, refused, wait, pointers, route }))
    };
    table.done();
    has
}

fn json(table: &Reader<'_>, text: &str) -> Option<Json> {
    serde_json::from_str(text).map_err(|e| table.problem("body", format!("is no JSON: {e}"))).ok()
}

/// RFC 6901: empty, or begins with a slash.
fn is_pointer(table: &Reader<'_>, key: &str, pointer: &str) -> bool {
    let is_right = pointer.is_empty() || pointer.starts_with('/');
    if !is_right {
        table.problem(key, format!("is {pointer:?}; a JSON pointer begins with a slash: \"/{pointer}\""));
    }
    is_right
}

fn states(mut table: Reader<'_>) -> BTreeMap<String, State> {
    let mut states = BTreeMap::new();
    for (key, state) in [
        ("waiting", State::Waiting),
        ("under_way", State::UnderWay),
        ("success", State::Success),
        ("failure", State::Failure),
    ] {
        for word in table.words(key).unwrap_or_default() {
            if states.insert(word.clone(), state).is_some_and(|before| before != state) {
                table.problem(key, format!("has {word:?}, which stands in another list too"));
            }
        }
    }
    if !states.values().any(|state| *state == State::Success) {
        table.problem("success", "names no word: no run would ever succeed");
    }
    table.done();
    states
}

fn events(mut table: Reader<'_>) -> Events {
    let [kind, run_id, timestamp, message, status, duration_ms] =
        ["type", "run_id", "timestamp", "message", "status", "duration_ms"].map(|key| {
            let pointer = table.text(key).unwrap_or_default();
            is_pointer(&table, key, &pointer);
            pointer
        });
    let mut words = BTreeMap::new();
    for (key, kind) in ["log", "end", "verdict", "decision"].into_iter().zip(EventKind::ALL) {
        for word in table.words(key).unwrap_or_default() {
            if words.insert(word.clone(), kind).is_some_and(|before| before != kind) {
                table.problem(key, format!("has {word:?}, which stands in another list too"));
            }
        }
    }
    let ids = table.text("ids").unwrap_or_default();
    if !["stream", "connection"].contains(&ids.as_str()) {
        table.problem("ids", format!("is {ids:?}; it should be \"stream\" or \"connection\""));
    }
    table.done();
    Events {
        kind,
        run_id,
        timestamp,
        message,
        status,
        duration_ms,
        words,
        ids_are_the_connections: ids == "connection",
    }
}

fn metrics(mut table: Reader<'_>) -> MetricNames {
    let format = table.text("format").unwrap_or_default();
    if !["prometheus", "json"].contains(&format.as_str()) {
        table.problem("format", format!("is {format:?}; it should be \"prometheus\" or \"json\""));
    }
    let is_json = format == "json";
    let known: Vec<String> = contract_metrics();
    let mut absent = of_names(table.table("absent"), &known, |_, _, _| true);
    absent.retain(|_, why| !why.trim().is_empty());
    let names = of_names(table.table("names"), &known, |table, key, name| {
        // What is absent needs no name. Where nothing is said the base's stands, which leads nowhere in JSON: the preflight
        // says so, with what there is.
        !is_json || absent.contains_key(key) || name == key || is_pointer(table, key, name)
    });
    table.done();
    MetricNames { is_json, names, absent }
}

/// The names of the contract's metrics.
fn contract_metrics() -> Vec<String> {
    let table = BUILT_IN.parse::<Table>().expect("the built-in dialect is TOML");
    let names = table["metrics"]["names"].as_table().map(|names| names.keys().cloned().collect());
    names.unwrap_or_default()
}

fn of_names(
    mut table: Reader<'_>,
    known: &[String],
    is_right: impl Fn(&Reader<'_>, &str, &str) -> bool,
) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    for name in known {
        if let Some(text) = table.text(name)
            && is_right(&table, name, &text)
        {
            said.insert(name.clone(), text);
        }
    }
    table.done();
    said
}
