//! The doors: who is not signed in gets nothing, no page of another site gets in by the owner's hand, tokens do what they
//! say and no more, and the command line works through a running server.

use crate::support::http::encode;
use crate::support::mail::{plain, with_attachment};
use crate::support::world::{PASSPHRASE, finish};
use crate::support::{Lab, Request, Response, Server, World, as_root, wait_until};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const WORD: &str = "zanzibarian";

/// A store with one message, whose every word is `WORD`.
fn world_with_mail() -> (World, String) {
    let world = World::new();
    let mail = with_attachment(
        "Bob <bob@lab.test>",
        "alice@lab.test",
        WORD,
        WORD,
        "zanzibarian.html",
        "<script>alert(1)</script>",
    );
    world.ok(&["import", &world.file("a.eml", mail)]);
    let id = world.only("*");
    (world, id)
}

fn pages(id: &str) -> Vec<String> {
    let mut pages: Vec<String> =
        ["/", "/compose", "/settings", "/contacts", "/keys", "/devices", "/network", "/outbox", "/status"]
            .map(str::to_owned)
            .into();
    pages.push(format!("/search?q={WORD}"));
    pages.push(format!("/messages/{id}"));
    pages.push(format!("/messages/{id}?view=html"));
    pages.push(format!("/threads/{id}"));
    pages
}

fn token(world: &World, scope: &str) -> String {
    let made = world.ok(&["token", "create", scope, "--scope", scope]);
    assert_eq!(made["scope"], scope, "{made}");
    made["token"].as_str().unwrap().to_owned()
}

#[test]
fn signed_out_every_page_leads_to_unlock_and_shows_nothing() {
    let (world, id) = world_with_mail();
    for locked in [false, true] {
        let server = if locked { world.serve_locked() } else { world.serve() };
        for page in pages(&id) {
            let answer = server.get(&page);
            assert!(!answer.text().contains(WORD), "{page} shows mail to strangers");
            assert!((302..=303).contains(&answer.status), "{page} answers {}", answer.status);
            assert!(
                answer.header("location").unwrap().contains("/unlock"),
                "{page} leads to {:?}",
                answer.header("location")
            );
        }
        let unlock = server.get("/unlock").text();
        assert_eq!(unlock.matches("type=\"password\"").count(), 1, "{unlock}");
        assert!(!unlock.contains(WORD));
    }
}

/// Every path of the API, with the method, filled in with an id.
fn api_calls(server: &Server<'_>, bearer: &str, id: &str) -> Vec<(String, String)> {
    let spec = server.request("GET", "/api/v1/openapi.json").bearer(bearer).send().json();
    assert!(spec["openapi"].as_str().unwrap().starts_with("3.1"), "{}", spec["openapi"]);
    let mut calls = Vec::new();
    for (path, methods) in spec["paths"].as_object().unwrap() {
        let path = path.split('{').enumerate().fold(String::new(), |mut out, (n, piece)| {
            if n == 0 {
                out.push_str(piece);
            } else {
                let (name, rest) = piece.split_once('}').unwrap();
                out.push_str(match name {
                    "n" => "1",
                    "email" => "nobody@lab.test",
                    _ => id,
                });
                out.push_str(rest);
            }
            out
        });
        for method in methods.as_object().unwrap().keys() {
            if ["get", "post", "put", "delete", "patch"].contains(&method.as_str()) {
                calls.push((method.to_uppercase(), path.clone()));
            }
        }
    }
    assert!(calls.len() > 15, "the description is complete: {calls:?}");
    calls
}

