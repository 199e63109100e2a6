//! The architecture of the harness, read from its source: which module may import which, no circles, small files, one name for
//! one type.

#[path = "house/source.rs"]
mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use source::Library;

/// What each module may import, each beside the [`LEAVES`]. A module that is not here is an error.
const IMPORTS: [(&str, &[&str]); 17] = [
    ("catalog", &[]),
    ("child", &[]),
    ("clock", &[]),
    ("tcp", &[]),
    ("plan", &["catalog"]),
    ("journal", &["catalog", "plan"]),
    ("history", &["catalog", "plan", "journal"]),
    ("judge", &["catalog", "plan", "journal", "history"]),
    ("results", &["catalog", "plan", "history", "judge"]),
    ("report", &["catalog", "plan", "journal", "history", "judge", "results"]),
    ("streams", &["plan", "journal"]),
    ("proxy", &["clock"]),
    ("gateway", &["catalog", "clock", "plan", "journal", "streams"]),
    (
        "session",
        &[
            "catalog", "clock", "plan", "journal", "history", "judge", "results", "report", "streams", "proxy",
            "gateway",
        ],
    ),
    ("workload", &["catalog", "clock", "plan", "journal", "report", "streams", "proxy", "gateway", "session"]),
    ("settings", &["catalog", "plan", "judge", "gateway", "results", "report"]),
    (
        "runner",
        &[
            "catalog", "clock", "plan", "journal", "history", "judge", "results", "report", "streams", "gateway",
            "session", "workload", "settings",
        ],
    ),
];
/// Modules that depend on nothing, and that every module may use.
const LEAVES: [&str; 3] = ["child", "fuzzing", "tcp"];
/// Modules without clock, socket or task.
const PURE: [&str; 7] = ["catalog", "plan", "history", "judge", "results", "report", "streams"];
/// What these may not name.
const IMPURE: [&str; 2] = ["tokio", "hyper"];
/// The floors of the judges. Each imports those before it, and none imports what gathers them.
const FLOORS: [&str; 4] = ["judge::stats", "judge::verdict", "judge::kpi", "judge::checks"];
/// The lines of a file.
const LINES_MAX: usize = 400;

fn library() -> Library {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/src");
    Library::read(&root).unwrap_or_else(|error| panic!("{}: {error}", root.display()))
}

/// Modules that are not for tests alone.
fn product(library: &Library) -> impl Iterator<Item = &str> {
    library.modules.iter().filter(|(_, module)| !module.is_test).map(|(path, _)| path.as_str())
}

fn top(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

#[test]
fn imports_go_one_way() {
    let library = library();
    let mut wrong = Vec::new();
    for from in product(&library).filter(|from| !from.is_empty()) {
        let allowed = IMPORTS.iter().find(|(module, _)| *module == top(from)).map(|(_, allowed)| *allowed);
        let Some(allowed) = allowed else {
            wrong.push(format!("{from} is of a module that this test does not know"));
            continue;
        };
        for to in library.imports(from) {
            let is_right = top(&to) == top(from) || allowed.contains(&top(&to)) || LEAVES.contains(&top(&to));
            if !is_right && !to.is_empty() {
                wrong.push(format!("{from} imports {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn judges_stand_on_floors_and_statistics_know_nothing_of_soaks() {
    let library = library();
    let is_on = |module: &str, floor: &str| {
        module.strip_prefix(floor).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let floor_of = |module: &str| FLOORS.iter().position(|floor| is_on(module, floor));
    let mut wrong = Vec::new();
    for from in product(&library) {
        let Some(floor) = floor_of(from) else { continue };
        for to in library.imports(from) {
            let is_up = match floor_of(&to) {
                Some(other) => other > floor,
                None => top(&to) == "judge" || floor == 0,
            };
            if is_up {
                wrong.push(format!("{from} imports {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let library = library();
    // A folder's own file gathers what is in the folder, and imports of it are followed to where a name is defined.
    let imports: BTreeMap<&str, BTreeSet<String>> = product(&library)
        .map(|from| (from, library.imports(from).into_iter().filter(|to| !to.is_empty()).collect()))
        .collect();
    let mut circles = BTreeSet::new();
    for from in imports.keys() {
        if let Some(circle) = way_back(from, &imports) {
            circles.insert(circle.join(" -> "));
        }
    }
    assert!(circles.is_empty(), "{}", circles.into_iter().collect::<Vec<_>>().join("\n"));
}

/// The shortest way from a file over its imports back to it.
fn way_back(start: &str, imports: &BTreeMap<&str, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut ways = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for to in way.last().and_then(|last| imports.get(last.as_str())).into_iter().flatten() {
                if to == start {
                    return Some([way, vec![to.clone()]].concat());
                }
                if seen.insert(to.clone()) {
                    longer.push([way.clone(), vec![to.clone()]].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

#[test]
fn what_is_pure_names_neither_clock_nor_socket_nor_task() {
    let library = library();
    let mut wrong = Vec::new();
    for from in product(&library).filter(|from| PURE.contains(&top(from))) {
        let crates = library.crates(from);
        wrong.extend(IMPURE.iter().filter(|of| crates.contains(**of)).map(|of| format!("{from} names {of}")));
        wrong.extend(
            library.imports(from).iter().filter(|to| top(to) == "clock").map(|to| format!("{from} imports {to}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_long_and_every_file_is_part_of_the_library() {
    let library = library();
    let long = library.modules.values().filter(|module| module.lines > LINES_MAX);
    let long: Vec<String> = long.map(|module| format!("{}: {} lines", module.file.display(), module.lines)).collect();
    assert!(long.is_empty(), "more than {LINES_MAX} lines:\n{}", long.join("\n"));
    assert_eq!(Vec::<PathBuf>::new(), library.dead, "no module declaration names these files");
}

#[test]
fn a_type_name_is_used_once() {
    let library = library();
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for module in product(&library) {
        for name in &library.modules[module].types {
            owners.entry(name).or_default().push(module);
        }
    }
    let twice = owners.into_iter().filter(|(_, owners)| owners.len() > 1);
    let twice: Vec<String> = twice.map(|(name, owners)| format!("{name}: {}", owners.join(", "))).collect();
    assert!(twice.is_empty(), "{}", twice.join("\n"));
}
