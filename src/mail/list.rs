//! The ways out of a mailing list that a message offers: `List-Unsubscribe` (RFC 2369) and the one-click way (RFC 8058).

use super::address::canonical;
use super::message::Message;

/// The longest field that is read, in bytes, and how many addresses of it.
const LONGEST: usize = 8 << 10;
const MOST_WAYS: usize = 10;
/// The longest subject and text that a mailto may ask for, in characters.
const LONGEST_SUBJECT: usize = 300;
const LONGEST_BODY: usize = 2_000;

/// A mail that leaves a list when it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeavingMail {
    /// To whom.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub body: String,
}

/// The ways out, as the message offers them; whether one may be gone is not said here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaysOut {
    /// An https address.
    pub link: Option<String>,
    /// The message says that a POST there is enough.
    pub one_click: bool,
    /// A mail.
    pub mail: Option<LeavingMail>,
}

/// What is posted for one click (RFC 8058 §3.2).
pub const ONE_CLICK: &str = "List-Unsubscribe=One-Click";

/// The ways out that a message offers; `None` where there are none.
#[must_use]
pub fn ways_out(message: &Message) -> Option<WaysOut> {
    let value = message.header("list-unsubscribe")?;
    let value = value.get(..value.floor_char_boundary(LONGEST)).unwrap_or_default();
    let mut ways = WaysOut::default();
    for address in bracketed(value).take(MOST_WAYS) {
        let address: String = address.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
        let lower = address.to_ascii_lowercase();
        if lower.starts_with("https://") && ways.link.is_none() {
            ways.link = Some(address);
        } else if lower.starts_with("mailto:") && ways.mail.is_none() {
            ways.mail = address.get("mailto:".len()..).and_then(mail);
        }
    }
    let post: String = message
        .header("list-unsubscribe-post")
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    ways.one_click = ways.link.is_some() && post.eq_ignore_ascii_case(ONE_CLICK);
    (ways.link.is_some() || ways.mail.is_some()).then_some(ways)
}

/// Under what a list that was left is remembered: its identifier, or else the address it sends from.
#[must_use]
pub fn name(message: &Message) -> Option<String> {
    let listed = message.list_id.as_deref().map(|id| id.trim().to_lowercase()).filter(|id| !id.is_empty());
    let name = listed.or_else(|| {
        let from = message.from.first().filter(|from| !from.address.is_empty());
        from.map(|from| canonical(&from.address))
    })?;
    Some(name.chars().take(320).collect())
}

fn bracketed(value: &str) -> impl Iterator<Item = &str> {
    value.split('<').skip(1).filter_map(|piece| piece.split_once('>').map(|(inside, _)| inside))
}

/// Reads what follows `mailto:` (RFC 6068): to whom, a subject and a text, nothing else.
fn mail(rest: &str) -> Option<LeavingMail> {
    let (to, query) = rest.split_once('?').unwrap_or((rest, ""));
    let to = decoded(to);
    let (local, domain) = to.rsplit_once('@')?;
    // One address only: nobody else is written to because a message says so.
    let sound = |c: char| !c.is_whitespace() && !c.is_control() && !",;<>\"()[]:\\".contains(c);
    if local.is_empty() || domain.is_empty() || to.len() > 320 || !to.chars().all(sound) {
        return None;
    }
    let field = |name: &str| {
        let found = query
            .split('&')
            .filter_map(|field| field.split_once('='))
            .find(|(its, _)| its.eq_ignore_ascii_case(name));
        found.map(|(_, value)| decoded(value)).unwrap_or_default()
    };
    let line = |text: String, most: usize| -> String {
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect()
    };
    let lines = |c: &char| !c.is_control() || *c == '\n';
    Some(LeavingMail {
        subject: line(field("subject"), LONGEST_SUBJECT).trim().to_owned(),
        body: field("body").replace("\r\n", "\n").chars().filter(lines).take(LONGEST_BODY).collect(),
        to,
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::message;

    fn ways(fields: &str) -> Option<WaysOut> {
        ways_out(&message::parse(format!("From: news@bob.example\r\n{fields}\r\n\r\nHello\r\n").as_bytes()))
    }

    #[test]
    fn the_ways_out_are_read() {
        let found = ways(
            "List-Unsubscribe: <mailto:leave@bob.example?subject=leave%20now&bcc=eve@eve.example&body=a%0Ab>,\r\n \
             <https://bob.example/leave?u=1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click",
        )
        .unwrap();
        assert_eq!(found.link.as_deref(), Some("https://bob.example/leave?u=1"));
        assert!(found.one_click);
        let mail = found.mail.unwrap();
        assert_eq!((&*mail.to, &*mail.subject, &*mail.body), ("leave@bob.example", "leave now", "a\nb"));
    }

    #[test]
    fn what_is_no_way_out_is_none() {
        assert_eq!(ways("Subject: x"), None);
        assert_eq!(ways("List-Unsubscribe: https://bob.example/"), None, "without brackets");
        assert_eq!(ways("List-Unsubscribe: <http://bob.example/>"), None, "in clear text");
        assert_eq!(ways("List-Unsubscribe: <javascript:alert(1)>, <mailto:>"), None);
        for two in ["a@b.org,c@d.org", "a@b.org%0d%0aBcc:c@d.org", "a@b.org%2Cc@d.org"] {
            assert_eq!(ways(&format!("List-Unsubscribe: <mailto:{two}>")), None, "{two}");
        }
    }

    #[test]
    fn one_click_needs_both_fields() {
        let link = "List-Unsubscribe: <https://bob.example/x>\r\n";
        assert!(!ways(&format!("{link}X: y")).unwrap().one_click);
        assert!(!ways(&format!("{link}List-Unsubscribe-Post: yes")).unwrap().one_click);
        let mail =
            "List-Unsubscribe: <mailto:a@bob.example>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click";
        assert!(!ways(mail).unwrap().one_click);
    }

    #[test]
    fn a_list_is_remembered_by_its_identifier_or_its_address() {
        let named = |fields: &str| name(&message::parse(format!("{fields}\r\n\r\nx").as_bytes()));
        assert_eq!(
            named("From: a@b.org\r\nList-Id: The List <the.List.org>").as_deref(),
            Some("the.list.org")
        );
        assert_eq!(named("From: A@B.org").as_deref(), Some("a@b.org"));
        assert_eq!(named("Subject: x"), None);
    }
}
