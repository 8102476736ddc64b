//! Codes of six digits that change every half minute (RFC 6238, SHA-1, as every program for them understands). Pure: the
//! time is handed in.

use super::secret::random;
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

/// How long a secret is, in bytes (RFC 4226 wants 20).
pub const LENGTH: usize = 20;
/// What programs for codes show beside them. No address: such programs like to keep copies elsewhere.
const ISSUER: &str = "Mailkeep";
const ACCOUNT: &str = "from afar";

/// A secret that codes are made from.
pub struct Secret(Totp);

impl Secret {
    /// A fresh random secret.
    #[must_use]
    pub fn random() -> Self {
        Self::of(random::<LENGTH>())
    }

    /// A secret from its bytes; nothing where there are more or fewer than [`LENGTH`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::of)
    }

    /// Six digits, half a minute each; the one before and the one after the present one count too, for clocks that differ.
    fn of(bytes: [u8; LENGTH]) -> Self {
        let builder = Builder::new().with_secret(bytes).with_issuer(Some(ISSUER)).with_account_name(ACCOUNT);
        Self(builder.build_noncompliant())
    }

    /// The bytes, to be kept sealed.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.secret().as_bytes()
    }

    /// The half minute that a code belongs to, counted from 1970, if it is right at `now` (UTC seconds). Codes are compared in
    /// constant time. Blanks between the digits do no harm.
    #[must_use]
    pub fn step_of(&self, code: &str, now: i64) -> Option<i64> {
        let digits: Zeroizing<String> =
            Zeroizing::new(code.chars().filter(|c| !c.is_whitespace()).take(16).collect());
        let step = self.0.check(&digits, u64::try_from(now).ok()?)?;
        i64::try_from(step).ok()
    }

    /// The code of a moment, as the owner's program shows it.
    #[cfg(test)]
    pub(crate) fn code(&self, now: i64) -> String {
        self.0.generate(u64::try_from(now).unwrap()).to_string()
    }

    /// The secret as it is typed: letters and digits in groups of four.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let letters = Zeroizing::new(data_encoding::BASE32_NOPAD.encode(self.expose()));
        let mut text = Zeroizing::new(String::with_capacity(letters.len() * 2));
        for (at, letter) in letters.chars().enumerate() {
            if at > 0 && at % 4 == 0 {
                text.push(' ');
            }
            text.push(letter);
        }
        text
    }

    /// The secret as an address that a program for codes reads from a QR code (`otpauth://totp/…`).
    #[must_use]
    pub fn to_address(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_url().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = Secret::from_bytes(b"12345678901234567890").unwrap();
        for (now, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(secret.step_of(code, now), Some(now / 30), "{code}");
        }
        assert_eq!(secret.step_of("005 924", 1_234_567_890), Some(1_234_567_890 / 30), "a blank between");
    }

    #[test]
    fn the_code_before_and_after_count_and_no_other() {
        let secret = Secret::from_bytes(b"12345678901234567890").unwrap();
        let (code, step) = ("005924", 1_234_567_890 / 30);
        for (now, counts) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            assert_eq!(secret.step_of(code, (step + now) * 30), counts.then_some(step), "{now}");
        }
        for wrong in ["", "005925", "5924", "0059240", "00592a", "+05924", "٠٠٥٩٢٤"] {
            assert_eq!(secret.step_of(wrong, 1_234_567_890), None, "{wrong:?}");
        }
        assert_eq!(secret.step_of(code, -1), None, "before 1970");
        assert!(Secret::from_bytes(b"short").is_none());
    }

    #[test]
    fn the_address_holds_the_secret_and_nothing_of_the_owner() {
        let secret = Secret::from_bytes(b"12345678901234567890").unwrap();
        let address = secret.to_address();
        assert!(address.starts_with("otpauth://totp/Mailkeep:from%20afar?"), "{}", *address);
        assert!(address.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{}", *address);
        assert_eq!(secret.to_text().as_str(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_ne!(Secret::random().expose(), Secret::random().expose());
    }
}
