//! Pictures from outside, made anew: what the browser gets is drawn by us, pixel by pixel. Of the original bytes, its
//! metadata (where and when it was taken, by whom) and whatever else was hidden in them nothing is left.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

/// The longest side that is read, in pixels.
const LONGEST_SIDE: u32 = 8_192;
/// The most pixels that are read.
const MOST_PIXELS: u64 = 24_000_000;
/// The most memory that a decoder may take, in bytes.
const MOST_MEMORY: u64 = 160 << 20;
/// The quality of what is written as JPEG.
const QUALITY: u8 = 88;

/// A picture made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// `image/png` or `image/jpeg`.
    pub media_type: &'static str,
    /// The picture.
    pub bytes: Vec<u8>,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

/// Why there is no picture.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoPicture {
    /// By its bytes it is no PNG, JPEG, GIF or WebP, whatever it is called.
    #[error("it is no PNG, JPEG, GIF or WebP")]
    Unknown,
    /// It has too many pixels.
    #[error("it is too large")]
    TooLarge,
    /// It cannot be read.
    #[error("it is damaged")]
    Broken,
}

/// Reads a picture by what it holds and draws it anew: of an animation the first frame, turned as its metadata says.
/// Photographs become JPEG, everything else PNG.
///
/// # Errors
/// [`NoPicture`] where it is none, or one that costs too much.
pub fn reencode(bytes: &[u8]) -> Result<Picture, NoPicture> {
    let format = image::guess_format(bytes).map_err(|_| NoPicture::Unknown)?;
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Gif | ImageFormat::WebP) {
        return Err(NoPicture::Unknown);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| refusal(&error))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if width.max(height) > LONGEST_SIDE || pixels > MOST_PIXELS || decoder.total_bytes() > MOST_MEMORY {
        return Err(NoPicture::TooLarge);
    }
    // Metadata that cannot be read says nothing about which side is up.
    let turned = decoder.orientation().ok();
    let mut drawn = DynamicImage::from_decoder(decoder).map_err(|error| refusal(&error))?;
    if let Some(turned) = turned {
        drawn.apply_orientation(turned);
    }
    write(&drawn, format)
}

fn refusal(error: &image::ImageError) -> NoPicture {
    match error {
        image::ImageError::Limits(_) => NoPicture::TooLarge,
        _ => NoPicture::Broken,
    }
}

fn write(drawn: &DynamicImage, format: ImageFormat) -> Result<Picture, NoPicture> {
    let photograph = matches!(format, ImageFormat::Jpeg | ImageFormat::WebP) && !drawn.color().has_alpha();
    let mut bytes = Vec::new();
    let written = if photograph {
        let plain = DynamicImage::ImageRgb8(drawn.to_rgb8());
        plain.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))
    } else {
        let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive);
        if drawn.color().has_alpha() {
            DynamicImage::ImageRgba8(drawn.to_rgba8()).write_with_encoder(encoder)
        } else {
            DynamicImage::ImageRgb8(drawn.to_rgb8()).write_with_encoder(encoder)
        }
    };
    written.map_err(|_| NoPicture::Broken)?;
    let media_type = if photograph { "image/jpeg" } else { "image/png" };
    Ok(Picture { media_type, bytes, width: drawn.width(), height: drawn.height() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drawn(width: u32, height: u32) -> DynamicImage {
        let dot = |x: u32, y: u32| image::Rgb([(x * 7 % 256) as u8, (y * 5 % 256) as u8, 90]);
        DynamicImage::ImageRgb8(image::RgbImage::from_fn(width, height, dot))
    }

    fn written(format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        drawn(40, 20).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// A JPEG that says where it was taken, and that it stands on its side.
    fn telling() -> Vec<u8> {
        let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x02".to_vec();
        exif.extend_from_slice(b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0");
        exif.extend_from_slice(b"\x01\x0e\0\x02\0\0\0\x0c\0\0\0\x26");
        exif.extend_from_slice(b"\0\0\0\0");
        exif.extend_from_slice(b"Lagos harbo\0");
        let plain = written(ImageFormat::Jpeg);
        let mut bytes = plain[..2].to_vec();
        bytes.extend_from_slice(b"\xff\xe1");
        bytes.extend_from_slice(&u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
        bytes.extend_from_slice(&exif);
        bytes.extend_from_slice(&plain[2..]);
        bytes.extend_from_slice(b"bytes behind the end");
        bytes
    }

    #[test]
    fn pictures_are_drawn_anew_whatever_they_are_called() {
        for (format, media_type) in [
            (ImageFormat::Png, "image/png"),
            (ImageFormat::Gif, "image/png"),
            (ImageFormat::Jpeg, "image/jpeg"),
            (ImageFormat::WebP, "image/jpeg"),
        ] {
            let picture = reencode(&written(format)).unwrap();
            assert_eq!(
                (picture.media_type, picture.width, picture.height),
                (media_type, 40, 20),
                "{format:?}"
            );
            let again = image::load_from_memory(&picture.bytes).unwrap().to_rgb8();
            let original = drawn(40, 20).to_rgb8();
            let worst = again
                .pixels()
                .zip(original.pixels())
                .flat_map(|(a, b)| a.0.into_iter().zip(b.0).map(|(a, b)| a.abs_diff(b)).collect::<Vec<_>>());
            assert!(format == ImageFormat::Gif || worst.max().unwrap() < 60, "{format:?}");
        }
    }

    #[test]
    fn nothing_is_left_of_what_was_written_beside_the_picture() {
        let telling = telling();
        assert!(telling.windows(5).any(|w| w == b"Lagos"));
        let picture = reencode(&telling).unwrap();
        assert_eq!((picture.width, picture.height), (20, 40), "it stands upright");
        for word in [&b"Lagos"[..], b"Exif", b"bytes behind"] {
            assert!(!picture.bytes.windows(word.len()).any(|w| w == word));
        }
    }

    #[test]
    fn what_is_no_picture_or_costs_too_much_is_refused() {
        let unknown: [&[u8]; 7] = [
            b"",
            b"hello",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"BM123456",
            b"II*\0",
            b"%PDF-1.7",
            b"\0\0\x01\0",
        ];
        for bytes in unknown {
            assert_eq!(reencode(bytes), Err(NoPicture::Unknown), "{bytes:?}");
        }
        assert_eq!(reencode(&written(ImageFormat::Png)[..60]), Err(NoPicture::Broken));
        // A PNG of a few bytes that claims to be enormous.
        let mut large = written(ImageFormat::Png)[..33].to_vec();
        large[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
        assert!(reencode(&large).is_err());
        let mut gif = written(ImageFormat::Gif);
        gif[6..10].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
        assert_eq!(reencode(&gif), Err(NoPicture::TooLarge));
    }

    proptest! {
        #[test]
        fn damage_is_refused_or_drawn_and_never_more(at in 0usize..2000, with: u8, kind in 0usize..4) {
            let format = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP][kind];
            let mut bytes = written(format);
            let at = at % bytes.len();
            bytes[at] = with;
            if let Ok(picture) = reencode(&bytes) {
                prop_assert!(u64::from(picture.width) * u64::from(picture.height) <= MOST_PIXELS);
            }
        }
    }
}
