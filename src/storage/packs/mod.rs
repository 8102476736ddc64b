//! The mail itself. To be written.

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordPlace {
    /// The pack's number.
    pub pack: u32,
    /// Byte offset in it.
    pub offset: u64,
    /// Sealed bytes.
    pub length: u32,
}
