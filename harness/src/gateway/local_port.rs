//! The port of this machine that a URL names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// A port of this machine, at the addresses of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPort {
    /// One, or for `localhost` both of the loopback's.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) port: u16,
}

impl LocalPort {
    /// Whether S2 can find the process that listens on a port of this system.
    pub(crate) const TELLS_WHO_LISTENS: bool = cfg!(target_os = "linux");

    /// The port that a URL of this machine names. Only `localhost` is looked up: listing trials needs no network.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let url = url::Url::parse(url).ok()?;
        let (host, port) = (url.host_str()?, url.port_or_known_default()?);
        if host == "localhost" {
            return Some(Self { addresses: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()], port });
        }
        let address: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        // A socket can be bound only to an address of the machine; nothing is sent.
        let is_ours = address.is_loopback() || UdpSocket::bind((address, 0)).is_ok();
        is_ours.then(|| Self { addresses: vec![address], port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_this_machine_by_loopback_localhost_or_an_address_of_its_own() {
        let of = |url| LocalPort::of(url).map(|local| (local.addresses.len(), local.port));
        assert_eq!(Some((1, 3000)), of("http://127.0.0.1:3000"));
        assert_eq!(Some((1, 443)), of("https://127.9.8.7/gateway"));
        assert_eq!(Some((1, 80)), of("http://[::1]"));
        assert_eq!(Some((2, 80)), of("http://localhost"));
        // Addresses of documentation and names are nobody's here.
        for elsewhere in ["http://192.0.2.1:3000", "http://[2001:db8::1]", "http://gateway.example", "no URL"] {
            assert_eq!(None, of(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn an_address_of_an_interface_is_this_machines() {
        // Which address that is, a socket knows that would send to another machine; nothing is sent.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        if socket.connect("192.0.2.1:9").is_ok() {
            let own = socket.local_addr().unwrap().ip();
            let of = LocalPort::of(&format!("http://{own}:3000"));
            assert_eq!(Some(LocalPort { addresses: vec![own], port: 3000 }), of);
        }
    }
}
