//! What a reader can see: the few facts about size, colour and place that hide text, and how they come together on an
//! element from its parent, the style sheet and its own style.

use super::colour::{BLACK, Colour, WHITE};
use super::css::{Piece, Unit};

/// Text pushed further than this to the left is out of sight, in pixels.
const FAR: f32 = -300.0;
/// Text no larger than this many pixels is not read by anybody.
const UNREADABLE: f32 = 1.5;
/// The colour of a link that sets none.
const LINK: Colour = Colour::opaque(0, 0, 238);

/// A size of type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum FontSize {
    /// In pixels.
    Pixels(f32),
    /// Times the parent's.
    Times(f32),
}

/// What lies behind the text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ground {
    /// A colour.
    Colour(Colour),
    /// A picture or something else whose colour nobody knows, over a colour if one is named.
    Unknown(Option<Colour>),
}

/// What one block of declarations says about being seen.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Facts {
    /// `display: none`, or not.
    pub(super) no_display: Option<bool>,
    /// `visibility: hidden`, or not.
    pub(super) invisible: Option<bool>,
    /// The size of type.
    pub(super) font: Option<FontSize>,
    /// The colour of text.
    pub(super) colour: Option<Colour>,
    /// What lies behind it.
    pub(super) ground: Option<Ground>,
    /// Opacity nought.
    pub(super) faded: Option<bool>,
    /// Width in pixels.
    pub(super) width: Option<f32>,
    /// Height in pixels.
    pub(super) height: Option<f32>,
    /// Greatest height in pixels.
    pub(super) max_height: Option<f32>,
    /// Greatest width in pixels.
    pub(super) max_width: Option<f32>,
    /// What overflows is cut off.
    pub(super) clips: Option<bool>,
    /// The first line is pushed out of sight.
    pub(super) indented: Option<bool>,
    /// Taken out of the flow.
    pub(super) positioned: Option<bool>,
    /// Moved out of sight, if it is out of the flow.
    pub(super) moved: Option<bool>,
    /// Pulled out of sight by its margin.
    pub(super) pulled: Option<bool>,
    /// Cut down to nothing, if it is out of the flow.
    pub(super) cut: Option<bool>,
}

impl Ground {
    /// Whether a colour is there even when the picture is not.
    pub(super) const fn has_colour(self) -> bool {
        matches!(self, Self::Colour(_) | Self::Unknown(Some(_)))
    }
}

impl Facts {
    /// Whether there is nothing to know.
    pub(super) const fn is_empty(&self) -> bool {
        self.no_display.is_none()
            && self.invisible.is_none()
            && self.font.is_none()
            && self.colour.is_none()
            && self.ground.is_none()
            && self.faded.is_none()
            && self.width.is_none()
            && self.height.is_none()
            && self.max_height.is_none()
            && self.max_width.is_none()
            && self.clips.is_none()
            && self.indented.is_none()
            && self.positioned.is_none()
            && self.moved.is_none()
            && self.pulled.is_none()
            && self.cut.is_none()
    }

    /// Lays stronger facts over these.
    pub(super) fn lay(&mut self, over: &Self) {
        self.no_display = over.no_display.or(self.no_display);
        self.invisible = over.invisible.or(self.invisible);
        self.font = over.font.or(self.font);
        self.colour = over.colour.or(self.colour);
        self.ground = over.ground.or(self.ground);
        self.faded = over.faded.or(self.faded);
        self.width = over.width.or(self.width);
        self.height = over.height.or(self.height);
        self.max_height = over.max_height.or(self.max_height);
        self.max_width = over.max_width.or(self.max_width);
        self.clips = over.clips.or(self.clips);
        self.indented = over.indented.or(self.indented);
        self.positioned = over.positioned.or(self.positioned);
        self.moved = over.moved.or(self.moved);
        self.pulled = over.pulled.or(self.pulled);
        self.cut = over.cut.or(self.cut);
    }

    /// Takes in one declaration.
    pub(super) fn read(&mut self, name: &str, pieces: &[Piece]) {
        let word = match pieces {
            [Piece::Word(word)] => word.as_str(),
            _ => "",
        };
        let pixels = pieces.first().and_then(pixels);
        match name {
            "display" => self.no_display = Some(word == "none"),
            "visibility" => self.invisible = Some(matches!(word, "hidden" | "collapse")),
            "opacity" => {
                self.faded = Some(matches!(pieces, [Piece::Number(n) | Piece::Percent(n)] if *n <= 0.02))
            }
            "font-size" => self.font = pieces.first().and_then(font_size).or(self.font),
            "font" => self.font = pieces.iter().find_map(font_size).or(self.font),
            "color" => self.colour = pieces.first().and_then(colour).or(self.colour),
            "background" | "background-color" | "background-image" => {
                self.ground = ground(pieces).or(self.ground);
            }
            "width" => self.width = pixels,
            "height" => self.height = pixels,
            "max-height" => self.max_height = pixels,
            "max-width" => self.max_width = pixels,
            "overflow" | "overflow-y" | "overflow-x" => {
                self.clips =
                    Some(pieces.iter().any(|piece| matches!(piece, Piece::Word(w) if w == "hidden")));
            }
            "text-indent" => self.indented = Some(is_far(pieces)),
            "position" => self.positioned = Some(matches!(word, "absolute" | "fixed" | "relative")),
            "left" | "top" => self.moved = Some(self.moved.unwrap_or(false) || is_far(pieces)),
            "margin-left" | "margin-top" => {
                self.pulled = Some(self.pulled.unwrap_or(false) || is_far(pieces))
            }
            "margin" => self.pulled = Some(pieces.iter().any(|piece| is_far(std::slice::from_ref(piece)))),
            "clip" => self.cut = Some(matches!(pieces, [Piece::Other(function)] if function == "rect")),
            "clip-path" => self.cut = Some(matches!(pieces, [Piece::Other(function)] if function == "inset")),
            _ => {}
        }
    }
}

