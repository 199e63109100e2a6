//! Numbers in, numbers out: robust statistics, which know nothing of soaks.

pub(in crate::judge) mod change_point;
pub(in crate::judge) mod confidence;
pub(in crate::judge) mod growth;
pub(in crate::judge) mod sawtooth;
pub(in crate::judge) mod trend;

/// Values by minute: minutes from the start of the soak, rising, and the value in each.
pub(in crate::judge) type Segment = Vec<(u64, f64)>;
