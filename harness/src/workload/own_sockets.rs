//! The connections that this process held while the gateway's descriptors were counted.
//!
//! The surplus of the gateway's descriptors over these grows only if the gateway leaks. But the two counts are taken at
//! different moments: a gateway that pauses has not accepted yet the latest connections. So only connections count that
//! were open at three moments: at an earlier reading, just before this one, and just after it. The gateway has each of
//! them, and may have more. So the surplus is never too low, and the least of a minute is exact.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

/// Minimum age of the earlier reading. On a busy machine a healthy gateway may pause for most of a second, and in a
/// compressed soak readings follow each other faster than that.
const EARLIER_BY: Duration = Duration::from_secs(1);

/// Our sockets at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reading {
    at: Instant,
    sockets: BTreeSet<u64>,
    /// Sockets of the fault proxy, which do not count: two for each of its connections.
    of_proxy: usize,
}

/// Our sockets at an earlier reading, and just before this one.
#[derive(Debug, Default)]
pub(super) struct OwnSockets {
    earlier: Option<Reading>,
    /// The next earlier reading, once it is old enough.
    next: Option<Reading>,
    now: Option<Reading>,
}

impl OwnSockets {
    /// A reading begins.
    pub(super) fn begin(&mut self, of_proxy: usize) {
        let at = crate::clock::now();
        self.take_in(open().map(|sockets| Reading { at, sockets, of_proxy }));
    }

    fn take_in(&mut self, now: Option<Reading>) {
        let is_due = |next: &Reading| now.as_ref().is_none_or(|now| now.at >= next.at + EARLIER_BY);
        if self.next.as_ref().is_none_or(is_due) {
            self.earlier = self.next.take();
            self.next.clone_from(&now);
        }
        self.now = now;
    }

    /// A reading is over: how many connections were open all the time. `None` if the system does not say.
    pub(super) fn held(&self, of_proxy: usize) -> Option<usize> {
        let after = Reading { at: crate::clock::now(), sockets: open()?, of_proxy };
        Some(held(self.earlier.iter().chain(&self.now), &after))
    }
}

fn held<'a>(earlier: impl Iterator<Item = &'a Reading>, after: &Reading) -> usize {
    let Reading { mut sockets, mut of_proxy, .. } = after.clone();
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
        Reading { at: crate::clock::now(), sockets: sockets.iter().copied().collect(), of_proxy }
    }

    #[test]
    fn connections_that_a_paused_gateway_has_not_accepted_do_not_count_however_fast_readings_follow() {
        let began = crate::clock::now();
        let mut sockets = OwnSockets::default();
        // Twelve readings a second, a connection more at each.
        let at = |number: u64| Reading { at: began + EARLIER_BY * number as u32 / 12, ..reading(&[], 0) };
        let open = |number: u64| Reading { sockets: (0..=number).collect(), ..at(number) };
        let held_at = |sockets: &mut OwnSockets, number: u64| {
            sockets.take_in(Some(open(number)));
            held(sockets.earlier.iter().chain(&sockets.now), &open(number))
        };
        for number in 0..100 {
            let held = held_at(&mut sockets, number) as u64;
            if number >= 12 {
                assert!(held <= number - 11 && held + 24 > number, "{held} at {number}");
            }
        }
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
