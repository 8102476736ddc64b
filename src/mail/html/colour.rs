//! Colours: read from what mail writes, written back in one form, and their counterparts for a dark page.

use cssparser::color::{parse_hash_color, parse_named_color};

/// A colour with its opacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Colour {
    pub(super) red: u8,
    pub(super) green: u8,
    pub(super) blue: u8,
    pub(super) alpha: f32,
}

/// White, the ground of a message that names none.
pub(super) const WHITE: Colour = Colour::opaque(255, 255, 255);
/// Black, the text of a message that names none.
pub(super) const BLACK: Colour = Colour::opaque(0, 0, 0);
/// No colour at all.
pub(super) const TRANSPARENT: Colour = Colour { red: 0, green: 0, blue: 0, alpha: 0.0 };

/// How far two colours may lie apart, on each channel, and still look the same.
const SAME: u8 = 8;

impl Colour {
    /// A colour that lets nothing through.
    pub(super) const fn opaque(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue, alpha: 1.0 }
    }

    /// From `#rgb`, `#rrggbb` and their forms with opacity, without the `#`.
    pub(super) fn from_hash(digits: &str) -> Option<Self> {
        let (red, green, blue, alpha) = parse_hash_color(digits.as_bytes()).ok()?;
        Some(Self { red, green, blue, alpha: rounded(alpha) })
    }

    /// From a name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("transparent") {
            return Some(TRANSPARENT);
        }
        let system = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        // What word processors write for the reader's own colours.
        if system(&["windowtext", "canvastext", "captiontext", "menutext", "infotext", "buttontext"]) {
            return Some(BLACK);
        }
        if system(&["window", "canvas"]) {
            return Some(WHITE);
        }
        let (red, green, blue) = parse_named_color(name).ok()?;
        Some(Self::opaque(red, green, blue))
    }

    /// With an opacity between 0 and 1.
    pub(super) fn with_alpha(self, alpha: f32) -> Self {
        Self { alpha: rounded(alpha.clamp(0.0, 1.0)), ..self }
    }

    /// As CSS; reading it again gives the same colour.
    pub(super) fn to_css(self) -> String {
        let Self { red, green, blue, alpha } = self;
        if alpha >= 1.0 {
            format!("#{red:02x}{green:02x}{blue:02x}")
        } else {
            format!("rgba({red}, {green}, {blue}, {alpha})")
        }
    }

    /// Whether nobody can tell the two apart.
    pub(super) fn looks_like(self, other: Self) -> bool {
        self.red.abs_diff(other.red) <= SAME
            && self.green.abs_diff(other.green) <= SAME
            && self.blue.abs_diff(other.blue) <= SAME
    }

    /// How bright the eye sees it, from 0 to 1.
    fn brightness(self) -> f32 {
        let channel = |value: u8| (f32::from(value) / 255.0).powf(2.2);
        0.2126_f32
            .mul_add(channel(self.red), 0.7152_f32.mul_add(channel(self.green), 0.0722 * channel(self.blue)))
    }

    /// The counterpart of a ground on a dark page: light grounds turn dark, others stay.
    pub(super) fn dark_ground(self) -> Self {
        if self.alpha == 0.0 || self.brightness() < 0.36 {
            return self;
        }
        let (hue, saturation, lightness) = self.to_hsl();
        Self::from_hsl(hue, saturation * 0.4, 0.11 + (1.0 - lightness) * 0.35, self.alpha)
    }

    /// The counterpart of a text's colour on a dark page: dark text turns light, other text stays.
    pub(super) fn dark_text(self) -> Self {
        if self.brightness() > 0.36 {
            return self;
        }
        let (hue, saturation, lightness) = self.to_hsl();
        Self::from_hsl(hue, saturation * 0.8, 0.9 - lightness * 0.36, self.alpha)
    }

    /// The counterpart of a line's colour on a dark page.
    pub(super) fn dark_line(self) -> Self {
        if self.alpha == 0.0 || self.brightness() < 0.3 {
            return self;
        }
        let (hue, saturation, lightness) = self.to_hsl();
        Self::from_hsl(hue, saturation * 0.4, 0.22 + (1.0 - lightness) * 0.4, self.alpha)
    }

    fn to_hsl(self) -> (f32, f32, f32) {
        let [red, green, blue] = [self.red, self.green, self.blue].map(|value| f32::from(value) / 255.0);
        let most = red.max(green).max(blue);
        let least = red.min(green).min(blue);
        let (lightness, range) = (f32::midpoint(most, least), most - least);
        if range == 0.0 {
            return (0.0, 0.0, lightness);
        }
        let saturation = range / (1.0 - 2.0_f32.mul_add(lightness, -1.0).abs());
        let hue = if most == red {
            ((green - blue) / range).rem_euclid(6.0)
        } else if most == green {
            (blue - red) / range + 2.0
        } else {
            (red - green) / range + 4.0
        };
        (hue * 60.0, saturation.clamp(0.0, 1.0), lightness)
    }

    /// From hue in degrees, saturation and lightness from 0 to 1.
    pub(super) fn from_hsl(hue: f32, saturation: f32, lightness: f32, alpha: f32) -> Self {
        let reach = saturation * lightness.min(1.0 - lightness);
        let channel = |offset: f32| {
            let place = (offset + hue / 30.0).rem_euclid(12.0);
            let value = lightness - reach * (place - 3.0).min(9.0 - place).clamp(-1.0, 1.0);
            to_byte(value * 255.0)
        };
        Self { red: channel(0.0), green: channel(8.0), blue: channel(4.0), alpha: rounded(alpha) }
    }
}

/// A channel's value, rounded and held between 0 and 255.
pub(super) const fn to_byte(value: f32) -> u8 {
    // A cast from float saturates and takes what is no number for 0.
    value.round() as u8
}

fn rounded(alpha: f32) -> f32 {
    (alpha * 1000.0).round() / 1000.0
}

/// A colour as old attributes write it: a name, or hexadecimal with or without `#`.
pub(super) fn legacy(value: &str) -> Option<Colour> {
    match value.strip_prefix('#') {
        Some(digits) => Colour::from_hash(digits),
        None => Colour::from_name(value)
            .filter(|colour| colour.alpha > 0.0)
            .or_else(|| if value.len() == 6 { Colour::from_hash(value) } else { None }),
    }
    .map(|colour| Colour { alpha: 1.0, ..colour })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_colour_reads_back() {
        assert_eq!(Colour::from_hash("fff"), Some(WHITE));
        assert_eq!(
            Colour::from_hash("ff000080").map(Colour::to_css).as_deref(),
            Some("rgba(255, 0, 0, 0.502)")
        );
        assert_eq!(legacy("Red").map(Colour::to_css).as_deref(), Some("#ff0000"));
        assert_eq!(legacy("00ff00").map(Colour::to_css).as_deref(), Some("#00ff00"));
        assert_eq!(legacy("javascript:1"), None);
    }

    #[test]
    fn on_a_dark_page_white_ground_darkens_and_black_text_lightens() {
        assert!(WHITE.dark_ground().brightness() < 0.05);
        assert!(BLACK.dark_text().brightness() > 0.6);
        assert_eq!(WHITE.dark_text(), WHITE);
        assert_eq!(Colour::opaque(0x38, 0x69, 0xd4).dark_ground(), Colour::opaque(0x38, 0x69, 0xd4));
    }
}
