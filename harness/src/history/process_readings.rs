//! Processes of the gateway as they were read, and whether several answer.

use crate::journal::{Finding, Incident};

/// Readings that are told of.
const READINGS_MAX: usize = 4;
/// The processes as they were read, and those that answered `/metrics`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProcessReadings {
    /// The first few readings, in words.
    pub(crate) read: Vec<String>,
    pub(crate) several: Option<SeveralProcesses>,
}

/// Several processes answered in turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeveralProcesses {
    pub(crate) most: u32,
    /// When another number of them answered last.
    pub(crate) changed_ms: u64,
}

impl ProcessReadings {
    /// Whether several were told apart.
    pub(crate) const fn are_several(&self) -> bool {
        self.several.is_some()
    }

    pub(crate) fn absorb(&mut self, incident: &Incident) {
        match &incident.finding {
            Finding::SeveralAnswer { processes } => {
                let most = self.several.map_or(0, |several| several.most).max(*processes);
                self.several = Some(SeveralProcesses { most, changed_ms: incident.at_ms });
            }
            Finding::ProcessesRead { root, how } if self.read.len() < READINGS_MAX => {
                let told = format!("{root}: {how}");
                if !self.read.contains(&told) {
                    self.read.push(told);
                }
            }
            _ => {}
        }
    }
}
