//! Alice unlocks her store from afar. Mallory, who has a key of hers for the address, learns nothing there.

use super::attempt::{SLOT, moment};
use super::clock::Held;
use super::*;
use crate::crypto::passphrase::Cost;
use crate::crypto::totp::Secret;
use crate::engine::remote_access::{devices, factor, onion, unlock_onion};
use crate::engine::settings;
use crate::storage::database::remote_access;
use crate::web::auth::Guesser;
use axum::body::Body;
use axum::http::header;
use std::time::Duration;
use tower::ServiceExt;

const WORDS: &str = "seven quiet herons";
const ADDRESS: &str = "abcd.onion";

struct Story {
    _home: tempfile::TempDir,
    vault: Arc<Vault>,
    door: Arc<UnlockDoor>,
    held: Held,
    secret: Secret,
    now: i64,
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Story {
    /// A store that can be unlocked from afar, and is locked.
    async fn begin() -> Self {
        let home = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::new(&home.path().join("data")));
        let words = SecretText::new(WORDS.into());
        let app = vault.create(&words, Some(Cost::MINIMUM)).await.unwrap();
        factor::begin(&app).await.unwrap();
        let row = remote_access::factor(&mut app.reader.get().await.unwrap(), true).await.unwrap().unwrap();
        let secret = Secret::from_bytes(&row.secret).unwrap();
        factor::confirm(&app, &secret.code(app.now())).await.unwrap();
        settings::set(&app, onion::WANTED, "on").await.unwrap();
        devices::add(&app, "Phone").await.unwrap();
        settings::set(&app, unlock_onion::WANTED, "on").await.unwrap();
        let now = app.now() + 600;
        vault.lock().await;
        let held = Held::at(now);
        let door = Arc::new(UnlockDoor::with(Arc::clone(&vault), held.clock()));
        door.change_name(ADDRESS, true);
        Self { _home: home, vault, door, held, secret, now }
    }

    fn code(&self) -> String {
        self.secret.code(self.now)
    }

    fn form(&self, passphrase: &str, code: &str) -> String {
        let token = token_of(&self.door.process_key);
        format!("csrf={token}&passphrase={}&code={code}", passphrase.replace(' ', "+"))
    }

