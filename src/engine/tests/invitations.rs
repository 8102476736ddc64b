//! Invitations to compare keys, with somebody on the other side who writes what they like. Bob's program is played here:
//! each of his messages is sealed and signed for real, and every lie differs from the truth in one thing.

use super::*;
use crate::crypto::openpgp::{self, Certificate, SecretKey};
use crate::engine::invitations::{self, Invited};
use crate::engine::keyring::Own;
use crate::engine::outgoing::{prefixed, with_own_key};
use crate::engine::{events::Event, keyring, peers, search::Sort, settings};
use crate::mail::address::Person;
use crate::mail::compose::{self, Draft};
use crate::mail::envelope;
use crate::mail::ids::{FolderId, Uid};
use crate::mail::invitation::Invitation;
use crate::storage::database::{self, accounts, commit, invitations as table, outbox};
use std::sync::atomic::{AtomicU32, Ordering};

const ALICE: &str = "alice@lab.test";
const BOB: &str = "bob@lab.test";

/// Alice's store with an account and a key, and what the other side knows.
struct Scene {
    _alice: Alice,
    app: Arc<App>,
    inbox: FolderId,
    /// Alice's key as everybody knows it.
    hers: Certificate,
    bob: SecretKey,
    mallory: SecretKey,
    uid: AtomicU32,
}

/// A message of Bob's program.
#[derive(Clone)]
struct Step<'a> {
    from: &'a str,
    step: &'a str,
    fields: Vec<(&'a str, String)>,
    /// The key of the `Autocrypt` field.
    brings: &'a SecretKey,
    signer: Option<&'a SecretKey>,
    sealed: bool,
}

impl Scene {
    async fn new() -> Self {
        let (alice, app) = Alice::new().await;
        let server = serde_json::json!({"host": "127.0.0.1", "port": 1, "security": "none"});
        let all = serde_json::json!({"imap": server, "smtp": server, "user": "alice", "password": "x"});
        let inbox = {
            let writer = app.writer.lock().await;
            let mut c = writer.begin().await.unwrap();
            let account = accounts::put(&mut c, ALICE, "Alice", &all.to_string()).await.unwrap();
            let inbox = accounts::put_folder(&mut c, account, "INBOX", "INBOX", "inbox").await.unwrap().id;
            commit(c).await.unwrap();
            inbox
        };
        app.claim(ALICE);
        let now = app.now();
        let key = |address: &str| SecretKey::generate(address, now - 100).unwrap().0;
        let hers = key(ALICE);
        keyring::import(&app, hers.armored().as_bytes().to_vec(), None).await.unwrap();
        let (bob, mallory) = (key(BOB), key("mallory@lab.test"));
        Self { _alice: alice, app, inbox, hers: hers.certificate(), bob, mallory, uid: AtomicU32::new(1) }
    }

