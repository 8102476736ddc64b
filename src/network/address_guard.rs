//! Which names and addresses may be reached when the name did not come from the owner.
//!
//! A name from mail or from a stranger's file must never lead to a service on this machine or in this house.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a name that somebody else gave is an ordinary name of the public Internet: no address, no onion, nothing
/// that is only known at home.
#[must_use]
pub fn is_public_name(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let labels: Vec<&str> = host.split('.').collect();
    let plain = |label: &&str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let Some(last) = labels.last() else { return false };
    host.len() <= 253
        && labels.len() >= 2
        && labels.iter().all(plain)
        // The last label of a name is never a number; an address in any spelling ends in one.
        && !last.starts_with(|c: char| c.is_ascii_digit())
        && !["onion", "local", "localhost", "internal", "lan", "home", "corp", "intranet", "test", "invalid"]
            .contains(last)
        && !host.ends_with(".home.arpa")
}

/// Whether an address is globally reachable, by IANA's special-purpose address registries (RFC 6890 and what was
/// added since). Only the well-known prefix of NAT64 may hold an IPv4 address, which then counts as itself: a network
/// that speaks IPv6 alone reaches everybody else by it.
#[must_use]
pub fn is_public_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// What no stranger's name may lead to, as address and length of the prefix. The registry calls the three of AS112 and
/// AMT globally reachable, but nobody keeps pictures there.
const SPECIAL_V4: [([u8; 4], u32); 18] = [
    ([0, 0, 0, 0], 8),       // this network
    ([10, 0, 0, 0], 8),      // private
    ([100, 64, 0, 0], 10),   // shared by carriers
    ([127, 0, 0, 0], 8),     // this machine
    ([169, 254, 0, 0], 16),  // link
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 31, 196, 0], 24), // AS112
    ([192, 52, 193, 0], 24), // AMT
    ([192, 88, 99, 0], 24),  // 6to4 relays of old
    ([192, 168, 0, 0], 16),  // private
    ([192, 175, 48, 0], 24), // AS112
    ([198, 18, 0, 0], 15),   // benchmarks
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast
    ([240, 0, 0, 0], 4),     // reserved, and the broadcast address
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    !SPECIAL_V4.iter().any(|(prefix, length)| {
        let mask = u32::MAX << (32 - length);
        bits & mask == u32::from_be_bytes(*prefix)
    })
}

/// The same within 2000::/3; outside of it nothing is given out, so that ::, ::1, the mapped and the compatible
/// addresses, 64:ff9b:1::/48, 100::/64, 100:0:0:1::/64, 5f00::/16, fc00::/7, fe80::/10 and ff00::/8 are refused unnamed.
const SPECIAL_V6: [([u16; 3], u32); 5] = [
    ([0x2001, 0, 0], 23),     // protocol assignments: Teredo, benchmarks, ORCHID and others
    ([0x2001, 0xdb8, 0], 32), // documentation
    ([0x2002, 0, 0], 16),     // 6to4
    ([0x2620, 0x4f, 0x8000], 48), // AS112
    ([0x3fff, 0, 0], 20),     // documentation
];

fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = address.to_bits();
    let begins = |[a, b, c]: [u16; 3], length: u32| {
        let prefix = Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_bits();
        bits >> (128 - length) == prefix >> (128 - length)
    };
    if begins([0x64, 0xff9b, 0], 96) {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    begins([0x2000, 0, 0], 3) && !SPECIAL_V6.iter().any(|(prefix, length)| begins(*prefix, *length))
}

/// An address of every range that is not globally reachable, its first and last where that tells something; other
/// tests try to get there by name.
#[cfg(test)]
pub(super) const SPECIAL: [&str; 73] = [
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.1.2.3",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.170",
    "192.0.0.255",
    "192.0.2.0",
    "192.0.2.255",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "192.175.48.1",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.0",
    "198.51.100.255",
    "203.0.113.0",
    "203.0.113.255",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.0",
    "255.255.255.254",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::9.9.9.9",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:9.9.9.9",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::",
    "64:ff9b:0:0:0:1:909:909",
    "64:ff9b:1::1",
    "64:ff9b:1:ffff:ffff:ffff:909:909",
    "100::",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001::909:909",
    "2001:1::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2001:db8:ffff::1",
    "2002:7f00:1::1",
    "2002:909:909::1",
    "2620:4f:8000::1",
    "3fff::1",
    "3fff:fff:ffff::1",
    "5f00::1",
    "fc00::1",
    "fd12::1",
    "fe80::1",
    "ff02::1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_at_home_is_not_public() {
        for home in SPECIAL {
            assert!(!is_public_address(home.parse().unwrap()), "{home}");
        }
    }

    #[test]
    fn the_neighbours_of_what_is_special_are_public() {
        for next in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:db7:ffff::1",
            "2001:db9::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2620:4f:7fff::1",
            "3ffe::1",
            "3fff:1000::1",
        ] {
            assert!(is_public_address(next.parse().unwrap()), "{next}");
        }
    }

    #[test]
    fn what_is_outside_is_public() {
        for outside in ["1.1.1.1", "9.9.9.9", "2a01:4f8::1", "2620:fe::fe", "64:ff9b::909:909"] {
            assert!(is_public_address(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn names_are_names() {
        for good in ["example.org", "autoconfig.xn--bcher-kva.example", "a.b.c.d.de", "Mail.Example.ORG."] {
            assert!(is_public_name(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "localhost",
            "mail",
            "127.0.0.1",
            "0x7f.1",
            "[::1]",
            "::1",
            "2130706433",
            "abc.onion",
            "printer.local",
            "x.localhost",
            "x.internal",
            "a..b",
            "-a.de",
            "a b.de",
            "a.de/evil",
            "a.de:993",
            "user@a.de",
            "a\r\nb.de",
            "bücher.de",
            "router.home.arpa",
        ] {
            assert!(!is_public_name(bad), "{bad}");
        }
    }
}
