//! The search language over sample mail, through the command line.

use crate::support::World;
use crate::support::mail::{plain, with_attachment, with_headers};
use std::sync::OnceLock;

/// One store for all questions; nothing here changes it.
fn library() -> &'static World {
    static LIBRARY: OnceLock<World> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let world = World::new();
        let alice = "Alice Adair <alice@lab.test>";
        let put = |name: &str, bytes: Vec<u8>| {
            world.file(&format!("mail/{name}.eml"), bytes);
        };
        put("herons", plain("Bob Brown <bob@birds.example>", alice, "Herons at the harbour", "Seven herons stood still."));
        put("heron", plain("carol@birds.example", alice, "One heron", "A grey heron flew."));
        put("cafe", plain("Chloé <chloe@café.example>", alice, "Café crème à Besançon", "Un déjeuner naïf."));
        put("cjk", plain("田中 <tanaka@example.jp>", alice, "東京都の天気", "今日は良い天気ですね。図書館で本を読みました。"));
        put("korean", plain("kim@example.kr", alice, "안녕하세요", "도서관에서 책을 읽었습니다."));
        put("pdf", with_attachment("Dave <dave@lab.test>", alice, "The plan", "enclosed", "garden-plan.pdf", "%PDF"));
        put("old", {
            let bytes = plain("erin@lab.test", alice, "Long ago", "An old letter.");
            String::from_utf8(bytes).unwrap().replace("17 May 2024", "03 Feb 2021").replace("Fri, ", "").into_bytes()
        });
        put("list", with_headers("mallory@lists.example", alice, "[birds] digest", "List-Id: Birds <birds.lists.example>\r\nX-Colour: teal\r\n", "digest of birds"));
        put("cc", with_headers("bob@birds.example", "carol@lab.test", "copied", "Cc: Frank <frank@lab.test>\r\n", "for your information"));
        put("big", plain("bob@birds.example", alice, "A big one", &"padding words here\r\n".repeat(6000)));
        put("hidden", {
            let html = "<p>shown words</p><p style=\"display:none\">concealed zyzzyva</p><script>var scripted=1</script>";
            String::from_utf8(plain("bob@birds.example", alice, "Tricky", html)).unwrap().replace("text/plain", "text/html").into_bytes()
        });
        world.ok(&["import", world.path("mail").to_str().unwrap()]);
        world.ok(&["tag", "+wishlist", "--", "subject:plan"]);
        world.ok(&["tag", "+starred", "--", "subject:herons"]);
        world.ok(&["tag", "+unread", "--", "subject:\"one heron\""]);
        world
    })
}

