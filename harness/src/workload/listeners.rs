//! Which processes listen on a port of this machine, as Linux's `/proc` shows it; elsewhere nobody is found.
//!
//! Crates for that name one process where several listen, and do not name its socket, by which a check for changes is
//! cheap: reading a link takes 3 µs. Finding a listener takes 7 to 20 ms: 4 to 12 for the table of sockets, through
//! which the kernel walks to its end, with the 28,000 that a soak's closed connections leave for a minute; and 3 to 8
//! for the descriptors of a hundred processes. An ignored test measures it:
//! `cargo test -p s2-harness --lib what_a_lookup_costs -- --ignored --nocapture`.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead, BufReader},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use crate::gateway::LocalPort;

/// Maximum number of listening sockets that are read: no machine has more.
const ROWS_MAX: usize = 16_384;
/// Code for the listening state in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// Programs that hold a port for another, which is the gateway: those that lead to a container or through a tunnel, and
/// reverse proxies. Their memory is not the gateway's.
const HOLD_FOR_OTHERS: [&str; 18] = [
    "docker-proxy",
    "rootlessport",
    "slirp4netns",
    "pasta",
    "conmon",
    "systemd",
    "kubectl",
    "ssh",
    "sshd",
    "socat",
    "stunnel",
    "cloudflared",
    "nginx",
    "haproxy",
    "envoy",
    "caddy",
    "traefik",
    "varnishd",
];

/// The result of a listener lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ListenerLookup {
    Nobody,
    /// These processes, at least one.
    Some(Vec<SocketOwner>),
    /// Another user's, or one that is isolated, as in a container.
    Unseen,
    /// A program that forwards to another.
    Holder(String),
}

/// A process, and the socket that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SocketOwner {
    pub(super) pid: u32,
    descriptor: PathBuf,
    socket: PathBuf,
}

impl SocketOwner {
    /// Whether the process still holds the socket, and so listens: hardly any stops without closing it.
    pub(super) fn lasts(&self) -> bool {
        fs::read_link(&self.descriptor).is_ok_and(|socket| socket == self.socket)
    }
}

/// Looks up the processes that listen on a port.
pub(super) fn who_listens(at: &LocalPort) -> ListenerLookup {
    who_holds(&sockets(at))
}

/// The sockets that listen on a port, by the kernel's numbers.
fn sockets(at: &LocalPort) -> BTreeSet<u64> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().filter_map(|table| File::open(table).ok());
    let rows = tables.flat_map(|table| listening(BufReader::new(table)));
    let all: Vec<SocketRow> = rows.filter(|row| row.port == at.port).collect();
    at.addresses.iter().flat_map(|address| answering(&all, *address)).collect()
}

/// Looks up the owners of these sockets.
fn who_holds(sockets: &BTreeSet<u64>) -> ListenerLookup {
    if sockets.is_empty() {
        return ListenerLookup::Nobody;
    }
    let own = std::process::id();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let (mut holders, mut others) = (Vec::new(), None);
    for holding in pids.filter(|pid| *pid != own).filter_map(|pid| holding(pid, sockets)) {
        let pid = holding.pid;
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        match HOLD_FOR_OTHERS.iter().find(|other| **other == name.trim_end()) {
            Some(other) => others = Some(format!("{other}, pid {pid},")),
            None => holders.push(holding),
        }
    }
    match (holders.is_empty(), others) {
        (false, _) => ListenerLookup::Some(holders),
        (true, Some(other)) => ListenerLookup::Holder(other),
        (true, None) => ListenerLookup::Unseen,
    }
}

/// A process with one of these sockets.
fn holding(pid: u32, sockets: &BTreeSet<u64>) -> Option<SocketOwner> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut links = descriptors.filter_map(|entry| Some((entry.path(), fs::read_link(entry.path()).ok()?)));
    let (descriptor, socket) = links.find(|(_, link)| {
        let number = link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        number.is_some_and(|number: u64| sockets.contains(&number))
    })?;
    Some(SocketOwner { pid, descriptor, socket })
}

