//! Numbers in, numbers out: robust statistics, which know nothing of soaks.

pub(crate) mod change_point;
pub(crate) mod confidence;
pub(crate) mod growth;
pub(crate) mod sawtooth;
pub(crate) mod trend;

/// Values by minute: minutes from the start of the soak, rising, and the value in each.
pub(crate) type Segment = Vec<(u64, f64)>;

/// The least value; infinite where there is none.
pub(crate) fn least_of(points: &[(u64, f64)]) -> f64 {
    points.iter().map(|point| point.1).fold(f64::INFINITY, f64::min)
}

/// The greatest value; minus infinity where there is none.
pub(crate) fn greatest_of(points: &[(u64, f64)]) -> f64 {
    points.iter().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max)
}

pub(crate) const fn as_value(count: u64) -> f64 {
    count as f64
}