    fn post(&self, passphrase: &str, code: &str) -> Request {
        let head = Request::post("/")
            .header(header::ORIGIN, format!("http://{ADDRESS}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        head.body(Body::from(self.form(passphrase, code))).unwrap()
    }

    async fn ask(&self, request: Request) -> Answer {
        ask(&self.door, request).await
    }

    /// Types it in, and says for which moments was waited until it was answered.
    async fn try_in(&self, passphrase: &str, code: &str, waits: usize) -> (Answer, Vec<Duration>) {
        let (door, request) = (Arc::clone(&self.door), self.post(passphrase, code));
        let asked = tokio::spawn(async move { ask(&door, request).await });
        let waits = self.held.waits(waits).await;
        assert!(!asked.is_finished(), "it is answered at its moment, not before");
        self.held.go_to(*waits.iter().max().unwrap());
        (asked.await.unwrap(), waits)
    }
}

async fn ask(door: &Arc<UnlockDoor>, mut request: Request) -> Answer {
    if !request.headers().contains_key(header::HOST) {
        request.headers_mut().insert(header::HOST, ADDRESS.parse().unwrap());
    }
    if request.extensions().get::<ConnectInfo<From>>().is_none() {
        request.extensions_mut().insert(by(Way::Onion));
    }
    let response = router(Arc::clone(door)).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    Answer { status: head.status, headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

fn by(way: Way) -> ConnectInfo<From> {
    ConnectInfo(From { address: [0, 0, 0, 0].into(), way, place: None })
}

fn get_page(path: &str) -> Request {
    Request::get(path).body(Body::empty()).unwrap()
}

#[test]
fn answers_go_out_on_a_grid_that_begins_with_the_form() {
    let (second, then) = (Duration::from_secs(1), Duration::from_millis(3_700));
    for (took, slots) in [
        (Duration::ZERO, 1),
        (second, 1),
        (SLOT - Duration::from_nanos(1), 1),
        (SLOT, 1),
        (SLOT + Duration::from_nanos(1), 2),
        (SLOT * 7 - second, 7),
    ] {
        assert_eq!(moment(then, then + took), then + SLOT * slots, "{took:?}");
    }
}

#[tokio::test]
async fn whatever_is_wrong_the_answer_is_the_same_at_the_same_moment() {
    let story = Story::begin().await;
    let words = SecretText::new(WORDS.into());
    let recovery = crate::engine::recovery::make(&story.vault, &words).await.unwrap().to_text();
    // A code that was used: for somebody who was not let in after all.
    let used = story.code();
    drop(story.vault.admit(&words, &used, story.now).await.unwrap().unwrap());
    story.held.set_unix(story.now + 30);
    let fresh = story.secret.code(story.now + 30);
    let mut answers = Vec::new();
    for (n, (what, passphrase, code)) in [
        ("a wrong passphrase", "seven quiet geese", fresh.as_str()),
        ("a wrong code", WORDS, "000000"),
        ("both wrong", "x", "y"),
        ("nothing", "", ""),
        ("a used code", WORDS, &used),
        ("the recovery key", recovery.expose(), &fresh),
    ]
    .into_iter()
    .enumerate()
    {
        let arrived = Duration::from_millis(700) + SLOT * 3 * u32::try_from(n).unwrap();
        story.held.go_to(arrived);
        story.door.throttle.note(Guesser::Stranger, true);
        let (answer, waits) = story.try_in(passphrase, code, 2).await;
        assert_eq!(waits, [arrived + SLOT; 2], "{what}");
        answers.push((what, answer));
    }
    story.door.throttle.note(Guesser::Stranger, true);
    // One who comes while another one is looked at, and one who guessed too often, are not looked at, and are told no other thing.
    let turn = story.door.turn.lock().await;
    let (busy, waits) = story.try_in(WORDS, &fresh, 1).await;
    assert_eq!(waits.len(), 1);
    answers.push(("busy", busy));
    drop(turn);
    while story.door.throttle.attempt(Guesser::Stranger).is_ok() {}
    answers.push(("held up", story.try_in(WORDS, &fresh, 1).await.0));
    let (_, first) = &answers[0];
    assert_eq!(first.status, StatusCode::UNAUTHORIZED);
    assert!(first.body.contains("That did not fit"), "{}", first.body);
    for (what, answer) in &answers {
        assert_eq!(answer, first, "{what}");
    }
    assert!(story.vault.app().is_none());
    story.vault.unlock(&words).await.expect("the owner at home is not held up");
}

#[tokio::test]
async fn without_codes_the_answer_is_no_other() {
    let story = Story::begin().await;
    let wrong = story.try_in(WORDS, "000000", 2).await.0;
    let app = story.vault.unlock(&SecretText::new(WORDS.into())).await.unwrap();
    let open = story.try_in(WORDS, &story.code(), 2).await.0;
    assert_eq!(open, wrong, "whoever comes just after it was unlocked at home");
    factor::forget(&app).await.unwrap();
    drop(app);
    story.vault.lock().await;
    let none = story.try_in(WORDS, &story.code(), 2).await.0;
    assert_eq!(none, wrong);
}

#[tokio::test]
async fn what_takes_too_long_is_given_up_at_the_same_moment() {
    let story = Story::begin().await;
    let (wrong, waits) = story.try_in("seven quiet geese", &story.code(), 2).await;
    // Somebody is in the store for long: it cannot be looked at.
    let aside = story.vault.open_aside(&SecretText::new(WORDS.into())).await.unwrap();
    let (door, request) = (Arc::clone(&story.door), story.post(WORDS, &story.code()));
    let asked = tokio::spawn(async move { ask(&door, request).await });
    assert_eq!(story.held.waits(1).await, [waits[0] + SLOT]);
    story.held.go_to(waits[0] + SLOT);
    assert_eq!(asked.await.unwrap(), wrong);
    assert_eq!(story.held.waits(1).await, [waits[0] + SLOT], "and not later");
    aside.close().await;
    assert!(story.vault.app().is_none(), "nor is it looked at later");
    let late = story.try_in(WORDS, &story.code(), 2).await.0;
    assert_eq!(late.status, StatusCode::OK, "the code was not used up: {}", late.body);
}

#[tokio::test]
async fn with_both_the_store_is_unlocked_and_nobody_is_signed_in() {
    let story = Story::begin().await;
    let form = story.ask(get_page("/")).await;
    assert!(form.status.is_success() && form.body.contains("name=\"code\""), "{}", form.body);
    let (answer, waits) = story.try_in(WORDS, &story.code(), 2).await;
    assert_eq!((answer.status, waits), (StatusCode::OK, vec![SLOT; 2]));
    let app = story.vault.app().expect("it is unlocked");
    let mailbox = onion::address(&app).await.unwrap().unwrap();
    assert!(answer.body.contains(&format!("http://{mailbox}/")), "{}", answer.body);
    assert!(!form.body.contains(&mailbox), "before that nobody learns the address");
    assert!(app.remote_access.sessions.list(app.now()).is_empty());
    for answer in [&form, &answer] {
        assert!(!answer.headers.contains_key(header::SET_COOKIE), "{:?}", answer.headers);
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert!(answer.headers.contains_key(header::CONTENT_SECURITY_POLICY));
    }
}

#[tokio::test]
async fn it_has_one_page_one_name_and_one_way() {
    let story = Story::begin().await;
    for file in MADE_OF {
        assert_eq!(story.ask(get_page(file)).await.status, StatusCode::OK, "{file}");
    }
    let nothing = story.ask(get_page("/nothing")).await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
    for path in [
        "/unlock",
        "/unlock/shares",
        "/setup",
        "/settings",
        "/events",
        "/health",
        "/leave",
        "/lock",
        "/api/v1/status",
        "/content/abc/",
        "/enter/abc",
        "/static/page.js",
        "/static/../vault",
    ] {
        assert_eq!(story.ask(get_page(path)).await, nothing, "{path}");
        let mut post = story.post(WORDS, &story.code());
        *post.uri_mut() = path.parse().unwrap();
        assert_eq!(story.ask(post).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for host in ["x.abcd.onion", "localhost", "127.0.0.1", "abcd.onion:80", "", "mail.alice.test"] {
        let request = Request::get("/").header(header::HOST, host).body(Body::empty()).unwrap();
        assert_eq!(story.ask(request).await.status, StatusCode::FORBIDDEN, "{host:?}");
    }
    for way in [Way::Home, Way::Port] {
        let mut request = get_page("/");
        request.extensions_mut().insert(by(way));
        assert_eq!(story.ask(request).await.status, StatusCode::FORBIDDEN, "{way:?}");
    }
    story.door.change_name(ADDRESS, false);
    assert_eq!(story.ask(get_page("/")).await.status, StatusCode::FORBIDDEN, "withdrawn");
    assert!(story.vault.app().is_none());
}

#[tokio::test]
async fn a_form_that_is_not_ours_is_not_looked_at() {
    let story = Story::begin().await;
    let (right, code) = (story.form(WORDS, &story.code()), story.code());
    let kind = "application/x-www-form-urlencoded";
    let own = format!("http://{ADDRESS}");
    let none = String::new();
    for (what, name, value, kind, body) in [
        ("a sandboxed frame", "origin", "null", kind, right.clone()),
        ("another page", "origin", "http://evil.test", kind, right.clone()),
        ("by TLS, which it has not", "origin", "https://abcd.onion", kind, right.clone()),
        ("nobody says where from", "x-nothing", "x", kind, right.clone()),
        ("another site", "sec-fetch-site", "cross-site", kind, right.clone()),
        ("no token", "origin", &own, kind, format!("passphrase=seven+quiet+herons&code={code}")),
        ("a wrong token", "origin", &own, kind, right.replacen("csrf=", "csrf=0", 1)),
        ("another kind of form", "origin", &own, "multipart/form-data; boundary=x", right.clone()),
        ("nothing at all", "origin", &own, kind, none),
        ("far too much", "origin", &own, kind, format!("{right}&more={}", "x".repeat(64 << 10))),
    ] {
        let request = Request::post("/").header(name, value).header(header::CONTENT_TYPE, kind);
        let answer = story.ask(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
    }
    assert!(story.vault.app().is_none());
    // Tor Browser may say only that it is the same site.
    let request =
        Request::post("/").header("sec-fetch-site", "same-origin").header(header::CONTENT_TYPE, kind);
    let (door, request) = (Arc::clone(&story.door), request.body(Body::from(right)).unwrap());
    let asked = tokio::spawn(async move { ask(&door, request).await });
    story.held.waits(2).await;
    story.held.go_to(SLOT);
    assert_eq!(asked.await.unwrap().status, StatusCode::OK);
}
