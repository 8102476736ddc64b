//! Addresses in mail: which may be followed, what an image may come from, and what only serves to track.

use data_encoding::BASE64;

use crate::mail::domain;

/// A data: image may be this many characters of base64.
const MAX_DATA: usize = 1 << 20;
/// An address longer than this is not one.
const MAX_ADDRESS: usize = 8_192;
/// A picture's side may be this many pixels, and the whole this many.
const MAX_SIDE: u32 = 10_000;
const MAX_PIXELS: u64 = 40_000_000;

/// Where an image comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ImageSource {
    /// A part of the same message.
    Part(String),
    /// The picture itself, checked and written anew.
    Data(String),
    /// Somebody's server.
    Remote(String),
    /// Nowhere that is allowed.
    Nowhere,
}

/// Reads an image's address the way a browser would.
pub(super) fn image_source(value: &str) -> ImageSource {
    let address = as_browsers_read(value);
    let Some((scheme, rest)) = address.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return if address.starts_with("//") || address.starts_with("\\\\") {
            web_address("https", &address).map_or(ImageSource::Nowhere, ImageSource::Remote)
        } else {
            ImageSource::Nowhere
        };
    };
    match scheme.to_ascii_lowercase().as_str() {
        "cid" => ImageSource::Part(percent_decoded(rest.trim())),
        "data" => data_image(rest).map_or(ImageSource::Nowhere, ImageSource::Data),
        scheme @ ("http" | "https") => {
            web_address(scheme, rest).map_or(ImageSource::Nowhere, ImageSource::Remote)
        }
        _ => ImageSource::Nowhere,
    }
}

/// The address a link leads to, if it is of a kind that may be followed, without what only tracks the reader.
pub(super) fn link_target(value: &str) -> Option<String> {
    let address = as_browsers_read(value);
    if address.len() > MAX_ADDRESS {
        return None;
    }
    if address.starts_with("//") || address.starts_with("\\\\") {
        return web_address("https", &address).map(|address| without_tracking(&address));
    }
    let (scheme, rest) = address.split_once(':')?;
    match scheme.to_ascii_lowercase().as_str() {
        scheme @ ("http" | "https") => web_address(scheme, rest).map(|address| without_tracking(&address)),
        "mailto" => mailto(rest),
        _ => None,
    }
}

/// The host of a web address in small letters, without user and port.
pub(super) fn host(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = if host.starts_with('[') { host } else { host.split(':').next()? };
    (!host.is_empty()).then(|| host.to_lowercase())
}

/// A link whose text names another place than it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FalseLink {
    /// The host that the text names.
    pub shown: String,
    /// The host that it leads to.
    pub leads: String,
}

/// Whether the text of a link is an address of the web by itself, of another owner's than where the link leads.
pub(super) fn false_link(text: &str, target: &str) -> Option<FalseLink> {
    let text = text.trim();
    if text.is_empty() || text.contains(char::is_whitespace) {
        return None;
    }
    let leads = host(target)?;
    let lower = text.to_lowercase();
    let shown = match lower.split_once("://") {
        Some(("http" | "https", _)) => host(&lower)?,
        Some(_) => return None,
        None => {
            host(&format!("http://{lower}")).filter(|shown| !lower.contains('@') && shown.contains('.'))?
        }
    };
    let differ = domain::is_plausible(&shown) && !domain::aligned(&shown, &leads);
    differ.then_some(FalseLink { shown, leads })
}

/// Browsers drop tabs and line ends anywhere, and controls and spaces at both ends.
fn as_browsers_read(value: &str) -> String {
    value
        .trim_matches(|c: char| c <= ' ')
        .chars()
        .filter(|c| !matches!(c, '\t' | '\n' | '\r'))
        .take(MAX_DATA + 64)
        .collect()
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 16
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// Puts together an address of http or https. `rest` is what follows the scheme; any number of slashes and backslashes
/// comes to two.
fn web_address(scheme: &str, rest: &str) -> Option<String> {
    let rest = rest.trim_start_matches(['/', '\\']);
    if rest.len() > MAX_ADDRESS {
        return None;
    }
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let host = authority.rsplit('@').next().unwrap_or_default();
    let odd = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'' | '`' | '^' | '|')
    };
    if host.is_empty() || host.starts_with(':') || authority.contains(odd) {
        return None;
    }
    let mut address = format!("{scheme}://{authority}");
    match path.strip_prefix('\\') {
        Some(path) => {
            address.push('/');
            push_escaped(&mut address, path);
        }
        None => push_escaped(&mut address, path),
    }
    (address.len() <= MAX_ADDRESS).then_some(address)
}

