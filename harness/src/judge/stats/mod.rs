//! Numbers in, numbers out: robust statistics, which know nothing of soaks.

pub(in crate::judge) mod change_point;
pub(in crate::judge) mod confidence;
pub(in crate::judge) mod growth;
pub(in crate::judge) mod minute_minima;
pub(in crate::judge) mod sawtooth;
pub(in crate::judge) mod trend;