#[test]
fn no_call_of_the_api_answers_without_a_token_and_cookies_are_not_looked_at() {
    let (world, id) = world_with_mail();
    let server = world.serve();
    let admin = token(&world, "admin");
    let cookie = server.sign_in();
    let calls = api_calls(&server, &admin, &id);
    for named in [
        "search",
        "count",
        "threads",
        "messages",
        "raw",
        "html",
        "parts",
        "tags/apply",
        "drafts",
        "outbox",
        "accounts",
        "events",
    ] {
        assert!(calls.iter().any(|(_, path)| path.contains(named)), "{named} is described: {calls:?}");
    }
    for (method, path) in calls {
        if path.ends_with("/health") || path.ends_with("openapi.json") {
            continue;
        }
        for request in [
            server.request(&method, &path),
            server.request(&method, &path).cookie(&cookie).origin(&server.origin()),
            server.request(&method, &path).bearer("mk_notatoken"),
            server.request(&method, &path).header("Authorization", "Basic YWxpY2U6eA=="),
        ] {
            let answer = request.send();
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text());
            assert!(!answer.text().contains(WORD));
            assert!(
                answer.header("content-type").unwrap().starts_with("application/problem+json"),
                "{method} {path}"
            );
        }
    }
    let health = server.get("/health").json();
    assert_eq!(health, json!({"status": "ok", "locked": false}));
}

#[test]
fn tokens_do_what_their_scope_says() {
    let (world, id) = world_with_mail();
    let server = world.serve();
    let (read, write, admin) = (token(&world, "read"), token(&world, "write"), token(&world, "admin"));
    let get = |token: &str, path: &str| server.request("GET", path).bearer(token).send();
    let tag = |token: &str, body: &Value| {
        server.request("POST", "/api/v1/tags/apply").bearer(token).json(body).send()
    };
    let found = get(&read, &format!("/api/v1/search?q={WORD}")).json();
    assert_eq!(found["total"], 1, "{found}");
    assert_eq!(found["messages"][0]["id"], id.as_str());
    assert_eq!(get(&read, "/api/v1/count?q=*").json()["total"], 1);
    let shown = get(&read, &format!("/api/v1/messages/{id}")).json();
    assert_eq!(shown["id"], id.as_str());
    assert_eq!(shown["subject"], WORD);
    assert_eq!(get(&read, &format!("/api/v1/threads/{id}")).status, 200);
    let change = json!({"query": "*", "add": ["mine"], "remove": []});
    assert_eq!(tag(&read, &change).status, 403);
    assert_eq!(tag(&write, &change).json()["changed"], 1);
    assert_eq!(tag(&write, &json!({"ids": [id], "add": [], "remove": ["mine"]})).json()["changed"], 1);
    let account = json!({"email": "x@lab.test"});
    for weak in [&read, &write] {
        assert_eq!(server.request("POST", "/api/v1/accounts").bearer(weak).json(&account).send().status, 403);
    }
    assert_eq!(get(&admin, "/api/v1/accounts").status, 200);
    // What is not there, and what cannot be understood.
    assert_eq!(get(&read, "/api/v1/messages/nobody-has-this").status, 404);
    assert_eq!(get(&read, "/api/v1/nothing-of-the-kind").status, 404);
    for query in ["(open", "is:purple"] {
        assert_eq!(get(&read, &format!("/api/v1/search?q={}", encode(query))).status, 422, "{query}");
    }
    assert_eq!(tag(&write, &json!({"query": "(open", "add": ["x"], "remove": []})).status, 422);
    assert_eq!(tag(&write, &json!({"query": "*", "ids": [id], "add": ["x"], "remove": []})).status, 422);
    let broken = server
        .request("POST", "/api/v1/tags/apply")
        .bearer(&write)
        .header("Content-Type", "application/json")
        .send();
    assert!((400..500).contains(&broken.status));
    // Revoked is gone; what is kept is a hash.
    world.ok(&["token", "revoke", "read"]);
    assert_eq!(get(&read, "/api/v1/count?q=*").status, 401);
    let listed = world.ok(&["token", "list"]).to_string();
    assert!(!listed.contains(&write) && !listed.contains(&admin), "a token is shown once");
    world.fails(4, &["token", "revoke", "nobody"]);
    world.fails(2, &["token", "create", "x", "--scope", "everything"]);
}

#[test]
fn a_locked_server_answers_the_api_with_423() {
    let (world, id) = world_with_mail();
    let admin = token(&world, "admin");
    let server = world.serve_locked();
    assert_eq!(server.get("/health").json(), json!({"status": "ok", "locked": true}));
    for path in [format!("/api/v1/messages/{id}"), "/api/v1/search?q=*".to_owned()] {
        let answer = server.request("GET", &path).bearer(&admin).send();
        assert_eq!(answer.status, 423, "{path}: {}", answer.text());
    }
}

