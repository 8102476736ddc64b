//! An old key that vouches for a new one: the only quiet way to change keys.

use super::certificate::Certificate;
use super::policy::{policy, seconds, time};
use crate::mail::address::canonical;
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation, ValidateAmalgamation};
use sequoia_openpgp::packet::UserID;
use sequoia_openpgp::types::RevocationStatus;

impl Certificate {
    /// Whether `old`, valid now and when it signed, certified a User ID of this one **that names an address of its own**.
    /// A certification of any other User ID says only that two people met.
    #[must_use]
    pub fn is_vouched_by(&self, old: &Self, now: i64) -> bool {
        let policy = policy(now);
        let alive = old.valid(&policy, now).is_some_and(|valid| valid.alive().is_ok());
        if !alive || old.is_revoked_hard(now) || old.fingerprint() == self.fingerprint() {
            return false;
        }
        let addresses = old.addresses(now);
        let key = old.cert().primary_key().key().role_as_unspecified();
        self.cert()
            .userids()
            .filter(|id| names_one_of(id.userid(), &addresses))
            // The new key must claim the address, too.
            .filter(|id| {
                id.clone()
                    .with_policy(&policy, time(now))
                    .is_ok_and(|id| !matches!(id.revocation_status(), RevocationStatus::Revoked(_)))
            })
            .any(|id| {
                let withdrawn =
                    id.valid_third_party_revocations_by_key(&policy, time(now), key).next().is_some();
                !withdrawn
                    && id.active_certifications_by_key(&policy, time(now), key).any(|signature| {
                        let made = signature.signature_creation_time().map(seconds);
                        made.is_some_and(|made| old.could_certify(made, now))
                    })
            })
    }

    /// Whether it was valid and not revoked at `then`, judged with what is known now.
    fn could_certify(&self, then: i64, now: i64) -> bool {
        let policy = policy(now);
        self.valid(&policy, then).is_some_and(|valid| {
            valid.alive().is_ok()
                && valid.primary_key().for_certification()
                && !matches!(valid.revocation_status(), RevocationStatus::Revoked(_))
        })
    }
}

/// Whether a User ID names one of these canonical addresses.
pub(super) fn names_one_of(id: &UserID, addresses: &[String]) -> bool {
    id.email().ok().flatten().is_some_and(|email| addresses.contains(&canonical(email)))
}
