//! Messages made to be too much: too deep, too many, too long, too large once unpacked. Each is shown, memory stays bounded,
//! other pages are answered meanwhile, and the reader is told what was left out.

use crate::support::{Response, Server, World};
use flate2::{Compress, Compression, FlushCompress};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most memory the server may ever have held, in kB: an encrypted store with its index, and one of these at a time.
const PEAK: u64 = 1_200_000;

/// A deflate stream of a gigabyte of nothing: one megabyte, said a thousand times.
fn gigabyte() -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut piece = Vec::with_capacity(1 << 20);
    let nothing = vec![0; 1 << 20];
    // A full flush ends on a byte and forgets what was before, so the same bytes can be said again.
    deflate.compress_vec(&nothing, &mut piece, FlushCompress::Full).unwrap();
    assert_eq!(deflate.total_in(), 1 << 20);
    let mut stream = piece.repeat(1024);
    stream.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    stream
}

fn gzip(deflated: &[u8]) -> Vec<u8> {
    [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], deflated, &[0; 4], &(1_u32 << 30).to_le_bytes()].concat()
}

fn zip(deflated: &[u8]) -> Vec<u8> {
    let (name, size) = (b"bomb.txt", u32::try_from(deflated.len()).unwrap().to_le_bytes());
    let full = (1_u32 << 30).to_le_bytes();
    let facts = [&[20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &size, &full, &[8, 0, 0, 0]].concat();
    let local = [b"PK\x03\x04", facts.as_slice(), name, deflated].concat();
    let central = [b"PK\x01\x02\x14\x00", facts.as_slice(), &[0; 14], name].concat();
    let count = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
    let end = [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &count(central.len()), &count(local.len()), &[0, 0]]
        .concat();
    [local, central, end].concat()
}

/// A picture of 30,000 by 30,000 pixels in a few kilobytes.
fn picture(deflated: &[u8]) -> Vec<u8> {
    let chunk = |kind: &[u8], data: &[u8]| {
        let mut sum = flate2::Crc::new();
        sum.update(kind);
        sum.update(data);
        [&u32::try_from(data.len()).unwrap().to_be_bytes(), kind, data, &sum.sum().to_be_bytes()].concat()
    };
    let side = 30_000_u32.to_be_bytes();
    let header = [&side[..], &side, &[8, 0, 0, 0, 0]].concat();
    let data = [&[0x78, 0xda], deflated, &[0; 4]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &data), chunk(b"IEND", b"")]
        .concat()
}

fn html(subject: &str, markup: &str) -> Vec<u8> {
    format!("Subject: {subject}\nContent-Type: text/html; charset=utf-8\n\n{markup}\n").into_bytes()
}

fn mixed(subject: &str, first: &str, kind: &str, bytes: &[u8]) -> Vec<u8> {
    let encoded = data_encoding::BASE64.encode(bytes);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!(
        "Subject: {subject}\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n{first}\n\
         --b\n{kind}\nContent-Transfer-Encoding: base64\n\n{}\n--b--\n",
        lines.join("\n")
    )
    .into_bytes()
}

/// A message, a word that must be seen in its frame or page, and whether something of it is left out.
struct Case {
    subject: &'static str,
    message: Vec<u8>,
    view: &'static str,
    seen: &'static str,
    told: Option<&'static str>,
}

const TOO_LARGE: &str = "too large to be shown whole";
const TOO_MANY: &str = "more than 1,000 parts";

fn case(subject: &'static str, message: Vec<u8>, seen: &'static str, told: Option<&'static str>) -> Case {
    Case { subject, message, view: "html", seen, told }
}