    fn step<'a>(&'a self, step: &'a str, fields: &[(&'a str, &str)]) -> Step<'a> {
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Step { from: BOB, step, fields, brings: &self.bob, signer: Some(&self.bob), sealed: true }
    }

    /// Bob shows the secret, with his fingerprint beside it.
    fn shows<'a>(&'a self, secret: &str) -> Step<'a> {
        let mine = self.bob.certificate().fingerprint().to_string();
        self.step("vc-request-with-auth", &[("Secure-Join-Auth", secret), ("Secure-Join-Fingerprint", &mine)])
    }

    fn asks<'a>(&'a self, number: &str) -> Step<'a> {
        Step { sealed: false, ..self.step("vc-request", &[("Secure-Join-Invitenumber", number)]) }
    }

    fn bytes(&self, step: &Step<'_>) -> Vec<u8> {
        let now = self.app.now();
        let person = |address: &str| Person { name: String::new(), address: address.to_owned() };
        let draft = Draft {
            from: person(step.from),
            to: vec![person(ALICE)],
            subject: "Message".into(),
            body: "Secure-Join\n".into(),
            message_id: format!("{}@lab.test", self.uid.load(Ordering::Relaxed)),
            date: now,
            ..Draft::default()
        };
        let mut raw = prefixed(&compose::to_bytes(&draft), "Secure-Join", step.step);
        for (name, value) in &step.fields {
            raw = prefixed(&raw, name, value);
        }
        let own = Own {
            address: step.from.to_owned(),
            key: step.brings.clone(),
            current: true,
            made_at: 0,
            backed_up_at: 0,
        };
        let raw = with_own_key(&raw, &own, true, now);
        if !step.sealed {
            return raw;
        }
        let wrapped = envelope::protected(&raw, true, false, &[]).unwrap();
        let to = std::slice::from_ref(&self.hers);
        let (armoured, _) = openpgp::seal(&wrapped.payload, to, &[], step.signer, now).unwrap();
        envelope::encrypted(&wrapped.outer, &armoured)
    }

    /// A message arrives on the server.
    async fn arrives(&self, raw: Vec<u8>) {
        let uid = Uid(self.uid.fetch_add(1, Ordering::Relaxed));
        let origin = Origin::Server {
            folder: self.inbox,
            account: ALICE.into(),
            folder_name: "INBOX".into(),
            role: "inbox".into(),
            uid_validity: 1,
            uid,
            flags: 0,
            keywords: String::new(),
        };
        receive(&self.app, vec![Incoming { raw, received_at: self.app.now(), origin }]).await.unwrap();
    }

    async fn says(&self, step: &Step<'_>) {
        self.arrives(self.bytes(step)).await;
    }

    /// What went out for Bob, oldest first: the whole header as he reads it.
    async fn went_out(&self) -> Vec<String> {
        let mut rows = outbox::list(&mut self.app.reader.get().await.unwrap(), 0).await.unwrap();
        rows.sort_by_key(|entry| entry.message.0);
        let mut all = Vec::new();
        for entry in rows {
            assert!(entry.passing, "between programs");
            let place = row(&self.app, entry.message).await.unwrap().place;
            let raw = self.app.packs.read(place).unwrap().raw;
            let text = String::from_utf8(raw.clone()).unwrap();
            let Some((_, armour)) = text.split_once("-----BEGIN PGP MESSAGE-----") else {
                all.push(text);
                continue;
            };
            assert!(!text.contains("Secure-Join"), "nobody on the way reads the step: {text}");
            let armour = format!("-----BEGIN PGP MESSAGE-----{armour}");
            let keys = [self.bob.clone()];
            let signers = [self.hers.clone()];
            let opened = openpgp::unseal(armour.as_bytes(), &keys, None, &signers, self.app.now()).unwrap();
            assert!(opened.signatures[0].verdict.is_good(), "signed by Alice");
            all.push(String::from_utf8(opened.plain).unwrap());
        }
        all
    }

    async fn invited(&self) -> Invited {
        invitations::of(&self.app, BOB).await.unwrap().pop().unwrap()
    }

    /// How far the invitation is, how sure Alice is of Bob's key, and how much went out for him.
    async fn state(&self) -> (String, &'static str, usize) {
        let peer = peers::show(&self.app, BOB).await;
        let trust = peer.map_or("none", |peer| peer.trust);
        (self.invited().await.state, trust, self.went_out().await.len())
    }

    /// Alice invites Bob; gives what the link says.
    async fn invites(&self) -> Invitation {
        let made = invitations::invite(&self.app, BOB, "").await.unwrap();
        Invitation::parse(&made.link.unwrap()).unwrap()
    }

    /// Bob's own invitation.
    fn of_bob(&self) -> Invitation {
        Invitation {
            address: BOB.into(),
            name: "Bob".into(),
            fingerprint: self.bob.certificate().fingerprint().to_string(),
            number: "numbernumber".into(),
            secret: "secretsecret".into(),
        }
    }

    async fn joins(&self) -> Result<Invited, crate::engine::failure::Failure> {
        invitations::join(&self.app, &self.of_bob().to_link(), "", "").await
    }

    /// Alice relies on another key of Bob's already.
    async fn relies_on_older_key(&self) -> String {
        let older = SecretKey::generate(BOB, self.app.now() - 1000).unwrap().0.certificate();
        keyring::import(&self.app, older.armored().into_bytes(), None).await.unwrap();
        older.fingerprint().to_string()
    }

    async fn verified_decisions(&self) -> usize {
        let peer = peers::show(&self.app, BOB).await.unwrap();
        peer.history.iter().filter(|d| d.deed == "verified" && d.way == "by an invitation").count()
    }
}

fn is(step: &str, said: &str) -> bool {
    said.contains(&format!("Secure-Join: {step}\r\n"))
}

