//! The way out: links in mail lead to a page of ours that shows where they go. It takes a sealed token alone, made when
//! the message was rendered, so that nobody can send the owner anywhere through it (`threats.md` §17).

use super::Web;
use super::error::{WebError, page};
use super::extract::Query;
use super::view::{LeavePage, Theme};
use crate::crypto::seal;
use axum::extract::State;
use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use std::sync::Arc;

const AAD: &[u8] = b"leave";
/// The longest address that is led out to, in bytes.
const LONGEST: usize = 8_000;

/// The path of the leave page for a link, if it is one that may be followed.
pub(super) fn path(web: &Web, url: &str) -> Option<String> {
    let lower = url.trim().to_ascii_lowercase();
    if url.len() > LONGEST
        || !["http://", "https://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme))
    {
        return None;
    }
    Some(format!(
        "/leave?t={}",
        BASE64URL_NOPAD.encode(&seal::wrap(&web.process_key, AAD, url.trim().as_bytes()))
    ))
}

/// A `mailto` link stays here: to whom it leads, and the path of a new message in which it may fill in to, subject and
/// body, nothing else.
fn mailto(url: &str) -> Option<(String, String)> {
    let scheme = url.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"))?;
    let rest = url.strip_prefix(scheme)?;
    let (to, fields) = rest.split_once('?').unwrap_or((rest, ""));
    let to = decoded(to);
    let mut path = format!("/compose?to={}", super::view::encoded(&to));
    for field in fields.split('&') {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        if name.eq_ignore_ascii_case("subject") || name.eq_ignore_ascii_case("body") {
            path.push_str(&format!(
                "&{}={}",
                name.to_ascii_lowercase(),
                super::view::encoded(&decoded(value))
            ));
        }
    }
    Some((to, path))
}

/// Text with `%41` made to `A`.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let ahead = bytes.clone();
        let digits: Vec<u8> = bytes.by_ref().take(2).collect();
        match std::str::from_utf8(&digits).ok().and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(value) if digits.len() == 2 => out.push(value),
            _ => {
                out.push(b'%');
                bytes = ahead;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[derive(serde::Deserialize)]
pub(super) struct Token {
    #[serde(default)]
    t: String,
}

/// Shows where a link leads.
pub(super) async fn leave(
    State(web): State<Arc<Web>>,
    Query(token): Query<Token>,
) -> Result<Response, WebError> {
    let sealed = BASE64URL_NOPAD.decode(token.t.as_bytes()).map_err(|_| WebError::NotFound)?;
    let url = seal::unwrap(&web.process_key, AAD, &sealed).map_err(|_| WebError::NotFound)?;
    let url = std::str::from_utf8(&url).map_err(|_| WebError::NotFound)?;
    // A click in the frame comes from nowhere and bears no session; one on this page does.
    if let Some((to, href)) = mailto(url) {
        return page(&LeavePage { href, host: to, writes: true, ..LeavePage::default() });
    }
    let (before, rest) =
        url.find("//").and_then(|at| url.split_at_checked(at + 2)).ok_or(WebError::NotFound)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at_checked(end).ok_or(WebError::NotFound)?;
    // What stands before an @ is a user name, not the place.
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let caution = if authority.contains('@') {
        "The address pretends to lead to another place: what stands before the @ is not where it goes."
    } else if host.contains("xn--") || !host.is_ascii() {
        "The name of the place is written with letters of other scripts; look closely."
    } else if before.eq_ignore_ascii_case("http://") {
        "The connection is not encrypted: others on the way can read along."
    } else {
        ""
    };
    page(&LeavePage {
        theme: Theme::Auto,
        writes: false,
        href: url.to_owned(),
        before: format!("{before}{}", authority.strip_suffix(host).unwrap_or_default()),
        host: host.to_owned(),
        after: after.to_owned(),
        caution: caution.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailto_link_fills_in_three_fields_and_no_others() {
        let link = "MailTo:bob@lab.test?subject=a%20b&bcc=eve@lab.test&body=%zz&attach=/etc/passwd";
        let path = "/compose?to=bob@lab.test&subject=a%20b&body=%25zz";
        assert_eq!(mailto(link), Some(("bob@lab.test".to_owned(), path.to_owned())));
        assert_eq!(mailto("https://lab.test/mailto:"), None);
        assert_eq!(mailto("mailtö:"), None);
    }
}
