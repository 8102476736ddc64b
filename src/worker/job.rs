//! What a worker is asked and what it answers.

use crate::mail::attachment::{archive, calendar, card};
use serde::{Deserialize, Serialize};

/// Something to be done with hostile bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// Every input, a picture, drawn anew without anything that is not pixels.
    Pictures(Size),
    /// Pages of the first input, a PDF, as pictures.
    Pages {
        /// The first page, from 1.
        first: u32,
        /// How many.
        most: u32,
        /// How wide each is made, in pixels.
        width: u32,
    },
    /// A copy of the first input that shows the same and can do nothing.
    Copy {
        /// What the input is.
        media_type: String,
    },
    /// The names in the first input, an archive.
    Archive,
    /// The events of the first input, a calendar.
    Calendar,
    /// The people of the first input, address cards.
    Cards,
    /// Tries what no worker may do; for the tests of the walls.
    Probe(Probe),
}

/// How large a picture is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    /// At most 96 pixels wide and high, always PNG, on white: somebody's picture.
    Face,
    /// At most 240 pixels wide and high.
    Thumbnail,
    /// At most 2,000 pixels wide and high.
    Screen,
    /// As it is.
    Full,
}

impl Size {
    /// The longest edge, in pixels.
    #[must_use]
    pub const fn edge(self) -> Option<u32> {
        match self {
            Self::Face => Some(96),
            Self::Thumbnail => Some(240),
            Self::Screen => Some(2_000),
            Self::Full => None,
        }
    }
}

/// What a probe tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// Nothing: it answers.
    Nothing,
    /// To read a file.
    Open,
    /// To write a file.
    Write,
    /// To connect to this machine.
    Connect,
    /// To start another program.
    Execute,
    /// To read what another descriptor than stdin leads to.
    ReadElsewhere,
    /// To take four gigabytes.
    Allocate,
    /// To work for ever.
    Spin,
    /// To answer without end.
    Babble,
    /// To call itself without end.
    Recurse,
    /// To break.
    Panic,
}

/// A media type that a worker may make. What it sends is checked against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaType {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// PDF.
    Pdf,
}

impl MediaType {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Pdf => "application/pdf",
        }
    }

    /// The ending of a file name.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Pdf => "pdf",
        }
    }

    /// Whether `bytes` begin as such a file does.
    #[must_use]
    pub fn fits(self, bytes: &[u8]) -> bool {
        match self {
            Self::Png => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
            Self::Jpeg => bytes.starts_with(&[0xff, 0xd8, 0xff]),
            Self::Pdf => bytes.starts_with(b"%PDF-1."),
        }
    }
}

/// Something that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Which input it was made of, from 0; of a PDF, which page, from 1.
    pub of: u32,
    /// What it is.
    pub media_type: MediaType,
    /// How wide, in pixels; 0 for what has no width.
    pub width: u32,
    /// How high, in pixels.
    pub height: u32,
    /// The words on it, where there are any.
    pub text: String,
    /// It.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// What a worker says at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// What could not be done, of which input or page, and why in a sentence.
    pub failed: Vec<(u32, String)>,
    /// What was cut or left out, in sentences.
    pub notes: Vec<String>,
    /// How many pages there are.
    pub pages: Option<u32>,
    /// What was read.
    pub found: Option<Found>,
}

/// What was read of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// The names in an archive.
    Archive(archive::Listing),
    /// A calendar.
    Calendar(calendar::Calendar),
    /// People.
    Cards(Vec<card::Card>),
}