#[tokio::test]
async fn only_who_had_the_link_is_believed_and_only_once() {
    let scene = Scene::new().await;
    let link = scene.invites().await;
    assert_eq!(scene.state().await, ("made".into(), "none", 0));
    assert!(link.number.len() >= 22 && link.secret.len() >= 22 && link.number != link.secret);

    scene.says(&scene.asks("another-number")).await;
    assert_eq!((scene.invited().await.state.as_str(), scene.went_out().await.len()), ("made", 0));
    assert_eq!(count(&scene.app, "in:inbox").await, 1, "what belongs to nothing stays");
    scene.says(&scene.asks(&link.number)).await;
    let before = scene.state().await;
    assert_eq!((before.0.as_str(), before.2), ("asked", 1));
    assert!(is("vc-auth-required", &scene.went_out().await[0]));
    assert_eq!(count(&scene.app, "in:inbox").await, 1, "what was understood is deleted");

    let truth = scene.shows(&link.secret);
    let other = scene.mallory.certificate().fingerprint().to_string();
    let mut lies = vec![
        ("a wrong secret", scene.bytes(&scene.shows("not-the-secret-of-the-link"))),
        ("a secret cut short", scene.bytes(&scene.shows(link.secret.get(..link.secret.len() - 1).unwrap()))),
        ("no secret", scene.bytes(&scene.shows(""))),
        ("the number for the secret", scene.bytes(&scene.shows(&link.number))),
        ("not encrypted", scene.bytes(&Step { sealed: false, ..truth.clone() })),
        ("not signed", scene.bytes(&Step { signer: None, ..truth.clone() })),
        ("signed by another", scene.bytes(&Step { signer: Some(&scene.mallory), ..truth.clone() })),
        ("another key brought", scene.bytes(&Step { brings: &scene.mallory, ..truth.clone() })),
        (
            "a swapped key",
            scene.bytes(&Step { brings: &scene.mallory, signer: Some(&scene.mallory), ..truth.clone() }),
        ),
        (
            "another sender",
            scene.bytes(&Step {
                from: "mallory@lab.test",
                brings: &scene.mallory,
                signer: Some(&scene.mallory),
                ..scene.step(
                    "vc-request-with-auth",
                    &[("Secure-Join-Auth", &link.secret), ("Secure-Join-Fingerprint", &other)],
                )
            }),
        ),
        (
            "another fingerprint",
            scene.bytes(&scene.step(
                "vc-request-with-auth",
                &[("Secure-Join-Auth", &link.secret), ("Secure-Join-Fingerprint", &other)],
            )),
        ),
    ];
    // The secret outside of the encryption, where servers could have put it.
    let without = scene.bytes(&scene.step(
        "vc-request-with-auth",
        &[("Secure-Join-Fingerprint", &scene.bob.certificate().fingerprint().to_string())],
    ));
    lies.push(("a secret outside", prefixed(&without, "Secure-Join-Auth", &link.secret)));
    // Mallory's sealed message under Bob's name.
    let mallory = scene.bytes(&Step {
        from: "mallory@lab.test",
        brings: &scene.mallory,
        signer: Some(&scene.mallory),
        ..scene.step(
            "vc-request-with-auth",
            &[("Secure-Join-Auth", &link.secret), ("Secure-Join-Fingerprint", &other)],
        )
    });
    let mallory = String::from_utf8(mallory).unwrap();
    let renamed = mallory.replacen("From: mallory@lab.test", "From: bob@lab.test", 1);
    assert_ne!(mallory, renamed);
    lies.push((
        "another name outside",
        renamed.replace("addr=mallory@lab.test", "addr=bob@lab.test").into_bytes(),
    ));
    for (what, raw) in lies {
        scene.arrives(raw).await;
        let after = scene.state().await;
        assert_eq!((after.0.as_str(), after.2), ("asked", 1), "{what}");
        assert_ne!(after.1, "verified", "{what}");
    }

    scene.says(&truth).await;
    assert_eq!(scene.state().await, ("done".into(), "verified", 2));
    assert!(is("vc-contact-confirm", &scene.went_out().await[1]));
    let peer = peers::show(&scene.app, BOB).await.unwrap();
    assert_eq!(peer.pinned_fingerprint, Some(scene.bob.certificate().fingerprint().to_string()));
    assert_eq!(scene.invited().await.link, None, "a link that was used is shown no more");

    // Again, by Bob or by somebody who saw the link and brings another key of his address.
    let inbox = count(&scene.app, "in:inbox").await;
    scene.says(&truth).await;
    scene.says(&scene.asks(&link.number)).await;
    let (newer, _) = SecretKey::generate(BOB, scene.app.now() - 10).unwrap();
    let shown = newer.certificate().fingerprint().to_string();
    scene
        .says(&Step {
            brings: &newer,
            signer: Some(&newer),
            ..scene.step(
                "vc-request-with-auth",
                &[("Secure-Join-Auth", &link.secret), ("Secure-Join-Fingerprint", &shown)],
            )
        })
        .await;
    let after = peers::show(&scene.app, BOB).await.unwrap();
    assert_eq!(after.pinned_fingerprint, peer.pinned_fingerprint, "nothing changes");
    assert_eq!((scene.verified_decisions().await, scene.went_out().await.len()), (1, 2));
    assert_eq!(count(&scene.app, "in:inbox").await, inbox, "and they are not mail");
}

