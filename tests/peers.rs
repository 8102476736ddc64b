//! Private mail with other people's programs, over real mail servers: GnuPG as Debian ships it, and Delta Chat. Delta Chat's
//! server (`deltachat-rpc-server`) comes from PyPI; its stories run where MAILKEEP_DELTACHAT names the program.

use crate::support::{Lab, Person, World, wait_for};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use tempfile::TempDir;

/// Alice with her Mailkeep.
struct Alice {
    person: Person,
    world: World,
}

impl Alice {
    fn new(lab: &Lab) -> Self {
        let person = lab.person("alice");
        let world = World::with_account(lab, &person);
        world.ok(&["config", "set", "writing.undo-seconds", "0"]);
        Self { person, world }
    }

    fn writes(&self, to: &Person, subject: &str, body: &str, extra: &[&str]) -> Value {
        let body = self.world.file("body.txt", body);
        let args = ["send", "--to", &to.address, "--subject", subject, "--body-file", &body];
        let queued = self.world.ok(&[&args[..], extra].concat());
        self.world.ok(&["outbox", "flush"]);
        queued
    }

    /// Fetches until something is found; gives the newest of it.
    fn reads(&self, query: &str) -> Value {
        let id = wait_for(&format!("{query:?} to arrive"), || {
            self.world.ok(&["sync"]);
            let found = self.world.ok(&["search", query]);
            found["messages"][0]["id"].as_str().map(str::to_owned)
        });
        self.world.ok(&["show", &id])
    }

    fn answers(&self, to: &Person, read: &Value, subject: &str, body: &str) -> Value {
        self.writes(to, subject, body, &["--reply-to-id", read["id"].as_str().unwrap()])
    }

    fn peer(&self, other: &Person) -> Value {
        self.world.ok(&["peer", "show", &other.address])
    }

    fn fingerprint(&self) -> String {
        self.world.ok(&["key", "list"])[0]["fingerprint"].as_str().unwrap().to_owned()
    }
}

/// Says of a message what matters here.
fn verdict(shown: &Value) -> (&str, &str) {
    (shown["privacy"].as_str().unwrap(), shown["assurance"].as_str().unwrap())
}

/// Bob, who has GnuPG and writes his mail by hand.
struct Bob<'a> {
    lab: &'a Lab,
    person: Person,
    home: TempDir,
}

impl<'a> Bob<'a> {
    fn new(lab: &'a Lab) -> Self {
        let home = tempfile::Builder::new().prefix("g").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let bob = Self { lab, person: lab.person("bob"), home };
        bob.gpg(
            &["--quick-generate-key", &format!("Bob <{}>", bob.person.address), "ed25519", "default", "1y"],
            b"",
        );
        bob.gpg(&["--quick-add-key", &bob.fingerprint(), "cv25519", "encr", "1y"], b"");
        bob
    }

    fn gpg(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.home.path()).args(["--batch", "--yes", "--status-fd", "2"]);
        command.args(["--trust-model", "always", "--pinentry-mode", "loopback", "--passphrase", ""]);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("gpg is there (see tests/run)");
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn fingerprint(&self) -> String {
        let listed = self.gpg(&["--with-colons", "--list-keys", &self.person.address], b"").stdout;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.trim_end_matches(':').rsplit(':').next().unwrap().to_owned()
    }

    fn autocrypt(&self) -> String {
        let key =
            self.gpg(&["--export-options", "export-minimal", "--export", &self.person.address], b"").stdout;
        let key = data_encoding::BASE64.encode(&key);
        let lines: Vec<&str> =
            key.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let address = &self.person.address;
        format!("Autocrypt: addr={address}; prefer-encrypt=mutual; keydata=\r\n {}\r\n", lines.join("\r\n "))
    }

    /// Sends a message; `content` begins with its Content-Type.
    fn sends(&self, to: &Person, subject: &str, content: &str) {
        let headers = format!(
            "From: Bob <{}>\r\nTo: <{}>\r\nSubject: {subject}\r\nDate: {}\r\nMessage-ID: <{}.{}@lab.test>\r\n{}MIME-Version: 1.0\r\n",
            self.person.address,
            to.address,
            jiff::Zoned::now().strftime("%a, %d %b %Y %H:%M:%S %z"),
            jiff::Timestamp::now().as_nanosecond(),
            self.person.user,
            self.autocrypt()
        );
        self.lab.deliver(to, format!("{headers}{content}").as_bytes());
    }

