//! How a Web Key Directory names a mailbox (draft-koch-openpgp-webkey-service §3.1). SHA-1 hides nothing here; it only makes
//! a name of fixed length.

use data_encoding::{Encoding, Specification};
use sequoia_openpgp::types::HashAlgorithm;

/// z-base-32: RFC 6189 §5.1.6.
const Z_BASE_32: &str = "ybndrfg8ejkmcpqxot1uwisza345h769";

fn z_base_32() -> Option<Encoding> {
    let mut specification = Specification::new();
    specification.symbols.push_str(Z_BASE_32);
    specification.encoding().ok()
}

/// The name of a local part in a Web Key Directory: 32 letters and digits. ASCII letters are made small first, others are
/// left as they are.
#[must_use]
pub fn hashed_local_part(local: &str) -> Option<String> {
    let mut hash = HashAlgorithm::SHA1.context().ok()?.for_digest();
    hash.update(local.to_ascii_lowercase().as_bytes());
    Some(z_base_32()?.encode(&hash.into_digest().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_draft_and_of_others() {
        for (local, name) in [
            ("Joe.Doe", "iy9q119eutrkn8s1mk4r39qejnbu3n5q"),
            ("test1", "stnkabub89rpcphiz4ppbxixkwyt1pic"),
            ("juga", "7t1uqk9cwh1955776rc4z1gqf388566j"),
        ] {
            assert_eq!(hashed_local_part(local).as_deref(), Some(name), "{local}");
        }
    }
}
