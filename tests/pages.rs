//! The pages as forms and links alone: writing without losing a word, lists that stand for threads, the trash, threads
//! that are long or damaged, and addresses that lead nowhere.

use crate::support::http::encode;
use crate::support::mail::{message_id, plain, with_attachment, with_headers};
use crate::support::{Lab, Response, Server, World};
use serde_json::Value;

/// A browser that is signed in.
struct Browser<'a> {
    server: &'a Server<'a>,
    cookie: String,
}

impl<'a> Browser<'a> {
    fn new(server: &'a Server<'a>) -> Self {
        Self { server, cookie: server.sign_in() }
    }

    fn get(&self, path: &str) -> Response {
        self.server.request("GET", path).cookie(&self.cookie).send()
    }

    fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    fn post(&self, path: &str, fields: &[(String, String)]) -> Response {
        let request = self.server.request("POST", path).cookie(&self.cookie).origin(&self.server.origin());
        request
            .header("Accept", if path == "/compose/save" { "application/json" } else { "text/html" })
            .form(fields)
            .send()
    }

    /// The hidden fields of the composer on a page, with more.
    fn composer(&self, path: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut fields = self.get(path).form_with("data-composer").fields;
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        fields
    }
}

fn with(mut fields: Vec<(String, String)>, name: &str, value: &str) -> Vec<(String, String)> {
    fields.retain(|(known, _)| known != name);
    fields.push((name.to_owned(), value.to_owned()));
    fields
}

fn value<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
}