fn subjects(query: &str) -> Vec<String> {
    let found = library().ok(&["search", query]);
    let mut subjects: Vec<String> = found["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["subject"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(found["total"], subjects.len(), "{query}: {found}");
    assert_eq!(library().count(query), subjects.len() as u64, "{query}");
    subjects.sort();
    subjects
}

#[track_caller]
fn finds(query: &str, wanted: &[&str]) {
    assert_eq!(subjects(query), wanted, "{query}");
}

#[test]
fn words_phrases_prefixes_and_logic() {
    assert_eq!(subjects("*").len(), 11);
    finds("herons", &["Herons at the harbour"]);
    finds("HERONS", &["Herons at the harbour"]);
    finds("heron*", &["Herons at the harbour", "One heron"]);
    finds("\"stood still\"", &["Herons at the harbour"]);
    finds("\"still stood\"", &[]);
    finds("grey flew", &["One heron"]);
    finds("grey OR stood", &["Herons at the harbour", "One heron"]);
    finds("heron* -grey", &["Herons at the harbour"]);
    finds("heron* NOT grey", &["Herons at the harbour"]);
    finds("heron* (grey OR nothing)", &["One heron"]);
    finds("nobodywrotethis", &[]);
}

#[test]
fn accents_and_scripts() {
    finds("cafe creme", &["Café crème à Besançon"]);
    finds("DÉJEUNER naif", &["Café crème à Besançon"]);
    finds("from:chloe", &["Café crème à Besançon"]);
    finds("天気", &["東京都の天気"]);
    finds("京都", &["東京都の天気"]);
    finds("図書館", &["東京都の天気"]);
    finds("気天", &[]);
    finds("도서관", &["안녕하세요"]);
}

#[test]
fn people() {
    finds("from:bob@birds.example subject:herons", &["Herons at the harbour"]);
    finds("from:birds.example subject:heron*", &["Herons at the harbour", "One heron"]);
    finds("from:brown", &["Herons at the harbour"]);
    finds("cc:frank", &["copied"]);
    finds("with:frank@lab.test", &["copied"]);
    finds("to:carol", &["copied"]);
    finds("from:frank", &[]);
}

#[test]
fn text_places_kinds_times_and_sizes() {
    finds("subject:harbour", &["Herons at the harbour"]);
    finds("body:harbour", &[]);
    finds("filename:garden*", &["The plan"]);
    finds("filename:garden-plan.pdf", &["The plan"]);
    finds("list:birds.lists.example", &["[birds] digest"]);
    finds("header:x-colour:teal", &["[birds] digest"]);
    finds("header:X-Colour:red", &[]);
    finds("tag:wishlist", &["The plan"]);
    finds("in:wishlist", &["The plan"]);
    finds("is:starred", &["Herons at the harbour"]);
    finds("is:unread", &["One heron"]);
    finds("-is:unread heron*", &["Herons at the harbour"]);
    finds("has:attachment", &["The plan"]);
    finds("has:document", &["The plan"]);
    finds("has:image", &[]);
    finds("before:2022", &["Long ago"]);
    finds("date:2021-02", &["Long ago"]);
    finds("date:2021-02-03", &["Long ago"]);
    finds("date:2021-01..2021-03", &["Long ago"]);
    finds("after:2024-05-18", &["The plan"]);
    finds("date:today", &[]);
    finds("larger:50k", &["A big one"]);
    finds("smaller:50k herons", &["Herons at the harbour"]);
    finds("id:Herons-at-the-harbour@stories.test", &["Herons at the harbour"]);
    finds("account:nobody@lab.test", &[]);
}

#[test]
fn what_an_html_message_hides_is_not_found() {
    finds("shown", &["Tricky"]);
    finds("zyzzyva", &[]);
    finds("scripted", &[]);
}

#[test]
fn pages_orders_and_snippets() {
    let world = library();
    let first = world.ok(&["search", "*", "--limit", "3"]);
    assert_eq!(first["total"], 11);
    assert_eq!(first["messages"].as_array().unwrap().len(), 3);
    assert!(first["took_ms"].is_number() && first["query"].is_string(), "{first}");
    let mut all = Vec::new();
    for offset in ["0", "4", "8"] {
        let page = world.ok(&["search", "*", "--limit", "4", "--offset", offset, "--sort", "oldest"]);
        all.extend(page["messages"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()));
    }
    let mut unique = all.clone();
    unique.sort();
    unique.dedup();
    assert_eq!((all.len(), unique.len()), (11, 11), "pages neither overlap nor leave gaps");
    let oldest = world.ok(&["search", "*", "--limit", "1", "--sort", "oldest"]);
    assert_eq!(oldest["messages"][0]["subject"], "Long ago");
    let newest = world.ok(&["search", "*", "--limit", "1", "--sort", "newest"]);
    assert_eq!(newest["messages"][0]["subject"], "The plan");
    world.ok(&["search", "heron*", "--sort", "relevance"]);
    world.ok(&["search", "*", "--threads"]);
    let hit = &world.ok(&["search", "stood"])["messages"][0];
    assert!(hit["snippet"].as_str().unwrap().contains("stood"), "{hit}");
    assert_eq!(hit["from"]["address"], "bob@birds.example");
    assert_eq!(hit["from"]["name"], "Bob Brown");
    assert_eq!(hit["to"][0]["address"], "alice@lab.test");
    assert_eq!(hit["date"], "2024-05-17T09:30:00Z");
    assert_eq!(hit["attachments"], 0);
    assert_eq!((&hit["privacy"], &hit["assurance"]), (&"none".into(), &"none".into()));
    assert_eq!(world.ok(&["search", "has:attachment"])["messages"][0]["attachments"], 1);
}

#[test]
fn a_query_that_cannot_be_understood_points_at_the_place() {
    let world = library();
    for query in [
        "(herons",
        "herons)",
        "\"open",
        "before:yesteryear",
        "larger:much",
        "is:purple",
        "has:nothing",
        "date:2024-13",
        "OR",
        "herons OR",
        "NOT",
        "from:",
    ] {
        let said = world.fails(2, &["search", query]);
        assert!(
            !said.contains("usage:") && !said.contains("Usage:"),
            "{query}: it is the query, not the usage: {said}"
        );
        world.fails(2, &["count", query]);
        world.fails(2, &["tag", "+x", "--", query]);
    }
    let said = world.fails(2, &["search", "herons (grey"]);
    assert!(said.contains('(') || said.contains('7') || said.contains('8'), "names the place: {said}");
}
