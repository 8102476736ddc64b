//! Attachments, defused: what they show without being opened, what is said about them, and what leaves as a download.
//! Bob sends Alice all kinds of files; Mallory sends worse.

use crate::support::world::MAILKEEP;
use crate::support::{Response, Server, World};
use data_encoding::BASE64;
use image::{ImageFormat, Rgb, RgbImage};
use mailkeep::engine::preview::Opener;
use mailkeep::worker::{Job, Size, Workers};
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;

/// A file: media type, further fields of its type, name, bytes.
struct File(&'static str, &'static str, Vec<u8>);

fn mail(html: &str, files: &[File]) -> Vec<u8> {
    let mut mail = format!(
        "From: Bob <bob@lab.test>\r\nTo: alice@lab.test\r\nSubject: Files\r\nMessage-ID: <files@stories.test>\r\n\
         Date: Sat, 18 May 2024 10:00:00 +0000\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/related; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n"
    );
    for (at, File(kind, name, bytes)) in files.iter().enumerate() {
        let place = if name.is_empty() { "inline" } else { "attachment" };
        mail.push_str(&format!(
            "--b\r\nContent-Type: {kind}; name=\"{name}\"\r\nContent-Disposition: {place}; filename=\"{name}\"\r\n\
             Content-ID: <c{at}>\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            BASE64.encode(bytes)
        ));
    }
    mail.push_str("--b--\r\n");
    mail.into_bytes()
}

fn world(html: &str, files: &[File]) -> (World, String) {
    let world = World::new();
    world.ok(&["import", &world.file("a.eml", mail(html, files))]);
    let id = world.only("*");
    (world, id)
}

fn picture(format: ImageFormat, seed: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_fn(32, 24, |x, y| Rgb([seed, x as u8 * 8, y as u8 * 10]))
        .write_to(&mut bytes, format)
        .unwrap();
    bytes.into_inner()
}

/// A PDF of `count` pages, each with a line of text and with things that a reader would do.
fn pdf(count: usize) -> Vec<u8> {
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >> >>"
            .to_owned(),
        String::new(),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut kids = Vec::new();
    for page in 1..=count {
        let content =
            format!("BT /F 24 Tf 40 120 Td (Saltmarsh page {page}) Tj ET 0.2 0.4 0.8 rg 40 20 120 60 re f");
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
        let stream = objects.len();
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents {stream} 0 R /Resources << /Font << /F 3 0 R >> >> >>"
        ));
        kids.push(format!("{} 0 R", objects.len()));
    }
    objects[1] = format!("<< /Type /Pages /Count {count} /Kids [{}] >>", kids.join(" "));
    let mut bytes = b"%PDF-1.4\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (at, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", bytes.len()));
        bytes.extend(format!("{} 0 obj\n{object}\nendobj\n", at + 1).into_bytes());
    }
    let start = bytes.len();
    let trailer =
        format!("{table}trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1);
    bytes.extend(trailer.into_bytes());
    bytes
}

/// Follows an address of the content host, without any cookie.
fn content(server: &Server<'_>, address: &str) -> Response {
    let rest = address.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    server.request("GET", &format!("/{path}")).host(host).send()
}

/// A page of the signed-in owner.
fn page(server: &Server<'_>, cookies: &str, path: &str) -> String {
    let answer = server.request("GET", path).cookie(cookies).send();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.text()
}

/// The values of an attribute that begin with `start`.
fn addresses(html: &str, attribute: &str, start: &str) -> Vec<String> {
    html.split(&format!("{attribute}=\""))
        .skip(1)
        .filter_map(|rest| Some(rest.split('"').next()?.replace("&amp;", "&").replace("&#38;", "&")))
        .filter(|value| value.starts_with(start))
        .collect()
}

/// The part number of the file at `at`: the text is part 2.
fn part(at: usize) -> usize {
    at + 3
}

