//! Two and three stores of Alice's over one mailbox, without a server: what is laid lies in a list, and a provider hands it out.

use crate::crypto::devices::{Handshake, Standing};
use crate::crypto::openpgp::SecretKey;
use crate::crypto::passphrase::Cost;
use crate::crypto::secret::SecretText;
use crate::engine::app::App;
use crate::engine::devices::hear::{self, Fate};
use crate::engine::devices::pairing::{Event, Shown};
use crate::engine::devices::{Mine, round, speak};
use crate::engine::vault::Vault;
use crate::engine::{accounts, keyring, peers};
use crate::mail::sma::{ANNOUNCEMENTS, DeviceId};
use crate::storage::database::devices as table;
use crate::storage::database::{
    AccountRow, OwnKeyRow, PeerRow, accounts as account_table, commit, keys, peers as peer_table,
};
use std::sync::Arc;
use tempfile::TempDir;

pub(super) const ALICE: &str = "alice@lab.test";

/// A folder's name, and a mail in it.
pub(super) type Laid = (String, Vec<u8>);

/// One of Alice's stores.
pub(super) struct Machine {
    pub(super) app: Arc<App>,
    pub(super) account: AccountRow,
    pub(super) id: DeviceId,
    _vault: Vault,
    _home: TempDir,
}

impl Machine {
    pub(super) async fn new() -> Self {
        let home = TempDir::new().unwrap();
        let vault = Vault::new(&home.path().join("data"));
        let app =
            vault.create(&SecretText::new("seven quiet herons".into()), Some(Cost::MINIMUM)).await.unwrap();
        let server = r#"{"host":"localhost","port":1,"security":"tls"}"#;
        let settings = format!(
            r#"{{"imap":{server},"smtp":{server},"user":"alice","password":"x","prefer_encrypt":"mutual"}}"#
        );
        {
            let writer = app.writer.lock().await;
            let mut c = writer.begin().await.unwrap();
            account_table::put(&mut c, ALICE, "Alice", &settings).await.unwrap();
            commit(c).await.unwrap();
        }
        app.learn_own_addresses().await.unwrap();
        let account = accounts::find(&app, ALICE).await.unwrap();
        let id = round::known(&app, &account).await.unwrap().device.id();
        Self { app, account, id, _vault: vault, _home: home }
    }

    pub(super) async fn mine(&self) -> Mine {
        round::known(&self.app, &self.account).await.unwrap()
    }

    /// What is due, as it would be laid.
    pub(super) async fn lays(&self) -> Vec<Laid> {
        speak::speak(&self.app, &accounts::find(&self.app, ALICE).await.unwrap()).await.unwrap();
        let letters =
            table::letters(&mut self.app.reader.get().await.unwrap(), self.account.id).await.unwrap();
        let writer = self.app.writer.lock().await;
        let mut c = writer.begin().await.unwrap();
        for letter in &letters {
            table::posted(&mut c, letter.number).await.unwrap();
        }
        commit(c).await.unwrap();
        letters.into_iter().map(|letter| (letter.folder, letter.bytes)).collect()
    }

    pub(super) async fn hears(&self, (folder, raw): &Laid) {
        if folder == ANNOUNCEMENTS {
            let fate = hear::announced(&self.app, &self.account, raw).await.unwrap();
            assert!(matches!(fate, Fate::Stays | Fate::Ours | Fate::Goes));
        } else if *folder == self.id.inbox() {
            hear::addressed(&self.app, &self.account, raw).await.unwrap();
        }
    }

    pub(super) async fn does(&self, event: Event) {
        hear::step(&self.app, &self.account, event).await.unwrap();
    }

    pub(super) fn shown(&self) -> Shown {
        self.app.devices.shown(self.account.id)
    }

    pub(super) async fn standing(&self, other: &Self) -> Standing {
        self.mine().await.roster.standing(other.id)
    }

    pub(super) async fn own_keys(&self) -> Vec<(String, bool)> {
        keyring::learn(&self.app).await.unwrap();
        let all = self.app.keyring.all();
        let mut keys: Vec<_> =
            all.iter().map(|own| (own.key.fingerprint().to_string(), own.current)).collect();
        keys.sort();
        keys
    }