#[tokio::test]
async fn an_invitation_ends_after_seven_days_and_answers_six_times() {
    let scene = Scene::new().await;
    let link = scene.invites().await;
    for _ in 0..10 {
        scene.says(&scene.asks(&link.number)).await;
    }
    assert_eq!(scene.went_out().await.len(), 6);

    let link = scene.invites().await;
    let mut there = table::of(&mut scene.app.reader.get().await.unwrap(), BOB, 0).await.unwrap().remove(0);
    there.made_at -= 7 * 24 * 3600 + 5;
    {
        let writer = scene.app.writer.lock().await;
        let mut c = writer.begin().await.unwrap();
        table::put(&mut c, &there).await.unwrap();
        commit(c).await.unwrap();
    }
    scene.says(&scene.shows(&link.secret)).await;
    assert_eq!(scene.went_out().await.len(), 6);
    assert_ne!(peers::show(&scene.app, BOB).await.unwrap().trust, "verified");
    assert!(invitations::list(&scene.app).await.unwrap().is_empty());

    // A new one is good again, and takes the place of the one before it; its codes leave the store with it.
    let old = scene.invites().await;
    let new = scene.invites().await;
    let held = database::everything(&mut scene.app.reader.get().await.unwrap()).await.unwrap();
    assert!(held.contains(&new.secret) && !held.contains(&old.secret) && !held.contains(&link.secret));
    scene.says(&scene.shows(&old.secret)).await;
    assert_eq!(scene.invited().await.state, "made");
    scene.says(&scene.shows(&new.secret)).await;
    assert_eq!(scene.invited().await.state, "done");
}

#[tokio::test]
async fn a_key_that_is_relied_on_does_not_give_way_to_an_invitation() {
    let scene = Scene::new().await;
    let older = scene.relies_on_older_key().await;
    let refused = scene.joins().await.unwrap_err();
    assert!(refused.words.contains("another key"), "{refused}");
    let link = scene.invites().await;
    scene.says(&scene.shows(&link.secret)).await;
    let peer = peers::show(&scene.app, BOB).await.unwrap();
    assert_eq!((peer.pinned_fingerprint.as_ref(), peer.verified_since), (Some(&older), None));
    assert_eq!(scene.state().await.0, "other-key");
    assert!(scene.went_out().await.is_empty(), "nothing is confirmed");
    scene.says(&scene.shows(&link.secret)).await;
    assert_eq!((scene.state().await.0.as_str(), scene.verified_decisions().await), ("other-key", 0));
}

