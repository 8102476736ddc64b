//! A command to the server. The only way the owner's data gets into one is [`Command::text`].

use zeroize::Zeroizing;

use super::ImapError;

/// Longer than this is never quoted but sent as a literal.
const LONGEST_QUOTED: usize = 500;

/// A part of a command.
#[derive(Debug)]
pub(super) enum Piece {
    /// Sent as it is. A password may be in it, so it is wiped afterwards.
    Plain(Zeroizing<Vec<u8>>),
    /// Sent by count of bytes, after the server said yes.
    Literal(Vec<u8>),
}

/// A command being put together.
#[derive(Debug, Default)]
pub(super) struct Command {
    pub(super) pieces: Vec<Piece>,
}

impl Command {
    /// Begins with words of our own.
    pub(super) fn new(words: &str) -> Self {
        Self::default().raw(words)
    }

    /// Adds words of our own.
    pub(super) fn raw(mut self, words: &str) -> Self {
        match self.pieces.last_mut() {
            Some(Piece::Plain(plain)) => plain.extend_from_slice(words.as_bytes()),
            _ => self.pieces.push(Piece::Plain(Zeroizing::new(words.into()))),
        }
        self
    }

    /// Adds somebody's data, quoted or as a literal.
    pub(super) fn text(self, data: &str) -> Result<Self, ImapError> {
        let quotable = data.len() <= LONGEST_QUOTED && data.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if quotable {
            let mut quoted = Zeroizing::new(String::with_capacity(data.len() * 2 + 2));
            quoted.push('"');
            for c in data.chars() {
                if matches!(c, '"' | '\\') {
                    quoted.push('\\');
                }
                quoted.push(c);
            }
            quoted.push('"');
            Ok(self.raw(&quoted))
        } else {
            self.bytes(data.as_bytes().to_vec())
        }
    }

    /// Adds bytes as a literal.
    pub(super) fn bytes(mut self, data: Vec<u8>) -> Result<Self, ImapError> {
        if data.contains(&0) {
            return Err(ImapError::NotSayable { what: "it holds a NUL byte".into() });
        }
        self.pieces.push(Piece::Literal(data));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(command: &Command) -> String {
        command
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Plain(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Piece::Literal(bytes) => format!("<{}>", bytes.len()),
            })
            .collect()
    }

    #[test]
    fn no_data_becomes_a_command() {
        let quoted = Command::new("SELECT ").text("Al\"ice\\").unwrap().raw(" (X)");
        assert_eq!(plain(&quoted), "SELECT \"Al\\\"ice\\\\\" (X)");
        let broken = Command::new("SELECT ").text("x\"\r\nA2 DELETE INBOX").unwrap();
        assert_eq!(plain(&broken), "SELECT <19>");
        assert_eq!(plain(&Command::new("X ").text("Größe").unwrap()), "X <7>");
        assert!(Command::new("X ").text("a\0b").is_err());
    }
}
