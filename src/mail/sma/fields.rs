//! The one encoding of all that is signed: fields in a fixed order, each with its length in front, so that no two different
//! lists of fields are the same bytes.

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// They end in the middle of a field.
    #[error("it ends too early")]
    Cut,
    /// Something follows where nothing should.
    #[error("something follows its end")]
    Trailing,
    /// A field, or the whole, is longer than it may be, or there are too many of them.
    #[error("it is too long")]
    TooLong,
    /// A field holds what it may not hold.
    #[error("its field {0} makes no sense")]
    Value(&'static str),
    /// It is of another version, or something else altogether.
    #[error("it is of another version")]
    Version,
}

/// Numbers above this are not exact in every language (2⁵³ - 1), and no time or count needs them.
pub(super) const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Writes fields: each a length of four bytes, most significant first, and so many bytes.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Begins with the words that say what follows.
    #[must_use]
    pub fn new(what: &str) -> Self {
        Self::default().text(what)
    }

    /// A field of bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        // Nothing of ours comes near four gigabytes: readers refuse far less.
        self.0.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// A field of UTF-8.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// A number: a field of eight bytes, most significant first.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    /// A time in seconds since 1970; what is before that is 1970.
    #[must_use]
    pub fn time(self, seconds: i64) -> Self {
        self.number(u64::try_from(seconds).unwrap_or_default())
    }

    /// Yes or no: a field of one byte, 1 or 0.
    #[must_use]
    pub fn flag(self, flag: bool) -> Self {
        self.bytes(&[u8::from(flag)])
    }

    /// A list: one field that holds a field for each.
    #[must_use]
    pub fn list<T>(self, items: &[T], write: impl Fn(&T) -> Vec<u8>) -> Self {
        let all = items.iter().fold(Self::default(), |all, item| all.bytes(&write(item)));
        self.bytes(&all.0)
    }

    /// What was written.
    #[must_use]
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Reads fields in their order.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Reads the words that say what follows.
    pub(super) fn is(&mut self, what: &str) -> Result<(), Flaw> {
        if self.bytes(64).is_ok_and(|found| found == what.as_bytes()) { Ok(()) } else { Err(Flaw::Version) }
    }

    pub(super) fn bytes(&mut self, most: usize) -> Result<&'a [u8], Flaw> {
        let (length, rest) = self.0.split_first_chunk::<4>().ok_or(Flaw::Cut)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Flaw::TooLong)?;
        if length > most {
            return Err(Flaw::TooLong);
        }
        let (field, rest) = rest.split_at_checked(length).ok_or(Flaw::Cut)?;
        self.0 = rest;
        Ok(field)
    }

    /// One line of text without control characters, at most `most` bytes.
    pub(super) fn text(&mut self, name: &'static str, most: usize) -> Result<String, Flaw> {
        let text = std::str::from_utf8(self.bytes(most)?).map_err(|_| Flaw::Value(name))?;
        if text.chars().any(char::is_control) { Err(Flaw::Value(name)) } else { Ok(text.to_owned()) }
    }

    pub(super) fn array<const N: usize>(&mut self, name: &'static str) -> Result<[u8; N], Flaw> {
        self.bytes(N)?.try_into().map_err(|_| Flaw::Value(name))
    }

    pub(super) fn number(&mut self, name: &'static str) -> Result<u64, Flaw> {
        let number = u64::from_be_bytes(self.array(name)?);
        if number > NUMBER_MAX { Err(Flaw::Value(name)) } else { Ok(number) }
    }

    pub(super) fn time(&mut self, name: &'static str) -> Result<i64, Flaw> {
        i64::try_from(self.number(name)?).map_err(|_| Flaw::Value(name))
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, Flaw> {
        match self.array(name)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Flaw::Value(name)),
        }
    }

    /// A list of at most `most` items of at most `size` bytes each.
    pub(super) fn list<T>(
        &mut self,
        most: usize,
        size: usize,
        read: impl Fn(&'a [u8]) -> Result<T, Flaw>,
    ) -> Result<Vec<T>, Flaw> {
        let mut inner = Self(self.bytes(most.saturating_mul(size.saturating_add(4)))?);
        let mut items = Vec::new();
        while !inner.0.is_empty() {
            if items.len() == most {
                return Err(Flaw::TooLong);
            }
            items.push(read(inner.bytes(size)?)?);
        }
        Ok(items)
    }

    /// Whether another field follows.
    pub(super) const fn has_more(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) const fn end(&self) -> Result<(), Flaw> {
        if self.0.is_empty() { Ok(()) } else { Err(Flaw::Trailing) }
    }
}

/// Reads a value that takes up all of the bytes.
pub(super) fn whole<'a, T>(
    bytes: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Flaw>,
) -> Result<T, Flaw> {
    let mut reader = Reader::new(bytes);
    let value = read(&mut reader)?;
    reader.end()?;
    Ok(value)
}
