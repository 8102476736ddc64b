//! Passkeys (Web Authentication, Level 3): what a browser is asked for, and whether its answer fits. Pure: whoever asks keeps what
//! was begun, shows it to nobody, and forgets it after one answer.
//!
//! A key belongs to the name under which it was made. It proves that its holder was there and was known to it, by a finger or a
//! PIN. Signing in asks for no key by its name, so whoever asks learns of none.

use serde_json::Value;
use std::time::Duration;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, DiscoverableKey, Passkey as Credential, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder,
};

/// The longest answer of a browser that is looked at, in bytes.
pub const LONGEST: usize = 12 << 10;
/// How long a browser asks its owner.
const PATIENCE: Duration = Duration::from_secs(180);
/// What the owner's keys show beside the name. No address: they like to keep copies elsewhere.
const ACCOUNT: &str = "Mailkeep";

/// Names the owner of a store to their keys, and says nothing of them.
pub type OwnerId = [u8; 16];

/// The public half of a passkey, and how often it was used.
#[derive(Clone)]
pub struct Passkey(Credential);

impl Passkey {
    /// From what was kept of it; nothing where it is none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().map(Self)
    }

    /// As it is kept.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(&self.0).ok()
    }

    /// By which a browser names it.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        self.0.cred_id()
    }
}

/// A key that is being added: what an answer has to fit.
pub struct Adding(PasskeyRegistration);

/// A sign-in under way: what an answer has to fit.
pub struct SigningIn(DiscoverableAuthentication);

/// What a browser answered to a sign-in. It is nothing yet: it only says which key it wants to be.
pub struct Answer(PublicKeyCredential);

impl Answer {
    /// Reads one; nothing where it is none or too long.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() <= LONGEST).then(|| serde_json::from_str(text).ok().map(Self)).flatten()
    }

    /// Which key it wants to be.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        self.0.get_credential_id()
    }
}

/// The pages under one name, to which keys belong.
pub struct Site(Webauthn);

impl Site {
    /// The site of an origin such as `https://mail.example.org`; nothing where it has no name. Neither another port nor a name
    /// below is the same site.
    #[must_use]
    pub fn new(origin: &str) -> Option<Self> {
        let origin = Url::parse(origin).ok()?;
        let name = origin.domain().filter(|_| origin.scheme() == "https")?;
        let builder = WebauthnBuilder::new(name, &origin).ok()?;
        builder.rp_name(ACCOUNT).timeout(PATIENCE).build().ok().map(Self)
    }

    /// Begins to add a key: what the browser is asked, and what its answer has to fit. Keys that are there are not added twice.
    #[must_use]
    pub fn begin_adding(&self, owner: OwnerId, there: Vec<Vec<u8>>) -> Option<(Value, Adding)> {
        let owner = Uuid::from_bytes(owner);
        let begun = self.0.start_passkey_registration(owner, ACCOUNT, ACCOUNT, Some(there));
        let (asked, state) = begun.ok()?;
        let mut asked = serde_json::to_value(asked).ok()?;
        // One that its holder does not find without being told its name could not be signed in with.
        let wishes = asked.pointer_mut("/publicKey/authenticatorSelection")?.as_object_mut()?;
        wishes.insert("residentKey".to_owned(), "required".into());
        wishes.insert("requireResidentKey".to_owned(), true.into());
        Some((asked, Adding(state)))
    }

    /// The key that was made, where the answer fits.
    #[must_use]
    pub fn add(&self, begun: &Adding, answer: &str) -> Option<Passkey> {
        if answer.len() > LONGEST {
            return None;
        }
        let answer: RegisterPublicKeyCredential = serde_json::from_str(answer).ok()?;
        self.0.finish_passkey_registration(&answer, &begun.0).ok().map(Passkey)
    }

    /// Begins a sign-in: what the browser is asked, and what its answer has to fit. It is the same whichever keys there are.
    #[must_use]
    pub fn begin_sign_in(&self) -> Option<(Value, SigningIn)> {
        let (mut asked, state) = self.0.start_discoverable_authentication().ok()?;
        // The owner presses a button.
        asked.mediation = None;
        Some((serde_json::to_value(asked).ok()?, SigningIn(state)))
    }

    /// Whether an answer was signed by this key, for this sign-in, by its owner; the key as it is to be kept from now on.
    #[must_use]
    pub fn fits(&self, begun: SigningIn, answer: &Answer, owner: OwnerId, key: &Passkey) -> Option<Passkey> {
        let (named, _) = self.0.identify_discoverable_authentication(&answer.0).ok()?;
        if *named.as_bytes() != owner {
            return None;
        }
        let held = DiscoverableKey::from(&key.0);
        let done = self.0.finish_discoverable_authentication_v2(&answer.0, begun.0, &held).ok()?;
        let mut key = key.0.clone();
        key.update_credential(&done)?;
        Some(Passkey(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_a_name_by_tls() {
        assert!(
            Site::new("https://mail.alice.test").is_some() && Site::new("https://localhost:8443").is_some()
        );
        for none in
            ["", "mail.alice.test", "https://127.0.0.1", "https://[::1]:8443", "null", "http://abcd.onion"]
        {
            assert!(Site::new(none).is_none(), "{none}");
        }
    }

    #[test]
    fn what_is_asked_names_no_key_and_each_time_another_challenge() {
        let site = Site::new("https://mail.alice.test:8443").unwrap();
        let (first, _) = site.begin_sign_in().unwrap();
        let (second, _) = site.begin_sign_in().unwrap();
        assert_eq!(first.pointer("/publicKey/allowCredentials").unwrap().as_array().unwrap().len(), 0);
        assert_eq!(first.pointer("/publicKey/rpId").unwrap(), "mail.alice.test");
        assert_eq!(first.pointer("/publicKey/userVerification").unwrap(), "required");
        assert!(first.get("mediation").is_none(), "{first}");
        assert_ne!(first.pointer("/publicKey/challenge"), second.pointer("/publicKey/challenge"));
        let (adding, _) = site.begin_adding([7; 16], vec![vec![1, 2, 3]]).unwrap();
        assert_eq!(adding.pointer("/publicKey/authenticatorSelection/residentKey").unwrap(), "required");
        assert_eq!(adding.pointer("/publicKey/authenticatorSelection/userVerification").unwrap(), "required");
        assert_eq!(adding.pointer("/publicKey/attestation").unwrap(), "none");
        assert_eq!(adding.pointer("/publicKey/excludeCredentials").unwrap().as_array().unwrap().len(), 1);
        assert!(!adding.to_string().contains('@'), "{adding}");
    }

    #[test]
    fn what_is_no_answer_is_none() {
        let site = Site::new("https://mail.alice.test").unwrap();
        let (_, adding) = site.begin_adding([7; 16], Vec::new()).unwrap();
        let long = format!("\"{}\"", "x".repeat(LONGEST));
        for text in ["", "{}", "[]", "null", "{\"id\":1}", "\0", long.as_str()] {
            assert!(Answer::parse(text).is_none() && site.add(&adding, text).is_none());
        }
        assert!(Passkey::from_bytes(b"{}").is_none());
    }
}
