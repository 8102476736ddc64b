//! A small HTTPS GET over the one door: bounded in bytes, time and redirects, to public names only.

use std::time::Duration;

use tokio::time::timeout;

use super::address_guard;
use super::dialer::{Dialer, Purpose, Security};
use super::wire::{Wire, WireError};

/// How long the whole of it may take.
const WHOLE_LIMIT: Duration = Duration::from_secs(10);
/// How often the answer may be "elsewhere".
const MOST_REDIRECTS: usize = 3;
const LONGEST_LINE: usize = 8 << 10;
const MOST_HEADERS: usize = 100;

/// Why there is no document. Nobody needs to know more: the next way is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotFetched;

impl<E: Into<Cause>> From<E> for NotFetched {
    fn from(_: E) -> Self {
        Self
    }
}

/// What may go wrong on the way.
pub(super) struct Cause;

impl From<WireError> for Cause {
    fn from(_: WireError) -> Self {
        Self
    }
}

impl From<super::dialer::DialError> for Cause {
    fn from(_: super::dialer::DialError) -> Self {
        Self
    }
}

enum Answer {
    Document(Vec<u8>),
    Elsewhere(String, String),
}

/// Fetches `https://HOST/PATH`. Without Internet, without the page, with too much in it: not fetched.
pub(super) async fn get(
    dialer: &Dialer,
    purpose: Purpose,
    host: &str,
    path: &str,
    most_bytes: usize,
) -> Result<Vec<u8>, NotFetched> {
    let whole = async {
        let (mut host, mut path) = (host.to_owned(), path.to_owned());
        for _ in 0..=MOST_REDIRECTS {
            match ask(dialer, purpose, &host, &path, most_bytes).await? {
                Answer::Document(bytes) => return Ok(bytes),
                Answer::Elsewhere(new_host, new_path) => (host, path) = (new_host, new_path),
            }
        }
        Err(NotFetched)
    };
    timeout(WHOLE_LIMIT, whole).await.unwrap_or(Err(NotFetched))
}

async fn ask(
    dialer: &Dialer,
    purpose: Purpose,
    host: &str,
    path: &str,
    most_bytes: usize,
) -> Result<Answer, NotFetched> {
    let stream = dialer.connect_public(purpose, host, 443, Security::Tls).await?;
    let mut wire = Wire::new(stream, WHOLE_LIMIT);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
    );
    wire.send(request.as_bytes()).await?;
    let status = status(&wire.line(LONGEST_LINE).await?).ok_or(NotFetched)?;
    let headers = headers(&mut wire).await?;
    let header = |name: &str| headers.iter().find(|(its, _)| its == name).map(|(_, value)| value.as_str());
    match status {
        200 => {
            let chunked =
                header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
            let length = header("content-length").map(|value| value.parse::<usize>().map_err(|_| NotFetched));
            let body = match length.transpose()? {
                _ if chunked => chunks(&mut wire, most_bytes).await?,
                Some(length) if length > most_bytes => return Err(NotFetched),
                Some(length) => wire.exact(length).await?,
                None => wire.rest(most_bytes).await?,
            };
            Ok(Answer::Document(body))
        }
        301 | 302 | 303 | 307 | 308 => {
            let (host, path) = elsewhere(header("location").ok_or(NotFetched)?, host).ok_or(NotFetched)?;
            Ok(Answer::Elsewhere(host, path))
        }
        _ => Err(NotFetched),
    }
}

fn status(line: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(line).ok()?;
    line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

async fn headers(wire: &mut Wire) -> Result<Vec<(String, String)>, NotFetched> {
    let mut headers = Vec::new();
    for _ in 0..MOST_HEADERS {
        let line = wire.line(LONGEST_LINE).await?;
        if line.is_empty() {
            return Ok(headers);
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        let (name, value) = line.split_once(':').ok_or(NotFetched)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Err(NotFetched)
}

async fn chunks(wire: &mut Wire, most_bytes: usize) -> Result<Vec<u8>, NotFetched> {
    let mut body = Vec::new();
    loop {
        let line = wire.line(LONGEST_LINE).await?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).map_err(|_| NotFetched)?;
        if size == 0 {
            return Ok(body);
        }
        if size > most_bytes - body.len() {
            return Err(NotFetched);
        }
        body.extend(wire.exact(size).await?);
        wire.line(2).await?;
    }
}

/// Where a redirect leads: the same host, or another public one, by https on its usual port.
fn elsewhere(location: &str, host: &str) -> Option<(String, String)> {
    let printable = location.bytes().all(|byte| byte.is_ascii_graphic());
    if !printable || location.len() > 2000 {
        return None;
    }
    let (new_host, path) = if location.starts_with('/') && !location.starts_with("//") {
        (host, location.to_owned())
    } else {
        let rest = location.strip_prefix("https://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        (authority.strip_suffix(":443").unwrap_or(authority), path)
    };
    let path = path.split('#').next().unwrap_or("/").to_owned();
    address_guard::is_public_name(new_host).then(|| (new_host.to_owned(), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_outside_and_secure() {
        let to = |location: &str| elsewhere(location, "a.example");
        assert_eq!(to("/x?y#z"), Some(("a.example".into(), "/x?y".into())));
        assert_eq!(to("https://b.example:443/x"), Some(("b.example".into(), "/x".into())));
        assert_eq!(to("https://b.example?x"), Some(("b.example".into(), "/?x".into())));
        for wrong in [
            "http://b.example/",
            "//b.example/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://b.example:8443/",
            "https://u@b.example/",
            "https://b.onion/",
            "https://localhost/",
            "x",
            "/a b",
            "/a\r\nHost: x",
        ] {
            assert_eq!(to(wrong), None, "{wrong}");
        }
    }
}
