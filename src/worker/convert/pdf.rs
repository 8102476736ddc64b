//! PDF pages as pictures, and a copy of a PDF that is made of pictures only.

use super::super::child::Out;
use super::super::job::{Made, MediaType, Summary};
use super::pdf_write::Book;
use super::{Converter, pdf_text, picture};
use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::page::Page;
use hayro::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings, render};
use image::{DynamicImage, RgbImage};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Pixels to the inch in a copy.
const COPY_DPI: f32 = 150.0;
/// The longest edge of a page, in pixels.
const LONGEST_EDGE: f32 = 4_000.0;
/// The most pages in a copy.
const COPY_PAGES: usize = 300;
/// The largest copy, in bytes.
const COPY_BYTES: usize = 64 << 20;
/// A copy is finished with the pages it has after this time: the processor time that a worker has is a little more.
const COPY_TIME: Duration = Duration::from_secs(24);

/// Safe copies of PDFs.
pub(super) struct Pages;

impl Converter for Pages {
    fn takes(&self) -> &'static [&'static str] {
        &["application/pdf"]
    }

    fn convert(&self, input: Vec<u8>, out: &mut Out<'_>) -> Result<Summary, String> {
        let pdf = open(input)?;
        let begun = Instant::now();
        let total = pdf.pages().len();
        let (mut book, mut summary) = (Book::new(), Summary::default());
        let cache = RenderCache::new();
        let mut done = 0;
        for (number, page) in (1_u32..).zip(pdf.pages().iter()).take(COPY_PAGES) {
            if book.len() > COPY_BYTES || begun.elapsed() > COPY_TIME {
                break;
            }
            let (points_wide, points_high) = page.render_dimensions();
            match drawn(page, &cache, COPY_DPI / 72.0) {
                Ok(image) => book.add(&image, points_wide, points_high)?,
                Err(words) => {
                    book.add_blank(points_wide, points_high);
                    summary.failed.push((number, words));
                }
            }
            done += 1;
        }
        if done < total {
            summary.notes.push(format!("Only the first {done} of {total} pages are in the copy."));
        }
        summary.notes.push(
            "The copy shows every page as a picture: links, forms, attached files and text that can be selected \
             are not in it."
                .to_owned(),
        );
        summary.pages = u32::try_from(total).ok();
        let bytes = book.finish();
        let made =
            Made { of: 0, media_type: MediaType::Pdf, width: 0, height: 0, text: String::new(), bytes };
        if out.made(&made) { Ok(summary) } else { Err("The copy would be too large".to_owned()) }
    }
}

/// Pages as pictures, `width` pixels wide, with their text.
pub(super) fn pages(
    input: Vec<u8>,
    first: u32,
    most: u32,
    width: u32,
    out: &mut Out<'_>,
) -> Result<Summary, String> {
    let pdf = open(input)?;
    let mut summary = Summary { pages: u32::try_from(pdf.pages().len()).ok(), ..Summary::default() };
    let cache = RenderCache::new();
    let wanted = (1_u32..).zip(pdf.pages().iter()).skip_while(|(number, _)| *number < first);
    for (number, page) in wanted.take(usize::try_from(most).unwrap_or(0)) {
        #[expect(clippy::cast_precision_loss, reason = "a width on a screen")]
        let scale = width as f32 / page.render_dimensions().0.max(1.0);
        let made = drawn(page, &cache, scale).and_then(|image| {
            let image = DynamicImage::ImageRgb8(image);
            Ok(Made {
                of: number,
                media_type: MediaType::Png,
                width: image.width(),
                height: image.height(),
                text: catch_unwind(AssertUnwindSafe(|| pdf_text::of(page))).unwrap_or_default(),
                bytes: picture::png(&image)?,
            })
        });
        match made {
            Ok(made) => {
                if !out.made(&made) {
                    summary.failed.push((number, "The pages take too much room".to_owned()));
                    break;
                }
            }
            Err(words) => summary.failed.push((number, words)),
        }
    }
    Ok(summary)
}

fn open(input: Vec<u8>) -> Result<Pdf, String> {
    let pdf = Pdf::new(input).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => "The document asks for a password",
        LoadPdfError::Decryption(_) => "The document is encrypted in a way that Mailkeep does not know",
        LoadPdfError::Invalid => "The document is broken",
    })?;
    if pdf.pages().is_empty() { Err("The document has no pages".to_owned()) } else { Ok(pdf) }
}

/// A page on white, `scale` pixels to the point, smaller where it would be too large.
fn drawn<'a>(page: &'a Page<'a>, cache: &RenderCache<'a>, scale: f32) -> Result<RgbImage, String> {
    let (wide, high) = page.render_dimensions();
    let longest = wide.max(high);
    if !(longest.is_finite() && wide > 0.0 && high > 0.0) {
        return Err("The page has no size".to_owned());
    }
    let scale = scale.min(LONGEST_EDGE / longest);
    if wide * scale < 1.0 || high * scale < 1.0 {
        return Err("The page is too narrow to be drawn".to_owned());
    }
    let settings = PixmapSettings { x_scale: scale, y_scale: scale, bg_color: WHITE };
    let pixmap = catch_unwind(AssertUnwindSafe(|| {
        render(page, cache, &InterpreterSettings::default(), &RenderSettings::default(), &settings)
    }))
    .map_err(|_| "The page is built in a way that Mailkeep cannot draw".to_owned())?;
    let (wide, high) = (u32::from(pixmap.width()), u32::from(pixmap.height()));
    let colours = pixmap.data_as_u8_slice().chunks_exact(4).flat_map(|pixel| pixel.iter().take(3).copied());
    RgbImage::from_raw(wide, high, colours.collect()).ok_or_else(|| "The page cannot be drawn".to_owned())
}
