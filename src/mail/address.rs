//! People as mail knows them: a name and an address.

use serde::{Deserialize, Serialize};

/// Somebody a message is from or to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    /// The display name, decoded; empty when there is none.
    pub name: String,
    /// The address as written (`addr-spec` of RFC 5322); empty when there is none.
    pub address: String,
}

impl Person {
    /// The name where there is one, otherwise the address.
    #[must_use]
    pub fn display(&self) -> &str {
        if self.name.is_empty() { &self.address } else { &self.name }
    }
}

/// The form in which addresses are compared: domain as IDNA A-labels in lower case, local part in lower case,
/// nothing else (no plus or dot folding), as in Autocrypt.
#[must_use]
pub fn canonical(address: &str) -> String {
    let address = address.trim();
    match address.rsplit_once('@') {
        None => address.to_lowercase(),
        Some((local, domain)) => {
            let domain = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase());
            format!("{}@{domain}", local.to_lowercase())
        }
    }
}