fn push_escaped(address: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            ' ' | '"' | '<' | '>' | '`' | '\'' => address.push_str(&format!("%{:02X}", u32::from(c))),
            c if c.is_control() => {}
            c => address.push(c),
        }
    }
}

/// A mailto may fill in whom to write to, a subject and a text, nothing else.
fn mailto(rest: &str) -> Option<String> {
    let (to, query) = rest.split_once('?').unwrap_or((rest, ""));
    let query = query.split('#').next().unwrap_or_default();
    let allowed = |field: &&str| {
        let name = field.split('=').next().unwrap_or_default().to_ascii_lowercase();
        matches!(name.as_str(), "to" | "subject" | "body")
    };
    let mut address = String::from("mailto:");
    push_escaped(&mut address, to.split('#').next().unwrap_or_default());
    let fields: Vec<&str> = query.split('&').filter(allowed).collect();
    if !fields.is_empty() {
        address.push('?');
        push_escaped(&mut address, &fields.join("&"));
    }
    ("mailto:".len() + 1..=MAX_ADDRESS).contains(&address.len()).then_some(address)
}

/// The address without the parameters that tell nothing but who clicked.
fn without_tracking(address: &str) -> String {
    let (rest, fragment) = match address.split_once('#') {
        Some((rest, fragment)) => (rest, Some(fragment)),
        None => (address, None),
    };
    let Some((path, query)) = rest.split_once('?') else { return address.to_owned() };
    if !query.split('&').any(is_tracking) {
        return address.to_owned();
    }
    let kept: Vec<&str> = query.split('&').filter(|field| !is_tracking(field)).collect();
    let mut clean = path.to_owned();
    if !kept.is_empty() {
        clean.push('?');
        clean.push_str(&kept.join("&"));
    }
    if let Some(fragment) = fragment {
        clean.push('#');
        clean.push_str(fragment);
    }
    clean
}

fn is_tracking(field: &str) -> bool {
    let name = field.split('=').next().unwrap_or_default().to_ascii_lowercase();
    name.starts_with("utm_")
        || matches!(
            name.as_str(),
            "fbclid"
                | "gclid"
                | "dclid"
                | "gbraid"
                | "wbraid"
                | "gclsrc"
                | "msclkid"
                | "yclid"
                | "twclid"
                | "ttclid"
                | "igshid"
                | "mc_eid"
                | "mc_cid"
                | "_hsenc"
                | "_hsmi"
                | "__hstc"
                | "__hssc"
                | "__hsfp"
                | "hsctatracking"
                | "mkt_tok"
                | "vero_id"
                | "vero_conv"
                | "oly_anon_id"
                | "oly_enc_id"
                | "wickedid"
                | "rb_clickid"
                | "s_cid"
                | "ml_subscriber"
                | "ml_subscriber_hash"
                | "ck_subscriber_id"
                | "_openstat"
                | "_kx"
                | "elqtrackid"
                | "elqtrack"
                | "_bta_tid"
                | "_bta_c"
                | "trk_contact"
                | "trk_msg"
                | "trk_module"
                | "trk_sid"
                | "dm_i"
                | "ss_email_id"
                | "bsft_eid"
                | "bsft_clkid"
                | "bsft_uid"
        )
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte =
            if *first == b'%' { digits.and_then(|two| u8::from_str_radix(two, 16).ok()) } else { None };
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A picture written out in the address: only the four kinds every browser draws, whole, and of a sane size.
fn data_image(rest: &str) -> Option<String> {
    let (kind, body) = rest.split_once(',')?;
    let kind = kind.to_ascii_lowercase();
    let kind = kind.strip_suffix(";base64")?.split(';').next()?.trim().to_owned();
    if body.len() > MAX_DATA {
        return None;
    }
    let mut letters: String = body.chars().filter(|c| !c.is_ascii_whitespace() && *c != '=').collect();
    while !letters.len().is_multiple_of(4) {
        letters.push('=');
    }
    let bytes = BASE64.decode(letters.as_bytes()).ok()?;
    let found = kind_of_image(&bytes)?;
    let named = if kind == "image/jpg" { "image/jpeg" } else { kind.as_str() };
    (found == named).then(|| format!("data:{found};base64,{}", BASE64.encode(&bytes)))
}

/// The kind of a picture from its first bytes, if its size is one that a browser can be asked to draw.
fn kind_of_image(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.get(12..16)? == b"IHDR" {
        let side = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        return fits(side(16)?, side(20)?).then_some("image/png");
    }
    if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        let side = |at: usize| Some(u32::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)));
        return fits(side(6)?, side(8)?).then_some("image/gif");
    }
    if bytes.starts_with(b"\xff\xd8\xff") {
        let (wide, high) = jpeg_size(bytes)?;
        return fits(wide, high).then_some("image/jpeg");
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12)? == b"WEBP" {
        return webp_fits(bytes).then_some("image/webp");
    }
    None
}