    fn encrypts(&self, to: &Person, subject: &str, text: &str) {
        let inside = format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n");
        let args = ["--armor", "--sign", "--encrypt", "--recipient", &to.address];
        let sealed =
            String::from_utf8(self.gpg(&args, inside.as_bytes()).stdout).unwrap().replace('\n', "\r\n");
        let kind = "multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b";
        self.sends(to, subject, &format!(
            "Content-Type: {kind}\r\n\r\n--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n\
             --b\r\nContent-Type: application/octet-stream\r\n\r\n{sealed}\r\n--b--\r\n"
        ));
    }

    fn signs(&self, to: &Person, subject: &str, text: &str) {
        let signed = format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n");
        let args = ["--armor", "--digest-algo", "SHA256", "--detach-sign"];
        let signature =
            String::from_utf8(self.gpg(&args, signed.as_bytes()).stdout).unwrap().replace('\n', "\r\n");
        let kind = "multipart/signed; protocol=\"application/pgp-signature\"; micalg=pgp-sha256; boundary=b";
        self.sends(to, subject, &format!(
            "Content-Type: {kind}\r\n\r\n--b\r\n{signed}\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\n\
             {signature}\r\n--b--\r\n"
        ));
    }

    /// The newest message in his mailbox, once there are so many.
    fn gets(&self, messages: usize) -> String {
        let held = wait_for("mail for Bob", || {
            let held = self.lab.imap(&self.person).held("INBOX");
            (held.len() >= messages).then_some(held)
        });
        String::from_utf8(held.last().unwrap().bytes.clone()).unwrap()
    }

    /// Takes the key out of the Autocrypt header of a message; gives its fingerprint.
    fn learns(&self, message: &str) -> String {
        let (_, rest) = message.split_once("keydata=").unwrap();
        let keydata: String = rest
            .lines()
            .enumerate()
            .take_while(|(n, line)| *n == 0 || line.starts_with(' '))
            .flat_map(|(_, line)| line.trim().chars())
            .collect();
        let key = data_encoding::BASE64.decode(keydata.as_bytes()).unwrap();
        let imported = String::from_utf8_lossy(&self.gpg(&["--import"], &key).stderr).into_owned();
        let line = imported.lines().find(|line| line.contains("IMPORT_OK")).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    }
}

impl Drop for Bob<'_> {
    fn drop(&mut self) {
        drop(Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).status());
    }
}

#[test]
fn alice_and_bob_with_gnupg_get_private_by_themselves() {
    let lab = Lab::shared();
    let (alice, bob) = (Alice::new(lab), Bob::new(lab));

    let sent = alice.writes(&bob.person, "herons", "Do you read OpenPGP?\n", &[]);
    assert_eq!((&sent["encrypted"], &sent["signed"]), (&false.into(), &true.into()), "{sent}");
    assert_eq!(bob.learns(&bob.gets(1)), alice.fingerprint());

    bob.encrypts(&alice.person, "Re: herons", "I do, of course.");
    let got = alice.reads("from:bob");
    assert_eq!(verdict(&got), ("private", "new-key"), "{got}");
    assert_eq!(
        (&got["signer"], &got["text"]),
        (&bob.fingerprint().into(), &"I do, of course.\n".into()),
        "{got}"
    );
    let peer = alice.peer(&bob.person);
    assert_eq!(
        (&peer["prefer_encrypt"], &peer["trust"], &peer["recommendation"], &peer["private_messages"]),
        (&"mutual".into(), &"first".into(), &"encrypt".into(), &1.into()),
        "{peer}"
    );

    let sent = alice.answers(&bob.person, &got, "Re: herons, für Bob", "At dawn, then.\nFrom the harbour.\n");
    assert_eq!(sent["encrypted"], true, "{sent}");
    let arrived = bob.gets(2);
    assert!(
        arrived.contains("Subject: [...]") && !arrived.contains("At dawn") && !arrived.contains("herons"),
        "{arrived}"
    );
    let (_, armour) = arrived.split_once("-----BEGIN PGP MESSAGE-----").unwrap();
    let (armour, _) = armour.split_once("-----END").unwrap();
    let armour = format!("-----BEGIN PGP MESSAGE-----{armour}-----END PGP MESSAGE-----\n");
    let read = bob.gpg(&["--decrypt"], armour.as_bytes());
    let (text, said) = (
        String::from_utf8_lossy(&read.stdout).into_owned(),
        String::from_utf8_lossy(&read.stderr).into_owned(),
    );
    assert!(said.contains(&format!("VALIDSIG {}", alice.fingerprint())), "{said}");
    assert!(text.contains("At dawn, then.") && text.contains("HP-Outer: Subject: [...]"), "{text}");

    bob.signs(&alice.person, "weather", "Only signed this time.");
    let got = alice.reads("from:bob subject:weather");
    assert_eq!(verdict(&got), ("none", "same-key"), "{got}");
    assert_eq!(got["reasons"][0], "The address has used the same key in 2 messages.", "{got}");
    let peer = alice.peer(&bob.person);
    assert_eq!((&peer["trust"], &peer["private_messages"]), (&"same".into(), &1.into()), "{peer}");
}

