//! The sample mail is sound: whole, unique, rightly threaded, and of nobody.

use std::collections::{HashMap, HashSet};

use super::*;

const NOW: i64 = 1_715_985_000;

/// A message's header fields, unfolded, with names in lower case.
fn header(message: &DemoMessage) -> HashMap<String, String> {
    let text = String::from_utf8_lossy(&message.raw).into_owned();
    let (head, _) = text.split_once("\r\n\r\n").expect("a header and a body");
    let unfolded = head.replace("\r\n ", " ");
    let fields = unfolded.split("\r\n").map(|field| field.split_once(": ").expect("a name and a value"));
    fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect()
}

fn ids(value: Option<&String>) -> Vec<String> {
    value.map(|value| value.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

#[test]
fn there_is_enough_of_everything() {
    let messages = messages(NOW);
    assert!((300..=400).contains(&messages.len()), "{}", messages.len());
    for role in ["inbox", "archive", "sent", "draft", "spam", "trash"] {
        let count = messages.iter().filter(|message| message.folder_role == role).count();
        assert!(count >= 3, "{role}: {count}");
    }
    let holding = |text: &str| {
        let hold = |message: &&DemoMessage| String::from_utf8_lossy(&message.raw).contains(text);
        messages.iter().filter(hold).count()
    };
    for kind in [
        "image/png",
        "application/pdf",
        "text/csv",
        "text/calendar",
        "text/vcard",
        "message/rfc822",
        "multipart/report",
        "multipart/related",
        "format=flowed",
        ".pdf.exe",
        "iso-2022-jp",
        "koi8-r",
        "windows-1252",
        "gb18030",
        "quoted-printable",
        "List-Id:",
        "List-Unsubscribe:",
        "width=\"1\"",
    ] {
        assert!(holding(kind) > 0, "{kind}");
    }
    assert!(messages.iter().filter(|message| message.unread).count() > 20);
    assert!(messages.iter().filter(|message| message.starred).count() > 15);
    assert!(messages.iter().filter(|message| message.replied).count() > 60);
    let bytes: usize = messages.iter().map(|message| message.raw.len()).sum();
    assert!(bytes < 3 << 20, "{bytes}");
}

#[test]
fn every_line_of_the_scripts_becomes_a_message() {
    let sources: Vec<_> = std::fs::read_dir("src/mail/demo")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    let mut written = 0;
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        let count = |mark: &str| text.lines().filter(|line| line.starts_with(mark)).count();
        written += match path.file_stem().and_then(|stem| stem.to_str()) {
            Some("newsletters" | "spam") => count("== "),
            Some("notices") => count("% "),
            Some("files" | "people") => 0,
            _ => count("-- "),
        };
    }
    assert_eq!(messages(NOW).len(), written);
}

#[test]
fn every_message_is_whole() {
    let mut seen = HashSet::new();
    for message in messages(NOW) {
        let text = String::from_utf8_lossy(&message.raw).into_owned();
        let fields = header(&message);
        let about = fields.get("subject").cloned().unwrap_or_default();
        for name in ["date", "from", "to", "message-id", "mime-version", "content-type"] {
            assert!(fields.contains_key(name), "{name} is missing: {about}");
        }
        assert!(message.raw.is_ascii(), "{about}");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "a bare line end: {about}");
        assert!(text.split("\r\n").all(|line| line.len() <= 998), "a long line: {about}");
        assert!(!text.contains("{{"), "a place left open: {about}");
        assert!(!(1..9).any(|n| text.contains(&format!("{{{n}}}"))), "a place left open: {about}");
        for boundary in text.split("boundary=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(text.contains(&format!("\r\n--{boundary}\r\n")), "{about}");
            assert!(text.contains(&format!("\r\n--{boundary}--\r\n")), "{about}");
        }
        assert!(seen.insert(fields["message-id"].clone()), "twice: {about}");
    }
}

#[test]
fn answers_name_what_they_answer() {
    let messages = messages(NOW);
    let known: HashMap<String, (i64, Vec<String>)> = messages
        .iter()
        .map(|message| {
            let fields = header(message);
            (fields["message-id"].clone(), (message.received_at, ids(fields.get("references"))))
        })
        .collect();
    let mut answers = 0;
    for message in &messages {
        let fields = header(message);
        let Some(parent) = fields.get("in-reply-to") else {
            assert!(!fields.contains_key("references"));
            continue;
        };
        let (parent_at, parent_references) = &known[parent];
        let mut expected = parent_references.clone();
        expected.push(parent.clone());
        assert_eq!(ids(fields.get("references")), expected);
        assert!(*parent_at < message.received_at, "{parent} came after its answer");
        answers += 1;
    }
    assert!(answers > 180, "{answers}");
}

#[test]
fn nobody_real_is_named() {
    for message in messages(NOW) {
        let text = String::from_utf8_lossy(&message.raw).replace("=\r\n", "");
        let addresses = text.split(|c: char| c.is_whitespace() || "<>,;:()\"'".contains(c));
        for address in addresses.filter(|word| word.contains('@') && word.contains('.')) {
            let address = address.trim_end_matches(['.', '?']);
            let domain = address.rsplit('@').next().unwrap_or_default();
            assert!(domain.ends_with(".example") || domain.starts_with("import"), "{address}");
        }
        for link in text.split("://").skip(1) {
            let host: String =
                link.chars().take_while(|c| c.is_alphanumeric() || "-.".contains(*c)).collect();
            assert!(host.trim_end_matches('.').ends_with(".example"), "{host}");
        }
    }
}

#[test]
fn all_mail_is_to_or_from_robin_and_of_the_last_two_years() {
    for now in [NOW, NOW + 3600, NOW - 5 * 3600, 0] {
        for message in messages(now) {
            let fields = header(&message);
            let people =
                ["from", "to", "cc"].map(|name| fields.get(name).cloned().unwrap_or_default()).join(" ");
            assert!(people.contains(OWNER_ADDRESS) || fields.contains_key("list-id"), "{people}");
            assert_eq!(
                fields["from"].contains(OWNER_ADDRESS),
                matches!(message.folder_role, "sent" | "draft"),
                "{people}"
            );
            assert!(message.received_at <= now && message.received_at > now - 731 * 86_400, "{people}");
        }
    }
    assert_eq!(messages(NOW), messages(NOW));
}