#[test]
fn pictures_in_a_message_are_drawn_anew_and_bombs_are_harmless() {
    let mut marked = picture(ImageFormat::Png, 1);
    marked.extend_from_slice(b"PAYLOAD-BEHIND-THE-PICTURE");
    let jpeg = [&picture(ImageFormat::Jpeg, 2)[..], b"PAYLOAD-BEHIND-THE-PICTURE"].concat();
    // A header that promises 60,000 by 60,000 pixels.
    let mut bomb = picture(ImageFormat::Png, 3);
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let files = [
        File("image/png", "", marked),
        File("image/png", "", bomb),
        File("image/jpeg", "", jpeg),
        File(
            "image/png",
            "",
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec(),
        ),
    ];
    let html = "<p>See</p><img src=\"cid:c0\"><img src=\"cid:c1\"><img src=\"cid:c2\"><img src=\"cid:c3\">";
    let (world, id) = world(html, &files);
    let server = world.serve();
    let cookies = server.sign_in();
    let whole = page(&server, &cookies, &format!("/messages/{id}?view=html"));
    let frame = addresses(&whole, "src", "http://").into_iter().find(|a| a.contains(".localhost")).unwrap();
    let document = content(&server, &frame).text();
    let pictures: Vec<String> = addresses(&document, "src", "http://");
    assert_eq!(pictures.len(), 4, "{document}");
    let answers: Vec<Response> = pictures.iter().map(|address| content(&server, address)).collect();
    assert_eq!(answers.iter().map(|a| a.status).collect::<Vec<_>>(), [200, 404, 200, 404]);
    for (answer, kind) in [(&answers[0], "image/png"), (&answers[2], "image/jpeg")] {
        assert_eq!(answer.header("content-type"), Some(kind));
        assert!(!answer.text().contains("PAYLOAD"), "what stands behind the picture is gone");
        let drawn = image::load_from_memory(&answer.body).unwrap();
        assert_eq!((drawn.width(), drawn.height()), (32, 24));
    }
    let drawn = image::load_from_memory(&answers[0].body).unwrap().to_rgb8();
    assert_eq!(drawn.get_pixel(3, 2), &Rgb([1, 24, 20]), "pixels are what they were");
}

#[test]
fn a_pdf_is_looked_at_as_pictures_and_copied_without_what_it_can_do() {
    let (world, id) = world("<p>x</p>", &[File("application/pdf", "plan.pdf", pdf(8))]);
    let server = world.serve();
    let cookies = server.sign_in();
    let message = page(&server, &cookies, &format!("/messages/{id}"));
    let path = format!("/messages/{id}/parts/{}/preview", part(0));
    assert!(message.contains(&path), "{message}");
    let first = page(&server, &cookies, &path);
    assert!(first.contains("Page 1 of 8") && first.contains("Saltmarsh page 1"), "{first}");
    let pages = addresses(&first, "src", "http://");
    assert_eq!(pages.len(), 6);
    let drawn = content(&server, &pages[0]);
    assert_eq!(drawn.header("content-type"), Some("image/png"));
    let image = image::load_from_memory(&drawn.body).unwrap().to_rgb8();
    assert_eq!(image.width(), 1100);
    // The blue field, in the lower left.
    let blue = image.get_pixel(1100 * 60 / 300, image.height() - image.height() * 50 / 200);
    assert_eq!(blue, &Rgb([51, 102, 204]));
    let later = addresses(&first, "href", &path).into_iter().find(|a| a.contains("page=7")).unwrap();
    assert_eq!(addresses(&page(&server, &cookies, &later), "src", "http://").len(), 2);
    let copy = page(&server, &cookies, &format!("/messages/{id}/parts/{}/copy", part(0)));
    assert!(copy.contains("Save plan (safe copy).pdf") && copy.contains("links, forms"), "{copy}");
    let address = addresses(&copy, "href", "http://").remove(0);
    let copied = content(&server, &address);
    assert!(copied.body.starts_with(b"%PDF-1.4"));
    for gone in ["JavaScript", "OpenAction", "app.alert"] {
        assert!(!copied.text().contains(gone), "{gone}");
    }
    assert!(copied.header("content-disposition").unwrap().contains("plan%20%28safe%20copy%29.pdf"));
    let again = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let workers = Workers::running(MAILKEEP.into());
        workers.run(&Job::Pages { first: 1, most: 20, width: 300 }, &[&copied.body]).await
    });
    assert_eq!(again.made.len(), 8, "{again:?}");
}