#[test]
fn content_of_mail_leaves_the_api_inert() {
    let (world, id) = world_with_mail();
    let server = world.serve();
    let read = token(&world, "read");
    let parts = world.ok(&["show", &id])["parts"].clone();
    let numbers: Vec<u64> = parts.as_array().unwrap().iter().map(|p| p["n"].as_u64().unwrap()).collect();
    assert!(!numbers.is_empty());
    let mut paths: Vec<String> =
        ["raw", "html"].iter().map(|p| format!("/api/v1/messages/{id}/{p}")).collect();
    paths.extend(numbers.iter().map(|n| format!("/api/v1/messages/{id}/parts/{n}")));
    for path in &paths {
        let answer = server.request("GET", path).bearer(&read).send();
        assert_eq!(answer.status, 200, "{path}");
        let header = |name: &str| answer.header(name).unwrap_or_default().to_lowercase();
        assert!(header("content-disposition").starts_with("attachment"), "{path}");
        let policy = header("content-security-policy");
        assert!(
            policy.contains("sandbox")
                && policy.contains("default-src 'none'")
                && !policy.contains("allow-scripts"),
            "{path}: {policy}"
        );
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert!(header("cache-control").contains("no-store"), "{path}");
    }
    let raw = server.request("GET", &paths[0]).bearer(&read).send();
    assert_eq!(raw.body, world.raw(&id));
    let html = server.request("GET", &paths[1]).bearer(&read).send().text();
    assert!(html.contains(WORD) && !html.contains("alert(1)"), "{html}");
}

/// A policy without which a stolen click or an injected tag would do harm.
fn assert_page_headers(path: &str, answer: &Response) {
    let header = |name: &str| answer.header(name).unwrap_or_default().to_lowercase();
    let policy = header("content-security-policy");
    assert!(
        !policy.is_empty() && !policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"),
        "{path}: {policy}"
    );
    assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    assert!(
        policy.contains("default-src 'none'") || policy.contains("default-src 'self'"),
        "{path}: {policy}"
    );
    assert_eq!(header("referrer-policy"), "same-origin", "{path}");
    assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
    assert!(header("cache-control").contains("no-store"), "{path}: {}", header("cache-control"));
}

