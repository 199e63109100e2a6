//! Rows that share a gateway and a soak, so that the matrix takes minutes: what they are together, and what each is held against.
//!
//! A soak that is shared proves of a row what one of its own would, as long as no two of its rows turn red the same, and none has
//! to do with what another turns red. The first is held here. The second is why groups are chosen by hand in `rows`: by the path
//! that a defect takes (a run's way, streams, the registry, safety, privacy, memory and counts, the clock, chaos), at most one
//! row from each where that can be had.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use mock_gateway::Defects;
use testkit::AnyError;
use toml::{Table, Value as Toml};

use crate::{
    row::Row,
    soak::{Said, Scene},
};

/// Rows that are played in one soak, each under its trial's name.
pub(crate) struct Group {
    /// What its soak is called: the group's name, or that of its one trial.
    pub(crate) name: String,
    pub(crate) rows: Vec<(String, Row)>,
    /// What the soak said, once it was played.
    pub(crate) played: OnceLock<Result<Said, String>>,
}

/// Every group, in the order of the first row of each.
pub(crate) fn all(rows: impl Iterator<Item = (String, Row)>) -> Vec<Arc<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    for (trial, row) in rows {
        let name = if row.group.is_empty() { trial.clone() } else { format!("shared::{}", row.group) };
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.rows.push((trial, row)),
            None => groups.push(Group { name, rows: vec![(trial, row)], played: OnceLock::new() }),
        }
    }
    groups.into_iter().map(Arc::new).collect()
}

impl Group {
    /// The defects of all rows.
    pub(crate) fn defects(&self) -> Defects {
        self.rows.iter().flat_map(|(_, row)| row.defects).copied().collect()
    }

    /// The calls that one of the rows does not have.
    pub(crate) fn without(&self) -> impl Iterator<Item = &'static str> {
        self.rows.iter().flat_map(|(_, row)| row.without).copied()
    }

    /// What is played at the gateway.
    pub(crate) fn scene(&self) -> Result<Scene, AnyError> {
        Ok(Scene {
            knows_pid: self.rows.iter().all(|(_, row)| row.knows_pid),
            settings: merged(self.rows.iter().map(|(_, row)| row.settings))?,
            dialect: merged(self.rows.iter().map(|(_, row)| row.dialect))?,
        })
    }

    /// Whether a KPI may be unproven by chance.
    pub(crate) fn may_be_unproven(&self, name: &str) -> bool {
        self.rows.iter().any(|(_, row)| row.unproven_by_chance.contains(&name))
    }

    /// All that is red.
    pub(crate) fn expected(&self) -> BTreeSet<&'static str> {
        self.rows.iter().flat_map(|(_, row)| row.reds()).collect()
    }
}

/// Several TOML texts as one. A key that two of them set otherwise is an error; lists are joined.
fn merged<'a>(texts: impl Iterator<Item = &'a str>) -> Result<String, AnyError> {
    let mut all = Table::new();
    for text in texts {
        merge(&mut all, text.parse()?)?;
    }
    Ok(all.to_string())
}

fn merge(all: &mut Table, one: Table) -> Result<(), AnyError> {
    for (key, value) in one {
        match (all.get_mut(&key), value) {
            (None, value) => drop(all.insert(key, value)),
            (Some(Toml::Table(before)), Toml::Table(table)) => merge(before, table)?,
            (Some(Toml::Array(before)), Toml::Array(list)) => {
                before.extend(list.into_iter().filter(|item| !before.contains(item)).collect::<Vec<_>>());
            }
            (Some(before), value) if *before == value => {}
            (Some(before), value) => return Err(format!("{key} is {before} in one row, and {value} in another").into()),
        }
    }
    Ok(())
}

/// No two rows of a group turn red the same, and the settings of each group agree.
pub(crate) fn no_two_rows_of_a_soak_turn_red_the_same(groups: &[Arc<Group>]) -> Result<(), AnyError> {
    for group in groups {
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        for (trial, row) in &group.rows {
            for name in row.reds() {
                if let Some(other) = owners.insert(name, trial) {
                    return Err(format!("{}: {name} is turned red by {other} and by {trial}", group.name).into());
                }
            }
        }
        group.scene().map_err(|error| format!("{}: {error}", group.name))?;
    }
    Ok(())
}