#[test]
fn what_cannot_be_shown_is_said_in_a_sentence() {
    let mut long = pdf(3);
    long.truncate(120);
    let files = [
        File("application/pdf", "broken.pdf", b"%PDF-1.4\nnothing more".to_vec()),
        File("application/pdf", "cut.pdf", long),
        File("image/png", "broken.png", picture(ImageFormat::Png, 1)[..60].to_vec()),
        File("application/zip", "broken.zip", b"PK\x03\x04 and then nothing".to_vec()),
        File("text/calendar", "broken.ics", b"BEGIN:VCALENDAR".to_vec()),
        File("application/octet-stream", "noise.bin", (0..=255).cycle().take(4000).collect()),
    ];
    let (world, id) = world("<p>x</p>", &files);
    let server = world.serve();
    let cookies = server.sign_in();
    for (at, File(_, name, _)) in files.iter().enumerate() {
        let html = page(&server, &cookies, &format!("/messages/{id}/parts/{}/preview", part(at)));
        let note = html.split("class=\"note\"").nth(1).unwrap_or_else(|| panic!("{}: {html}", name));
        let note = note.split("</p>").next().unwrap();
        assert!(
            note.contains("broken") || note.contains("cannot") || note.contains("no pages"),
            "{}: {note}",
            name
        );
        page(&server, &cookies, &format!("/messages/{id}/parts/{}/copy", part(at)));
    }
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn targz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

const INVITATION: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\n\
    DTSTART;TZID=Europe/Berlin:20250603T100000\r\nDTEND;TZID=Europe/Berlin:20250603T113000\r\n\
    SUMMARY:Heron count <b>\r\nLOCATION:Lagos harbour\r\nDESCRIPTION:Bring boots.\\n<script>alert(1)</script>\r\n\
    ORGANIZER;CN=Bob Brown:mailto:bob@lab.test\r\n\
    ATTENDEE;CN=Alice;PARTSTAT=ACCEPTED:mailto:alice@lab.test\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

const CARD: &str = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Carol Okafor\r\nORG:Heron Society;Lagos\r\n\
    EMAIL;TYPE=work:carol@lab.test\r\nTEL:+234 1 555\r\nNOTE:<img src=x onerror=alert(1)>\r\nEND:VCARD\r\n";

#[test]
fn calendars_cards_archives_messages_and_text_are_shown_as_plain_fields() {
    let many: Vec<(String, Vec<u8>)> = (0..1_500).map(|n| (format!("file-{n}.txt"), Vec::new())).collect();
    let many: Vec<(&str, &[u8])> =
        many.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let nested =
        "From: Dora <dora@lab.test>\r\nTo: bob@lab.test\r\nSubject: Within\r\n\r\nThe inner words.\r\n";
    let files = [
        File("text/calendar", "event.ics", INVITATION.into()),
        File("text/vcard", "carol.vcf", CARD.into()),
        File("application/zip", "birds.zip", zip_of(&[("heron.txt", b"tall"), ("setup.exe", b"MZ")])),
        File("application/gzip", "birds.tar.gz", targz(&[("nest/egg.txt", b"round")])),
        File("application/zip", "many.zip", zip_of(&many)),
        File("message/rfc822", "within.eml", nested.into()),
        File("text/plain; charset=iso-8859-1", "notes.txt", b"Gr\xfc\xdfe <b>".to_vec()),
    ];
    let (world, id) = world("<p>x</p>", &files);
    let server = world.serve();
    let cookies = server.sign_in();
    let show = |at: usize| page(&server, &cookies, &format!("/messages/{id}/parts/{}/preview", part(at)));
    for (at, wanted) in [
        (
            0,
            &[
                "Heron count &#60;b&#62;",
                "Tuesday, 3 June 2025",
                "Lagos harbour",
                "Bob Brown",
                "(accepted)",
                "Bring boots.",
            ][..],
        ),
        (1, &["Carol Okafor", "Heron Society, Lagos", "carol@lab.test", "&#60;img"]),
        (
            2,
            &[
                "heron.txt",
                "4 bytes",
                "setup.exe",
                "can run",
                "It holds a file that can run on your computer: setup.exe.",
            ],
        ),
        (3, &["nest/egg.txt", "5 bytes"]),
        (4, &["file-999.txt", "Only the first 1000 of 1500 entries are listed."]),
        (5, &["Within", "Dora", "The inner words."]),
        (6, &["Grüße &#60;b&#62;"]),
    ] {
        let html = show(at);
        for word in wanted {
            assert!(html.contains(word), "{} does not show {word:?}: {html}", files[at].1);
        }
        assert!(!html.contains("<script>alert") && !html.contains("<img src=x"), "{}", files[at].1);
    }
    assert!(!show(4).contains("file-1000.txt"));
    let parts = world.ok(&["show", &id])["parts"].clone();
    let risk =
        |at: usize| parts.as_array().unwrap().iter().find(|p| p["n"] == part(at)).unwrap()["risk"].clone();
    assert_eq!(risk(2), "danger", "a program lies in it");
    assert_eq!(risk(3), "caution");
    assert_eq!(risk(6), "none");
}

#[test]
fn what_an_archive_unpacks_to_costs_nothing() {
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0_u8; 1 << 20];
    for _ in 0..140 {
        bomb.write_all(&zeros).unwrap();
    }
    let (world, id) = world("<p>x</p>", &[File("application/gzip", "bomb.gz", bomb.finish().unwrap())]);
    let server = world.serve();
    let cookies = server.sign_in();
    let html = page(&server, &cookies, &format!("/messages/{id}/parts/{}/preview", part(0)));
    assert!(html.contains("unpacks to more than 128 MB") || html.contains("takes too long"), "{html}");
}