fn pixels(piece: &Piece) -> Option<f32> {
    match piece {
        Piece::Number(0.0) | Piece::Percent(0.0) => Some(0.0),
        Piece::Length(length, unit) => Some(length * unit.pixels()),
        _ => None,
    }
}

fn is_far(pieces: &[Piece]) -> bool {
    match pieces.first() {
        Some(Piece::Percent(percent)) => *percent <= -90.0,
        Some(piece) => pixels(piece).is_some_and(|pixels| pixels < FAR),
        None => false,
    }
}

fn font_size(piece: &Piece) -> Option<FontSize> {
    match piece {
        Piece::Number(0.0) => Some(FontSize::Pixels(0.0)),
        Piece::Percent(percent) => Some(FontSize::Times(percent / 100.0)),
        Piece::Length(length, Unit::Em) => Some(FontSize::Times(*length)),
        Piece::Length(length, Unit::Ex | Unit::Ch) => Some(FontSize::Times(length / 2.0)),
        Piece::Length(length, unit) => Some(FontSize::Pixels(length * unit.pixels())),
        Piece::Word(word) if matches!(word.as_str(), "small" | "medium" | "large" | "initial") => {
            Some(FontSize::Pixels(16.0))
        }
        _ => None,
    }
}

fn colour(piece: &Piece) -> Option<Colour> {
    match piece {
        Piece::Colour(colour) => Some(*colour),
        Piece::Word(word) => Colour::from_name(word),
        _ => None,
    }
}

fn ground(pieces: &[Piece]) -> Option<Ground> {
    if pieces.iter().any(|piece| matches!(piece, Piece::Address(_) | Piece::Other(_))) {
        return Some(Ground::Unknown(pieces.iter().find_map(colour)));
    }
    pieces.iter().find_map(colour).map(Ground::Colour)
}

/// How an element looks once everything has come together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// It and all in it is not shown.
    gone: bool,
    /// It is out of sight by means that a document of ours does not keep, so it must be hidden by others.
    hide: bool,
    invisible: bool,
    size: f32,
    colour: Colour,
    /// What is behind it, if that is known.
    ground: Option<Colour>,
}

impl Default for Look {
    fn default() -> Self {
        Self { gone: false, hide: false, invisible: false, size: 16.0, colour: BLACK, ground: Some(WHITE) }
    }
}

impl Look {
    /// The look of a child of this with these facts.
    pub(super) fn child(self, facts: &Facts, is_link: bool) -> Self {
        let set = |fact: Option<bool>| fact == Some(true);
        let nothing = |size: Option<f32>| size.is_some_and(|size| size <= 1.0);
        let shrunk = set(facts.clips)
            && [facts.width, facts.height, facts.max_height, facts.max_width].into_iter().any(nothing);
        let away = set(facts.indented)
            || set(facts.pulled)
            || set(facts.positioned) && (set(facts.moved) || set(facts.cut));
        let size = match facts.font {
            Some(FontSize::Pixels(pixels)) => pixels,
            Some(FontSize::Times(times)) => self.size * times,
            None => self.size,
        };
        let ground = match facts.ground {
            Some(Ground::Unknown(_)) => None,
            Some(Ground::Colour(colour)) if colour.alpha >= 0.95 => Some(colour),
            Some(Ground::Colour(colour)) if colour.alpha > 0.05 => None,
            _ => self.ground,
        };
        Self {
            gone: self.gone || set(facts.no_display) || set(facts.faded) || shrunk || away,
            hide: away && !self.gone && !set(facts.no_display),
            invisible: facts.invisible.unwrap_or(self.invisible),
            size,
            colour: facts.colour.unwrap_or(if is_link { LINK } else { self.colour }),
            ground,
        }
    }

    /// Whether text here is not seen.
    pub(super) fn conceals_text(&self) -> bool {
        self.gone
            || self.invisible
            || self.size <= UNREADABLE
            || self.colour.alpha <= 0.05
            || self.ground.is_some_and(|ground| ground.looks_like(self.colour))
    }

    /// Whether nothing here is seen, pictures neither.
    pub(super) const fn conceals_all(&self) -> bool {
        self.gone || self.invisible
    }

    /// Whether it and all in it is not shown.
    pub(super) const fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether it must be given `display: none` to stay out of sight.
    pub(super) const fn must_be_hidden(&self) -> bool {
        self.hide
    }

    /// As if it were not shown at all.
    pub(super) const fn vanished(self) -> Self {
        Self { gone: true, ..self }
    }
}

/// Whether text holds anything that leaves ink: newsletters stuff their hidden line with blanks of every kind.
pub(super) fn has_ink(text: &str) -> bool {
    text.chars().any(|c| !c.is_whitespace() && !c.is_control() && !is_blank(c))
}

/// Characters that show nothing.
pub(super) const fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e007f}'
    )
}
