//! What nobody writes in person: newsletters, receipts and notices, and spam.

use encoding_rs::UTF_8;

use super::DemoMessage;
use super::build::{Mail, Part, arrival, simple_html};
use super::encode::{escape_html, mailbox, wrap};
use super::files::file;
use super::people::OWNER_ADDRESS;
use super::pictures::seed;
use super::script::sections;
use super::time::Calendar;

/// The look of a newsletter and who sends it.
struct Design {
    name: &'static str,
    address: &'static str,
    page: &'static str,
    unsubscribe: Option<&'static str>,
}

/// All of them.
pub(super) fn messages(calendar: Calendar) -> Vec<DemoMessage> {
    let newsletters =
        sections(include_str!("newsletters.txt")).filter_map(|(head, text)| newsletter(head, text, calendar));
    let notices =
        sections(include_str!("notices.txt")).flat_map(|(head, text)| notices(head, text, calendar));
    let spam = sections(include_str!("spam.txt")).filter_map(|(head, text)| spam(head, text, calendar));
    newsletters.chain(notices).chain(spam).collect()
}

fn design(key: &str) -> Option<Design> {
    let (name, address, page, unsubscribe) = match key {
        "almanac" => (
            "The Slow Almanac",
            "editor@slowalmanac.example",
            include_str!("almanac.html"),
            Some("<https://slowalmanac.example/leave>, <mailto:leave@slowalmanac.example>"),
        ),
        "seeds" => (
            "Bramble & Pike",
            "news@brambleandpike.example",
            include_str!("seeds.html"),
            Some("<https://brambleandpike.example/stop>"),
        ),
        "rail" => (
            "Halcyon Night Trains",
            "goodnight@halcyonrail.example",
            include_str!("rail.html"),
            Some("<https://click.halcyonrail.example/u/9f31c2>"),
        ),
        "release" => (
            "Tessellate",
            "releases@tessellate.example",
            include_str!("release.html"),
            Some("<https://tessellate.example/untick>"),
        ),
        "energy" => ("Kestrel Energy", "statements@kestrelenergy.example", include_str!("energy.html"), None),
        _ => return None,
    };
    Some(Design { name, address, page, unsubscribe })
}

/// `design | days | clock folder | subject`, then `> ` for the preheader and `* head | text` for each item.
fn newsletter(head: &'static str, text: &'static str, calendar: Calendar) -> Option<DemoMessage> {
    let mut facts = head.splitn(4, '|').map(str::trim);
    let key = facts.next()?;
    let design = design(key)?;
    let days_ago = facts.next()?.parse().ok()?;
    let when = facts.next()?;
    let (clock, is_trash) = when.strip_suffix(" trash").map_or((when, false), |clock| (clock, true));
    let subject = facts.next()?;
    let preheader = text.lines().find_map(|line| line.strip_prefix("> ")).unwrap_or_default();
    let items: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("* ")?.split_once(" | ")).collect();
    let number = format!("{:05}", seed(subject) % 100_000);
    let html = fill(design.page, subject, preheader, &number, &items).replace('\n', "\r\n");
    let plain: String =
        items.iter().map(|(head, text)| format!("{head}\n{}\n\n", without_tags(text))).collect();
    let plain = format!("{subject}\n\n{preheader}\n\n{plain}");
    let id = format!("{number}.{days_ago}@{}", domain(design.address));
    let body = match key {
        // Some send nothing but HTML.
        "energy" | "seeds" => Part::html(&html),
        _ => Part::multipart(
            "alternative",
            &id,
            [Part::plain(&wrap(&plain, false), UTF_8, false), Part::html(&html)],
        ),
    };
    let mut fields = vec![("Precedence", "bulk".to_owned())];
    if let Some(unsubscribe) = design.unsubscribe {
        fields.push(("List-Unsubscribe", unsubscribe.to_owned()));
        fields.push(("List-Id", format!("<news.{}>", domain(design.address))));
    }
    let folder_role = match days_ago {
        _ if is_trash => "trash",
        60.. => "archive",
        _ => "inbox",
    };
    let mut message =
        circular(design.name, design.address, subject, &id, calendar.at(days_ago, clock)?, fields, body);
    message.folder_role = folder_role;
    message.unread = !is_trash && days_ago < 60;
    message.tags = if key == "energy" { vec!["receipts"] } else { vec!["newsletters"] };
    Some(message)
}

