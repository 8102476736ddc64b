//! What the reader is told of a message that cannot be shown whole: one sentence for each thing that was left out.

use super::thread::LONGEST_TEXT;
use crate::mail::html::Sanitised;
use crate::mail::message::Message;

/// As many parts as are told apart at the most; `mail::message` stops there.
const PARTS: usize = 1_000;

/// The sentences. `text` is how many bytes the readable text has.
pub(super) fn words(
    message: &Message,
    look: Option<&Sanitised>,
    as_html: bool,
    text: usize,
) -> Vec<&'static str> {
    let mut words = Vec::new();
    if message.is_cut && message.parts.len() >= PARTS {
        words.push("This message has more than 1,000 parts; the others are only in its source.");
    }
    let is_tangled = as_html && look.is_some_and(|look| look.truncated);
    if message.is_text_cut || is_tangled || !as_html && text > LONGEST_TEXT {
        words.push("This message is too large to be shown whole; all of it is in its source.");
    }
    if as_html && look.is_some_and(|look| look.shown_as_text) {
        words.push("This message cannot be shown safely as it was designed, so only its text is shown.");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::message::parse;

    #[test]
    fn an_ordinary_letter_is_shown_whole() {
        let message = parse(b"Content-Type: text/html\n\n<p>Hello");
        assert!(words(&message, Some(&Sanitised::default()), true, 5).is_empty());
    }

    #[test]
    fn what_is_left_out_is_told() {
        let message = parse(b"Subject: x\n\nHello");
        let cut = Sanitised { truncated: true, ..Sanitised::default() };
        assert_eq!(words(&message, Some(&cut), true, 5).len(), 1);
        assert!(words(&message, Some(&cut), false, 5).is_empty(), "the text view shows all of the text");
        assert_eq!(words(&message, None, false, LONGEST_TEXT + 1).len(), 1);
        let text = Sanitised { shown_as_text: true, ..Sanitised::default() };
        assert_eq!(words(&message, Some(&text), true, 5).len(), 1);
        let parts = parse(
            format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(1_200)).as_bytes(),
        );
        assert_eq!(words(&parts, None, false, 5).len(), 1);
        let long = parse(format!("Subject: x\n\n{}", "lorem ipsum\n".repeat(1_500_000)).as_bytes());
        assert!(long.is_text_cut);
    }
}
