//! A QR code as the path of a picture: dark squares of one unit each.

use qrcode::{Color, EcLevel, QrCode};
use std::fmt::Write;

/// How many light squares stand around a code, as the standard wants it (ISO/IEC 18004).
const QUIET: usize = 4;

/// A code that a page draws.
#[derive(Debug, Clone, Default)]
pub struct Qr {
    /// How many squares it is wide and high, the light ones around it included.
    pub size: usize,
    /// The dark squares, as the path of an SVG.
    pub path: String,
}

impl Qr {
    /// The code of a fingerprint, as programs for OpenPGP read it; nothing where there is none.
    #[must_use]
    pub fn of_fingerprint(fingerprint: &str) -> Option<Self> {
        let sound = !fingerprint.is_empty() && fingerprint.bytes().all(|b| b.is_ascii_hexdigit());
        let text = format!("OPENPGP4FPR:{}", fingerprint.to_ascii_uppercase());
        if sound { Self::of(&text) } else { None }
    }

    /// The code of a recovery key, as it is typed; nothing where it is empty.
    #[must_use]
    pub fn of_recovery_key(text: &str) -> Option<Self> {
        let letters: String = text.split_whitespace().collect();
        if letters.is_empty() { None } else { Self::of(&letters) }
    }

    /// The code that lets a new device in, as short as it reads; nothing where it is empty.
    #[must_use]
    pub fn of_device_code(text: &str) -> Option<Self> {
        let letters: String = text.chars().filter(|c| *c != '-').map(|c| c.to_ascii_uppercase()).collect();
        if letters.is_empty() { None } else { Self::of(&letters) }
    }

    /// The code of a text that a page shows once.
    #[must_use]
    pub fn of_secret(text: &str) -> Option<Self> {
        if text.is_empty() { None } else { Self::of(text) }
    }

    /// The code of an invitation's link; nothing where it is none, or too long for a code.
    #[must_use]
    pub fn of_invitation(link: &str) -> Option<Self> {
        if link.starts_with("OPENPGP4FPR:") { Self::of(link) } else { None }
    }

    fn of(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let width = code.width();
        let mut path = String::new();
        for (at, color) in code.to_colors().into_iter().enumerate() {
            if color == Color::Dark {
                let (x, y) = (at % width + QUIET, at / width + QUIET);
                write!(path, "M{x} {y}h1v1h-1z").ok()?;
            }
        }
        Some(Self { size: width + 2 * QUIET, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_drawn_and_nothing_else() {
        let code = Qr::of_fingerprint("0123456789ABCDEF0123456789ABCDEF01234567").unwrap();
        assert!(code.size >= 21 + 8 && code.path.starts_with("M4 4h1v1h-1z"), "the corner is dark");
        assert!(code.path.chars().all(|c| c.is_ascii_digit() || "Mhvz -".contains(c)));
        assert!(Qr::of_fingerprint("\"><script>").is_none());
        assert!(Qr::of_fingerprint("").is_none());
    }
}
