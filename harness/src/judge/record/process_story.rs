//! Processes of the gateway as they were read, and whether several answer.

use crate::journal::{Finding, Incident};

/// Readings that are told of.
const READINGS_MAX: usize = 4;
/// The processes as they were read, and those that answered `/metrics`.
#[derive(Debug, Clone, Default)]
pub(in crate::judge) struct ProcessStory {
    /// What was read, in words; the first few.
    pub(in crate::judge) read: Vec<String>,
    pub(in crate::judge) several: Option<SeveralStory>,
}

/// Several processes answered in turn.
#[derive(Debug, Clone, Copy)]
pub(in crate::judge) struct SeveralStory {
    pub(in crate::judge) most: u32,
    /// When another number of them answered last.
    pub(in crate::judge) changed_ms: u64,
}

impl ProcessStory {
    /// Whether several were told apart.
    pub(in crate::judge) const fn are_several(&self) -> bool {
        self.several.is_some()
    }

    pub(in crate::judge) fn absorb(&mut self, incident: &Incident) {
        match &incident.finding {
            Finding::SeveralAnswer { processes } => {
                let most = self.several.map_or(0, |several| several.most).max(*processes);
                self.several = Some(SeveralStory { most, changed_ms: incident.at_ms });
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