#[test]
fn pages_carry_their_headers_and_message_html_lives_in_a_frame() {
    let (world, id) = world_with_mail();
    let server = world.serve();
    assert_page_headers("/unlock", &server.get("/unlock"));
    let cookie = server.sign_in();
    for page in pages(&id) {
        let answer = server.request("GET", &page).cookie(&cookie).send();
        assert_eq!(answer.status, 200, "{page}");
        assert_page_headers(&page, &answer);
        let html = answer.text();
        assert!(
            html.contains("<main") && html.contains("<nav") && html.contains("role=\"search\""),
            "{page} has its landmarks"
        );
        assert!(!html.contains("alert(1)"), "{page}");
    }
    let list = server.request("GET", &format!("/search?q={WORD}")).cookie(&cookie).send().text();
    assert!(list.contains(&format!("data-message-id=\"{id}\"")), "{list}");
    let message = server.request("GET", &format!("/messages/{id}?view=html")).cookie(&cookie).send().text();
    let frame = message.split("<iframe").nth(1).expect("a frame").split('>').next().unwrap().to_owned();
    assert!(frame.contains("data-message-frame") && frame.contains("sandbox"), "{frame}");
    for forbidden in ["allow-scripts", "allow-same-origin", "allow-forms", "allow-top-navigation"] {
        assert!(!frame.contains(forbidden), "{frame}");
    }
    let source = frame
        .split("src=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .replace("&amp;", "&")
        .replace("&#38;", "&");
    let (host, path) = match source.strip_prefix("http://") {
        Some(rest) => {
            let (host, path) = rest.split_once('/').unwrap();
            (host.to_owned(), format!("/{path}"))
        }
        None => (server.address.clone(), source),
    };
    let content = server.request("GET", &path).host(&host).send();
    assert_eq!(content.status, 200, "{host} {path}");
    let policy = content.header("content-security-policy").unwrap();
    assert!(
        policy.contains("sandbox")
            && policy.contains("default-src 'none'")
            && !policy.contains("allow-scripts"),
        "{policy}"
    );
    assert!(content.text().contains(WORD) && !content.text().contains("alert(1)"));
    assert_eq!(content.header("referrer-policy"), Some("no-referrer"));
    // The content's name serves nothing else, and its address is no key to another message.
    if host != server.address {
        for page in ["/", "/unlock", "/settings", "/health", "/api/v1/search?q=*"] {
            if page == path {
                continue;
            }
            let answer = server.request("GET", page).host(&host).cookie(&cookie).send();
            assert!(answer.status >= 400, "{page} on {host} answers {}", answer.status);
        }
    }
}

#[test]
fn only_known_hosts_and_origins_are_served() {
    let (world, id) = world_with_mail();
    let server = world.serve();
    let cookie = server.sign_in();
    let port = server.port();
    for host in [
        "evil.example",
        &format!("evil.example:{port}"),
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "127.0.0.1:1",
    ] {
        for page in ["/", "/unlock", "/health", "/api/v1/openapi.json", &format!("/messages/{id}")] {
            let answer = server.request("GET", page).host(host).cookie(&cookie).send();
            assert!((400..500).contains(&answer.status), "{host:?} {page} answers {}", answer.status);
            assert!(!answer.text().contains(WORD));
        }
    }
    assert_eq!(server.request("GET", "/unlock").host(&format!("localhost:{port}")).send().status, 200);
    // A changing request: first find a form of ours, then send it from elsewhere.
    let page = server.request("GET", &format!("/messages/{id}")).cookie(&cookie).send();
    let form = page.form_with("value=\"unread\"");
    let post = || server.request("POST", &form.action).cookie(&cookie).form(&form.pressed("unread"));
    for origin in [
        "null",
        "http://evil.example",
        "https://127.0.0.1",
        &format!("http://127.0.0.1:{}", port ^ 1),
        &format!("http://x.localhost:{port}"),
    ] {
        assert_eq!(post().origin(origin).send().status, 403, "Origin: {origin}");
    }
    assert_eq!(post().header("Sec-Fetch-Site", "cross-site").send().status, 403);
    assert_eq!(post().send().status, 403, "neither an origin nor a word of the browser");
    // Without the form token, or with somebody else's.
    let bare = server.request("POST", &form.action).cookie(&cookie).origin(&server.origin());
    assert_eq!(bare.form(&[]).send().status, 403);
    let forged: Vec<(String, String)> =
        form.fields.iter().map(|(k, _)| (k.clone(), "AAAAAAAAAAAAAAAAAAAAAA".to_owned())).collect();
    let answer =
        server.request("POST", &form.action).cookie(&cookie).origin(&server.origin()).form(&forged).send();
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    // And the same with everything right goes through.
    let answer = post().origin(&server.origin()).send();
    assert!(answer.status < 400, "{}: {}", answer.status, answer.text());
}

#[test]
fn the_session_cookie_is_closed_to_scripts_and_other_sites() {
    let (world, _) = world_with_mail();
    let server = world.serve();
    let page = server.get("/unlock");
    let form = page.form_with("type=\"password\"");
    let mut fields = form.fields.clone();
    fields.push((form.password_name.clone(), PASSPHRASE.to_owned()));
    let jar = page.cookies();
    let answer =
        server.request("POST", &form.action).cookie(&jar).origin(&server.origin()).form(&fields).send();
    let cookie = answer.header("set-cookie").unwrap().to_lowercase();
    assert!(
        cookie.contains("httponly") && cookie.contains("samesite=") && !cookie.contains("domain="),
        "{cookie}"
    );
    assert!(!cookie.contains("samesite=none"), "{cookie}");
}

#[test]
fn guessing_the_passphrase_is_slowed_down() {
    let (world, _) = world_with_mail();
    let server = world.serve_locked();
    let page = server.get("/unlock");
    let form = page.form_with("type=\"password\"");
    let jar = page.cookies();
    let mut statuses = Vec::new();
    for n in 0..40 {
        let mut fields = form.fields.clone();
        fields.push((form.password_name.clone(), format!("guess number {n}")));
        let answer =
            server.request("POST", &form.action).cookie(&jar).origin(&server.origin()).form(&fields).send();
        statuses.push(answer.status);
        if answer.status == 429 {
            let wait = answer.header("retry-after").unwrap_or_default().to_owned();
            assert!(answer.text().contains(&format!("Wait {wait} seconds")), "{wait}: {}", answer.text());
            break;
        }
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert!(statuses.len() > 2, "a typing error or two is forgiven: {statuses:?}");
    // Who has the passphrase on this machine is not locked out by it.
    assert_eq!(world.count("*"), 1);
}

#[test]
fn fifty_guesses_at_once_do_not_eat_the_memory() {
    let (world, _) = world_with_mail();
    let server = world.serve_locked();
    let page = server.get("/unlock");
    let form = page.form_with("type=\"password\"");
    let jar = page.cookies();
    std::thread::scope(|scope| {
        for n in 0..50 {
            let (server, form, jar) = (&server, &form, &jar);
            scope.spawn(move || {
                let mut fields = form.fields.clone();
                fields.push((form.password_name.clone(), format!("guess {n}")));
                let answer = server
                    .request("POST", &form.action)
                    .cookie(jar)
                    .origin(&server.origin())
                    .form(&fields)
                    .send();
                assert!(
                    answer.status >= 400 || answer.status == 200 || answer.status == 303,
                    "{}",
                    answer.status
                );
            });
        }
    });
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse::<u64>()
        .unwrap();
    assert!(peak < 1_500_000, "fifty sign-ins took {peak} kB");
}

#[test]
fn another_user_of_this_machine_gets_nothing() {
    let world = World::bare();
    let server = world.serve_locked();
    let (host, port) = server.address.split_once(':').unwrap();
    for page in ["/", "/unlock", "/health"] {
        let script = format!(
            "exec 3<>/dev/tcp/{host}/{port} && printf 'GET {page} HTTP/1.1\\r\\nHost: {host}:{port}\\r\\nConnection: close\\r\\n\\r\\n' >&3 && cat <&3"
        );
        let output = as_root("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "bash", "-c", &script])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!text.contains("200 OK") && !text.to_lowercase().contains("passphrase"), "{page}: {text}");
    }
}

#[test]
fn every_listener_but_loopback_wants_the_code_before_set_up() {
    let world = World::bare();
    let server = world.serve_locked_at("0.0.0.0:0");
    let address = format!("127.0.0.1:{}", server.port());
    let mut page = Request::new(&address, "GET", "/").send();
    if let Some(to) = page.header("location").map(str::to_owned) {
        page = Request::new(&address, "GET", &to).send();
    }
    assert!(page.text().contains("name=\"code\""), "set-up asks for the code: {}", page.text());
    let form = page.form_with("name=\"code\"");
    for code in ["", "000000", "AAAA-AAAA"] {
        let mut fields = form.fields.clone();
        fields.push(("code".to_owned(), code.to_owned()));
        for name in ["passphrase", "again"] {
            fields.push((name.to_owned(), PASSPHRASE.to_owned()));
        }
        let post = Request::new(&address, "POST", &form.action).cookie(&page.cookies());
        let answer = post.origin(&format!("http://{address}")).form(&fields).send();
        assert!(
            answer.cookies().is_empty() || answer.status >= 400 || answer.status == 200,
            "{}",
            answer.status
        );
        assert!(!world.data().join("vault").exists(), "the code {code:?} made a store");
    }
}

#[test]
fn a_taken_port_is_an_error() {
    let world = World::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = world.run(&["serve", "--listen", &address]).fails(1);
    assert!(said.contains(&address), "{said}");
}

#[test]
fn events_tell_of_changes() {
    let (world, id) = world_with_mail();
    let server = world.serve();
    let read = token(&world, "read");
    let stream = server.request("GET", "/api/v1/events").bearer(&read).open();
    let mut lines = BufReader::new(stream).lines();
    let status = lines.next().unwrap().unwrap();
    assert!(status.contains("200"), "{status}");
    world.ok(&["tag", "+seen-by-events", "--", "*"]);
    let told = lines.map_while(Result::ok).find(|l| l.starts_with("data:") && l.len() > 6);
    assert!(told.is_some(), "an event came");
    drop(id);
}

#[test]
fn every_command_works_through_a_running_server() {
    let (world, id) = world_with_mail();
    let server = world.serve();
    assert_eq!(world.only(WORD), id);
    assert_eq!(world.count("*"), 1);
    assert_eq!(world.ok(&["show", &id])["subject"], WORD);
    assert!(!world.raw(&id).is_empty());
    assert!(String::from_utf8_lossy(&world.run(&["show", &id, "--text"]).done().stdout).contains(WORD));
    assert!(String::from_utf8_lossy(&world.run(&["show", &id, "--html"]).done().stdout).contains(WORD));
    assert_eq!(world.ok(&["tag", "+here", "--", "*"])["changed"], 1);
    let more = world.file("more.eml", plain("carol@lab.test", "alice@lab.test", "more", "x"));
    assert_eq!(world.ok(&["import", &more])["messages"], 1);
    assert_eq!(world.ok(&["export", world.path("out").to_str().unwrap(), "--format", "eml"])["messages"], 2);
    world.ok(&["account", "list"]);
    world.ok(&["outbox", "list"]);
    world.ok(&["token", "list"]);
    world.ok(&["status"]);
    world.ok(&["network", "log"]);
    world.ok(&["sync"]);
    assert_eq!(world.ok(&["check"])["damaged"], 0);
    world.ok(&["config", "set", "avatars", "off"]);
    assert_eq!(world.ok(&["config", "get", "avatars"])["value"], "off");
    world.fails(1, &["init"]);
    world.fails(1, &["serve", "--listen", "127.0.0.1:0"]);
    // The passphrase is still proved.
    let wrong = world.file("wrong", "not this one\n");
    let mut command = Command::new(crate::support::world::MAILKEEP);
    command.arg("--data").arg(world.data()).args(["--passphrase-file", &wrong, "count", "*"]);
    finish(command).fails(3);
    // The socket is the owner's.
    for entry in std::fs::read_dir(world.data()).unwrap().map(Result::unwrap) {
        let kind = entry.metadata().unwrap();
        let mode = kind.permissions().mode() & 0o777;
        let wanted = if kind.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, wanted, "{:?} has {mode:o}", entry.path());
    }
    world.ok(&["lock"]);
    assert_eq!(server.get("/health").json()["locked"], true);
}

#[test]
fn a_locked_server_is_unlocked_for_one_call_only() {
    let (world, id) = world_with_mail();
    let server = world.serve_locked();
    assert_eq!(world.only(WORD), id);
    assert_eq!(server.get("/health").json()["locked"], true);
    let mut command = Command::new(crate::support::world::MAILKEEP);
    command.arg("--data").arg(world.data()).args(["--passphrase-file", "/nowhere/at/all", "count", "*"]);
    assert_ne!(finish(command).code(), 0);
}

#[test]
fn locking_ends_sessions_and_hides_the_mail() {
    let (world, id) = world_with_mail();
    let server = world.serve();
    let cookie = server.sign_in();
    let page = format!("/messages/{id}");
    assert_eq!(server.request("GET", &page).cookie(&cookie).send().status, 200);
    world.ok(&["lock"]);
    let answer = server.request("GET", &page).cookie(&cookie).send();
    assert!((302..=303).contains(&answer.status));
    assert!(!answer.text().contains(WORD));
    // Signing in unlocks, with a new session.
    let new = server.sign_in();
    assert_eq!(server.request("GET", &page).cookie(&new).send().status, 200);
    let old = server.request("GET", &page).cookie(&cookie).send();
    assert!((302..=303).contains(&old.status), "the old session is over: {}", old.status);
}

#[test]
fn a_second_server_on_the_same_store_is_refused_and_a_stopped_one_leaves_nothing_behind() {
    let (world, _) = world_with_mail();
    let server = world.serve();
    world.fails(1, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(server.stop().code(), Some(0), "Ctrl-C is a clean end");
    let again = world.serve();
    // A killed one leaves its socket and lock; the next start minds neither.
    again.kill();
    assert_eq!(world.count("*"), 1);
    let third = world.serve();
    wait_until("the third", || third.get("/health").status == 200);
}

#[test]
fn the_demo_is_quick_to_see_and_gone_afterwards() {
    let temp = tempfile::tempdir().unwrap();
    let mut command = Command::new(crate::support::world::MAILKEEP);
    command.args(["demo", "--listen", "127.0.0.1:0"]).env("TMPDIR", temp.path()).env("HOME", temp.path());
    command.env_remove("MAILKEEP_DATA").env_remove("XDG_DATA_HOME");
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut said = Vec::new();
    let address = BufReader::new(child.stdout.as_mut().unwrap())
        .lines()
        .map_while(Result::ok)
        .inspect(|l| said.push(l.clone()))
        .find_map(|l| Some(l.strip_prefix("Mailkeep is ready at http://")?.trim_end_matches('/').to_owned()))
        .expect("the demo gets ready");
    let health = Request::new(&address, "GET", "/health").send().json();
    assert_eq!(health["locked"], false);
    crate::support::world::signal(child.id(), rustix::process::Signal::INT);
    child.wait().unwrap();
    let left: Vec<_> = std::fs::read_dir(temp.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn keys_and_peers_answer_with_the_nouns_of_the_command_line() {
    let (world, id) = world_with_mail();
    let server = world.serve();
    let (read, admin) = (token(&world, "read"), token(&world, "admin"));
    let get = |path: &str| server.request("GET", path).bearer(&read).send();
    let post =
        |token: &str, path: &str, body: &Value| server.request("POST", path).bearer(token).json(body).send();
    assert_eq!(get("/api/v1/keys").json(), json!([]));
    assert_eq!(get("/api/v1/peers").json(), json!([]));
    assert_eq!(get("/api/v1/peers/nobody@lab.test").status, 404);
    assert_eq!(get("/api/v1/keys/nobody@lab.test").status, 404);
    // Bob's key, taken in from a file.
    let lab = Lab::shared();
    let bob = lab.person("bob");
    let email = &bob.address;
    let side = World::with_account(lab, &bob);
    let armoured = String::from_utf8(side.run(&["key", "export", email]).done().stdout).unwrap();
    let fingerprint = side.ok(&["key", "list"])[0]["fingerprint"].as_str().unwrap().to_owned();
    let armoured = json!({"text": armoured});
    let taken = post(&read, "/api/v1/keys/import", &armoured);
    assert_eq!(taken.status, 403, "{}", taken.text());
    let taken = post(&admin, "/api/v1/keys/import", &armoured).json();
    assert_eq!(taken["keys"][0]["fingerprint"], fingerprint.as_str(), "{taken}");
    let peer = get(&format!("/api/v1/peers/{email}")).json();
    assert_eq!(peer["email"], email.as_str(), "{peer}");
    assert!(get(&format!("/api/v1/keys/{email}")).text().contains("BEGIN PGP PUBLIC KEY BLOCK"));
    let wrong = post(&admin, &format!("/api/v1/peers/{email}/verify"), &json!({"fingerprint": "EB85"}));
    assert_eq!(wrong.status, 409, "{}", wrong.text());
    let compared = json!({"fingerprint": fingerprint});
    let peer = post(&admin, &format!("/api/v1/peers/{email}/verify"), &compared).json();
    assert_eq!(peer["trust"], "verified", "{peer}");
    // What is secret is behind the passphrase, whatever the token.
    for path in ["/api/v1/keys/backup".to_owned(), format!("/api/v1/keys/{email}/secret")] {
        let guessed = post(&admin, &path, &json!({"passphrase": "not the passphrase"}));
        assert_eq!(guessed.status, 403, "{path}: {}", guessed.text());
    }
    let opened = post(&admin, &format!("/api/v1/messages/{id}/setup-message"), &json!({"code": "1234"}));
    assert_eq!(opened.status, 500, "it is none: {}", opened.text());
    assert!(opened.text().contains("no Autocrypt Setup Message"), "{}", opened.text());
}
