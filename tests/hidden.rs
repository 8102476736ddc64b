//! What a sender makes not to be seen is nowhere: not found by a search, not in the first words of a list, not in the text, the
//! frame, an answer or a forward; and the reader is told. Each way of hiding is held against each of these.

use crate::support::World;

/// Ways of hiding HELD within a message whose other words are seen.
const WAYS: [(&str, &str); 22] = [
    ("display", "<div style='display:none'>HELD</div>"),
    ("important", "<div style='DISPLAY : none !important; display:block'>HELD</div>"),
    ("visibility", "<p style='visibility:hidden'>HELD</p>"),
    ("nought", "<span style='font-size:0'>HELD</span>"),
    ("tiny", "<span style='font-size:1px;line-height:1px'>HELD</span>"),
    ("white", "<p style='color:#ffffff'>HELD</p>"),
    ("nearly", "<p style='color:#fefefe;background:#ffffff'>HELD</p>"),
    ("font", "<font color=white>HELD</font>"),
    ("cell", "<table bgcolor='#102030'><tr><td style='color:rgb(16,32,48)'>HELD</td></tr></table>"),
    ("clear", "<p style='color:transparent'>HELD</p>"),
    ("faded", "<p style='opacity:0'>HELD</p>"),
    ("left", "<div style='position:absolute;left:-9999px'>HELD</div>"),
    ("indent", "<div style='text-indent:-9999px'>HELD</div>"),
    ("margin", "<div style='margin-left:-9999px'>HELD</div>"),
    ("flat", "<div style='height:0;overflow:hidden'>HELD</div>"),
    ("cut", "<div style='position:absolute;clip:rect(0 0 0 0)'>HELD</div>"),
    ("attribute", "<div hidden>HELD</div>"),
    ("class", "<style>.preheader-x{display:none}</style><div class='preheader-x'>HELD</div>"),
    ("rule", "<style>#a td span{color:#fff}</style><table id=a><tr><td><span>HELD</span></td></tr></table>"),
    ("media", "<style>@media screen{.m{max-height:0;overflow:hidden}}</style><div class=m>HELD</div>"),
    ("outlook", "<!--[if mso]><p>HELD</p><![endif]-->"),
    ("inherited", "<div style='color:#fff'><p><b>HELD</b></p></div>"),
];

fn mail(name: &str, html: &str) -> Vec<u8> {
    format!(
        "From: Bob <bob@lab.test>\r\nTo: alice@lab.test\r\nSubject: way {name}\r\nDate: Fri, 17 May 2024 09:30:00 +0000\r\n\
         Message-ID: <{name}@stories.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
         <html><body><p>Seen before.</p>{html}<p>Seen after.</p></body></html>\r\n"
    )
    .into_bytes()
}

#[test]
fn what_is_hidden_is_nowhere_and_the_reader_is_told() {
    let world = World::new();
    let mut secrets = Vec::new();
    for (at, (name, html)) in WAYS.iter().enumerate() {
        let secret = format!("quagmire{at}x");
        let path = world.file(&format!("{name}.eml"), mail(name, &html.replace("HELD", &secret)));
        world.ok(&["import", &path]);
        secrets.push((*name, secret));
    }
    let server = world.serve();
    let cookie = server.sign_in();
    let page = |path: &str| server.request("GET", path).cookie(&cookie).send().text();
    for (name, secret) in &secrets {
        let id = world.only(&format!("subject:{name}"));
        assert_eq!(world.count(secret), 0, "{name}: a search finds it");
        assert_eq!(world.count(&format!("body:{secret}")), 0, "{name}: a search finds it");
        for form in ["--text", "--html", "--json"] {
            let told = String::from_utf8(world.run(&["show", &id, form]).done().stdout).unwrap();
            assert!(told.contains("Seen after"), "{name}: show {form} tells the rest: {told}");
            assert!(!told.contains(secret.as_str()), "{name}: show {form} has it: {told}");
        }
        for path in [
            format!("/messages/{id}"),
            format!("/messages/{id}?view=text"),
            format!("/search?q=subject:{name}"),
            format!("/compose?reply={id}"),
            format!("/compose?forward={id}"),
        ] {
            let answer = server.request("GET", &path).cookie(&cookie).send();
            let answer = match answer.header("location") {
                Some(further) => page(further),
                None => answer.text(),
            };
            assert!(!answer.contains(secret.as_str()), "{name}: {path} has it");
            // The page of a message leaves its HTML to the frame.
            let is_framed = path == format!("/messages/{id}");
            assert!(answer.contains("Seen") || is_framed, "{name}: {path} shows the rest: {answer}");
        }
        let shown = page(&format!("/messages/{id}?view=text"));
        // What only one mail program would show is no part of the message: there is nothing to tell.
        assert_eq!(shown.contains("made not to be seen"), *name != "outlook", "{name}: {shown}");
    }
    // The stored bytes are exact, whatever they hold.
    let id = world.only("subject:display");
    assert!(String::from_utf8_lossy(&world.raw(&id)).contains("quagmire0x"));
}

#[test]
fn what_only_looks_hidden_is_found_and_shown() {
    let world = World::new();
    for (name, html) in [
        ("onblack", "<table bgcolor=black><tr><td><font color=white>marzipan</font></td></tr></table>"),
        (
            "onphoto",
            "<div style='background:url(https://b.example/x)'><p style='color:#fff'>marzipan</p></div>",
        ),
        ("outlookhides", "<p style='mso-hide:all'>marzipan</p>"),
        ("nested", "<td style='font-size:0'><p style='font-size:14px'>marzipan</p></td>"),
        ("zerowidth", "<p>mar\u{200b}zi\u{ad}pan</p>"),
    ] {
        world.ok(&["import", &world.file(&format!("{name}.eml"), mail(name, html))]);
        let id = world.only(&format!("subject:{name}"));
        assert_eq!(world.count(&format!("subject:{name} marzipan")), 1, "{name} is found");
        let text = String::from_utf8(world.run(&["show", &id, "--text"]).done().stdout).unwrap();
        assert!(text.contains("marzipan"), "{name} is read: {text}");
    }
}

#[test]
fn a_newsletters_first_line_is_told_of_quietly() {
    let world = World::new();
    let html =
        "<html><body><div style='display:none'>This week: quagmire and more</div><p>Seen.</p></body></html>";
    let mut bytes = mail("news", "");
    let text = String::from_utf8(std::mem::take(&mut bytes)).unwrap();
    let (head, _) = text.split_once("<html>").unwrap();
    world.ok(&["import", &world.file("news.eml", format!("{head}{html}"))]);
    let server = world.serve();
    let cookie = server.sign_in();
    let id = world.only("subject:news");
    let shown = server.request("GET", &format!("/messages/{id}")).cookie(&cookie).send().text();
    assert!(shown.contains("Its first line is made not to be seen"), "{shown}");
    assert!(!shown.contains("It holds text"), "{shown}");
    assert!(!shown.contains("quagmire"), "{shown}");
}
