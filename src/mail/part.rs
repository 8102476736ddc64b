//! Parts: the nodes of a message's MIME tree, how risky they are to open, and names that are safe to save them under.

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::attachment::name::{Trick, tricks};
use super::message::{charset, people, transfer};

/// A node of the MIME tree. It knows where it lies in the message and decodes itself when asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its place in [`super::message::Message::parts`], counted from 1.
    pub n: u32,
    /// The part that holds it; `None` for the root.
    pub parent: Option<u32>,
    /// `type/subtype` in lower case.
    pub content_type: String,
    /// The charset it declares, as written.
    pub charset: Option<String>,
    /// Its file name, decoded and safe.
    pub name: Option<String>,
    /// What its sender wants done with it.
    pub disposition: Disposition,
    /// Its Content-ID without angle brackets.
    pub content_id: Option<String>,
    /// How it is encoded for transfer.
    pub encoding: Encoding,
    /// What it is to the reader of the message.
    pub role: Role,
    /// How many bytes it has once decoded; for a multipart, as it lies there.
    pub bytes: u64,
    /// How risky it is to open, by its name and its type; [`super::attachment::look`] also looks at its content.
    pub risk: Risk,
    /// The tricks in its name as it was written.
    pub tricks: Vec<Trick>,
    /// `format=flowed` (RFC 3676).
    pub flowed: bool,
    /// `delsp=yes` (RFC 3676).
    pub delsp: bool,
    /// The `protocol` of a signed or encrypted multipart, the `smime-type` of S/MIME, the `method` of a calendar; in
    /// lower case.
    pub detail: Option<String>,
    /// Where its header lies in the message, the blank line after it included.
    pub header: Range<usize>,
    /// Where its body lies in the message, without the line break that belongs to the delimiter.
    pub body: Range<usize>,
}

/// What a sender wants done with a part (RFC 2183).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Not said.
    Unstated,
    /// Shown in its place.
    Inline,
    /// Offered for download.
    Attachment,
}

/// How a part is encoded for transfer (RFC 2045 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// Base64.
    Base64,
    /// Quoted-printable.
    QuotedPrintable,
    /// The old Unix encoding, under any of its names.
    Uuencode,
}

/// What a part is to the reader of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A multipart.
    Container,
    /// Text that is shown.
    Body,
    /// Text that is shown and offered for download, such as a patch sent inline under a name.
    BodyAndAttachment,
    /// Offered for download.
    Attachment,
    /// An image or the like that the HTML shows in its place.
    Inline,
    /// A calendar object that is one of the forms of the message itself.
    Invitation,
    /// A detached signature.
    Signature,
    /// The two halves of an encrypted multipart.
    Cipher,
    /// Another form of what is shown already.
    Alternative,
}

/// How risky it is to open a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Nothing speaks against it.
    #[default]
    None,
    /// It may carry what runs or calls home: HTML, SVG, archives, old office formats.
    Caution,
    /// It is a program, or pretends to be something else.
    Danger,
}

impl Risk {
    /// The word for it on every surface.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Caution => "caution",
            Self::Danger => "danger",
        }
    }
}

impl Part {
    /// Its bytes with the transfer encoding undone. `raw` is the message it was found in.
    #[must_use]
    pub fn decoded<'a>(&self, raw: &'a [u8]) -> Cow<'a, [u8]> {
        transfer::decode(self.raw_body(raw), self.encoding)
    }

    /// `body`, or its beginning, with the transfer encoding undone.
    pub(super) fn decode<'a>(&self, body: &'a [u8]) -> Cow<'a, [u8]> {
        transfer::decode(body, self.encoding)
    }

    /// Its bytes as text, by its charset. `raw` is the message it was found in.
    #[must_use]
    pub fn text(&self, raw: &[u8]) -> String {
        charset::decode(&self.decoded(raw), self.charset.as_deref())
    }

    /// Its body as it lies in `raw`.
    #[must_use]
    pub fn raw_body<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        raw.get(self.body.clone()).unwrap_or_default()
    }

    /// Header and body as they lie in `raw`: what a signature over the part covers.
    #[must_use]
    pub fn raw_whole<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        raw.get(self.header.start..self.body.end).unwrap_or_default()
    }

    /// Whether it holds other parts.
    #[must_use]
    pub fn is_multipart(&self) -> bool {
        self.content_type.starts_with("multipart/")
    }

    /// Whether it is offered for download.
    #[must_use]
    pub fn is_offered(&self) -> bool {
        matches!(self.role, Role::Attachment | Role::BodyAndAttachment | Role::Invitation | Role::Cipher)
    }

    /// Whether it is a message of its own.
    #[must_use]
    pub fn is_message(&self) -> bool {
        matches!(self.content_type.as_str(), "message/rfc822" | "message/global")
    }

    /// Whether it is an image.
    #[must_use]
    pub fn is_image(&self) -> bool {
        self.content_type.starts_with("image/")
            || self.is_unspecific() && IMAGES.contains(&self.extension().as_str())
    }

    /// Whether it is a document: text, table, slides, book, PDF.
    #[must_use]
    pub fn is_document(&self) -> bool {
        let kind = self.content_type.as_str();
        kind == "application/pdf"
            || kind == "application/rtf"
            || kind == "application/msword"
            || kind == "application/epub+zip"
            || kind.starts_with("application/vnd.ms-excel")
            || kind.starts_with("application/vnd.ms-powerpoint")
            || kind.starts_with("application/vnd.ms-word")
            || kind.starts_with("application/vnd.oasis.opendocument.")
            || kind.starts_with("application/vnd.openxmlformats-officedocument.")
            || DOCUMENTS.contains(&self.extension().as_str())
    }

    /// Whether it is a calendar object.
    #[must_use]
    pub fn is_calendar(&self) -> bool {
        matches!(self.content_type.as_str(), "text/calendar" | "text/x-vcalendar" | "application/ics")
            || matches!(self.extension().as_str(), "ics" | "vcs")
    }

    /// Whether it is an address card.
    #[must_use]
    pub fn is_card(&self) -> bool {
        matches!(self.content_type.as_str(), "text/vcard" | "text/x-vcard" | "text/directory")
            || self.extension() == "vcf"
    }

    fn is_unspecific(&self) -> bool {
        matches!(self.content_type.as_str(), "application/octet-stream" | "application/x-unknown")
    }

    /// What stands behind the last dot of its name, in lower case.
    pub(super) fn extension(&self) -> String {
        self.name.as_deref().map_or_else(String::new, |name| extension(name).to_ascii_lowercase())
    }
}