fn fits(wide: u32, high: u32) -> bool {
    (1..=MAX_SIDE).contains(&wide)
        && (1..=MAX_SIDE).contains(&high)
        && u64::from(wide) * u64::from(high) <= MAX_PIXELS
}

/// The size in a JPEG's frame header.
fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let pair = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        match *bytes.get(at + 1)? {
            0xff => at += 1,
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Some((u32::from(pair(at + 7)?), u32::from(pair(at + 5)?)));
            }
            0xd8..=0xda => return None,
            _ => at += 2 + usize::from(pair(at + 2)?).max(2),
        }
    }
}

fn webp_fits(bytes: &[u8]) -> bool {
    let byte = |at: usize| bytes.get(at).copied().map_or(0, u32::from);
    match bytes.get(12..16) {
        Some(b"VP8X") => fits(
            1 + (byte(24) | byte(25) << 8 | byte(26) << 16),
            1 + (byte(27) | byte(28) << 8 | byte(29) << 16),
        ),
        Some(b"VP8 ") => fits((byte(26) | byte(27) << 8) & 0x3fff, (byte(28) | byte(29) << 8) & 0x3fff),
        Some(b"VP8L") => {
            let bits = byte(21) | byte(22) << 8 | byte(23) << 16 | byte(24) << 24;
            fits(1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_and_mail_links_may_be_followed() {
        let none = [
            "javascript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "#top",
            "/inbox",
            "http:",
            "https://",
            "ftp://x",
            " \u{1}javascript:x",
            "tel:123",
            "blob:https://x/1",
            "mailto:",
        ];
        for address in none {
            assert_eq!(link_target(address), None, "{address}");
        }
        assert_eq!(link_target("HTTP:\\\\bob.example\\x").as_deref(), Some("http://bob.example/x"));
        assert_eq!(link_target("ht\ntps://bob.example/a b").as_deref(), Some("https://bob.example/a%20b"));
        assert_eq!(link_target("//bob.example").as_deref(), Some("https://bob.example"));
        assert_eq!(
            link_target("mailto:bob@example.org?subject=Hi&bcc=eve@example.net&body=x").as_deref(),
            Some("mailto:bob@example.org?subject=Hi&body=x")
        );
    }

    #[test]
    fn tracking_parameters_go_and_others_stay() {
        assert_eq!(
            link_target("https://bob.example/?a=1&utm_source=x&UTM_medium=y&b=2&mc_eid=3#part").as_deref(),
            Some("https://bob.example/?a=1&b=2#part")
        );
        assert_eq!(link_target("https://bob.example/?fbclid=1").as_deref(), Some("https://bob.example/"));
    }

    #[test]
    fn images_come_from_parts_data_or_servers() {
        assert_eq!(image_source("cid:logo%40bob"), ImageSource::Part("logo@bob".into()));
        assert_eq!(image_source("//t.example/x.gif"), ImageSource::Remote("https://t.example/x.gif".into()));
        assert_eq!(image_source("ht\ntp://t.example/x"), ImageSource::Remote("http://t.example/x".into()));
        assert_eq!(image_source("x.gif"), ImageSource::Nowhere);
        assert_eq!(image_source("data:image/svg+xml;base64,PHN2Zz4="), ImageSource::Nowhere);
        assert_eq!(image_source("data:text/html,<script>"), ImageSource::Nowhere);
        let gif = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";
        assert_eq!(image_source(gif), ImageSource::Data(gif.into()));
        assert_eq!(image_source(&gif.replace("gif", "png")), ImageSource::Nowhere);
    }

    #[test]
    fn a_link_that_shows_one_place_and_leads_to_another_is_found() {
        let found = |text: &str, target: &str| false_link(text, target).map(|f| (f.shown, f.leads));
        let eve = "https://eve.example.net/x";
        for text in ["www.bob.org", " https://bob.org/login ", "BOB.org/login?x=1", "http://www.bob.org:80"] {
            let (shown, leads) = found(text, eve).unwrap();
            assert!(shown.ends_with("bob.org") && leads == "eve.example.net", "{text}");
        }
        for text in ["", "click here", "bob@bob.org", "readme.txt", "3.14", "mailto:x", "www.example.net"] {
            assert_eq!(found(text, eve), None, "{text}");
        }
        assert_eq!(found("bob.org", "https://click.bob.org/?to=1"), None);
        assert_eq!(found("bob.org", "mailto:bob@bob.org"), None);
    }

    #[test]
    fn a_host_is_read_without_user_and_port() {
        assert_eq!(host("https://bob@Eve.example:80/x").as_deref(), Some("eve.example"));
    }
}