fn fill(page: &str, title: &str, preheader: &str, number: &str, items: &[(&str, &str)]) -> String {
    let (before, rest) = page.split_once("<!-- item -->").unwrap_or((page, ""));
    let (item, after) = rest.split_once("<!-- /item -->").unwrap_or(("", rest));
    let mut whole = before.to_owned();
    for (index, (head, text)) in (1..).zip(items) {
        // The texts of items may hold tags of their own.
        let item = item.replace("{{head}}", &escape_html(head)).replace("{{text}}", text);
        whole.push_str(&item.replace("{{i}}", &format!("{index}")));
    }
    whole.push_str(after);
    whole
        .replace("{{title}}", &escape_html(title))
        .replace("{{preheader}}", &escape_html(preheader))
        .replace("{{n}}", number)
}

fn without_tags(text: &str) -> String {
    text.replace("<code>", "`").replace("</code>", "`").replace("&amp;", "&")
}

/// `name | address | tag | subject`, a template with `{1}` and so on, then a `% ` line of facts for each message.
fn notices(head: &'static str, text: &'static str, calendar: Calendar) -> Vec<DemoMessage> {
    let fields: Vec<_> = head.splitn(4, '|').map(str::trim).collect();
    let [name, address, tag, subject] = fields.as_slice() else { return Vec::new() };
    let template = text.split("\n% ").next().unwrap_or_default();
    let rows = text.lines().filter_map(|line| line.strip_prefix("% "));
    rows.filter_map(|row| {
        let mut facts = row.split('|').map(str::trim);
        let (days_ago, clock) = facts.next()?.split_once(' ')?;
        let days_ago: i64 = days_ago.parse().ok()?;
        let (mut subject, mut text) = ((*subject).to_owned(), template.trim().to_owned());
        for (number, fact) in (1..).zip(facts) {
            let place = format!("{{{number}}}");
            subject = subject.replace(&place, fact);
            text = text.replace(&place, fact);
        }
        let id = format!("{:08x}.{days_ago}@{}", seed(row), domain(address));
        let fields = vec![("Auto-Submitted", "auto-generated".to_owned())];
        let body = Part::plain(&wrap(&text, false), UTF_8, false);
        let mut message = circular(name, address, &subject, &id, calendar.at(days_ago, clock)?, fields, body);
        message.folder_role = if days_ago > 30 { "archive" } else { "inbox" };
        message.unread = days_ago < 9;
        message.tags = vec![tag];
        Some(message)
    })
    .collect()
}

/// `name | address | days | clock | subject | options`, then the text.
fn spam(head: &'static str, text: &'static str, calendar: Calendar) -> Option<DemoMessage> {
    let fields: Vec<_> = head.split('|').map(str::trim).collect();
    let [name, address, days_ago, clock, subject, options] = fields.as_slice() else { return None };
    let id = format!("{:08x}.{:08X}@{}", seed(subject), seed(text), domain(address));
    let text = text.trim();
    let mut body = Part::plain(&wrap(text, false), UTF_8, false);
    if *options == "html" {
        body = Part::html(&simple_html(text, None));
    }
    if let Some(file) = options.strip_prefix("attach=").and_then(file) {
        body = Part::multipart("mixed", &id, [body, Part::file(&file, None)]);
    }
    let at = calendar.at(days_ago.parse().ok()?, clock)?;
    let mut message = circular(name, address, subject, &id, at, Vec::new(), body);
    message.folder_role = "spam";
    message.unread = true;
    Some(message)
}

fn circular(
    name: &str,
    address: &str,
    subject: &str,
    id: &str,
    at: i64,
    more: Vec<(&'static str, String)>,
    body: Part,
) -> DemoMessage {
    let mut fields = arrival(domain(address), address, id, at);
    fields.extend(more);
    let mail = Mail {
        from: mailbox(name, address),
        to: vec![mailbox("Robin Vale", OWNER_ADDRESS)],
        cc: Vec::new(),
        subject,
        at,
        zone: "+0000",
        id,
        references: &[],
        charset: UTF_8,
        fields,
        body,
    };
    DemoMessage {
        raw: mail.bytes(),
        folder_role: "inbox",
        received_at: at,
        unread: false,
        starred: false,
        replied: false,
        tags: Vec::new(),
    }
}

fn domain(address: &str) -> &str {
    address.rsplit('@').next().unwrap_or(address)
}