#[test]
fn a_key_that_alice_brought_is_used_when_she_asks_for_it() {
    let lab = Lab::shared();
    let (alice, bob) = (Alice::new(lab), Bob::new(lab));
    let key = bob.gpg(&["--armor", "--export", &bob.person.address], b"").stdout;
    let key = alice.world.file("bob.asc", key);
    let imported = alice.world.ok(&["key", "import", &key]);
    assert_eq!(imported["keys"][0]["fingerprint"], bob.fingerprint(), "{imported}");
    let sent = alice.writes(&bob.person, "hello", "private at once\n", &["--encrypt", "yes"]);
    assert_eq!((&sent["encrypted"], &sent["recommendation"]), (&true.into(), &"available".into()), "{sent}");
    assert!(bob.gets(1).contains("BEGIN PGP MESSAGE"));
}

/// Carol, who has Delta Chat.
struct Carol<'a> {
    lab: &'a Lab,
    person: Person,
    _home: TempDir,
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    asked: u64,
    account: Value,
}

impl<'a> Carol<'a> {
    /// Nobody, where Delta Chat is not there.
    fn new(lab: &'a Lab) -> Option<Self> {
        let Ok(program) = std::env::var("MAILKEEP_DELTACHAT") else {
            eprintln!("MAILKEEP_DELTACHAT names no deltachat-rpc-server: nothing is said with Delta Chat");
            return None;
        };
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.env("DC_ACCOUNTS_PATH", home.path().join("accounts")).env("RUST_LOG", "off");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (questions, answers) =
            (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let person = lab.person("carol");
        let mut carol =
            Self { lab, person, _home: home, child, questions, answers, asked: 0, account: Value::Null };
        carol.configure();
        Some(carol)
    }

    fn configure(&mut self) {
        self.account = self.ask("add_account", json!([]));
        // By default it sends nothing in clear, and takes what it has read off the server.
        for (key, value) in [("force_encryption", "0"), ("bcc_self", "1"), ("displayname", "Cårol")] {
            self.ask("set_config", json!([self.account, key, value]));
        }
        let (address, password) = (&self.person.address, self.lab.password());
        let transport = json!({
            "addr": address, "password": password, "certificateChecks": "acceptInvalidCertificates",
            "imapServer": "localhost", "imapPort": self.lab.port("IMAPS"), "imapSecurity": "ssl", "imapUser": address,
            "smtpServer": "localhost", "smtpPort": self.lab.port("SUBMISSIONS"), "smtpSecurity": "ssl", "smtpUser": address,
        });
        self.ask("add_or_update_transport", json!([self.account, transport]));
        self.ask("start_io", json!([self.account]));
        // Mail that was there before its first look is never taken.
        while self.ask("get_next_event", json!([]))["event"]["kind"] != "ImapInboxIdle" {}
    }

    #[expect(clippy::needless_pass_by_value, reason = "each question is made where it is asked")]
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let question = json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params});
        self.questions.write_all(format!("{question}\n").as_bytes()).unwrap();
        loop {
            let mut line = String::new();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "Delta Chat ended");
            let mut answer: Value = serde_json::from_str(&line).unwrap();
            if answer["id"] == self.asked {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    /// A message that came, with these words in it.
    fn reads(&mut self, words: &str) -> Value {
        let account = self.account.clone();
        for _ in 0..300 {
            for flags in [Value::Null, json!(1)] {
                let chats = self.ask("get_chatlist_entries", json!([account, flags, null, null]));
                for chat in chats.as_array().unwrap() {
                    let ids = self.ask("get_message_ids", json!([account, chat, false, false]));
                    for id in ids.as_array().unwrap() {
                        let message = self.ask("get_message", json!([account, id]));
                        if message["fromId"].as_u64().unwrap() > 9
                            && message["text"].as_str().unwrap().contains(words)
                        {
                            return message;
                        }
                    }
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        panic!("{words:?} did not come to Delta Chat");
    }

    fn answers(&mut self, message: &Value, text: &str) -> Value {
        let account = self.account.clone();
        self.ask("accept_chat", json!([account, message["chatId"]]));
        let id = self.ask("misc_send_text_message", json!([account, message["chatId"], text]));
        self.delivered(&id)
    }

    /// Whether it has brought comparing keys to its end with somebody, as one who invites or who joins. A later message of
    /// theirs has to be on its way already: then it did before that one, or never.
    fn compared(&mut self, kind: &str, other: &Alice) -> bool {
        let event = loop {
            let event = self.ask("get_next_event", json!([]))["event"].take();
            if event["kind"] == kind && event["progress"] == 1000 {
                break event;
            }
            if event["kind"] == "IncomingMsg" {
                return false;
            }
        };
        let said = self.ask("get_contact_encryption_info", json!([self.account, event["contactId"]]));
        let said: String = said.as_str().unwrap().split_whitespace().collect();
        said.contains(&other.person.address) && said.contains(&other.fingerprint())
    }

    fn delivered(&mut self, id: &Value) -> Value {
        wait_for("Delta Chat to send", || {
            let message = self.ask("get_message", json!([self.account, id]));
            assert_ne!(message["state"], 24, "{message}");
            matches!(message["state"].as_u64(), Some(26 | 28)).then_some(message)
        })
    }
}

impl Drop for Carol<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn alice_and_carol_with_delta_chat_get_private_by_themselves() {
    let lab = Lab::shared();
    let Some(mut carol) = Carol::new(lab) else { return };
    let alice = Alice::new(lab);

    let sent = alice.writes(&carol.person, "herons", "Shall we count herons?\n", &[]);
    assert_eq!(sent["encrypted"], false, "{sent}");
    let read = carol.reads("count herons");
    assert_eq!(read["showPadlock"], false, "{read}");
    assert_eq!(carol.answers(&read, "At the old harbour.")["showPadlock"], false);

    let got = alice.reads("from:carol harbour");
    assert_eq!(verdict(&got), ("none", "none"), "{got}");
    let sent = alice.answers(&carol.person, &got, "Re: herons", "Then at dawn.\n");
    assert_eq!((&sent["encrypted"], &sent["recommendation"]), (&true.into(), &"encrypt".into()), "{sent}");
    let read = carol.reads("at dawn");
    assert_eq!((&read["showPadlock"], &read["text"]), (&true.into(), &"Then at dawn.".into()), "{read}");
    assert_eq!((&read["subject"], &read["error"]), (&"Re: herons".into(), &Value::Null), "{read}");
    assert_eq!(carol.answers(&read, "Grüße, bring boots.\n\nC.")["showPadlock"], true);

    let got = alice.reads("from:carol boots");
    assert_eq!(verdict(&got), ("private", "same-key"), "{got}");
    assert_eq!(got["reasons"][0], "The address has used the same key in 2 messages.", "{got}");
    assert_eq!(got["from"], json!({"name": "Cårol", "address": carol.person.address}), "{got}");
    assert_eq!(got["to"][0]["address"], alice.person.address, "hidden outside, and told inside: {got}");
    assert_eq!(
        (&got["subject"], &got["text"]),
        (&"Re: herons".into(), &"Grüße, bring boots.\n\nC.".into()),
        "{got}"
    );
    let thread = alice.world.ok(&["search", "--threads", "herons"]);
    assert_eq!(thread["messages"].as_array().unwrap().len(), 1, "one thread: {thread}");
    let raw = String::from_utf8(alice.world.raw(got["id"].as_str().unwrap())).unwrap();
    assert!(raw.contains("hidden-recipients") && !raw.contains("Autocrypt"), "{raw}");
    let peer = alice.peer(&carol.person);
    assert_eq!(
        (&peer["trust"], &peer["recommendation"], &peer["private_messages"], &peer["answered"]),
        (&"same".into(), &"encrypt".into(), &1.into(), &1.into()),
        "{peer}"
    );
    assert_eq!(peer["autocrypt_timestamp"], got["date"], "the key inside was taken: {peer}");

    let file = alice.world.file("count.csv", "herons\n12\n");
    alice.writes(&carol.person, "Über Reiher", "A new subject.\n", &["--attach", &file]);
    let read = carol.reads("A new subject.");
    assert_eq!((&read["showPadlock"], &read["subject"]), (&true.into(), &"Über Reiher".into()), "{read}");
    assert_eq!(
        (&read["fileName"], &read["text"]),
        (&"count.csv".into(), &"Über Reiher – A new subject.".into()),
        "{read}"
    );
}

#[test]
fn alice_takes_up_carols_invitation_and_both_keys_are_verified() {
    let lab = Lab::shared();
    let Some(mut carol) = Carol::new(lab) else { return };
    let alice = Alice::new(lab);
    let account = carol.account.clone();
    let link = carol.ask("get_chat_securejoin_qr_code", json!([account, null]));
    let joined = alice.world.ok(&["peer", "join", link.as_str().unwrap()]);
    assert_eq!(
        (&joined["email"], &joined["state"]),
        (&carol.person.address.as_str().into(), &"asked".into()),
        "{joined}"
    );
    verifies(&alice, &carol.person, &joined["fingerprint"]);
    let sent = alice.writes(&carol.person, "hello", "We compared our keys.\n", &[]);
    assert_eq!(sent["encrypted"], true, "{sent}");
    assert!(carol.compared("SecurejoinInviterProgress", &alice), "Delta Chat counts the keys as compared");
    let read = carol.reads("compared our keys");
    assert_eq!(read["showPadlock"], true, "{read}");
    carol.answers(&read, "So we did.");
    let got = alice.reads("from:carol \"So we did\"");
    assert_eq!(verdict(&got), ("private", "verified"), "{got}");
}

#[test]
fn carol_takes_up_alices_invitation_and_both_keys_are_verified() {
    let lab = Lab::shared();
    let Some(mut carol) = Carol::new(lab) else { return };
    let alice = Alice::new(lab);
    let invited = alice.world.ok(&["peer", "invite", &carol.person.address]);
    let account = carol.account.clone();
    carol.ask("secure_join", json!([account, invited["link"]]));
    let known = wait_for("Carol's key", || {
        alice.world.ok(&["sync"]);
        alice.world.ok(&["outbox", "flush"]);
        let peers = alice.world.ok(&["peer", "list"]);
        peers[0]["pinned_fingerprint"].as_str().map(str::to_owned)
    });
    verifies(&alice, &carol.person, &known.into());
    let sent = alice.writes(&carol.person, "hello", "We compared our keys.\n", &[]);
    assert_eq!(sent["encrypted"], true, "{sent}");
    assert!(carol.compared("SecurejoinJoinerProgress", &alice), "Delta Chat counts the keys as compared");
    assert_eq!(carol.reads("compared our keys")["showPadlock"], true);
}

/// Fetches and answers until the peer is verified; nothing of the conversation between programs is left to be seen.
fn verifies(alice: &Alice, other: &Person, fingerprint: &Value) {
    let peer = wait_for("the keys to be compared", || {
        alice.world.ok(&["outbox", "flush"]);
        alice.world.ok(&["sync"]);
        let peer = alice.world.run_json(&["peer", "show", &other.address]);
        (peer.code() == 0).then(|| peer.json()).filter(|peer| peer["trust"] == "verified")
    });
    assert_eq!(
        (&peer["pinned_fingerprint"], &peer["recommendation"], &peer["private_messages"]),
        (fingerprint, &"encrypt".into(), &0.into()),
        "{peer}"
    );
    let decided = &peer["history"][0];
    assert_eq!(
        (&decided["deed"], &decided["way"]),
        (&"verified".into(), &"by an invitation".into()),
        "{peer}"
    );
    assert!(peer["keys"].as_array().unwrap().iter().any(|key| key["way"] == "invitation"), "{peer}");
    let state = &alice.world.ok(&["peer", "invitations"])[0];
    assert_eq!(
        (&state["email"], &state["state"]),
        (&other.address.as_str().into(), &"done".into()),
        "{state}"
    );
    alice.world.ok(&["outbox", "flush"]);
    alice.world.ok(&["sync"]);
    // Delta Chat tells its relays in a message of their own, whenever it likes.
    let others = "NOT subject:Keyupdate";
    assert_eq!(alice.world.count(others), 0, "{}", alice.world.ok(&["search", others]));
    assert_eq!(alice.world.ok(&["outbox", "list"]), json!([]), "nothing is left of what went out");
    let mut imap = Lab::shared().imap(&alice.person);
    assert!(imap.held("Sent").is_empty(), "and no copy in Sent");
    let left = imap.held("INBOX");
    assert!(left.iter().all(|held| !String::from_utf8_lossy(&held.bytes).contains("Secure-Join")));
}