    pub(super) async fn bob(&self) -> Option<PeerRow> {
        let mut reader = self.app.reader.get().await.unwrap();
        peer_table::of(&mut reader, &["bob@lab.test".into()]).await.unwrap().remove("bob@lab.test")
    }

    /// Bob's key comes in.
    pub(super) async fn meets(&self, bob: &SecretKey) {
        let certificate = bob.certificate();
        let now = self.app.now();
        let writer = self.app.writer.lock().await;
        let mut c = writer.begin().await.unwrap();
        peers::remember(&mut c, &certificate, now).await.unwrap();
        let fingerprint = certificate.fingerprint().to_string();
        keys::note_peer_key(&mut c, "bob@lab.test", &fingerprint, "header", 0, now).await.unwrap();
        let row = PeerRow {
            address: "bob@lab.test".into(),
            last_seen: now,
            autocrypt_timestamp: now,
            public_key: Some(fingerprint),
            mutual: true,
            ..PeerRow::default()
        };
        peer_table::put(&mut c, &row).await.unwrap();
        commit(c).await.unwrap();
    }
}

/// Everybody says what is due and hears all of it, until nobody says anything more; `keeps` is what the provider lets through.
/// Gives all that was laid.
pub(super) async fn settles(machines: &[&Machine], keeps: impl Fn(&Laid) -> bool) -> Vec<Laid> {
    let mut all = Vec::new();
    for _ in 0..20 {
        let mut laid = Vec::new();
        for machine in machines {
            laid.extend(machine.lays().await);
        }
        if laid.is_empty() {
            return all;
        }
        for mail in laid.iter().filter(|mail| keeps(mail)) {
            for machine in machines {
                machine.hears(mail).await;
            }
        }
        all.extend(laid);
    }
    panic!("they never stop talking");
}

pub(super) async fn settle(machines: &[&Machine]) -> Vec<Laid> {
    settles(machines, |_| true).await
}

pub(super) async fn pair(old: &Machine, new: &Machine, all: &[&Machine]) {
    settle(all).await;
    let devices = vec![(old.id, Handshake::new())];
    new.does(Event::Ask { devices, name: "Laptop".into() }).await;
    settle(all).await;
    old.does(Event::Accept(new.id, Handshake::new())).await;
    settle(all).await;
    let Shown::Comparing { string: Some(string), .. } = new.shown() else { panic!("{:?}", new.shown()) };
    hear::confirm(&old.app, &old.account, &string).await.unwrap();
    hear::confirm(&new.app, &new.account, &string).await.unwrap();
    settle(all).await;
}

pub(super) async fn agree(machines: &[&Machine]) {
    let first = machines[0];
    let (devices, hash) = (first.mine().await.roster.devices(), first.mine().await.roster.hash());
    for other in machines {
        let roster = other.mine().await.roster;
        assert_eq!((roster.devices(), roster.hash()), (devices.clone(), hash));
        assert_eq!(other.own_keys().await, first.own_keys().await);
        let trust = |row: Option<PeerRow>| {
            row.map(|row| {
                (row.public_key, row.mutual, row.pinned, row.pinned_at, row.verified_at, row.refused)
            })
        };
        assert_eq!(trust(other.bob().await), trust(first.bob().await));
    }
}

pub(super) fn bobs_key(now: i64) -> SecretKey {
    SecretKey::generate("bob@lab.test", now - 100).unwrap().0
}

