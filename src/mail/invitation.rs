//! Links that carry a key's fingerprint from hand to hand (SecureJoin, "Setup Contact" of countermitm 0.10; the form is
//! Delta Chat's). Whoever has the link knows which key to expect, and two secrets that show they had it.

/// A link is never longer.
const LINK_MAX: usize = 4096;
/// The page that shows such a link as a picture to be scanned.
const PAGE: &str = "https://i.delta.chat/#";
/// The scheme of the older form, which every reader knows.
const SCHEME: &str = "OPENPGP4FPR:";

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Who invites: their address, as written.
    pub address: String,
    /// Their name; empty where it is not said.
    pub name: String,
    /// The fingerprint of their key, upper-case hexadecimal.
    pub fingerprint: String,
    /// What lets one ask for their key.
    pub number: String,
    /// What proves that one had the link.
    pub secret: String,
}

/// Why a text is no such link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnInvitation {
    /// It is something else, or a piece is missing.
    #[error("this is no invitation to compare keys, or a piece of it is missing")]
    Unreadable,
    /// It invites into a group.
    #[error("this is an invitation into a group; ask for one to that person alone")]
    Group,
}

impl Invitation {
    /// Reads a link, in the older or the newer form.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(link: &str) -> Result<Self, NotAnInvitation> {
        let link = link.trim();
        let after = |begin: &str| {
            let (head, rest) = link.split_at_checked(begin.len())?;
            head.eq_ignore_ascii_case(begin).then_some(rest)
        };
        let rest = after(PAGE).or_else(|| after(SCHEME)).filter(|_| link.len() <= LINK_MAX);
        let (fingerprint, fields) =
            rest.and_then(|rest| rest.split_once(['#', '&'])).ok_or(NotAnInvitation::Unreadable)?;
        let mut read = Self {
            address: String::new(),
            name: String::new(),
            fingerprint: fingerprint.to_ascii_uppercase(),
            number: String::new(),
            secret: String::new(),
        };
        for (name, value) in fields.split('&').filter_map(|field| field.split_once('=')) {
            match name {
                "a" => value.split(',').next().unwrap_or_default().clone_into(&mut read.address),
                "n" => read.name = value.replace('+', " "),
                "i" => value.clone_into(&mut read.number),
                "s" => value.clone_into(&mut read.secret),
                "g" | "b" | "x" => return Err(NotAnInvitation::Group),
                _ => {}
            }
        }
        read.address = decoded(&read.address).ok_or(NotAnInvitation::Unreadable)?;
        read.name =
            decoded(&read.name).unwrap_or_default().chars().filter(|c| !c.is_control()).take(100).collect();
        if read.is_sound() { Ok(read) } else { Err(NotAnInvitation::Unreadable) }
    }

    fn is_sound(&self) -> bool {
        let is_key = self.fingerprint.len() == 40 && self.fingerprint.bytes().all(|c| c.is_ascii_hexdigit());
        let is_address = self.address.len() <= 320
            && self
                .address
                .split_once('@')
                .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
            && self.address.chars().all(|c| !c.is_control() && !c.is_whitespace() && !"<>,;\"".contains(c));
        // Shorter ones could be guessed.
        let is_secret = |text: &str| {
            (8..=200).contains(&text.len())
                && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
        };
        is_key && is_address && is_secret(&self.number) && is_secret(&self.secret)
    }

    /// The link, in the older form.
    #[must_use]
    pub fn to_link(&self) -> String {
        format!(
            "{SCHEME}{}#a={}&n={}&i={}&s={}",
            self.fingerprint,
            encoded(&self.address),
            encoded(&self.name),
            self.number,
            self.secret
        )
    }
}

/// Percent encoding (RFC 3986 §2.1) undone; nothing where that is no text.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let [high, low, after @ ..] = after else { return None };
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        out.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
        rest = after;
    }
    String::from_utf8(out).ok()
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"._".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

    #[test]
    fn alice_reads_bobs_link_in_either_form() {
        let newer = format!(
            "https://i.delta.chat/#{KEY}&v=3&i=number12&s=secret12&a=bob%2Bx%40b.example&n=B%C3%B6b+B"
        );
        let older = format!(
            "openpgp4fpr:{}#a=bob%2Bx%40b.example&n=B%C3%B6b%20B&i=number12&s=secret12",
            KEY.to_lowercase()
        );
        let bob = Invitation {
            address: "bob+x@b.example".into(),
            name: "Böb B".into(),
            fingerprint: KEY.into(),
            number: "number12".into(),
            secret: "secret12".into(),
        };
        assert_eq!(Invitation::parse(&newer), Ok(bob.clone()));
        assert_eq!(Invitation::parse(&older), Ok(bob.clone()));
        assert_eq!(Invitation::parse(&bob.to_link()), Ok(bob));
    }

    #[test]
    fn what_is_no_link_to_one_person_is_refused() {
        let link = |rest: &str| Invitation::parse(&format!("OPENPGP4FPR:{rest}"));
        let good = "a=bob%40b.example&n=&i=number12&s=secret12";
        assert!(link(&format!("{KEY}#{good}")).is_ok());
        assert_eq!(link(&format!("{KEY}#{good}&g=Choir&x=abc")), Err(NotAnInvitation::Group));
        for bad in [
            String::new(),
            KEY.to_owned(),
            format!("{}#{good}", KEY.get(1..).unwrap()),
            format!("{KEY}#{}", good.replace("number12", "n")),
            format!("{KEY}#{}", good.replace("secret12", "a%20b c d e f")),
            format!("{KEY}#{}", good.replace("%40", "")),
            format!("{KEY}#{}", good.replace("%40", "%4")),
            format!("{KEY}#{}", good.replace("bob", "%0D%0ABcc:x")),
            format!("{KEY}#{good}&z={}", "z".repeat(LINK_MAX)),
        ] {
            assert_eq!(link(&bad), Err(NotAnInvitation::Unreadable), "{bad:.200}");
        }
        assert_eq!(Invitation::parse("https://example.org/#x&y"), Err(NotAnInvitation::Unreadable));
    }
}
