//! The words on a PDF page, in the order they are drawn: for those who cannot see the picture of it.

use hayro::hayro_interpret::font::{Glyph, GlyphRun};
use hayro::hayro_interpret::hayro_cmap::BfString;
use hayro::hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache,
    InterpreterSettings, SoftMask, interpret_page,
};
use hayro::hayro_syntax::page::Page;
use hayro::kurbo::{Affine, BezPath, Point, Rect};

/// The most text of a page, in bytes.
const TEXT_MAX: usize = 32 << 10;

/// The text of a page; empty where it has none, or none that says which letters it means.
pub(super) fn of(page: &Page<'_>) -> String {
    let (wide, high) = page.render_dimensions();
    let cache = InterpreterCache::new();
    let area = Rect::new(0.0, 0.0, f64::from(wide), f64::from(high));
    let mut context =
        Context::new(Affine::IDENTITY, area, &cache, page.xref(), InterpreterSettings::default());
    let mut words = Words::default();
    interpret_page(page, &mut context, &mut words);
    words.text.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[derive(Default)]
struct Words {
    text: String,
    /// Where the last letter ended.
    end: Option<Point>,
}

impl Device<'_> for Words {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, '_>, props: DrawProps<'_>, _: &DrawMode) {
        for glyph in run.glyphs() {
            if self.text.len() > TEXT_MAX {
                return;
            }
            let Some(letters) = glyph.as_unicode() else { continue };
            // Letters are drawn a thousand units high.
            let transform = props.transform * glyph.transform();
            let advance = match &**glyph {
                Glyph::Outline(outline) => outline.advance_width(),
                Glyph::Type3(drawing) => drawing.advance_width(),
            };
            let begin = transform * Point::ORIGIN;
            let size = (transform * Point::new(1000.0, 0.0) - begin).hypot();
            if let Some(end) = self.end {
                // Another line, or further from the last letter than letters of a word are.
                if (begin.y - end.y).abs() > size / 2.0 {
                    self.text.push('\n');
                } else if begin.x - end.x > size * 0.16 || end.x - begin.x > size {
                    self.text.push(' ');
                }
            }
            self.end = Some(transform * Point::new(f64::from(advance.unwrap_or(500.0)), 0.0));
            match letters {
                BfString::Char(c) => self.text.extend(Some(c).filter(|c| !c.is_control())),
                BfString::String(s) => self.text.extend(s.chars().filter(|c| !c.is_control())),
            }
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'_>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'_>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'_, '_>, _: ImageDrawProps<'_>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
