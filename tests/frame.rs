//! The frame and the way out of it: the very headers and attributes of the cage, who may ask for content and by which name,
//! and the page that links leave by.

use crate::support::world::PASSPHRASE;
use crate::support::{Response, Server, World};

const WORD: &str = "zanzibarian";

/// A message with a picture of its own, a file, and links of all kinds.
fn world_with_mail() -> (World, String) {
    let world = World::new();
    let mail = format!(
        "From: Bob <bob@lab.test>\nSubject: {WORD}\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n\
         <p>{WORD} <img src=cid:p> <a href='http://bank.example@eve.example/x?y#z'>one</a> <a href='https://xn--bnk-sna.example/'>two</a>\n\
         <a href='javascript:alert(1)'>three</a> <a href='mailto:bob@lab.test?subject=Hi&bcc=eve@lab.test'>four</a>\n\
         --b\nContent-Type: image/gif\nContent-ID: <p>\nContent-Transfer-Encoding: base64\n\n\
         R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7\n\
         --b\nContent-Type: text/html; name=page.html\nContent-Disposition: attachment; filename=page.html\n\n<script>alert(1)</script>\n--b--\n"
    );
    world.ok(&["import", &world.file("a.eml", mail)]);
    let id = world.only("*");
    (world, id)
}

fn attribute(tag: &str, name: &str) -> String {
    let value = tag.split(&format!(" {name}=\"")).nth(1).unwrap_or_else(|| panic!("{name} in {tag}"));
    value.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&")
}

/// The frame's tag on a message's page.
fn frame(server: &Server<'_>, cookie: &str, id: &str) -> String {
    let page = server.request("GET", &format!("/messages/{id}?view=html")).cookie(cookie).send().text();
    page.split("<iframe").nth(1).expect("a frame").split('>').next().unwrap().to_owned()
}

/// Host and path of an address.
fn parts(address: &str) -> (String, String) {
    let (host, path) = address.strip_prefix("http://").unwrap().split_once('/').unwrap();
    (host.to_owned(), format!("/{path}"))
}

fn content(server: &Server<'_>, address: &str) -> Response {
    let (host, path) = parts(address);
    server.request("GET", &path).host(&host).send()
}

#[test]
fn the_cage_is_to_the_letter_what_it_is_said_to_be() {
    let (world, id) = world_with_mail();
    let server = world.serve();
    let cookie = server.sign_in();
    let tag = frame(&server, &cookie, &id);
    assert_eq!(attribute(&tag, "sandbox"), "allow-popups allow-popups-to-escape-sandbox");
    assert_eq!(attribute(&tag, "referrerpolicy"), "no-referrer");
    for other in ["srcdoc", "allow=", "allowfullscreen", "name="] {
        assert!(!tag.contains(&format!(" {other}")), "{tag}");
    }
    let address = attribute(&tag, "src");
    let (host, _) = parts(&address);
    let answer = content(&server, &address);
    let page = server.origin();
    assert_eq!(
        answer.header("content-security-policy").unwrap(),
        format!(
            "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src http://{host} data:; \
             style-src 'unsafe-inline'; font-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors {page}"
        )
    );
    let reachable = format!("(response-origin \"{page}/*\")");
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("connection-allowlist", reachable.as_str()),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-dns-prefetch-control", "off"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_eq!(answer.header("set-cookie"), None);
    // Its picture, on the same host and nothing but a picture.
    let picture = attribute(answer.text().split("<img").nth(1).unwrap(), "src");
    let (picture_host, path) = parts(&picture);
    assert_eq!(picture_host, host);
    let answer = server.request("GET", &path).host(&host).send();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/png")), "drawn anew");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.header("content-security-policy").unwrap().contains("sandbox"));
}

#[test]
fn a_message_without_html_is_framed_where_that_is_asked_for() {
    let world = World::new();
    let mail =
        "From: Bob <bob@lab.test>\nSubject: text\n\nThe <b>old</b> harbour: https://harbour.example/\n";
    world.ok(&["import", &world.file("a.eml", mail)]);
    let id = world.only("*");
    let server = world.serve();
    let cookie = server.sign_in();
    let page = |path: &str| server.request("GET", path).cookie(&cookie).send().text();
    let tag = frame(&server, &cookie, &id);
    let document = content(&server, &attribute(&tag, "src")).text();
    assert!(document.contains("The &lt;b&gt;old&lt;/b&gt; harbour"), "{document}");
    assert!(document.contains("/leave?t="), "its link leaves like any other: {document}");
    // Nobody else asks for that: neither the message as usual, nor its thread.
    for path in
        [format!("/messages/{id}"), format!("/messages/{id}?view=text"), format!("/threads/{id}?view=html")]
    {
        assert!(!page(&path).contains("<iframe"), "{path}");
    }
}

