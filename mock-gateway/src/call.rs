//! The calls of the contract by name, so that a gateway can be told to be without one.

use std::fmt;
use std::str::FromStr;

/// Every call, as the contract writes it.
const CALLS: [&str; 19] = [
    "GET /health",
    "GET /ready",
    "GET /metrics",
    "POST /api/workspace/plan",
    "POST /api/privacy/toggle",
    "POST /api/runs",
    "POST /api/runs/{id}/start",
    "GET /api/runs/{id}",
    "GET /api/runs/logs/stream",
    "GET /api/runs/{id}/logs/stream",
    "GET /api/runs/guard/stream",
    "GET /api/runs/{id}/guard/stream",
    "GET /api/agents/{slug}",
    "POST /api/registry/publish",
    "GET /api/registry/agents",
    "GET /api/safety/check",
    "POST /api/chaos/redis-restart",
    "POST /api/chaos/gateway-restart",
    "POST /api/chaos/latency",
];

/// A call of the contract: `POST /api/runs/{id}/start`.
///
/// ```
/// # use mock_gateway::Call;
/// let call: Call = "GET /metrics".parse()?;
/// # assert_eq!(call.to_string(), "GET /metrics");
/// # Ok::<_, mock_gateway::UnknownCall>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call(&'static str);

impl Call {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        CALLS.iter().copied().map(Self)
    }

    /// Whether it is the call of this method and this path, with placeholders.
    pub(crate) fn is(self, method: &str, path: &str) -> bool {
        self.0.split_once(' ') == Some((method, path))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A name that no call has.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the contract has no call {0:?}; there are {all}", all = CALLS.join(", "))]
pub struct UnknownCall(String);

impl FromStr for Call {
    type Err = UnknownCall;

    fn from_str(name: &str) -> Result<Self, UnknownCall> {
        CALLS.into_iter().find(|call| *call == name).map(Self).ok_or_else(|| UnknownCall(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_its_name_and_no_other() {
        assert!(Call::all().all(|call| call.to_string().parse() == Ok(call)));
        let error = "GET /metric".parse::<Call>().unwrap_err().to_string();
        assert!(error.contains("\"GET /metric\"") && error.contains("GET /metrics, "), "{error}");
    }
}