#[test]
fn what_a_file_is_and_what_it_says_it_is_are_both_shown() {
    let mut program = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff".to_vec();
    program.resize(400, 0);
    let files = [
        File("image/png", "cat.png", program.clone()),
        File("application/octet-stream", "invoice.pdf.exe", program),
        File("application/pdf", "bill.pdf", b"<html><form action=x><input type=password>".to_vec()),
        File("image/png", "fine.png", picture(ImageFormat::Png, 1)),
    ];
    let (world, id) = world("<p>x</p>", &files);
    let server = world.serve();
    let cookies = server.sign_in();
    let html = page(&server, &cookies, &format!("/messages/{id}"));
    for words in [
        "Its name ends in .png, its sender calls it a picture, but it is a Windows program.",
        "Its name has two endings",
        "Its name ends in .pdf, but it is a web page.",
        "This is the first message from its sender.",
    ] {
        let shorter = words.replace(", its sender calls it a picture", "");
        assert!(html.contains(words) || html.contains(&shorter), "{words}: {html}");
    }
    let fine = html.split("fine.png").nth(1).unwrap();
    assert!(!fine.contains("class=\"risk\""), "nothing speaks against a picture");
    let parts = world.ok(&["show", &id])["parts"].clone();
    let risks: Vec<&str> = parts.as_array().unwrap().iter().map(|p| p["risk"].as_str().unwrap()).collect();
    assert_eq!(risks[1..], ["danger", "danger", "danger", "none"]);
    // Once Bob is known, what is merely doubtful is no longer a warning.
    let (world, id) =
        self::world("<p>x</p>", &[File("application/zip", "a.zip", zip_of(&[("a.doc", b"a")]))]);
    let server = world.serve();
    let cookies = server.sign_in();
    let first = page(&server, &cookies, &format!("/messages/{id}"));
    assert!(first.contains("file danger") && first.contains("first message from its sender"), "{first}");
    drop(server);
    let world = World::new();
    let again = crate::support::mail::plain("bob@lab.test", "alice@lab.test", "Hello", "x");
    world.ok(&["import", &world.file("b.eml", again)]);
    // Mail is received by the second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    world.ok(&[
        "import",
        &world
            .file("a.eml", mail("<p>x</p>", &[File("application/zip", "a.zip", zip_of(&[("a.doc", b"a")]))])),
    ]);
    let id = world.only("filename:zip OR filename:a.zip");
    let server = world.serve();
    let cookies = server.sign_in();
    let second = page(&server, &cookies, &format!("/messages/{id}"));
    assert!(!second.contains("file danger") && !second.contains("first message"), "{second}");
}

#[test]
fn downloads_are_inert_whatever_they_are() {
    let kinds = [
        "text/html",
        "image/svg+xml",
        "text/xml",
        "application/xhtml+xml",
        "application/pdf",
        "text/javascript",
    ];
    let names = ["a.html", "b.svg", "c.xml", "d.xhtml", "e.pdf", "Größe; \\\"x.js"];
    let files: Vec<File> = kinds
        .iter()
        .zip(names)
        .map(|(kind, name)| File(kind, name, b"<script>alert(1)</script>".to_vec()))
        .collect();
    let (world, id) = world("<p>x</p>", &files);
    let server = world.serve();
    let cookies = server.sign_in();
    for (at, kind) in kinds.iter().enumerate() {
        let way =
            server.request("GET", &format!("/messages/{id}/parts/{}", part(at))).cookie(&cookies).send();
        let address = way.header("location").unwrap().to_owned();
        assert!(address.contains(".localhost:"), "it leaves by a host without a session: {address}");
        let answer = content(&server, &address);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"), "{kind}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.contains("sandbox") && policy.contains("default-src 'none'") && !policy.contains("allow"),
            "{policy}"
        );
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
        assert_eq!(answer.header("set-cookie"), None);
        let disposition = answer.header("content-disposition").unwrap();
        assert!(disposition.starts_with("attachment; filename=\""), "{disposition}");
        assert!(disposition.is_ascii() && disposition.matches('"').count() == 2, "{disposition}");
        assert!(disposition.contains("filename*=UTF-8''"), "{disposition}");
    }
}

