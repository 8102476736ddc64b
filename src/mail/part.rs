//! One node of a message that holds something: its type, its name made safe, where its bytes lie.

use mail_types::Encoding;
use std::borrow::Cow;

pub use mail_types::{Disposition, Risk};

/// Plain words for what a part is.
mod mail_types {
    /// How a part wants to be shown.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Disposition {
        /// It does not say.
        #[default]
        None,
        /// Within the message.
        Inline,
        /// As a file.
        Attachment,
    }

    /// How dangerous a file of this kind is to open.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Risk {
        /// As far as names tell, none.
        #[default]
        None,
        /// It may carry active content.
        Caution,
        /// It runs, or pretends to be something else.
        Danger,
    }

    /// The transfer encoding of a part.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(in crate::mail) enum Encoding {
        /// As it is.
        #[default]
        Identity,
        /// Base64.
        Base64,
        /// Quoted-printable.
        QuotedPrintable,
    }
}

pub(in crate::mail) use mail_types::Encoding as TransferEncoding;

/// A part of a message.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Its number in the message, from 1.
    pub n: u32,
    /// Its media type, in lower case.
    pub content_type: String,
    /// Its file name, made safe; `None` where it has none.
    pub name: Option<String>,
    /// How it wants to be shown.
    pub disposition: Disposition,
    /// Its Content-ID, without angle brackets.
    pub content_id: Option<String>,
    /// Decoded bytes.
    pub bytes: u64,
    /// How dangerous it is to open.
    pub risk: Risk,
    /// Whether it is offered as a file.
    pub is_attachment: bool,
    pub(in crate::mail) encoding: TransferEncoding,
    pub(in crate::mail) start: usize,
    pub(in crate::mail) end: usize,
}

impl Part {
    /// Its content, taken from the message's bytes and decoded; text keeps its charset.
    #[must_use]
    pub fn decoded<'a>(&self, raw: &'a [u8]) -> Cow<'a, [u8]> {
        let body = raw.get(self.start..self.end).unwrap_or_default();
        match self.encoding {
            Encoding::Identity => Cow::Borrowed(body),
            Encoding::Base64 => Cow::Owned(super::message::base64(body)),
            Encoding::QuotedPrintable => Cow::Owned(super::message::quoted_printable(body)),
        }
    }
}

/// The longest file name that is kept, in bytes.
const LONGEST_NAME: usize = 200;

/// A file name that harms nobody: no folders, no controls, nothing that changes the order of letters, no leading dots, and
/// none that a system keeps for itself.
#[must_use]
pub fn safe_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).find(|piece| !piece.trim().is_empty()).unwrap_or_default();
    let clean: String = last
        .chars()
        .filter(|c| {
            !c.is_control()
                && !matches!(*c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        })
        .map(|c| if "<>:\"|?*".contains(c) { '_' } else { c })
        .collect();
    let mut clean = clean.trim().trim_start_matches('.').trim_end_matches(['.', ' ']).to_owned();
    if clean.is_empty() {
        return None;
    }
    if clean.len() > LONGEST_NAME {
        // The extension says what it is, so it is the stem that is cut.
        let extension = clean.rfind('.').and_then(|at| clean.get(at..)).filter(|e| e.len() <= 20).unwrap_or_default().to_owned();
        let end = clean.floor_char_boundary(LONGEST_NAME - extension.len());
        clean.truncate(end);
        clean.push_str(&extension);
    }
    let stem = clean.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let reserved = matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || (stem.len() == 4 && (stem.starts_with("COM") || stem.starts_with("LPT")) && stem.ends_with(|c: char| c.is_ascii_digit()));
    if reserved {
        clean.insert(0, '_');
    }
    Some(clean)
}

/// Kinds of files that run when they are opened.
const RUNS: [&str; 57] = [
    "exe", "com", "scr", "pif", "bat", "cmd", "msi", "msp", "dll", "cpl", "hta", "js", "jse", "vbs", "vbe", "wsf", "wsh",
    "ps1", "psm1", "lnk", "reg", "inf", "jar", "jnlp", "app", "dmg", "pkg", "deb", "rpm", "apk", "sh", "bash", "command",
    "desktop", "py", "pyw", "pl", "rb", "php", "scf", "url", "website", "gadget", "chm", "iso", "img", "vhd", "vhdx", "msc",
    "ade", "adp", "appx", "appref-ms", "application", "library-ms", "settingcontent-ms", "xll",
];
/// Kinds of files that may carry programs or pages within them.
const CARRIES: [&str; 24] = [
    "html", "htm", "xhtml", "shtml", "mht", "mhtml", "svg", "svgz", "xml", "xsl", "docm", "dotm", "xlsm", "xltm", "xlam",
    "pptm", "potm", "ppam", "sldm", "one", "onepkg", "rtf", "xlsb", "swf",
];
/// Kinds that people take for harmless: before a second extension they are a disguise.
const HARMLESS: [&str; 17] =
    ["pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "jpg", "jpeg", "png", "gif", "txt", "csv", "mp3", "mp4", "zip", "odt"];

/// How dangerous a file is, by its name and its type.
#[must_use]
pub fn risk(name: Option<&str>, content_type: &str) -> Risk {
    let mut extensions = name.unwrap_or_default().rsplit('.').map(|e| e.trim().to_ascii_lowercase());
    let last = extensions.next().unwrap_or_default();
    let before = extensions.next().unwrap_or_default();
    if RUNS.contains(&last.as_str())
        || matches!(content_type, "application/x-msdownload" | "application/x-msdos-program" | "application/x-sh" | "application/javascript" | "text/javascript" | "application/hta")
    {
        return Risk::Danger;
    }
    let carries = CARRIES.contains(&last.as_str())
        || matches!(content_type, "text/html" | "application/xhtml+xml" | "image/svg+xml" | "text/xml" | "application/xml")
        || content_type.contains("macroenabled");
    if carries && HARMLESS.contains(&before.as_str()) {
        return Risk::Danger;
    }
    if carries { Risk::Caution } else { Risk::None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_harm_nobody() {
        for (given, safe) in [
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Users\\Bob\\a.txt", Some("a.txt")),
            (".bashrc", Some("bashrc")),
            ("invoice\u{202e}fdp.exe", Some("invoicefdp.exe")),
            ("a\r\nb\0.txt", Some("ab.txt")),
            ("con.txt", Some("_con.txt")),
            ("...", None),
            ("", None),
        ] {
            assert_eq!(safe_name(given).as_deref(), safe, "{given:?}");
        }
        let long = safe_name(&format!("{}.pdf", "ä".repeat(300))).unwrap();
        assert!(long.len() <= LONGEST_NAME && long.ends_with(".pdf"));
    }

    #[test]
    fn what_runs_and_what_pretends_is_told() {
        assert_eq!(risk(Some("invoice.pdf.exe"), "application/pdf"), Risk::Danger);
        assert_eq!(risk(Some("invoice.pdf.html"), "text/html"), Risk::Danger);
        assert_eq!(risk(Some("page.html"), "text/html"), Risk::Caution);
        assert_eq!(risk(Some("budget.xlsm"), "application/octet-stream"), Risk::Caution);
        assert_eq!(risk(Some("minutes.pdf"), "application/pdf"), Risk::None);
        assert_eq!(risk(None, "text/plain"), Risk::None);
    }
}