/// Imports a thread of so many messages; gives their ids, oldest first.
fn thread_of(world: &World, count: usize, subject: &str) -> Vec<String> {
    for n in 0..count {
        let before = if n == 0 {
            String::new()
        } else {
            format!("In-Reply-To: <{}>\r\n", message_id(&format!("{subject} 0")))
        };
        let name = format!("{subject} {n}");
        let mail =
            with_headers("bob@lab.test", "alice@lab.test", &name, &before, &format!("the words of {name}"));
        let later = format!("{:02}:{:02}:00", 9 + n / 60, n % 60);
        world.file(
            &format!("{subject}/{n:04}.eml"),
            String::from_utf8(mail).unwrap().replacen("09:30:00", &later, 1),
        );
    }
    assert_eq!(world.ok(&["import", world.path(subject).to_str().unwrap()])["messages"], count);
    let query = format!("subject:{subject}");
    let found = world.ok(&["search", &query, "--sort", "oldest", "--limit", "1000"]);
    found["messages"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn to_look_at_a_forward_writes_nothing_and_its_files_go_along_when_it_is_kept() {
    let world = World::new();
    let mail =
        with_attachment("bob@lab.test", "alice@lab.test", "the plan", "see inside", "plan.pdf", "%PDF-1.4");
    world.ok(&["import", &world.file("a.eml", mail)]);
    let id = world.only("*");
    let server = world.serve();
    let browser = Browser::new(&server);
    let path = format!("/compose?forward={id}");
    let page = browser.page(&path);
    assert!(page.contains("plan.pdf") && page.contains("Forwarded message"), "{page}");
    let fields =
        browser.composer(&path, &[("to", "carol@lab.test"), ("body", "For you."), ("keep_attachment", "0")]);
    assert_eq!(value(&fields, "draft"), "", "no draft was begun");
    assert_eq!(value(&fields, "forward"), id);
    let kept = browser.post("/compose/save", &fields).json();
    let draft = kept["draft"].as_str().unwrap();
    assert_eq!(kept["kept"][0]["name"], "plan.pdf", "{kept}");
    let shown = world.ok(&["show", &world.only("in:draft")]);
    assert!(shown["parts"].to_string().contains("plan.pdf"), "{shown}");
    // The page has the number of the draft by now, and the file once.
    let kept = browser.post("/compose/save", &with(fields.clone(), "draft", draft)).json();
    assert_eq!(kept["kept"].as_array().unwrap().len(), 1, "{kept}");
    assert_eq!(world.count("in:draft"), 1);
    // Gone for ever is gone; what was typed about it is not.
    world.ok(&["tag", "+trash", "--", &format!("thread:{id} -in:draft")]);
    world.ok(&["delete", &id]);
    let answer = browser.post("/compose", &with(with(fields, "body", "Still here."), "do", "send"));
    assert_eq!(answer.status, 422);
    let page = answer.text();
    assert!(page.contains("Still here.") && page.contains("was deleted"), "{page}");
}

#[test]
fn what_was_typed_outlives_its_draft() {
    let world = World::new();
    let server = world.serve();
    let browser = Browser::new(&server);
    let fields =
        browser.composer("/compose", &[("to", "bob@lab.test"), ("subject", "tea"), ("body", "At five?")]);
    let first = browser.post("/compose/save", &fields).json()["draft"].as_str().unwrap().to_owned();
    let fields = with(fields, "draft", &first);
    let thrown = browser.post("/compose", &with(fields.clone(), "do", "discard"));
    assert_eq!(thrown.status, 303);
    assert_eq!(world.count("in:draft"), 0);
    // The other window goes on: by itself, and by its buttons.
    let kept = browser.post("/compose/save", &with(fields.clone(), "body", "At six?")).json();
    assert_ne!(kept["draft"], Value::from(first.as_str()), "{kept}");
    assert!(kept["trouble"].as_str().unwrap().contains("another window"), "{kept}");
    assert_eq!(world.count("in:draft six"), 1);
    for button in ["save", "send"] {
        let words = format!("Rather at seven, says {button}.");
        let answer = browser.post("/compose", &with(with(fields.clone(), "body", &words), "do", button));
        assert_eq!(answer.status, 422, "{button}");
        let page = answer.text();
        assert!(page.contains(&words) && page.contains("another window"), "{button}: {page}");
        assert_eq!(world.count(&format!("in:draft \"says {button}\"")), 1, "{button}");
    }
    assert_eq!(world.ok(&["outbox", "list"]).as_array().unwrap().len(), 0, "nothing went out unasked");
}

#[test]
fn a_form_that_comes_twice_sends_one_message() {
    let lab = Lab::shared();
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let world = World::with_account(lab, &alice);
    let server = world.serve();
    let browser = Browser::new(&server);
    let fields = browser.composer(
        "/compose",
        &[("to", &bob.address), ("subject", "once"), ("body", "Only once."), ("do", "send")],
    );
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let both: Vec<_> = (0..2).map(|_| scope.spawn(|| browser.post("/compose", &fields))).collect();
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let places: Vec<_> =
        answers.iter().map(|a| a.header("location").unwrap_or_default().to_owned()).collect();
    assert!(places[0].contains("sent=") && places[0] == places[1], "{places:?}");
    assert_eq!(world.ok(&["outbox", "list"]).as_array().unwrap().len(), 1);
    // Gone back to and written on: kept, and not sent by surprise.
    let other = browser.post("/compose", &with(fields, "body", "Something else."));
    assert_eq!(other.status, 422);
    assert!(other.text().contains("Something else."));
    assert_eq!(world.ok(&["outbox", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_signature_stands_above_a_quote_without_its_mark_and_under_an_inline_answer_with_it() {
    let world = World::new();
    let ids = thread_of(&world, 1, "tea");
    world.ok(&["config", "set", "writing.signature", "Alice of the garden"]);
    let server = world.serve();
    let browser = Browser::new(&server);
    let page = browser.page(&format!("/compose?reply={}", ids[0]));
    let text = page.split("<textarea").nth(1).unwrap().split("</textarea>").next().unwrap();
    assert!(text.contains("Alice of the garden\n\nOn ") && !text.contains("-- "), "{text}");
    let page = browser.page("/compose");
    assert!(page.contains("-- \nAlice of the garden"), "{page}");
    // At the foot of the thread one sees the words alone, and is told.
    let path = format!("/threads/{}", ids[0]);
    assert!(browser.page(&path).contains("Your signature is put under it."));
    let fields = browser
        .composer(&path, &[("to", "bob@lab.test"), ("subject", "Re: tea 0"), ("body", "Yes, at five.")]);
    browser.post("/compose/save", &fields);
    browser.post("/compose/save", &fields);
    let text = world.ok(&["show", &world.ids("in:draft")[0]])["text"].as_str().unwrap().to_owned();
    assert_eq!(text.trim_end(), "Yes, at five.\n\n-- \nAlice of the garden");
}

#[test]
fn a_draft_from_elsewhere_is_gone_on_with_here() {
    let world = World::new();
    let mail =
        with_attachment("alice@lab.test", "bob@lab.test", "half", "half written", "plan.pdf", "%PDF-1.4");
    world.ok(&["import", &world.file("a.eml", mail)]);
    let id = world.only("*");
    world.ok(&["tag", "+draft", "-archive", "--", "*"]);
    assert_eq!(world.count("in:draft"), 1);
    let server = world.serve();
    let browser = Browser::new(&server);
    let path = format!("/compose?edit={id}");
    assert!(
        browser.page(&format!("/threads/{id}")).contains(&format!("href=\"{path}\"")),
        "it can be gone on with"
    );
    let page = browser.page(&path);
    assert!(page.contains("half written") && page.contains("plan.pdf"), "{page}");
    let more =
        [("to", "bob@lab.test"), ("subject", "half"), ("body", "all written"), ("keep_attachment", "0")];
    let fields = browser.composer(&path, &more);
    assert_eq!(browser.post("/compose", &with(fields, "do", "save")).status, 303);
    assert_eq!(world.count("in:draft"), 2, "the one on the server stays while this one is written");
    let here = world.only("in:draft \"all written\"");
    let fields = browser.composer(&format!("/compose?draft={here}"), &[("do", "discard")]);
    browser.post("/compose", &fields);
    assert_eq!(world.count("in:draft"), 0);
    assert_eq!(world.only("in:trash"), id);
}

#[test]
fn a_row_stands_for_its_thread_on_every_page_of_a_list() {
    let world = World::new();
    let ids = thread_of(&world, 3, "tea");
    let server = world.serve();
    let browser = Browser::new(&server);
    let row = browser.get("/search?q=*").form_with("class=\"star\"");
    let deleted = with(row.pressed("delete"), "back", "/?page=2");
    assert_eq!(browser.post("/actions", &deleted).status, 303);
    assert_eq!(world.count("in:trash"), 3, "the whole thread went");
    // One comes back: the thread is no trash any more, and can be deleted and answered like any other.
    world.ok(&["tag", "-trash", "+inbox", "--", &format!("subject:\"{}\"", "tea 2")]);
    let page = browser.page(&format!("/threads/{}", ids[0]));
    assert!(page.contains("value=\"delete\"") && !page.contains("value=\"destroy\""), "{page}");
    assert!(page.contains("id=\"composer\""), "and the quick answer is there");
    // For ever goes what lies in the trash of it, all of that, and nothing else.
    let bulk = browser.get("/search?q=in:trash").form_with("id=\"bulk\"");
    let mut fields = bulk.pressed("destroy");
    fields.push(("id".to_owned(), ids[1].clone()));
    assert_eq!(browser.post("/actions", &fields).status, 303);
    assert_eq!(world.ids("*"), [ids[2].clone()]);
    // A page of one message means that message.
    let more = thread_of(&world, 2, "cake");
    let form = browser.get(&format!("/messages/{}", more[1])).form_with("value=\"delete\"");
    browser.post("/actions", &form.pressed("delete"));
    assert_eq!(world.ids("in:trash"), [more[1].clone()]);
}

#[test]
fn every_message_of_a_long_thread_can_be_reached() {
    let world = World::new();
    let ids = thread_of(&world, 203, "long");
    let server = world.serve();
    let browser = Browser::new(&server);
    let page = browser.page(&format!("/threads/{}", ids[0]));
    assert!(page.contains("203 messages") && page.contains("3 earlier messages"), "{page}");
    assert_eq!(page.matches("<article class=\"message").count(), 200);
    let href = page.split("?earlier=").nth(1).unwrap().split('"').next().unwrap();
    let earlier = browser.page(&format!("/threads/{}?earlier={href}", ids[0]));
    assert_eq!(earlier.matches("<article class=\"message").count(), 3);
    assert!(ids[..3].iter().all(|id| earlier.contains(&format!("id=\"m-{id}\""))), "{earlier}");
    assert!(earlier.contains("200 later messages"), "{earlier}");
}

#[test]
fn a_damaged_message_leaves_a_line_in_its_thread() {
    let world = World::new();
    let ids = thread_of(&world, 3, "tea");
    let packs = world.data().join("packs");
    let mut files = std::fs::read_dir(packs).unwrap().map(|e| e.unwrap().path());
    let pack = files.find(|p| p.extension().is_some_and(|e| e == "pack")).unwrap();
    let mut bytes = std::fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    let server = world.serve();
    let browser = Browser::new(&server);
    let page = browser.page(&format!("/threads/{}", ids[0]));
    assert_eq!(page.matches("class=\"message broken\"").count(), 1, "{page}");
    assert!(page.contains("3 messages") && page.contains("cannot be read"), "{page}");
}

#[test]
fn a_mailto_link_leads_to_a_new_message_without_a_session() {
    let world = World::new();
    let html =
        "<p>Write to <a href=\"mailto:carol@lab.test?subject=Seeds&amp;bcc=eve@lab.test\">Carol</a></p>";
    let mail = String::from_utf8(plain("bob@lab.test", "alice@lab.test", "seeds", html)).unwrap();
    let mail = mail.replace("text/plain", "text/html");
    world.ok(&["import", &world.file("a.eml", mail)]);
    let server = world.serve();
    let browser = Browser::new(&server);
    let page = browser.page(&format!("/messages/{}?view=html", world.only("*")));
    let source = page
        .split("<iframe")
        .nth(1)
        .unwrap()
        .split("src=\"http://")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let (host, path) = source.split_once('/').unwrap();
    let document = server.request("GET", &format!("/{path}")).host(host).send().text();
    let link = document.split("/leave?t=").nth(1).unwrap_or_else(|| panic!("no link out in {document}"));
    let token = link.split(['"', '\'']).next().unwrap();
    // A click in the frame bears no cookie.
    let leave = server.get(&format!("/leave?t={token}"));
    assert_eq!(leave.status, 200);
    let leave = leave.text();
    assert!(leave.contains("carol@lab.test") && !leave.contains("eve@"), "{leave}");
    let write = leave
        .split("href=\"/compose?")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .replace("&#38;", "&")
        .replace("&amp;", "&");
    let composer = browser.page(&format!("/compose?{write}"));
    assert!(composer.contains("carol@lab.test") && composer.contains("Seeds"), "{composer}");
}

#[test]
fn addresses_that_are_none_answer_like_the_rest_of_the_house() {
    let world = World::new();
    let server = world.serve();
    let browser = Browser::new(&server);
    for (path, status) in [
        ("/?page=x", 422),
        ("/contacts?page=-1", 422),
        ("/leave", 404),
        ("/leave?t=x", 404),
        ("/messages/%FF", 404),
        ("/messages/x/parts/abc", 404),
        ("/threads/%FF", 404),
        ("/undo", 404),
        ("/static/%FF", 404),
        ("/content/", 404),
        ("/content/x", 404),
        ("/content/%FF/", 404),
    ] {
        let answer = browser.get(path);
        let header = |name: &str| answer.header(name).unwrap_or_default();
        assert_eq!(answer.status, status, "{path}");
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{path}: {policy:?}");
        assert!(header("cache-control").contains("no-store"), "{path}");
        if !path.starts_with("/content/%") {
            assert!(header("content-type").starts_with("text/html"), "{path}: {}", header("content-type"));
            assert_eq!(header("x-frame-options"), "DENY", "{path}");
        }
    }
    let path = format!("/api/v1/messages/{}", "%FF");
    let token =
        world.ok(&["token", "create", "read", "--scope", "read"])["token"].as_str().unwrap().to_owned();
    for (answer, status) in
        [(server.get(&path), 401), (server.request("GET", &path).bearer(&token).send(), 404)]
    {
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert!(browser.page(&format!("/search?q={}", encode("in:inbox"))).contains("<main"));
}
