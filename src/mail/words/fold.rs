//! What one character means to the analyser: a letter of a word, a word of its own, or the end of a word.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// What a character turns into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Goes on with the word.
    Letter(char),
    /// A word of its own: scripts that are written without spaces.
    Single(char),
    /// Sits on the character before it: a Japanese voicing mark joins it, any other mark is dropped.
    Mark(char),
    /// Ends the word.
    Break(char),
}

/// Folds one character that is not ASCII: compatibility forms, marks, case, letters with strokes.
pub(super) fn fold_char(c: char, mut emit: impl FnMut(Piece)) {
    if is_ignored(c) {
        return;
    }
    match c {
        // Composed syllables stay composed: each is a word of its own.
        '\u{AC00}'..='\u{D7A3}' => emit(Piece::Single(c)),
        // Sound marks that stand alone, as half-width katakana uses them.
        '\u{FF9E}' | '\u{309B}' => emit(Piece::Mark('\u{3099}')),
        '\u{FF9F}' | '\u{309C}' => emit(Piece::Mark('\u{309A}')),
        // Squared and bracketed words of East Asia: ㍿, ㈱.
        '\u{3200}'..='\u{33FF}' => decompose_compatible(c, |d| fold_decomposed(d, &mut emit)),
        '\u{1F000}'..='\u{1FAFF}' => emit(Piece::Break(c)),
        // Signs like ™ would otherwise grow letters onto the word before them.
        _ if c.is_alphanumeric() || is_combining_mark(c) => {
            decompose_compatible(c, |d| fold_decomposed(d, &mut emit));
        }
        _ => emit(Piece::Break(c)),
    }
}

fn fold_decomposed(d: char, emit: &mut impl FnMut(Piece)) {
    if is_ignored(d) {
        // Some compatibility forms of Arabic stand on a stretched line.
    } else if d.is_ascii() {
        emit(if d.is_ascii_alphanumeric() { Piece::Letter(d.to_ascii_lowercase()) } else { Piece::Break(d) });
    } else if is_combining_mark(d) {
        emit(match d {
            _ if is_nukta(d) => Piece::Mark(d),
            _ if is_single(d) => Piece::Single(d),
            // Vowel signs and the sign that kills a vowel are half of an Indic word, no accents on it.
            '\u{0900}'..='\u{0DFF}' | '\u{0F00}'..='\u{0FFF}' => Piece::Letter(d),
            _ => Piece::Mark(d),
        });
    } else if is_single(d) {
        emit(if d.is_alphanumeric() { Piece::Single(d) } else { Piece::Break(d) });
    } else {
        for lower in d.to_lowercase() {
            fold_lower(lower, emit);
        }
    }
}

fn fold_lower(c: char, emit: &mut impl FnMut(Piece)) {
    let plain = match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ø' => "o",
        'ł' | 'ƚ' => "l",
        'đ' | 'ð' | 'ɗ' => "d",
        'ħ' => "h",
        'ı' | 'ɨ' => "i",
        'ŧ' => "t",
        'ŋ' => "n",
        'ĸ' | 'ƙ' => "k",
        'ƀ' | 'ɓ' => "b",
        'ƴ' => "y",
        'ʉ' => "u",
        'ς' => "σ",
        // Arabic and Persian write the same letter with two characters, and at the end of a word with a third.
        'ی' | 'ى' => "ي",
        'ک' => "ك",
        'ة' => "ه",
        _ => return emit(fold_rest(c)),
    };
    plain.chars().for_each(|letter| emit(Piece::Letter(letter)));
}

fn fold_rest(c: char) -> Piece {
    match c {
        // Modifier letters: apostrophes in disguise.
        '\u{02B9}'..='\u{02DF}' => Piece::Break(c),
        '\u{0660}'..='\u{0669}' => digit(c, '\u{0660}'),
        '\u{06F0}'..='\u{06F9}' => digit(c, '\u{06F0}'),
        '\u{0966}'..='\u{096F}' => digit(c, '\u{0966}'),
        _ if c.is_alphanumeric() => Piece::Letter(c),
        _ if is_combining_mark(c) => Piece::Mark(c),
        _ => Piece::Break(c),
    }
}

fn digit(c: char, zero: char) -> Piece {
    let value = u32::from(c).saturating_sub(u32::from(zero));
    Piece::Letter(char::from_digit(value, 10).unwrap_or(c))
}

/// Characters nobody sees: they neither belong to a word nor end it.
pub(super) fn is_ignored(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{0640}' | '\u{180B}'..='\u{180F}' | '\u{200C}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{E0000}'..='\u{E0FFF}')
}

/// Scripts without spaces between words: every character is a word, so that a phrase of them is found as a substring.
pub(super) fn is_single(c: char) -> bool {
    matches!(c,
        '\u{0E00}'..='\u{0EFF}'             // Thai, Lao
        | '\u{1000}'..='\u{109F}' | '\u{A9E0}'..='\u{A9FF}' | '\u{AA60}'..='\u{AA7F}' // Myanmar
        | '\u{1780}'..='\u{17FF}' | '\u{1950}'..='\u{19DF}' | '\u{1A20}'..='\u{1AAF}' // Khmer, Tai
        | '\u{1100}'..='\u{11FF}' | '\u{A960}'..='\u{A97F}' | '\u{AC00}'..='\u{D7FF}' // Hangul
        | '\u{2E80}'..='\u{2FDF}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' // Han
        | '\u{3031}'..='\u{31FF}'           // Hiragana, Katakana, Bopomofo
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{1AFF0}'..='\u{1B16F}' | '\u{20000}'..='\u{3FFFF}')
}

/// The dot that makes a letter for sounds of other languages; left out by many who type.
fn is_nukta(c: char) -> bool {
    matches!(c, '\u{093C}' | '\u{09BC}' | '\u{0A3C}' | '\u{0ABC}' | '\u{0B3C}' | '\u{0CBC}')
}
