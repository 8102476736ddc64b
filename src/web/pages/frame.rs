//! What a page says about the frame that a message's HTML is shown in: how high it is, and what was left out of it.

use crate::mail::html::Sanitised;

/// The heights that the style sheet knows, in pixels.
const STEPS: [u32; 16] =
    [100, 150, 200, 260, 330, 410, 500, 600, 720, 860, 1_020, 1_200, 1_400, 1_650, 1_950, 2_300];

/// The step for a frame on a wide page and on a narrow one, from 1: the first that holds all, or the highest, in which one
/// scrolls.
pub(super) fn steps(look: Option<&Sanitised>) -> (u8, u8) {
    let (wide, narrow) = look.map_or((0, 0), |look| look.heights);
    let step = |height: u32| {
        let at = STEPS.iter().position(|step| *step >= height).unwrap_or(STEPS.len() - 1);
        u8::try_from(at + 1).unwrap_or(1)
    };
    (step(wide), step(narrow))
}

/// What is said of text that is made not to be seen: as a warning, and quietly where it is but the line that newsletters
/// begin with for lists of mail to show. Nearly every newsletter has that, and a warning that always stands there is not read.
pub(super) fn hidden_words(look: Option<&Sanitised>) -> (String, String) {
    match look {
        Some(look) if look.hidden_text && look.preview_text => {
            (String::new(), "Its first line is made not to be seen, and is left out.".into())
        }
        Some(look) if look.hidden_text => (
            "It holds text that is made not to be seen. That is left out here, in searches and in answers."
                .into(),
            String::new(),
        ),
        _ => (String::new(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_as_high_as_what_is_in_it_up_to_a_limit() {
        let of = |heights| steps(Some(&Sanitised { heights, ..Sanitised::default() }));
        assert_eq!(of((0, 100)), (1, 1));
        assert_eq!(of((101, 2_300)), (2, 16));
        assert_eq!(of((1_000_000, 601)), (16, 9));
        assert_eq!(steps(None), (1, 1));
    }
}
