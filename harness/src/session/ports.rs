//! Ports for the connections of the workspace streams.

use std::{fs, ops::RangeInclusive};

/// The file with the first and the last port that the system gives to connections. Other systems than Linux have none.
const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Why there are too few ports for the streams of a plan, which come from `sources` addresses of this machine; `None` if
/// there are enough, or if the system does not tell. Through the fault proxy a stream takes two ports of this machine.
pub(super) fn too_few(streams: u32, sources: u8, has_proxy: bool) -> Option<String> {
    explain(streams, sources, has_proxy, &parse(&fs::read_to_string(PORT_RANGE).ok()?)?)
}

fn parse(range: &str) -> Option<RangeInclusive<u16>> {
    let mut ports = range.split_whitespace().map(|port| port.parse().ok());
    Some(ports.next()??..=ports.next()??)
}

fn explain(streams: u32, sources: u8, has_proxy: bool, range: &RangeInclusive<u16>) -> Option<String> {
    // The ports of the first address are given anew for each peer. Those of the further ones are not.
    let (needed, ranges) = match (has_proxy, u32::from(sources)) {
        (true, sources @ 2..) => (2 * streams, sources + 1),
        (_, sources) => (streams, sources),
    };
    let ports = u32::try_from(range.len()).unwrap_or(u32::MAX).saturating_mul(ranges);
    (ports < needed).then(|| {
        let (first, last) = (range.start(), range.end());
        let way = if needed > streams { " with the fault proxy" } else { "" };
        let addresses = if sources > 1 { format!(", from {sources} addresses") } else { String::new() };
        format!(
            "{streams} streams{way} need {needed} ports, and this machine has {ports} for them ({first} to \
             {last}{addresses}): widen the range (`sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"`), or have \
             fewer streams ([w2_sse_churn] streams)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_without_ports_are_named_with_the_range() {
        let range = parse("32768\t36767\n").unwrap();
        assert_eq!(None, explain(4_000, 1, true, &range));
        let why = explain(4_001, 1, true, &range).unwrap();
        for part in [
            "4001 streams need 4001 ports",
            "has 4000 for",
            "(32768 to 36767)",
            "sysctl -w net.ipv4.ip_local_port_range",
        ] {
            assert!(why.contains(part), "{part} is not in: {why}");
        }
    }

    #[test]
    fn connections_to_this_machine_have_the_ports_of_several_addresses() {
        let range = parse("32768 36767").unwrap();
        assert_eq!(None, explain(16_000, 4, false, &range));
        let why = explain(16_001, 4, false, &range).unwrap();
        assert!(why.contains("has 16000 for them (32768 to 36767, from 4 addresses)"), "{why}");
    }

    #[test]
    fn the_fault_proxy_takes_as_many_ports_again() {
        let range = parse("32768 36767").unwrap();
        assert_eq!(None, explain(10_000, 4, true, &range));
        let why = explain(10_001, 4, true, &range).unwrap();
        assert!(
            why.contains("10001 streams with the fault proxy need 20002 ports") && why.contains("has 20000"),
            "{why}"
        );
    }

    #[test]
    fn a_range_that_cannot_be_read_stops_nothing() {
        for range in ["", "32768", "many few"] {
            assert_eq!(None, parse(range), "{range:?}");
        }
    }

    #[test]
    fn this_machine_has_ports_for_the_default_number_of_streams() {
        assert_eq!(None, too_few(20, 1, false));
    }
}
