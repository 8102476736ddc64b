//! Domain names as mail uses them: whose they are (the organisational domain of DMARC, by the Public Suffix List), and
//! whether two belong together.

/// What is longer is no domain name (RFC 1035 §2.3.4).
const LONGEST: usize = 253;

/// The domain of an address as A-labels in lower case, without a dot at the end; `None` where there is none.
#[must_use]
pub fn of_address(address: &str) -> Option<String> {
    canonical(address.trim().rsplit_once('@')?.1)
}

/// A domain as A-labels in lower case, without a dot at the end; `None` for what is no name.
#[must_use]
pub fn canonical(domain: &str) -> Option<String> {
    let domain = domain.trim().trim_end_matches('.');
    if domain.is_empty() || domain.len() > LONGEST || domain.starts_with('[') {
        return None;
    }
    let ascii = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase());
    let sound = !ascii.is_empty()
        && ascii.split('.').all(|label| !label.is_empty())
        && !ascii.chars().any(|c| c.is_whitespace() || c.is_control() || "@/\\<>\"".contains(c));
    sound.then_some(ascii)
}

/// The domain that somebody registered, one label below a public suffix; the whole where there is none above it.
#[must_use]
pub fn organisation(domain: &str) -> String {
    let domain = domain.trim().trim_end_matches('.').to_lowercase();
    match psl::domain_str(&domain) {
        Some(registered) => registered.to_owned(),
        None => domain,
    }
}

/// The organisational domain without its public suffix, and that suffix: `example` and `co.uk`.
#[must_use]
pub fn parted(domain: &str) -> (String, String) {
    let whole = organisation(domain);
    let suffix = psl::suffix_str(&whole).unwrap_or_default().to_owned();
    let label = whole.strip_suffix(suffix.as_str()).unwrap_or(&whole).trim_end_matches('.').to_owned();
    if label.is_empty() { (whole, String::new()) } else { (label, suffix) }
}

/// Whether two domains have the same owner: relaxed alignment as in DMARC (RFC 7489 §3.1).
#[must_use]
pub fn aligned(one: &str, other: &str) -> bool {
    match (canonical(one), canonical(other)) {
        (Some(one), Some(other)) => organisation(&one) == organisation(&other),
        _ => false,
    }
}

/// Whether a text is the name of a server, below a suffix that exists.
#[must_use]
pub fn is_plausible(text: &str) -> bool {
    let known = |name: &str| psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix.is_known());
    is_name(text) && canonical(text).is_some_and(|name| known(&name))
}

/// Whether a text has the form of a server's name: labels of letters, digits and hyphens, the last no number.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let Some(ascii) = canonical(text) else { return false };
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let last = ascii.rsplit('.').next().unwrap_or_default();
    ascii.contains('.')
        && ascii.split('.').all(label)
        && last.len() >= 2
        && !last.bytes().all(|b| b.is_ascii_digit())
}

/// Whether strangers to each other have their mail at this organisational domain: of such a house one address says nothing
/// about another.
#[must_use]
pub fn is_shared(organisation: &str) -> bool {
    const HOUSES: [&str; 40] = [
        "126.com",
        "163.com",
        "aol.com",
        "comcast.net",
        "fastmail.com",
        "free.fr",
        "gmail.com",
        "gmx.at",
        "gmx.ch",
        "gmx.de",
        "gmx.net",
        "googlemail.com",
        "hotmail.co.uk",
        "hotmail.com",
        "hotmail.fr",
        "hushmail.com",
        "icloud.com",
        "laposte.net",
        "libero.it",
        "live.com",
        "mac.com",
        "mail.com",
        "mail.ru",
        "mailbox.org",
        "me.com",
        "msn.com",
        "orange.fr",
        "outlook.com",
        "posteo.de",
        "proton.me",
        "protonmail.com",
        "qq.com",
        "riseup.net",
        "t-online.de",
        "tutanota.com",
        "web.de",
        "yahoo.co.uk",
        "yahoo.com",
        "yandex.ru",
        "zoho.com",
    ];
    HOUSES.contains(&organisation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_is_what_somebody_registered() {
        assert_eq!(organisation("mail.news.bob.example"), "bob.example");
        assert_eq!(organisation("www.bob.co.uk"), "bob.co.uk");
        assert_eq!(organisation("co.uk"), "co.uk");
        assert_eq!(organisation("alice.github.io"), "alice.github.io");
        assert_eq!(parted("www.bob.co.uk"), ("bob".into(), "co.uk".into()));
        assert_eq!(parted("localhost"), ("localhost".into(), String::new()));
    }

    #[test]
    fn domains_of_one_owner_are_aligned_and_neighbours_are_not() {
        assert!(aligned("mail.bob.example", "News.Bob.Example."));
        assert!(aligned("bücher.de", "xn--bcher-kva.de"));
        assert!(!aligned("alice.co.uk", "bob.co.uk"));
        assert!(!aligned("bob.example", "bob.example.eve.test"));
        assert!(!aligned("", ""));
    }

    #[test]
    fn only_names_below_real_suffixes_pass_for_servers() {
        for real in ["example.org", "www.bob.co.uk", "bücher.de"] {
            assert!(is_plausible(real), "{real}");
        }
        for none in ["Hello.There", "v1.2", "127.0.0.1", "a b.org", "readme.txt", "org", ""] {
            assert!(!is_plausible(none), "{none}");
        }
    }
}
