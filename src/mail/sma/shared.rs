//! What devices share beyond keys and trust: something the owner set, by a name, and which of two values counts.

use super::fields::{Flaw, Reader, Writer};
use super::folder::DeviceId;

/// A name is no longer than this, in bytes: a word and an address.
pub const SHARED_NAME_MAX: usize = 340;
/// A value is no longer than this, in bytes.
pub const SHARED_VALUE_MAX: usize = 16 << 10;

/// Something the owner set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// What it is: `device <number>`, `signature`, `sender <address>`.
    pub name: String,
    /// What it was set to, of one line or several; empty for nothing.
    pub value: String,
    /// When, in seconds since 1970; 0 where it was set before it was shared.
    pub at: i64,
    /// On which device.
    pub device: DeviceId,
}

impl Shared {
    pub(super) fn write(&self, w: Writer) -> Writer {
        w.text(&self.name).bytes(self.value.as_bytes()).time(self.at).text(&self.device.to_string())
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, Flaw> {
        let name = r.text("name", SHARED_NAME_MAX)?;
        let value = std::str::from_utf8(r.bytes(SHARED_VALUE_MAX)?).map_err(|_| Flaw::Value("value"))?;
        let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
        if value.contains(odd) {
            return Err(Flaw::Value("value"));
        }
        let (value, at) = (value.to_owned(), r.time("at")?);
        Ok(Self { name, value, at, device: r.text("device", 19)?.parse()? })
    }

    /// Whether this one counts where the other one, of the same name, is known: the later one does, of the same second the one
    /// from the device of the larger number, then the larger value. The same whoever asks, and in whichever order.
    #[must_use]
    pub fn outweighs(&self, other: &Self) -> bool {
        (self.at, self.device, &self.value) > (other.at, other.device, &other.value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::whole;
    use super::*;

    fn shared(value: &str, at: i64, device: &str) -> Shared {
        Shared { name: "signature".into(), value: value.into(), at, device: device.parse().unwrap() }
    }

    #[test]
    fn of_two_values_both_devices_choose_the_same() {
        let all = [
            shared("Alice", 0, "1"),
            shared("", 0, "2"),
            shared("Alice\nOld Harbour", 50, "1"),
            shared("A.", 50, "2"),
            shared("B.", 50, "2"),
        ];
        for one in &all {
            assert!(!one.outweighs(one));
            for other in all.iter().filter(|other| *other != one) {
                assert_ne!(one.outweighs(other), other.outweighs(one), "{one:?} {other:?}");
            }
        }
        // Whatever the order, the last one of the list wins.
        for start in 0..all.len() {
            let order = all.iter().cycle().skip(start).take(all.len());
            let won = order.fold(&all[0], |kept, new| if new.outweighs(kept) { new } else { kept });
            assert_eq!(won, &all[4]);
        }
    }

    #[test]
    fn a_value_is_text_of_bounded_length() {
        let read = |value: &[u8]| {
            let bytes = Writer::default().text("signature").bytes(value).time(7).text("27").done();
            whole(&bytes, Shared::read)
        };
        assert_eq!(read("Alice\n\tOld Harbour".as_bytes()), Ok(shared("Alice\n\tOld Harbour", 7, "27")));
        assert_eq!(read(b"\x1b[31m"), Err(Flaw::Value("value")));
        assert_eq!(read(b"\xff"), Err(Flaw::Value("value")));
        assert_eq!(read(&vec![b'x'; SHARED_VALUE_MAX + 1]), Err(Flaw::TooLong));
    }
}
