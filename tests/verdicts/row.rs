//! One row of the matrix: a gateway, and the verdicts that it must get.

use mock_gateway::Defect;

/// One trial: a defect or a habit of a gateway, and what is to be said of it. Rows of one group share a gateway and a soak.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// What the trial is called, after its kind.
    pub(crate) name: &'static str,
    /// The soak that it shares with the other rows of this name; empty where it has one of its own. Whatever they turn red, no
    /// two of them turn red the same (`groups` holds that), and none of them may have to do with what another turns red.
    pub(crate) group: &'static str,
    /// What is wrong with the gateway, or merely odd about it.
    pub(crate) defects: &'static [Defect],
    /// The calls of the contract that it does not have.
    pub(crate) without: &'static [&'static str],
    /// Whether the gateway's process is known: then memory and descriptors are read from it, else from its metrics.
    pub(crate) knows_pid: bool,
    /// Settings that differ from `tests/soak.toml`'s, as TOML.
    pub(crate) settings: &'static str,
    /// The dialect that the gateway needs, as TOML: what differs from the contract. Empty: the contract itself.
    pub(crate) dialect: &'static str,
    /// What fails.
    pub(crate) fails: &'static [&'static str],
    /// What cannot be proven.
    pub(crate) unproven: &'static [&'static str],
    /// KPIs that the defect's dice may leave without enough samples. Where that is all that is wrong, the soak is played again, and
    /// the next one has to prove them.
    pub(crate) unproven_by_chance: &'static [&'static str],
    /// What is to stand in what is said of a red one, by its name.
    pub(crate) says: &'static [(&'static str, &'static str)],
}

/// What a call is answered that is not there.
pub(crate) const GONE: &str = "this gateway has no such call";

/// In a dialect, where the gateway's metrics are.
pub(crate) const METRICS_URL: &str = "METRICS_URL";

impl Row {
    /// A gateway with which nothing is wrong.
    pub(crate) const HEALTHY: Self = Self {
        name: "",
        group: "",
        defects: &[],
        without: &[],
        knows_pid: true,
        settings: "",
        dialect: "",
        fails: &[],
        unproven: &[],
        unproven_by_chance: &[],
        says: &[],
    };

    /// What is not green.
    pub(crate) fn reds(&self) -> impl Iterator<Item = &'static str> {
        self.fails.iter().chain(self.unproven).copied()
    }

    /// The same, in a soak that it shares.
    pub(crate) const fn shares(self, group: &'static str) -> Self {
        Self { group, ..self }
    }
}

pub(crate) const fn defect(defects: &'static [Defect], fails: &'static [&'static str]) -> Row {
    Row { name: defects[0].name(), defects, fails, ..Row::HEALTHY }
}

pub(crate) const fn two(name: &'static str, defects: &'static [Defect], fails: &'static [&'static str]) -> Row {
    Row { name, ..defect(defects, fails) }
}

pub(crate) const fn healthy(oddity: &'static [Defect]) -> Row {
    defect(oddity, &[])
}

pub(crate) const fn gone(
    name: &'static str,
    without: &'static [&'static str],
    fails: &'static [&'static str],
    unproven: &'static [&'static str],
) -> Row {
    Row { name, without, fails, unproven, ..Row::HEALTHY }
}