const IMAGES: &[&str] =
    &["avif", "bmp", "gif", "heic", "heif", "jpeg", "jpg", "jxl", "png", "svg", "tif", "tiff", "webp"];

const DOCUMENTS: &[&str] = &[
    "csv", "doc", "docm", "docx", "epub", "key", "numbers", "odp", "ods", "odt", "pages", "pdf", "ppt",
    "pptm", "pptx", "rtf", "xls", "xlsm", "xlsx",
];

/// Programs, scripts, shortcuts, installers, disk images, and documents that bring macros along.
const DANGEROUS: &[&str] = &[
    "ace",
    "ade",
    "adp",
    "app",
    "appimage",
    "application",
    "appx",
    "appxbundle",
    "bas",
    "bat",
    "cab",
    "chm",
    "cmd",
    "com",
    "command",
    "cpl",
    "deb",
    "desktop",
    "diagcab",
    "dll",
    "dmg",
    "docm",
    "dotm",
    "exe",
    "gadget",
    "hlp",
    "hta",
    "img",
    "inf",
    "ins",
    "iso",
    "jar",
    "jnlp",
    "js",
    "jse",
    "lnk",
    "mde",
    "msc",
    "msh",
    "msi",
    "msix",
    "msp",
    "mst",
    "nsh",
    "one",
    "pif",
    "pkg",
    "potm",
    "ppam",
    "ppsm",
    "pptm",
    "ps1",
    "ps2",
    "psc1",
    "py",
    "pyw",
    "rb",
    "reg",
    "rpm",
    "run",
    "scf",
    "scpt",
    "scr",
    "settingcontent-ms",
    "sh",
    "sldm",
    "sys",
    "udf",
    "url",
    "vb",
    "vbe",
    "vbs",
    "vhd",
    "vhdx",
    "webloc",
    "ws",
    "wsc",
    "wsf",
    "wsh",
    "xbap",
    "xlam",
    "xll",
    "xlsm",
    "xltm",
];

/// What may carry scripts, macros or more files, but is sent every day.
const DOUBTFUL: &[&str] = &[
    "7z", "arj", "bz2", "doc", "dot", "gz", "htm", "html", "iqy", "lha", "lzh", "mht", "mhtml", "pps", "ppt",
    "pub", "rar", "rtf", "shtml", "slk", "svg", "svgz", "tar", "tgz", "xht", "xhtml", "xls", "xlt", "xml",
    "xsl", "xz", "z", "zip", "zst",
];

const DANGEROUS_TYPES: &[&str] = &[
    "application/hta",
    "application/java-archive",
    "application/javascript",
    "application/vnd.microsoft.portable-executable",
    "application/x-apple-diskimage",
    "application/x-dosexec",
    "application/x-executable",
    "application/x-iso9660-image",
    "application/x-javascript",
    "application/x-ms-installer",
    "application/x-ms-shortcut",
    "application/x-msdos-program",
    "application/x-msdownload",
    "application/x-msi",
    "application/x-sh",
    "application/x-shellscript",
    "text/javascript",
    "text/vbscript",
];

/// Whether a name of this ending (in lower case) is a program's, a script's, a shortcut's, a disk's.
pub(super) fn is_dangerous_ending(ending: &str) -> bool {
    DANGEROUS.contains(&ending)
}

/// Whether a media type (in lower case) is that of a program.
pub(super) fn is_dangerous_type(media_type: &str) -> bool {
    DANGEROUS_TYPES.contains(&media_type)
}

/// Whether an ending (in lower case) is one that people trust: pictures, documents, text.
pub(super) fn is_shown_ending(ending: &str) -> bool {
    DOCUMENTS.contains(&ending) || IMAGES.contains(&ending) || matches!(ending, "txt" | "mp3" | "mp4" | "avi")
}

