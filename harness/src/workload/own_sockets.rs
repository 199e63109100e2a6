//! The connections that this process held while the gateway's descriptors were counted.
//!
//! The surplus of the gateway's descriptors over these grows only if the gateway leaks. But the two counts are taken at
//! different moments: a gateway that pauses has not accepted yet the latest connections. So only connections count that
//! were open at three moments: at the reading before, just before this one, and just after it. The gateway has each of
//! them, and may have more. So the surplus is never too low, and the least of a minute is exact.

use std::collections::BTreeSet;

/// Our sockets at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reading {
    sockets: BTreeSet<u64>,
    /// Sockets of the fault proxy, which do not count: two for each of its connections.
    of_proxy: usize,
}

/// Our sockets at the reading before, and just before this one.
#[derive(Debug, Default)]
pub(super) struct OwnSockets {
    before: Option<Reading>,
    now: Option<Reading>,
}

impl OwnSockets {
    /// A reading begins.
    pub(super) fn begin(&mut self, of_proxy: usize) {
        self.before = self.now.take();
        self.now = open().map(|sockets| Reading { sockets, of_proxy });
    }

    /// A reading is over: how many connections were open all the time. `None` if the system does not say.
    pub(super) fn held(&self, of_proxy: usize) -> Option<usize> {
        let after = Reading { sockets: open()?, of_proxy };
        Some(held(self.before.iter().chain(&self.now), &after))
    }
}

fn held<'a>(earlier: impl Iterator<Item = &'a Reading>, after: &Reading) -> usize {
    let Reading { mut sockets, mut of_proxy } = after.clone();
    for reading in earlier {
        sockets.retain(|socket| reading.sockets.contains(socket));
        of_proxy = of_proxy.min(reading.of_proxy);
    }
    sockets.len().saturating_sub(of_proxy)
}

/// The numbers of our sockets.
#[cfg(target_os = "linux")]
fn open() -> Option<BTreeSet<u64>> {
    let descriptors = std::fs::read_dir("/proc/self/fd").ok()?.flatten();
    let number = |link: std::path::PathBuf| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok();
    Some(descriptors.filter_map(|entry| number(std::fs::read_link(entry.path()).ok()?)).collect())
}

/// The numbers of our sockets: this system does not tell.
#[cfg(not(target_os = "linux"))]
const fn open() -> Option<BTreeSet<u64>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(sockets: &[u64], of_proxy: usize) -> Reading {
        Reading { sockets: sockets.iter().copied().collect(), of_proxy }
    }

    #[test]
    fn only_connections_count_that_were_open_all_the_time() {
        let earlier = [reading(&[1, 2, 3, 4], 0), reading(&[1, 2, 3, 5], 0)];
        assert_eq!(2, held(earlier.iter(), &reading(&[1, 2, 5, 6], 0)));
        assert_eq!(4, held([].iter(), &reading(&[1, 2, 5, 6], 0)));
    }

    #[test]
    fn sockets_of_the_proxy_are_no_connections() {
        let earlier = [reading(&[1, 2, 3, 4, 5, 6, 7, 8, 9], 6), reading(&[1, 2, 3, 4, 5, 6], 4)];
        assert_eq!(2, held(earlier.iter(), &reading(&[1, 2, 3, 4, 5, 6], 4)));
        assert_eq!(0, held(earlier.iter(), &reading(&[1], 4)));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_socket_that_is_open_is_counted() {
        let mut sockets = OwnSockets::default();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let number = std::fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&socket))).unwrap();
        let number = number.to_str().unwrap().trim_start_matches("socket:[").trim_end_matches(']').parse().unwrap();
        sockets.begin(0);
        assert!(sockets.now.as_ref().unwrap().sockets.contains(&number));
        assert!(sockets.held(0).unwrap() >= 1);
    }
}
