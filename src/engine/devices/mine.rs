//! This device of an account as the store keeps it, opened for one deed, and kept again in the same transaction as what the
//! deed did.

use crate::crypto::devices::{Device, DeviceError, Roster, Sessions};
use crate::crypto::secret::random;
use crate::engine::failure::Failure;
use crate::mail::ids::AccountId;
use crate::mail::sma::{
    ANNOUNCEMENTS, Body, DeviceId, Keys, Letter, Marker, OneTimeKey, Payload, Statement, next_seq,
};
use crate::storage::database::devices::{self as table, OtherDeviceRow, OwnDeviceRow};
use crate::storage::database::{AccountRow, Connection};

/// This device of one account.
pub(super) struct Mine {
    pub(super) account: AccountId,
    pub(super) address: String,
    pub(super) device: Device,
    pub(super) roster: Roster,
    pub(super) row: OwnDeviceRow,
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        Self::failed(format!("A device's secrets cannot be used: {error}"))
    }
}

/// The hashes of so many rosters that were are remembered.
const ROSTERS: usize = 64;

/// What a new device is called until its owner says otherwise.
pub(super) const NAME: &str = "Mailkeep";

impl Mine {
    /// The device as it is kept; none, before there was one.
    pub(super) async fn load(c: &mut Connection, account: &AccountRow) -> Result<Option<Self>, Failure> {
        let Some(row) = table::own(c, account.id).await? else { return Ok(None) };
        let damaged =
            || Failure::damaged(format!("What is kept of this device for {} is damaged", account.address));
        let id: DeviceId = row.device.parse().map_err(|_| damaged())?;
        let device = Device::from_kept(id, &row.secret)?;
        let anchor = row.anchor.as_slice().try_into().map_err(|_| damaged())?;
        let mut roster = Roster::anchored(&account.address, anchor);
        let kept = table::statements(c, account.id).await?;
        let kept: Vec<Statement> = kept.iter().filter_map(|bytes| Statement::parse(bytes).ok()).collect();
        roster.take_all(&kept);
        Ok(Some(Self { account: account.id, address: account.address.clone(), device, roster, row }))
    }

    /// A new device, alone on its roster.
    pub(super) fn make(account: &AccountRow, mutual: bool, now: i64) -> Result<Self, Failure> {
        let mut device = Device::new(DeviceId::from_random(random()));
        let fallback = device.fallback_key()?;
        let roster = Roster::found(&device, &account.address, NAME, now);
        let row = OwnDeviceRow {
            device: device.id().to_string(),
            secret: String::new(),
            seq: 0,
            anchor: roster.anchor().to_vec(),
            fallback: key_bytes(&fallback),
            fallback_at: now,
            announced: Vec::new(),
            announced_at: 0,
            announced_seq: 0,
            joined: String::new(),
            joined_keys: Vec::new(),
            joined_at: 0,
            mutual,
            mutual_at: 0,
            mutual_by: device.id().to_string(),
            rosters: Vec::new(),
            withdrawn: false,
        };
        Ok(Self { account: account.id, address: account.address.clone(), device, roster, row })
    }

    /// Keeps it.
    pub(super) async fn save(&mut self, c: &mut Connection) -> Result<(), Failure> {
        self.row.secret = self.device.to_kept()?.to_string();
        self.row.anchor = self.roster.anchor().to_vec();
        let now = self.roster.hash();
        if self.row.rosters.last_chunk() != Some(&now) {
            self.row.rosters.extend_from_slice(&now);
            let over = self.row.rosters.len().saturating_sub(ROSTERS * now.len());
            self.row.rosters.drain(..over);
        }
        table::put_own(c, self.account, &self.row).await?;
        let statements: Vec<_> =
            self.roster.statements().map(|(hash, s)| (hash.to_vec(), s.to_bytes())).collect();
        Ok(table::put_statements(c, self.account, &statements).await?)
    }

    /// Whether this device's roster is or was the one with this hash. Whoever has another one knows something that is not
    /// known here.
    pub(super) fn had(&self, roster: &[u8]) -> bool {
        roster == self.roster.hash() || self.row.rosters.chunks_exact(32).any(|had| had == roster)
    }

    /// A payload of this device's, with the next number.
    pub(super) fn payload(&mut self, to: Option<DeviceId>, body: Body, now: i64) -> Payload {
        self.row.seq = next_seq(self.row.seq, now);
        Payload {
            account: self.address.clone(),
            from: self.device.id(),
            to,
            seq: self.row.seq,
            created: now,
            expires: now + body.kind().lifetime(),
            roster: Some(self.roster.hash()),
            body,
        }
    }

    /// Signs a payload and puts it on its way.
    pub(super) async fn post(&self, c: &mut Connection, payload: &Payload) -> Result<(), Failure> {
        let letter = Letter { marker: Marker { kind: payload.kind() }, signed: self.device.sign(payload) };
        let (message_id, bytes) = letter.write(&self.address, random(), payload.created);
        let folder = payload.to.map_or_else(|| ANNOUNCEMENTS.to_owned(), DeviceId::inbox);
        Ok(table::post(c, self.account, &folder, &message_id, &bytes).await?)
    }

    /// The device whose word was taken in a pairing, until its roster is here.
    pub(super) fn joined(&self) -> Option<(DeviceId, Keys)> {
        let (signing, agreement) = self.row.joined_keys.split_at_checked(32)?;
        let keys = Keys { signing: signing.try_into().ok()?, agreement: agreement.try_into().ok()? };
        Some((self.row.joined.parse().ok()?, keys))
    }

    /// The keys that count for another device: the roster's, or those that a person compared just now.
    pub(super) fn keys_of(&self, device: DeviceId) -> Option<Keys> {
        let joined = self.joined().filter(|(other, _)| *other == device).map(|(_, keys)| keys);
        joined.or_else(|| self.roster.keys_of(device))
    }
}

/// What is known of another device, or nothing yet.
pub(super) async fn other(
    c: &mut Connection,
    account: AccountId,
    device: DeviceId,
) -> Result<OtherDeviceRow, Failure> {
    let name = device.to_string();
    let known = table::others(c, account).await?.into_iter().find(|row| row.device == name);
    let blank =
        || OtherDeviceRow { device: name.clone(), sessions: "[]".to_owned(), ..OtherDeviceRow::default() };
    Ok(known.unwrap_or_else(blank))
}

/// The sessions with another device. What cannot be read any more is begun anew.
pub(super) fn sessions(row: &OtherDeviceRow) -> Sessions {
    Sessions::from_kept(&row.sessions).unwrap_or_default()
}

pub(super) fn key_bytes(key: &OneTimeKey) -> Vec<u8> {
    [key.key.as_slice(), &key.signature].concat()
}

pub(super) fn key_of_bytes(bytes: &[u8]) -> Option<OneTimeKey> {
    let (key, signature) = bytes.split_at_checked(32)?;
    Some(OneTimeKey { key: key.try_into().ok()?, signature: signature.try_into().ok()? })
}

pub(super) fn keys_bytes(keys: &Keys) -> Vec<u8> {
    [keys.signing, keys.agreement].concat()
}