#[test]
fn content_and_pages_never_share_a_host() {
    let (world, id) = world_with_mail();
    let server = world.serve();
    let cookie = server.sign_in();
    let address = attribute(&frame(&server, &cookie, &id), "src");
    let (host, _) = parts(&address);
    let capability = host.split('.').next().unwrap().to_owned();
    assert_eq!(capability.len(), 32, "128 bits");
    for path in [
        "/unlock",
        "/settings",
        "/health",
        "/events",
        "/leave",
        "/static/page.js",
        "/api/v1/search?q=*",
        "/x",
        "//",
        "/picture/",
        "/picture/1",
        "/picture/2",
        "/picture/4",
        "/picture/999",
    ] {
        let answer = server.request("GET", path).host(&host).cookie(&cookie).send();
        assert_eq!(answer.status, 404, "{path} on the content's host");
        assert!(!answer.text().contains(WORD), "{path}");
    }
    for method in ["POST", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(server.request(method, "/").host(&host).cookie(&cookie).send().status, 405, "{method}");
    }
    // On the page's own host the same capability opens nothing.
    for path in [format!("/content/{capability}/"), format!("/content/{capability}/picture/3")] {
        let answer = server.request("GET", &path).cookie(&cookie).send();
        assert_eq!(answer.status, 404, "{path} on the page's host");
        assert!(!answer.text().contains(WORD));
    }
    // Another capability, another port, a name below it.
    for other in [
        format!("{}.localhost:{}", "0".repeat(32), server.port()),
        format!("x.{host}"),
        host.replace(&server.port().to_string(), "1"),
        format!("{capability}.127.0.0.1:{}", server.port()),
    ] {
        let answer = server.request("GET", "/").host(&other).cookie(&cookie).send();
        assert!((400..500).contains(&answer.status), "{other} answers {}", answer.status);
        assert!(!answer.text().contains(WORD));
    }
}

#[test]
fn a_capability_dies_with_its_session_and_at_the_lock() {
    let (world, id) = world_with_mail();
    let server = world.serve();
    let cookie = server.sign_in();
    let part = format!("/messages/{id}/parts/4");
    let addresses = |cookie: &str| {
        let to = |path: &str| {
            server.request("GET", path).cookie(cookie).send().header("location").unwrap().to_owned()
        };
        [attribute(&frame(&server, cookie, &id), "src"), to(&part), to(&format!("/messages/{id}/source"))]
    };
    // Who is not signed in is given none.
    for path in [&part, &format!("/messages/{id}/source")] {
        let answer = server.get(path);
        assert!(answer.header("location").unwrap().contains("/unlock"), "{path}");
    }
    let living = addresses(&cookie);
    for address in &living {
        assert_eq!(content(&server, address).status, 200, "{address}");
    }
    for address in &living[1..] {
        let answer = content(&server, address);
        assert!(answer.header("content-disposition").unwrap().starts_with("attachment"), "{address}");
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
        assert_eq!(answer.header("connection-allowlist"), Some("()"));
        assert!(answer.header("content-security-policy").unwrap().starts_with("sandbox; default-src 'none'"));
    }
    world.ok(&["lock"]);
    for address in &living {
        assert_eq!(content(&server, address).status, 404, "locked: {address}");
    }
    // Unlocked again, the old ones stay dead and new ones live.
    let again = server.sign_in();
    for address in &living {
        assert_eq!(content(&server, address).status, 404, "of a session that ended: {address}");
    }
    for address in addresses(&again) {
        assert_eq!(content(&server, &address).status, 200, "{address}");
    }
    assert!(!PASSPHRASE.is_empty());
}

#[test]
fn links_leave_by_a_page_that_takes_only_its_own_tokens() {
    let (world, id) = world_with_mail();
    let server = world.serve();
    let cookie = server.sign_in();
    let document = content(&server, &attribute(&frame(&server, &cookie, &id), "src")).text();
    let links: Vec<String> = document
        .split("<a ")
        .skip(1)
        .filter(|rest| rest.starts_with("href="))
        .map(|rest| attribute(&format!(" {rest}"), "href"))
        .collect();
    assert_eq!(links.len(), 3, "the script is no link: {document}");
    let page = server.origin();
    assert!(
        links[0].starts_with(&format!("{page}/leave?t="))
            && links[1].starts_with(&format!("{page}/leave?t="))
            && links[2].starts_with(&format!("{page}/leave?t="))
    );
    assert!(!document.contains("eve.example") && !document.contains("eve@lab.test"), "{document}");
    let path = |link: &str| link.strip_prefix(&page).unwrap().to_owned();
    let shown = server.get(&path(&links[0]));
    assert_eq!(shown.status, 200);
    assert_eq!(shown.header("referrer-policy"), Some("same-origin"));
    let html = shown.text();
    assert!(html.contains("<strong>eve.example</strong>") && html.contains("pretends"), "{html}");
    assert!(html.contains("rel=\"noopener noreferrer\" referrerpolicy=\"no-referrer\""), "{html}");
    assert!(server.get(&path(&links[1])).text().contains("other scripts"));
    // Nothing but the token is taken, and no token but one of ours.
    let token = links[0].split("?t=").nth(1).unwrap();
    let mut changed = token.to_owned();
    let last = changed.pop().unwrap();
    changed.push(if last == 'A' { 'E' } else { 'A' });
    for query in [
        "u=http://eve.example/",
        "url=http://eve.example/",
        "t=",
        "t=http://eve.example/",
        "t=aHR0cDovL2V2ZS5leGFtcGxlLw",
        &format!("t={changed}"),
        &format!("t={}", &token[1..]),
        "",
    ] {
        let answer = server.get(&format!("/leave?{query}"));
        assert!((400..500).contains(&answer.status), "{query} answers {}", answer.status);
        assert!(!answer.text().contains("eve.example") && answer.header("location").is_none(), "{query}");
    }
    // Another process has another key.
    drop(server);
    let other = world.serve();
    assert_eq!(other.get(&path(&links[0])).status, 404);
}
