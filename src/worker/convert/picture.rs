//! Pictures drawn anew: read to pixels, turned as their metadata says, written again without it.

use super::super::child::Out;
use super::super::job::{Made, MediaType, Size, Summary};
use super::Converter;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgba, RgbaImage};
use std::io::Cursor;
use std::panic::catch_unwind;

/// More pixels than this are not drawn: 64 megapixels take 256 MB.
const MOST_PIXELS: u64 = 64_000_000;
/// The longest edge, in pixels.
const LONGEST_EDGE: u32 = 30_000;

/// The longest edge of somebody's picture, in pixels: no avatar server makes larger ones.
const LONGEST_FACE: u32 = 2_048;

/// Safe copies of pictures.
pub(super) struct Pictures;

impl Converter for Pictures {
    fn takes(&self) -> &'static [&'static str] {
        &["image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"]
    }

    fn convert(&self, input: Vec<u8>, out: &mut Out<'_>) -> Result<Summary, String> {
        let drawn = draw(&input, 0, Size::Full)?;
        let mut notes = vec![
            "Every pixel is in the copy; the place, the camera, the colour profile and whatever else the file \
             said beside them are not."
                .to_owned(),
        ];
        if drawn.media_type == MediaType::Jpeg {
            notes.push("It was compressed once more, finely enough that no eye sees it.".to_owned());
        }
        if moves(&input) {
            notes.push("Of a moving picture only the first frame is in the copy.".to_owned());
        }
        if !out.made(&drawn) {
            return Err("The copy would be too large".to_owned());
        }
        Ok(Summary { notes, ..Summary::default() })
    }
}

/// Draws every input anew.
pub(super) fn draw_all(inputs: &[Vec<u8>], size: Size, out: &mut Out<'_>) -> Summary {
    let mut summary = Summary::default();
    for (at, input) in (0_u32..).zip(inputs) {
        // One that breaks the decoder does not take the others along.
        let drawn = catch_unwind(|| draw(input, at, size)).unwrap_or_else(|_| Err(UNREADABLE.to_owned()));
        match drawn {
            Ok(made) => {
                if !out.made(&made) {
                    summary.failed.push((at, "There are too many large pictures".to_owned()));
                }
            }
            Err(words) => summary.failed.push((at, words)),
        }
    }
    summary
}

const UNREADABLE: &str = "The picture is broken";

fn draw(input: &[u8], of: u32, size: Size) -> Result<Made, String> {
    let mut reader =
        ImageReader::new(Cursor::new(input)).with_guessed_format().map_err(|_| UNREADABLE.to_owned())?;
    let format = reader.format().ok_or("This is no picture that Mailkeep can draw")?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_EDGE);
    limits.max_image_height = Some(LONGEST_EDGE);
    limits.max_alloc = Some(512 << 20);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| in_words(&error))?;
    let (width, height) = decoder.dimensions();
    let longest = if size == Size::Face { LONGEST_FACE } else { LONGEST_EDGE };
    if u64::from(width) * u64::from(height) > MOST_PIXELS || width.max(height) > longest {
        return Err(format!("The picture is {width} by {height} pixels, which is more than Mailkeep draws"));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| in_words(&error))?;
    if let Some(edge) = size.edge()
        && picture.width().max(picture.height()) > edge
    {
        picture = picture.thumbnail(edge, edge);
    }
    picture.apply_orientation(orientation);
    if size == Size::Face {
        picture = on_white(&picture);
    }
    let (width, height) = (picture.width(), picture.height());
    let photo = match size {
        Size::Face => false,
        Size::Thumbnail if !picture.color().has_alpha() => true,
        Size::Thumbnail | Size::Screen | Size::Full => format == ImageFormat::Jpeg,
    };
    let (media_type, bytes) = if photo {
        (MediaType::Jpeg, jpeg(&picture, if size == Size::Full { 95 } else { 85 })?)
    } else {
        (MediaType::Png, png(&picture)?)
    };
    Ok(Made { of, media_type, width, height, text: String::new(), bytes })
}

/// A picture with nothing to be seen through it.
fn on_white(picture: &DynamicImage) -> DynamicImage {
    let mut sheet = RgbaImage::from_pixel(picture.width(), picture.height(), Rgba([u8::MAX; 4]));
    image::imageops::overlay(&mut sheet, &picture.to_rgba8(), 0, 0);
    DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(sheet).to_rgb8())
}

/// A picture as JPEG.
pub(super) fn jpeg(picture: &DynamicImage, quality: u8) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    let written = if picture.color().has_color() {
        picture.to_rgb8().write_with_encoder(encoder)
    } else {
        picture.to_luma8().write_with_encoder(encoder)
    };
    written.map_err(|error| in_words(&error))?;
    Ok(bytes)
}

/// A picture as PNG.
pub(super) fn png(picture: &DynamicImage) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive);
    picture.write_with_encoder(encoder).map_err(|error| in_words(&error))?;
    Ok(bytes)
}

fn in_words(error: &ImageError) -> String {
    match error {
        ImageError::Limits(_) => "The picture is larger than Mailkeep draws",
        ImageError::Unsupported(_) => "This is no picture that Mailkeep can draw",
        _ => UNREADABLE,
    }
    .to_owned()
}

/// Whether a GIF or WebP has more than one frame; by its marks, not by reading it all.
fn moves(input: &[u8]) -> bool {
    let control = memchr::memmem::find_iter(input, b"\x21\xf9\x04").take(2).count();
    input.starts_with(b"GIF8") && control > 1
        || input.starts_with(b"RIFF")
            && memchr::memmem::find(input.get(..4096).unwrap_or(input), b"ANIM").is_some()
}