#[tokio::test]
async fn what_one_knows_the_other_knows_and_then_they_are_quiet() {
    let (home, laptop) = (Machine::new().await, Machine::new().await);
    keyring::make(&home.app, ALICE).await.unwrap();
    let bob = bobs_key(home.app.now());
    home.meets(&bob).await;
    let all = [&home, &laptop];
    pair(&home, &laptop, &all).await;
    assert!(matches!(home.standing(&laptop).await, Standing::Member { .. }));
    agree(&all).await;
    assert_eq!(laptop.own_keys().await.len(), 1);
    assert!(laptop.bob().await.is_some());
    assert!(settle(&all).await.is_empty(), "nothing more is said");
    // Mail that changes no key says nothing.
    home.meets(&bob).await;
    assert!(settle(&all).await.is_empty());
    // A decision on one shows on the other, with the time it was made at.
    let fingerprint = bob.certificate().fingerprint().to_string();
    peers::choose(&laptop.app, "bob@lab.test", &peers::Choice::Verify(fingerprint)).await.unwrap();
    let said = settle(&all).await;
    assert!(!said.is_empty() && said.len() <= 4, "{} messages", said.len());
    agree(&all).await;
    assert!(home.bob().await.unwrap().verified_at > 0);
    // So does what she wishes of the account.
    accounts::prefer(&home.app, ALICE, "nopreference").await.unwrap();
    settle(&all).await;
    assert_eq!(accounts::list(&laptop.app).await.unwrap()[0].prefer_encrypt, "nopreference");
}

#[tokio::test]
async fn what_is_kept_back_is_said_again_and_what_is_repeated_changes_nothing() {
    let (home, laptop) = (Machine::new().await, Machine::new().await);
    let all = [&home, &laptop];
    pair(&home, &laptop, &all).await;
    // The provider swallows what is said of a new key …
    keyring::make(&home.app, ALICE).await.unwrap();
    let swallowed = settles(&all, |(folder, _)| *folder != laptop.id.inbox()).await;
    assert!(laptop.own_keys().await.is_empty() && !swallowed.is_empty());
    // … and lets the next thing through, which tells that something is missing.
    home.meets(&bobs_key(home.app.now())).await;
    let later = settle(&all).await;
    agree(&all).await;
    assert_eq!(laptop.own_keys().await.len(), 1);
    // All of it once more, in any order, and what was swallowed, late.
    for mail in later.iter().rev().chain(&swallowed).chain(&later) {
        for machine in all {
            machine.hears(mail).await;
        }
    }
    settle(&all).await;
    agree(&all).await;
}

#[tokio::test]
async fn lost_sessions_are_begun_anew() {
    let (home, laptop) = (Machine::new().await, Machine::new().await);
    let all = [&home, &laptop];
    pair(&home, &laptop, &all).await;
    for machine in all {
        let writer = machine.app.writer.lock().await;
        let mut c = writer.begin().await.unwrap();
        for mut other in table::others(&mut c, machine.account.id).await.unwrap() {
            // What one side lost the other still writes with.
            if machine.id == laptop.id {
                "[]".clone_into(&mut other.sessions);
            }
            table::put_other(&mut c, machine.account.id, &other).await.unwrap();
        }
        commit(c).await.unwrap();
    }
    keyring::make(&home.app, ALICE).await.unwrap();
    settle(&all).await;
    agree(&all).await;
    assert_eq!(laptop.own_keys().await.len(), 1);
}

#[tokio::test]
async fn three_devices_agree_and_a_removed_one_hears_nothing_more() {
    let (home, laptop, phone) = (Machine::new().await, Machine::new().await, Machine::new().await);
    let all = [&home, &laptop, &phone];
    keyring::make(&home.app, ALICE).await.unwrap();
    pair(&home, &laptop, &all[..2]).await;
    pair(&laptop, &phone, &all).await;
    agree(&all).await;
    assert!(matches!(home.standing(&phone).await, Standing::Member { .. }), "nobody had to pair with home");
    assert_eq!(phone.own_keys().await.len(), 1);
    // The phone is lost.
    removes(&home, &phone).await;
    settle(&all).await;
    for machine in all {
        assert_eq!(machine.standing(&phone).await, Standing::Removed, "the phone knows it, too");
    }
    keyring::renew(&home.app, ALICE).await.unwrap();
    let said = settle(&all).await;
    assert!(said.iter().all(|(folder, _)| *folder != phone.id.inbox()), "nothing was laid for it");
    assert_eq!((laptop.own_keys().await.len(), phone.own_keys().await.len()), (2, 1));
    agree(&all[..2]).await;
}