#[tokio::test]
async fn alice_tells_the_secret_to_the_invited_key_alone() {
    let scene = Scene::new().await;
    assert_eq!(scene.joins().await.unwrap().state, "asked");
    let asked = scene.went_out().await;
    assert!(is("vc-request", &asked[0]) && asked[0].contains("Secure-Join-Invitenumber: numbernumber\r\n"));
    assert!(!asked[0].contains("secretsecret"), "not in clear: {}", asked[0]);

    let truth = scene.step("vc-auth-required", &[]);
    let lies = [
        ("not encrypted", Step { sealed: false, ..truth.clone() }),
        ("not signed", Step { signer: None, ..truth.clone() }),
        ("signed by another", Step { signer: Some(&scene.mallory), ..truth.clone() }),
        ("a swapped key", Step { brings: &scene.mallory, signer: Some(&scene.mallory), ..truth.clone() }),
        ("another sender", Step { from: "mallory@lab.test", ..truth.clone() }),
        ("the last word first", scene.step("vc-contact-confirm", &[])),
    ];
    for (what, lie) in lies {
        scene.says(&lie).await;
        let after = scene.state().await;
        assert_eq!((after.0.as_str(), after.2), ("asked", 1), "{what}");
        assert_ne!(after.1, "verified", "{what}");
    }
    scene.says(&truth).await;
    let said = scene.went_out().await;
    assert!(is("vc-request-with-auth", &said[1]) && said[1].contains("Secure-Join-Auth: secretsecret\r\n"));
    let mine = format!("Secure-Join-Fingerprint: {}\r\n", scene.hers.fingerprint());
    assert!(said[1].contains(&mine), "{}", said[1]);
    assert_eq!(scene.invited().await.state, "answered");

    let confirms = scene.step("vc-contact-confirm", &[]);
    scene.says(&Step { signer: Some(&scene.mallory), ..confirms.clone() }).await;
    scene.says(&Step { sealed: false, ..confirms.clone() }).await;
    // What Bob says in private is not the last word because somebody wrote that on the envelope.
    let plain = scene.bytes(&scene.step("nothing", &[]));
    scene.arrives(prefixed(&plain, "Secure-Join", "vc-contact-confirm")).await;
    assert_eq!(scene.invited().await.state, "answered");
    assert_ne!(peers::show(&scene.app, BOB).await.unwrap().trust, "verified");
    scene.says(&confirms).await;
    assert_eq!(scene.state().await, ("done".into(), "verified", 2));
    scene.says(&confirms).await;
    scene.says(&truth).await;
    assert_eq!((scene.verified_decisions().await, scene.went_out().await.len()), (1, 2));
}

#[tokio::test]
async fn a_link_is_taken_only_where_it_fits() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let link = scene.of_bob().to_link();
    let words = |failed: Result<Invited, crate::engine::failure::Failure>| failed.unwrap_err().words;
    assert!(
        words(invitations::join(app, &link, "", "carol@lab.test").await).contains("not from carol@lab.test")
    );
    assert!(words(invitations::join(app, "https://example.org/", "", "").await).contains("no invitation"));
    let own = invitations::invite(app, BOB, "").await.unwrap().link.unwrap();
    assert!(words(invitations::join(app, &own, "", "").await).contains("your own"));
    assert!(words(invitations::invite(app, ALICE, "").await).contains("your own"));
    for bad in ["", "bob", "@lab.test", "bob@", "bob@lab.test\r\nBcc: x@y.z", "bob@lab.test, carol@lab.test"]
    {
        assert!(words(invitations::invite(app, bad, "").await).contains("no address"), "{bad}");
    }
    settings::set(app, "secure-mode", "on").await.unwrap();
    assert!(words(invitations::join(app, &link, "", "").await).contains("secure mode"));
    assert!(scene.went_out().await.is_empty());
    keyring::import(app, scene.bob.certificate().armored().into_bytes(), None).await.unwrap();
    assert_eq!(invitations::join(app, &link, "", BOB).await.unwrap().state, "answered");
    assert!(is("vc-request-with-auth", &scene.went_out().await[0]));
}

#[tokio::test]
async fn nobody_is_told_of_messages_between_programs() {
    let scene = Scene::new().await;
    let link = scene.invites().await;
    let mut events = scene.app.listen();
    scene.says(&scene.asks(&link.number)).await;
    scene.says(&scene.asks("somebody-elses")).await;
    scene.says(&scene.step("vg-member-added", &[])).await;
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Event::Mail { words, .. } = event {
            told.push(words);
        }
    }
    assert_eq!(told, ["1 new message"], "what somebody did in a group is mail");
    let found = crate::engine::search::search(&scene.app, "in:inbox", Sort::Newest, 0, 10).await.unwrap();
    assert_eq!(found.messages.len(), 2);
    let mut said = Vec::new();
    for message in &found.messages {
        said.push(
            crate::engine::read::open(&scene.app, &message.id.to_string()).await.unwrap().summary.reasons,
        );
    }
    let between = said.iter().flatten().filter(|words| words.contains("Mail programs write such messages"));
    assert_eq!(between.count(), 1, "what is left is called what it is: {said:?}");
}