/// Too deep, too many, too large once unpacked.
fn unpacked() -> Vec<Case> {
    let bomb = gigabyte();
    let nested: String =
        (0..10_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n")).collect();
    let letters: String = (0..10_000).map(|_| "Content-Type: message/rfc822\n\n").collect();
    let parts = "--b\nContent-Type: text/html\n\n<p>part</p>\n".repeat(10_000);
    vec![
        case(
            "nested parts",
            format!("Subject: nested parts\n{nested}\nbottom\n").into_bytes(),
            "",
            // Beyond fifty they are shown as they lie there.
            Some(TOO_LARGE),
        ),
        case(
            "nested letters",
            format!("Subject: nested letters\n{letters}\nbottom\n").into_bytes(),
            "",
            None,
        ),
        case(
            "many parts",
            format!("Subject: many parts\nContent-Type: multipart/mixed; boundary=b\n\n{parts}--b--\n")
                .into_bytes(),
            "part",
            Some(TOO_MANY),
        ),
        case(
            "gzip",
            mixed("gzip", "<p>the letter", "Content-Type: application/gzip; name=bomb.gz", &gzip(&bomb)),
            "the letter",
            None,
        ),
        case(
            "zip",
            mixed("zip", "<p>the letter", "Content-Type: application/zip; name=bomb.zip", &zip(&bomb)),
            "the letter",
            None,
        ),
        case(
            "picture",
            mixed(
                "picture",
                "<p>the letter<img src=cid:p>",
                "Content-Type: image/png\nContent-ID: <p>",
                &picture(&bomb),
            ),
            "the letter",
            None,
        ),
    ]
}

/// Too much markup, too much text.
fn written_out() -> Vec<Case> {
    let cells = |n: usize| {
        format!(
            "<p>beginning<table>{}</table>ending",
            format!("<tr>{}</tr>", "<td>x</td>".repeat(10)).repeat(n / 10)
        )
    };
    vec![
        case(
            "long sheet",
            html("long sheet", &format!("<style>{}</style><p>the letter", ".a{color:red}\n".repeat(370_000))),
            "the letter",
            Some(TOO_LARGE),
        ),
        case("100,000 cells", html("100,000 cells", &cells(100_000)), "ending", None),
        case("600,000 cells", html("600,000 cells", &cells(600_000)), "beginning", Some(TOO_LARGE)),
        case(
            "long attribute",
            html(
                "long attribute",
                &format!(
                    "<p title=\"{0}\" style=\"{0}\" class=\"{0}\" id={1}>the letter<a href=\"http://x.example/{1}\">x</a>",
                    "a b ".repeat(262_144),
                    "y".repeat(1 << 20)
                ),
            ),
            "the letter",
            None,
        ),
        case(
            "many attributes",
            html(
                "many attributes",
                &format!("<p {}>the letter", (0..200_000).map(|n| format!("a{n}=b ")).collect::<String>()),
            ),
            "the letter",
            None,
        ),
        case(
            "nested boxes",
            html(
                "nested boxes",
                &format!("{}the letter{}", "<div>".repeat(100_000), "</div>".repeat(100_000)),
            ),
            "the letter",
            None,
        ),
        case(
            "nested quotes",
            html(
                "nested quotes",
                &format!("{}the letter", "<blockquote><table><tr><td><font>".repeat(30_000)),
            ),
            "the letter",
            None,
        ),
        case(
            "misnested letters",
            html(
                "misnested letters",
                &format!("<p>the letter{}", "<b><i><a href=http://x.example/><p>".repeat(30_000)),
            ),
            "the letter",
            Some(TOO_LARGE),
        ),
        case(
            "long text",
            html("long text", &format!("<p>the letter{}", "lorem ipsum ".repeat(2_000_000))),
            "the letter",
            Some(TOO_LARGE),
        ),
        Case {
            view: "text",
            ..case(
                "long plain text",
                format!("Subject: long plain text\n\nthe letter {}\n", "lorem ipsum\n".repeat(100_000))
                    .into_bytes(),
                "the letter",
                Some(TOO_LARGE),
            )
        },
        Case {
            view: "text",
            ..case(
                "one long line",
                format!("Subject: one long line\n\nthe letter {}\n", "http://x.example/>".repeat(60_000))
                    .into_bytes(),
                "the letter",
                Some(TOO_LARGE),
            )
        },
    ]
}

fn peak(server: &Server<'_>) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// What stands in the frame of a page.
fn framed(server: &Server<'_>, page: &str) -> Option<Response> {
    let source = page.split("data-message-frame").nth(1)?.split("src=\"").nth(1)?.split('"').next()?;
    let (host, path) = source.strip_prefix("http://")?.split_once('/')?;
    Some(server.request("GET", &format!("/{path}")).host(host).send())
}

#[test]
fn messages_that_are_too_much_are_shown_within_bounds() {
    let world = World::new();
    let mut cases = unpacked();
    cases.extend(written_out());
    for (n, case) in cases.iter().enumerate() {
        world.file(&format!("batch/{n:02}.eml"), &case.message);
    }
    world.file("batch/small.eml", html("small", "<p>an ordinary letter"));
    let done = world.ok(&["import", world.path("batch").to_str().unwrap()]);
    assert_eq!((&done["messages"], &done["failed"]), (&(cases.len() + 1).into(), &0.into()), "{done}");
    let id = |subject: &str| world.only(&format!("subject:\"{subject}\""));
    let ids: Vec<String> = cases.iter().map(|case| id(case.subject)).collect();
    let small = id("small");
    let server = world.serve();
    let cookie = server.sign_in();
    println!("before: {} kB", peak(&server));
    for (case, id) in cases.iter().zip(&ids) {
        let page =
            server.request("GET", &format!("/messages/{id}?view={}", case.view)).cookie(&cookie).send();
        assert_eq!(page.status, 200, "{}", case.subject);
        let page = page.text();
        for words in [TOO_LARGE, TOO_MANY] {
            assert_eq!(page.contains(words), case.told == Some(words), "{}: {words}", case.subject);
        }
        let shown = framed(&server, &page).map_or(page, |frame| {
            assert_eq!(frame.status, 200, "{}", case.subject);
            frame.text()
        });
        assert!(shown.contains(case.seen), "{}: {:?} is seen", case.subject, case.seen);
        if case.subject == "100,000 cells" {
            assert_eq!(shown.matches("<td").count(), 100_000);
        }
        println!(
            "{}: {} bytes, shown in {}; peak {} kB",
            case.subject,
            case.message.len(),
            shown.len(),
            peak(&server)
        );
    }
    assert!(peak(&server) < PEAK, "one after the other they took {} kB", peak(&server));
    // Many of the heaviest at once: they take turns, and others do not wait for them.
    let heavy: Vec<&String> = cases
        .iter()
        .zip(&ids)
        .filter(|(case, _)| ["600,000 cells", "long text", "long sheet"].contains(&case.subject))
        .map(|(_, id)| id)
        .collect();
    let finished = AtomicUsize::new(0);
    let begun = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for n in 0..18 {
            let (server, cookie, heavy, finished, begun) = (&server, &cookie, &heavy, &finished, &begun);
            scope.spawn(move || {
                let path = format!("/messages/{}?view=html", heavy[n % heavy.len()]);
                let request = server.request("GET", &path).cookie(cookie);
                begun.fetch_add(1, Ordering::SeqCst);
                let answer = request.send();
                finished.fetch_add(1, Ordering::SeqCst);
                assert_eq!(answer.status, 200, "{path}");
            });
        }
        while begun.load(Ordering::SeqCst) < 9 {
            std::thread::yield_now();
        }
        for _ in 0..5 {
            let page = server.request("GET", &format!("/messages/{small}?view=html")).cookie(&cookie).send();
            assert!(framed(&server, &page.text()).unwrap().text().contains("an ordinary letter"));
            assert_eq!(server.get("/health").status, 200);
        }
        let done = finished.load(Ordering::SeqCst);
        println!("five ordinary letters were read while {done} of 18 heavy ones were done");
        assert!(done < 18, "ordinary letters wait for heavy ones");
    });
    println!("after eighteen at once: {} kB", peak(&server));
    assert!(peak(&server) < PEAK, "many at once took {} kB", peak(&server));
}
