//! The README's table of what turns red for what is the matrix, and stays it.

use std::fmt::Write;

use mock_gateway::Defect;
use testkit::AnyError;

use crate::{
    row::Row,
    rows::{AFRESH, DEFECTS, ODDITIES, STARVED},
};

const BEGIN: &str = "<!-- the matrix -->\n";
const END: &str = "<!-- the end of the matrix -->";

pub(crate) fn the_table_is_the_matrix() -> Result<(), AnyError> {
    let readme = include_str!("../../README.md");
    let stands = readme.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).map(|(table, _)| table);
    let table = table();
    if stands == Some(table.as_str()) {
        return Ok(());
    }
    Err(format!("README.md should have this between its two marks {BEGIN}and {END}:\n{table}").into())
}

fn table() -> String {
    let mut table = "\n| gateway | what it does | red |\n|---|---|---|\n".to_owned();
    for row in DEFECTS.iter().chain(AFRESH).chain(ODDITIES) {
        let names = code(row.defects.iter().map(|defect| defect.name()));
        let does: Vec<&str> = row.defects.iter().copied().map(Defect::does).collect();
        let dialect = if row.dialect.is_empty() { "" } else { "; a dialect says so" };
        let _ = writeln!(table, "| {names} | {}{dialect} | {} |", does.join("; "), reds(row));
    }
    for row in STARVED {
        let calls = code(row.without.iter().copied());
        let pid = if row.knows_pid { "" } else { ", and its process is not known" };
        let _ = writeln!(table, "| without {} | answers 404 to {calls}{pid} | {} |", row.name, reds(row));
    }
    table.push('\n');
    table
}

fn reds(row: &Row) -> String {
    let fails = code(row.fails.iter().copied());
    let unproven = code(row.unproven.iter().copied());
    match (row.fails.is_empty(), row.unproven.is_empty()) {
        (true, true) => "nothing".to_owned(),
        (false, true) => fails,
        (true, false) => format!("unproven: {unproven}"),
        (false, false) => format!("{fails}; unproven: {unproven}"),
    }
}

fn code<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