#[test]
fn where_walls_cannot_be_raised_nothing_is_opened_and_the_page_says_so() {
    crate::support::without_call(libc::SYS_seccomp, || {
        let files = [
            File("application/pdf", "plan.pdf", pdf(1)),
            File("image/png", "cat.png", picture(ImageFormat::Png, 1)),
        ];
        let (world, id) = world("<p>x</p>", &files);
        let server = world.serve();
        let cookies = server.sign_in();
        for at in 0..2 {
            for what in ["preview", "copy"] {
                let html = page(&server, &cookies, &format!("/messages/{id}/parts/{}/{what}", part(at)));
                assert!(html.contains("seccomp is missing"), "{html}");
                assert!(addresses(&html, "src", "http://").is_empty(), "{html}");
            }
        }
    });
}

#[test]
fn thirty_pictures_are_one_process_and_looking_again_is_none() {
    let world = World::bare();
    let (script, count) = (world.path("counting"), world.path("count"));
    let words = format!("#!/bin/sh\necho x >> {}\nexec {MAILKEEP} \"$@\"\n", count.display());
    std::fs::write(&script, words).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let started = || std::fs::read_to_string(&count).unwrap_or_default().lines().count();
    let opener = Opener::with(Workers::running(script.clone()));
    let mut pictures: Vec<Vec<u8>> = (0..30).map(|seed| picture(ImageFormat::Png, seed)).collect();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let inputs: Vec<&[u8]> = pictures.iter().map(Vec::as_slice).collect();
        let drawn = opener.pictures(&inputs, Size::Screen).await;
        assert!(drawn.iter().all(|report| report.made.len() == 1));
        assert_eq!(started(), 1);
        let again =
            futures_util::future::join_all((0..8).map(|_| opener.pictures(&inputs, Size::Screen))).await;
        assert!(again.iter().flatten().all(|report| report.made.len() == 1));
        assert_eq!(started(), 1, "what was drawn is kept");
        // The same message asked for eight times at once, before anything is kept.
        let fresh = Opener::with(Workers::running(script.clone()));
        futures_util::future::join_all((0..8).map(|_| fresh.pictures(&inputs, Size::Screen))).await;
        assert_eq!(started(), 2);
    });
    pictures.clear();
}

#[test]
fn every_attachment_of_the_corpora_is_looked_at() {
    let Some(folder) = std::env::var_os("MAILKEEP_CORPORA") else {
        eprintln!("not run: MAILKEEP_CORPORA names no folder of mail");
        return;
    };
    let world = World::new();
    let folder = std::path::Path::new(&folder).join("mime");
    let imported = world.run_json(&["import", folder.to_str().unwrap()]);
    assert!([0, 1].contains(&imported.code()), "{imported}");
    let server = world.serve();
    let cookies = server.sign_in();
    let (mut previews, mut shown, mut said) =
        (0, std::collections::BTreeMap::new(), std::collections::BTreeMap::new());
    for id in world.ids("has:attachment") {
        let message = page(&server, &cookies, &format!("/messages/{id}"));
        let mut ways: Vec<String> = addresses(&message, "href", "/messages/");
        ways.retain(|way| way.ends_with("/preview") || way.ends_with("/copy"));
        ways.sort();
        ways.dedup();
        for way in ways {
            let html = page(&server, &cookies, &way);
            previews += 1;
            let kinds =
                ["class=\"sheet\"", "class=\"listing\"", "class=\"event\"", "class=\"text", "class=\"copy\""];
            if let Some(kind) = kinds.iter().find(|kind| html.contains(**kind)) {
                *shown.entry(*kind).or_insert(0) += 1;
            } else {
                let note = html.split("class=\"note\"").nth(1).and_then(|rest| rest.split("</p>").next());
                let note = note.unwrap_or_else(|| panic!("{way} says nothing: {html}"));
                let words = note.rsplit("<span>").next().unwrap().replace("</span>", "");
                *said.entry(words).or_insert(0) += 1;
            }
            for picture in addresses(&html, "src", "http://").into_iter().filter(|a| a.contains(".localhost"))
            {
                let answer = content(&server, &picture);
                assert_eq!(answer.status, 200, "{way}: {picture}");
                assert!(["image/png", "image/jpeg"].contains(&answer.header("content-type").unwrap()));
            }
        }
    }
    eprintln!("{previews} looked at; shown: {shown:?}; said: {said:?}");
    assert!(previews >= 700, "{previews}");
}
