//! A PDF made of pictures only (ISO 32000-1 §7.5): a catalogue, a list of pages, and for each a picture that fills it.

use super::picture;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::{DynamicImage, RgbImage};
use std::io::Write;

/// The document that is being written.
pub(super) struct Book {
    bytes: Vec<u8>,
    /// Where each object begins; the first two, catalogue and list of pages, come last.
    offsets: Vec<usize>,
    /// The numbers of the pages.
    pages: Vec<usize>,
}

/// The numbers of the catalogue and of the list of pages.
const CATALOGUE: usize = 1;
const LIST: usize = 2;

impl Book {
    pub(super) fn new() -> Self {
        // The second line says that there is more in it than text.
        let bytes = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
        Self { bytes, offsets: vec![0, 0], pages: Vec::new() }
    }

    /// Its length so far, in bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a page of that size in points, filled by a picture.
    pub(super) fn add(&mut self, image: &RgbImage, wide: f32, high: f32) -> Result<(), String> {
        // Text packs best as it is, photos best as JPEG: whichever is smaller.
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::new(6));
        packer.write_all(image.as_raw()).map_err(|_| "The page cannot be packed".to_owned())?;
        let packed = packer.finish().map_err(|_| "The page cannot be packed".to_owned())?;
        let photo = picture::jpeg(&DynamicImage::ImageRgb8(image.clone()), 88)?;
        let (filter, data) =
            if photo.len() < packed.len() { ("DCTDecode", photo) } else { ("FlateDecode", packed) };
        let dictionary = format!(
            "/Type /XObject /Subtype /Image /Width {} /Height {} /ColorSpace /DeviceRGB /BitsPerComponent 8 \
             /Filter /{filter}",
            image.width(),
            image.height()
        );
        let picture = self.stream(&dictionary, &data);
        let content = self.stream("", format!("q {wide:.2} 0 0 {high:.2} 0 0 cm /P Do Q").as_bytes());
        self.page(
            wide,
            high,
            &format!("/Resources << /XObject << /P {picture} 0 R >> >> /Contents {content} 0 R"),
        );
        Ok(())
    }

    /// Adds an empty page.
    pub(super) fn add_blank(&mut self, wide: f32, high: f32) {
        self.page(wide, high, "/Resources << >>");
    }

    fn page(&mut self, wide: f32, high: f32, rest: &str) {
        let sound = |edge: f32| if edge.is_finite() { edge.clamp(3.0, 14_400.0) } else { 595.0 };
        let (wide, high) = (sound(wide), sound(high));
        let page = format!("<< /Type /Page /Parent {LIST} 0 R /MediaBox [0 0 {wide:.2} {high:.2}] {rest} >>");
        let number = self.object(page.as_bytes());
        self.pages.push(number);
    }

    fn stream(&mut self, dictionary: &str, data: &[u8]) -> usize {
        let mut object = format!("<< {dictionary} /Length {} >>\nstream\n", data.len()).into_bytes();
        object.extend_from_slice(data);
        object.extend_from_slice(b"\nendstream");
        self.object(&object)
    }

    fn object(&mut self, body: &[u8]) -> usize {
        self.offsets.push(self.bytes.len());
        let number = self.offsets.len();
        self.write(number, body);
        number
    }

    fn write(&mut self, number: usize, body: &[u8]) {
        self.bytes.extend_from_slice(format!("{number} 0 obj\n").as_bytes());
        self.bytes.extend_from_slice(body);
        self.bytes.extend_from_slice(b"\nendobj\n");
    }

    /// The whole document.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let kids: Vec<String> = self.pages.iter().map(|number| format!("{number} 0 R")).collect();
        let list = format!("<< /Type /Pages /Count {} /Kids [{}] >>", kids.len(), kids.join(" "));
        for (number, body) in [(CATALOGUE, format!("<< /Type /Catalog /Pages {LIST} 0 R >>")), (LIST, list)] {
            if let Some(offset) = self.offsets.get_mut(number - 1) {
                *offset = self.bytes.len();
            }
            self.write(number, body.as_bytes());
        }
        let start = self.bytes.len();
        let count = self.offsets.len() + 1;
        let mut table = format!("xref\n0 {count}\n0000000000 65535 f \n");
        for offset in &self.offsets {
            table.push_str(&format!("{offset:010} 00000 n \n"));
        }
        let trailer =
            format!("trailer\n<< /Size {count} /Root {CATALOGUE} 0 R >>\nstartxref\n{start}\n%%EOF\n");
        self.bytes.extend_from_slice(table.as_bytes());
        self.bytes.extend_from_slice(trailer.as_bytes());
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hayro::hayro_syntax::Pdf;

    #[test]
    fn the_copy_is_a_document_of_pictures_that_readers_open() {
        let mut book = Book::new();
        let plain = RgbImage::from_pixel(20, 30, image::Rgb([10, 20, 30]));
        let noise = RgbImage::from_fn(64, 64, |x, y| {
            let n = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)).to_le_bytes();
            image::Rgb([n[0], n[1], n[2]])
        });
        book.add(&plain, 200.0, 300.0).unwrap();
        book.add(&noise, 595.0, 842.0).unwrap();
        book.add_blank(f32::NAN, -3.0);
        let bytes = book.finish();
        for word in ["/JavaScript", "/JS", "/Launch", "/URI", "/AA", "/OpenAction", "/EmbeddedFile"] {
            assert!(memchr::memmem::find(&bytes, word.as_bytes()).is_none(), "{word}");
        }
        let start = memchr::memmem::rfind(&bytes, b"startxref\n").unwrap();
        let offset: usize =
            std::str::from_utf8(&bytes[start + 10..]).unwrap().lines().next().unwrap().parse().unwrap();
        assert!(bytes[offset..].starts_with(b"xref\n0 10\n"), "the table is where it is said to be");
        let pdf = Pdf::new(bytes).unwrap();
        let sizes: Vec<(f32, f32)> = pdf.pages().iter().map(|page| page.render_dimensions()).collect();
        assert_eq!(sizes, [(200.0, 300.0), (595.0, 842.0), (595.0, 3.0)]);
    }
}
