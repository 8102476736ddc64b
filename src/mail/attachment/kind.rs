//! Kinds of files, as far as they matter to whoever opens one, and the names and media types that promise them.

use crate::mail::part::{is_dangerous_ending, is_dangerous_type};

/// What kind of file something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A picture of pixels.
    Picture,
    /// A drawing in SVG, which may hold scripts.
    Drawing,
    /// A PDF.
    Pdf,
    /// Plain text, tables in text among it.
    Text,
    /// HTML.
    WebPage,
    /// XML that is no other kind.
    Xml,
    /// iCalendar.
    Calendar,
    /// vCard.
    Card,
    /// A message.
    Message,
    /// Files packed in one.
    Archive,
    /// A document of an office suite, without macros.
    Office,
    /// A document of an office suite that brings macros along.
    Macros,
    /// The formats of old office suites, which may.
    OldOffice,
    /// A program, an installer, a library.
    Program,
    /// Instructions that a computer carries out when it is opened.
    Script,
    /// A file that leads somewhere else.
    Shortcut,
    /// The image of a disk.
    Disk,
    /// Sound.
    Sound,
    /// Video.
    Video,
    /// Keys and signatures.
    Key,
}

impl Kind {
    /// What it is, with its article.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Picture => "a picture",
            Self::Drawing => "a drawing (SVG)",
            Self::Pdf => "a PDF document",
            Self::Text => "plain text",
            Self::WebPage => "a web page",
            Self::Xml => "XML",
            Self::Calendar => "a calendar file",
            Self::Card => "a contact card",
            Self::Message => "a message",
            Self::Archive => "an archive",
            Self::Office => "an office document",
            Self::Macros => "an office document with macros",
            Self::OldOffice => "an old office document",
            Self::Program => "a program",
            Self::Script => "a script",
            Self::Shortcut => "a shortcut",
            Self::Disk => "a disk image",
            Self::Sound => "sound",
            Self::Video => "video",
            Self::Key => "a key or signature",
        }
    }

    /// What a file name promises.
    #[must_use]
    pub fn by_ending(ending: &str) -> Option<Self> {
        let ending = ending.to_ascii_lowercase();
        Some(match ending.as_str() {
            "avif" | "bmp" | "gif" | "heic" | "heif" | "ico" | "jpe" | "jpeg" | "jpg" | "jxl" | "png"
            | "tif" | "tiff" | "webp" => Self::Picture,
            "svg" | "svgz" => Self::Drawing,
            "pdf" => Self::Pdf,
            "txt" | "text" | "log" | "md" | "csv" | "tsv" | "diff" | "patch" | "json" | "conf" | "ini" => {
                Self::Text
            }
            "htm" | "html" | "shtml" | "xht" | "xhtml" | "mht" | "mhtml" => Self::WebPage,
            "xml" | "xsl" | "xslt" => Self::Xml,
            "ics" | "vcs" | "ifb" => Self::Calendar,
            "vcf" => Self::Card,
            "eml" | "msg" => Self::Message,
            "7z" | "arj" | "bz2" | "gz" | "lha" | "lzh" | "rar" | "tar" | "tbz" | "tgz" | "txz" | "xz"
            | "zip" | "zst" => Self::Archive,
            "docx" | "xlsx" | "pptx" | "odt" | "ods" | "odp" | "odg" | "epub" | "pages" | "numbers"
            | "key" => Self::Office,
            "docm" | "dotm" | "xlsm" | "xltm" | "xlam" | "pptm" | "potm" | "ppam" | "ppsm" | "sldm" => {
                Self::Macros
            }
            "doc" | "dot" | "xls" | "xlt" | "ppt" | "pps" | "pub" | "rtf" => Self::OldOffice,
            "lnk" | "url" | "webloc" | "desktop" | "scf" | "settingcontent-ms" => Self::Shortcut,
            "iso" | "img" | "udf" | "vhd" | "vhdx" | "dmg" => Self::Disk,
            "bat" | "cmd" | "hta" | "js" | "jse" | "ps1" | "ps2" | "psc1" | "py" | "pyw" | "rb" | "reg"
            | "sh" | "vb" | "vbe" | "vbs" | "ws" | "wsc" | "wsf" | "wsh" | "bas" | "scpt" | "command" => {
                Self::Script
            }
            "mp3" | "wav" | "ogg" | "oga" | "opus" | "flac" | "m4a" | "aac" | "amr" | "mid" | "midi" => {
                Self::Sound
            }
            "mp4" | "m4v" | "mov" | "avi" | "mkv" | "webm" | "mpg" | "mpeg" | "wmv" | "3gp" => Self::Video,
            "asc" | "gpg" | "pgp" | "sig" | "p7s" | "p7m" | "cer" | "crt" | "der" | "pem" => Self::Key,
            other if is_dangerous_ending(other) => Self::Program,
            _ => return None,
        })
    }

    /// What a media type promises; `None` for the types that promise nothing.
    #[must_use]
    pub fn by_type(media_type: &str) -> Option<Self> {
        let (top, sub) = media_type.split_once('/')?;
        Some(match media_type {
            "image/svg+xml" => Self::Drawing,
            "application/pdf" | "application/x-pdf" => Self::Pdf,
            "text/html" | "application/xhtml+xml" => Self::WebPage,
            "text/xml" | "application/xml" => Self::Xml,
            "text/calendar" | "text/x-vcalendar" | "application/ics" => Self::Calendar,
            "text/vcard" | "text/x-vcard" | "text/directory" => Self::Card,
            "message/rfc822" | "message/global" => Self::Message,
            "application/zip"
            | "application/x-zip-compressed"
            | "application/gzip"
            | "application/x-gzip"
            | "application/x-tar"
            | "application/x-7z-compressed"
            | "application/vnd.rar"
            | "application/x-rar"
            | "application/x-bzip2"
            | "application/x-xz"
            | "application/zstd"
            | "application/x-compressed-tar" => Self::Archive,
            "application/msword"
            | "application/vnd.ms-excel"
            | "application/vnd.ms-powerpoint"
            | "application/rtf"
            | "text/rtf" => Self::OldOffice,
            "application/pgp-keys"
            | "application/pgp-signature"
            | "application/pkcs7-signature"
            | "application/x-pkcs7-signature"
            | "application/pkcs7-mime"
            | "application/x-pkcs7-mime" => Self::Key,
            "application/x-ms-shortcut" => Self::Shortcut,
            "application/x-iso9660-image" | "application/x-apple-diskimage" => Self::Disk,
            "text/javascript"
            | "application/javascript"
            | "application/x-javascript"
            | "text/vbscript"
            | "application/x-sh"
            | "application/x-shellscript"
            | "text/x-shellscript"
            | "application/hta" => Self::Script,
            kind if kind.contains("macroenabled") => Self::Macros,
            kind if is_dangerous_type(kind) => Self::Program,
            kind if kind.starts_with("application/vnd.openxmlformats-officedocument.")
                || kind.starts_with("application/vnd.oasis.opendocument.")
                || kind == "application/epub+zip" =>
            {
                Self::Office
            }
            _ => match top {
                "image" => Self::Picture,
                "audio" => Self::Sound,
                "video" => Self::Video,
                "text"
                    if matches!(
                        sub,
                        "plain" | "csv" | "markdown" | "x-patch" | "x-diff" | "tab-separated-values"
                    ) =>
                {
                    Self::Text
                }
                _ => return None,
            },
        })
    }

    /// Whether a file of this kind may well be promised as `other`: nobody is misled.
    #[must_use]
    pub fn passes_for(self, other: Self) -> bool {
        let is_words = |kind: Self| {
            matches!(kind, Self::Text | Self::Xml | Self::Calendar | Self::Card | Self::Message | Self::Key)
        };
        self == other
            || is_words(self) && is_words(other)
            // A script or a page that is called text is shown as text.
            || matches!((self, other), (Self::Text, Self::Script | Self::WebPage | Self::Shortcut | Self::Drawing))
            || matches!((self, other), (Self::Xml, Self::WebPage | Self::Drawing | Self::Office | Self::OldOffice))
            || matches!((self, other), (Self::Archive, Self::Office | Self::Program | Self::Key))
            || matches!((self, other), (Self::Office, Self::Archive | Self::OldOffice))
            || matches!((self, other), (Self::OldOffice, Self::Office | Self::Program | Self::Message))
            || matches!((self, other), (Self::Macros, Self::OldOffice))
            || matches!((self, other), (Self::Sound, Self::Video) | (Self::Video, Self::Sound))
            || matches!((self, other), (Self::Program, Self::Script) | (Self::Script, Self::Program))
            || matches!((self, other), (Self::Program, Self::Archive) | (Self::Message, Self::WebPage))
    }
}