/// The owner removes a device on another one; nothing of it is laid yet.
pub(super) async fn removes(on: &Machine, gone: &Machine) {
    let writer = on.app.writer.lock().await;
    let mut c = writer.begin().await.unwrap();
    let mut mine = Mine::load(&mut c, &on.account).await.unwrap().unwrap();
    let statement = mine.roster.remove(&mine.device, gone.id, on.app.now()).unwrap();
    let payload = mine.payload(None, crate::mail::sma::Body::Removed(statement), on.app.now());
    mine.post(&mut c, &payload).await.unwrap();
    mine.save(&mut c).await.unwrap();
    commit(c).await.unwrap();
}

#[tokio::test]
async fn while_rosters_differ_nobody_is_told_a_secret() {
    let (home, laptop, phone) = (Machine::new().await, Machine::new().await, Machine::new().await);
    let all = [&home, &laptop, &phone];
    keyring::make(&home.app, ALICE).await.unwrap();
    pair(&home, &laptop, &all[..2]).await;
    pair(&laptop, &phone, &all).await;
    // The phone is lost. The provider keeps every word of that from the laptop …
    removes(&home, &phone).await;
    let kept_back = home.lays().await;
    assert!(kept_back.iter().any(|(folder, _)| folder == ANNOUNCEMENTS));
    // … but not the next thing that home says, and the laptop makes a key meanwhile.
    accounts::prefer(&home.app, ALICE, "nopreference").await.unwrap();
    for mail in home.lays().await {
        laptop.hears(&mail).await;
    }
    keyring::renew(&laptop.app, ALICE).await.unwrap();
    for mail in laptop.lays().await {
        phone.hears(&mail).await;
    }
    assert_eq!(phone.own_keys().await.len(), 1, "it was told nothing new");
    // What was kept back comes after all, or is said again.
    settle(&all).await;
    for mail in &kept_back {
        laptop.hears(mail).await;
    }
    settle(&all).await;
    assert_eq!(laptop.standing(&phone).await, Standing::Removed);
    assert_eq!((home.own_keys().await.len(), phone.own_keys().await.len()), (2, 1));
    agree(&all[..2]).await;
}

#[tokio::test]
async fn a_spoilt_copy_of_a_removal_does_not_keep_it_out() {
    let (home, laptop, phone) = (Machine::new().await, Machine::new().await, Machine::new().await);
    let all = [&home, &laptop, &phone];
    pair(&home, &laptop, &all[..2]).await;
    pair(&laptop, &phone, &all).await;
    removes(&home, &phone).await;
    let laid = home.lays().await;
    for (folder, raw) in laid.iter().filter(|(folder, _)| folder == ANNOUNCEMENTS) {
        // Each letter of what was signed is spoilt once.
        let text = String::from_utf8(raw.clone()).unwrap();
        let (head, part) = text.split_once("AAAA").unwrap();
        for at in (0..part.len()).step_by(61) {
            let mut spoilt = part.as_bytes().to_vec();
            spoilt[at] = if spoilt[at] == b'A' { b'B' } else { b'A' };
            laptop.hears(&(folder.clone(), [head.as_bytes(), b"AAAA", &spoilt].concat())).await;
        }
    }
    assert!(matches!(laptop.standing(&phone).await, Standing::Member { .. }));
    for mail in &laid {
        laptop.hears(mail).await;
    }
    assert_eq!(laptop.standing(&phone).await, Standing::Removed);
}

#[tokio::test]
async fn what_was_said_last_of_an_account_counts_wherever_it_was_said() {
    let (home, laptop) = (Machine::new().await, Machine::new().await);
    let all = [&home, &laptop];
    pair(&home, &laptop, &all).await;
    let wishes = async |on: &Machine| accounts::list(&on.app).await.unwrap()[0].prefer_encrypt.clone();
    // Home says one thing twice; before the laptop hears of it, the owner says the other thing there.
    accounts::prefer(&home.app, ALICE, "nopreference").await.unwrap();
    home.lays().await;
    accounts::prefer(&home.app, ALICE, "mutual").await.unwrap();
    let late = home.lays().await;
    accounts::prefer(&laptop.app, ALICE, "nopreference").await.unwrap();
    for mail in &late {
        laptop.hears(mail).await;
    }
    settle(&all).await;
    assert_eq!(wishes(&home).await, wishes(&laptop).await);
    // With a clock that was ahead when it was last said, what is said now counts all the same.
    {
        let writer = laptop.app.writer.lock().await;
        let mut c = writer.begin().await.unwrap();
        let mut mine = Mine::load(&mut c, &laptop.account).await.unwrap().unwrap();
        mine.row.mutual_at = laptop.app.now() + 600;
        mine.save(&mut c).await.unwrap();
        commit(c).await.unwrap();
    }
    let was = wishes(&laptop).await;
    let other = if was == "mutual" { "nopreference" } else { "mutual" };
    accounts::prefer(&laptop.app, ALICE, other).await.unwrap();
    laptop.lays().await;
    assert_eq!(wishes(&laptop).await, other);
}