/// How risky a part of that type and that name (as its sender wrote it) is.
#[must_use]
pub fn risk(content_type: &str, written_name: Option<&str>) -> Risk {
    let name = written_name.unwrap_or_default();
    let safe = safe_name(name).unwrap_or_default();
    let ending = extension(&safe).to_ascii_lowercase();
    let kind = content_type.to_ascii_lowercase();
    let tricked = tricks(name).into_iter().map(Trick::risk).max().unwrap_or_default();
    let own = if is_dangerous_ending(&ending) || is_dangerous_type(&kind) || kind.contains("macroenabled") {
        Risk::Danger
    } else if DOUBTFUL.contains(&ending.as_str())
        || matches!(
            kind.as_str(),
            "text/html" | "application/xhtml+xml" | "image/svg+xml" | "text/xml" | "application/xml"
        )
        || matches!(kind.as_str(), "application/zip" | "application/x-zip-compressed" | "application/msword")
    {
        Risk::Caution
    } else {
        Risk::None
    };
    own.max(tricked)
}

/// The ending of a file name without the dot; empty when there is none.
pub(super) fn extension(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && ending.len() <= 20 => ending,
        _ => "",
    }
}

const NAME_MAX: usize = 200;

/// A file name that can do no harm wherever it is saved; `None` when nothing is left of it.
#[must_use]
pub fn safe_name(written: &str) -> Option<String> {
    let last = written.rsplit(['/', '\\']).find(|piece| !piece.trim_matches(['.', ' ']).is_empty())?;
    let name: String = last
        .chars()
        .filter(|c| !people::is_hidden(*c))
        .map(|c| if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c })
        .collect();
    let name = name.trim_start_matches(['.', ' ', '~']).trim_end_matches(['.', ' ']);
    if name.is_empty() {
        return None;
    }
    let name = shorten(name);
    Some(if is_reserved(&name) { format!("_{name}") } else { name })
}

/// Cuts the stem, so that the ending stays.
fn shorten(name: &str) -> String {
    if name.len() <= NAME_MAX {
        return name.to_owned();
    }
    let ending = extension(name);
    let room = if ending.is_empty() { NAME_MAX } else { NAME_MAX - ending.len() - 1 };
    let stem = name.get(..name.floor_char_boundary(room)).unwrap_or_default();
    if ending.is_empty() {
        stem.to_owned()
    } else {
        format!("{}.{ending}", stem.trim_end_matches(['.', ' ']))
    }
}

/// Names that mean a device on Windows, whatever their ending.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = |prefix| {
        stem.strip_prefix(prefix).is_some_and(|number: &str| matches!(number.as_bytes(), [b'0'..=b'9']))
    };
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_to_save() {
        let long = format!("{}.pdf", "ü".repeat(300));
        for (written, safe) in [
            ("cat.jpg", Some("cat.jpg")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Windows\\cat.jpg", Some("cat.jpg")),
            ("/etc/", Some("etc")),
            (".bashrc", Some("bashrc")),
            ("a\0b\nc.txt", Some("abc.txt")),
            ("gpj.\u{202e}cat.exe", Some("gpj.cat.exe")),
            ("con.txt", Some("_con.txt")),
            ("COM1", Some("_COM1")),
            ("com10.txt", Some("com10.txt")),
            ("what? <now>.txt", Some("what_ _now_.txt")),
            ("cat.jpg. . ", Some("cat.jpg")),
            ("..", None),
            ("///", None),
            ("", None),
        ] {
            assert_eq!(safe_name(written).as_deref(), safe, "{written:?}");
        }
        let safe = safe_name(&long).unwrap();
        assert!(safe.len() <= NAME_MAX && safe.ends_with("ü.pdf"), "{safe}");
    }

    #[test]
    fn what_runs_is_dangerous_and_what_may_is_doubtful() {
        for (kind, name, expected) in [
            ("image/png", Some("cat.png"), Risk::None),
            ("application/pdf", Some("invoice.pdf"), Risk::None),
            ("application/octet-stream", Some("invoice.pdf.exe"), Risk::Danger),
            ("application/octet-stream", Some("invoice.PDF.HTML"), Risk::Danger),
            ("application/zip", Some("photo.jpg      .zip"), Risk::Danger),
            ("application/octet-stream", Some("cat.js"), Risk::Danger),
            ("application/x-msdownload", Some("cat.jpg"), Risk::Danger),
            ("image/jpeg", Some("cat\u{202e}gpj.xcod"), Risk::Danger),
            ("application/vnd.ms-excel.sheet.macroEnabled.12", Some("sum"), Risk::Danger),
            ("text/html", None, Risk::Caution),
            ("image/svg+xml", Some("cat.svg"), Risk::Caution),
            ("application/msword", Some("letter.doc"), Risk::Caution),
            ("application/octet-stream", Some("all.tar.gz"), Risk::Caution),
        ] {
            assert_eq!(risk(kind, name), expected, "{kind} {name:?}");
        }
    }
}