/// A listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SocketRow {
    address: IpAddr,
    port: u16,
    socket: u64,
}

/// The rows of listening sockets, which are at the head of a table.
fn listening(table: impl BufRead) -> Vec<SocketRow> {
    let lines = table.lines().map_while(Result::ok).skip(1).take(ROWS_MAX);
    lines.map_while(|line| row(&line)).collect()
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …`
fn row(line: &str) -> Option<SocketRow> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (address, port) = fields.next()?.split_once(':')?;
    let state = fields.nth(1)?;
    let socket = fields.nth(5)?.parse().ok()?;
    let (address, port) = (address_of(address)?, u16::from_str_radix(port, 16).ok()?);
    (state == LISTEN).then_some(SocketRow { address, port, socket })
}

/// An address as the kernel writes it: words of four bytes, each in the machine's own order.
fn address_of(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for at in (0..hex.len()).step_by(8) {
        bytes.extend(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    }
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical()),
        _ => None,
    }
}

/// Returns the sockets that take a connection to an address. These listen on exactly that address, else on every
/// address of its kind, else on every address.
fn answering(rows: &[SocketRow], address: IpAddr) -> Vec<u64> {
    let v6: IpAddr = Ipv6Addr::UNSPECIFIED.into();
    let of_kind = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { v6 };
    let at = |there: IpAddr| rows.iter().filter(|row| row.address == there).map(|row| row.socket).collect::<Vec<_>>();
    [address, of_kind, v6].into_iter().map(at).find(|sockets| !sockets.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0
   1: 0100007F:0BB9 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12 1 0 100 0 0 10 0
   2: 0100007F:0BB8 0100007F:94D2 06 00000000:00000000 03:00001100 00000000     0        0 0 3 0
   3: 0100007F:0BBA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 13 1 0 100 0 0 10 0
";

    #[test]
    #[cfg(target_endian = "little")]
    fn listening_sockets_are_read_and_what_stands_behind_them_is_not() {
        let row = |address: [u8; 4], port, socket| SocketRow { address: Ipv4Addr::from(address).into(), port, socket };
        assert_eq!(vec![row([0; 4], 3000, 11), row([127, 0, 0, 1], 3001, 12)], listening(TABLE.as_bytes()));
        let mapped = address_of("0000000000000000FFFF00000100007F");
        assert_eq!((Some(Ipv4Addr::LOCALHOST.into()), None), (mapped, address_of("0100007")));
        assert_eq!(Some(Ipv6Addr::LOCALHOST.into()), address_of("00000000000000000000000001000000"));
    }

    #[test]
    fn who_listens_just_there_is_asked_before_who_listens_everywhere() {
        let row = |address: &str, socket| SocketRow { address: address.parse().unwrap(), port: 1, socket };
        let rows = [row("::", 1), row("0.0.0.0", 2), row("127.0.0.1", 3), row("127.0.0.1", 4), row("::1", 5)];
        let at = |rows: &[SocketRow], address: &str| answering(rows, address.parse().unwrap());
        assert_eq!(vec![3, 4], at(&rows, "127.0.0.1"));
        assert_eq!(vec![2], at(&rows, "10.0.0.1"));
        assert_eq!((vec![1], vec![5]), (at(&rows[..1], "10.0.0.1"), at(&rows, "::1")));
        assert!(at(&rows[2..3], "10.0.0.1").is_empty());
    }

    #[test]
    #[ignore = "measures, and tests nothing"]
    fn what_a_lookup_costs() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = LocalPort::of(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let took = |look: &dyn Fn()| {
            let began = crate::clock::now();
            (0..100).for_each(|_| look());
            began.elapsed() / 100
        };
        let found = sockets(&at);
        let holding = holding(std::process::id(), &found).unwrap();
        println!("whether a process still listens: {:?}", took(&|| assert!(holding.lasts())));
        println!("which sockets listen: {:?}", took(&|| assert_eq!(found, sockets(&at))));
        println!("whose they are: {:?}", took(&|| assert_eq!(ListenerLookup::Unseen, who_holds(&found))));
    }
}