#[tokio::test]
async fn the_same_key_brought_to_both_is_told_once() {
    let (home, laptop) = (Machine::new().await, Machine::new().await);
    let (key, _) = SecretKey::generate(ALICE, home.app.now() - 1000).unwrap();
    for (machine, ago) in [(&home, 500), (&laptop, 100)] {
        let row = OwnKeyRow {
            fingerprint: key.certificate().fingerprint().to_string(),
            address: ALICE.into(),
            secret: key.bytes().to_vec(),
            // Each made one of its own.
            revocation: format!("revocation {ago}"),
            made_at: machine.app.now() - ago,
            current: true,
            backed_up_at: 0,
        };
        let writer = machine.app.writer.lock().await;
        let mut c = writer.begin().await.unwrap();
        keys::put_own(&mut c, &row).await.unwrap();
        commit(c).await.unwrap();
    }
    let all = [&home, &laptop];
    // Or they would never stop talking.
    pair(&home, &laptop, &all).await;
    agree(&all).await;
    let kept = async |on: &Machine| {
        let rows = keys::own_keys(&mut on.app.reader.get().await.unwrap()).await.unwrap();
        let kept = rows.into_iter().map(|row| (row.fingerprint, row.made_at, row.revocation, row.current));
        kept.collect::<Vec<_>>()
    };
    assert_eq!(kept(&home).await, kept(&laptop).await);
}

#[tokio::test]
async fn a_key_that_followed_another_stays_on_both() {
    let (home, laptop) = (Machine::new().await, Machine::new().await);
    let all = [&home, &laptop];
    let (first, second) = (bobs_key(home.app.now()), bobs_key(home.app.now()));
    home.meets(&first).await;
    pair(&home, &laptop, &all).await;
    let fingerprint = first.certificate().fingerprint().to_string();
    peers::choose(&home.app, "bob@lab.test", &peers::Choice::Verify(fingerprint)).await.unwrap();
    settle(&all).await;
    // Bob's key follows by itself on one of them only, as where the laptop did not see his mail.
    home.meets(&second).await;
    {
        let mut row = home.bob().await.unwrap();
        let (old, new) = [&first, &second].map(|key| key.certificate().fingerprint().to_string()).into();
        (row.refused, row.pinned, row.verified_at) = (old, Some(new), 0);
        (row.pinned_at, row.changes) = (home.app.now() + 5, 1);
        let writer = home.app.writer.lock().await;
        let mut c = writer.begin().await.unwrap();
        peer_table::put(&mut c, &row).await.unwrap();
        commit(c).await.unwrap();
    }
    settle(&all).await;
    agree(&all).await;
    assert_eq!(laptop.bob().await.unwrap().pinned, Some(second.certificate().fingerprint().to_string()));
}

#[tokio::test]
async fn a_copy_of_the_database_holds_no_device() {
    let home = Machine::new().await;
    settle(&[&home]).await;
    let copy = home._home.path().join("copy");
    let key = crate::crypto::secret::Key::random();
    home.app.writer.lock().await.copy_to(&copy, &key).await.unwrap();
    let (reader, writer) = crate::storage::database::open(&copy, &key).await.unwrap();
    let mut c = reader.get().await.unwrap();
    assert!(table::own(&mut c, home.account.id).await.unwrap().is_none());
    assert!(table::statements(&mut c, home.account.id).await.unwrap().is_empty());
    drop(c);
    reader.close().await;
    writer.close().await;
    assert!(table::own(&mut home.app.reader.get().await.unwrap(), home.account.id).await.unwrap().is_some());
}
