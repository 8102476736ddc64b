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

/// Whether an address is globally reachable, by IANA's special-purpose registries. An IPv4 address inside an IPv6
/// one counts as itself.
#[must_use]
pub fn is_public_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

const fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || a == 10
        || a == 127
        || a >= 224
        || (a == 100 && b >= 64 && b < 128)
        || (a == 169 && b == 254)
        || (a == 172 && b >= 16 && b < 32)
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 31 && c == 196)
        || (a == 192 && b == 52 && c == 193)
        || (a == 192 && b == 88 && c == 99)
        || (a == 192 && b == 175 && c == 48)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = address.segments();
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (s0, s1) {
        // IPv4 in disguise: mapped, compatible, translated (also NAT64 of one's own network), 6to4.
        (0, 0) if s2 == 0 && s3 == 0 && s4 == 0 && (s5 == 0xffff || s5 == 0) => s5 == 0xffff && v4(s6, s7),
        (0x64, 0xff9b) if s2 == 0 && s3 == 0 && s4 == 0 && s5 == 0 => v4(s6, s7),
        (0x2002, _) => v4(s1, s2),
        // Teredo, ORCHID, benchmarking and the rest of 2001::/23; documentation.
        (0x2001, 0..=0x01ff | 0x0db8) | (0x3fff, 0..=0x0fff) => false,
        // Only 2000::/3 is given out at all.
        _ => s0 & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_at_home_is_not_public() {
        for home in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "203.0.113.7",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "5f00::1",
            "100::1",
        ] {
            assert!(!is_public_address(home.parse().unwrap()), "{home}");
        }
    }

    #[test]
    fn what_is_outside_is_public() {
        for outside in [
            "1.1.1.1",
            "9.9.9.9",
            "172.32.0.1",
            "2a01:4f8::1",
            "2620:fe::fe",
            "::ffff:9.9.9.9",
            "64:ff9b::909:909",
        ] {
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
