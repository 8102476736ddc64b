//! The conversations: scripts to messages, with who answers whom.

use encoding_rs::UTF_8;

use super::DemoMessage;
use super::build::{Mail, Part, arrival, simple_html};
use super::encode::{charset, mailbox, wrap};
use super::files::{file, invitation};
use super::people::{Person, list, person};
use super::pictures::seed;
use super::script::{Entry, Thread, threads};
use super::time::{Calendar, spoken_date};

const SCRIPTS: [&str; 10] = [
    include_str!("family.txt"),
    include_str!("coop.txt"),
    include_str!("choir.txt"),
    include_str!("work.txt"),
    include_str!("law.txt"),
    include_str!("courier.txt"),
    include_str!("lists.txt"),
    include_str!("world.txt"),
    include_str!("odds.txt"),
    include_str!("drafts.txt"),
];
/// Older mail that no script places elsewhere has been put away.
const ARCHIVED_AFTER_DAYS: i64 = 45;
const PROGRAMS: [&str; 5] = [
    "Heliograph 3.2",
    "Pigeonhole Mail (Desktop)",
    "Semaphore/115.4",
    "Quill for telephones 8",
    "Postern 0.19",
];

/// A message of a thread, for those that answer it.
struct Written {
    id: String,
    references: Vec<String>,
    subject: String,
    text: &'static str,
    from: Person,
    to: String,
    at: i64,
    message: DemoMessage,
}

/// All conversations.
pub(super) fn messages(calendar: Calendar) -> Vec<DemoMessage> {
    SCRIPTS.into_iter().flat_map(threads).flat_map(|thread| thread_messages(&thread, calendar)).collect()
}

fn thread_messages(thread: &Thread, calendar: Calendar) -> Vec<DemoMessage> {
    let mut written: Vec<Written> = Vec::new();
    for (number, entry) in thread.entries.iter().enumerate() {
        let parent = entry
            .options
            .value("re")
            .or_else(|| entry.options.value("forward"))
            .map_or_else(|| number.checked_sub(1), |index| index.parse().ok())
            .filter(|_| !entry.options.has("new"));
        let parent = parent.and_then(|index| written.get_mut(index));
        let Some(from) = person(entry.from) else { continue };
        let next = write(thread, entry, number, from, parent.as_deref(), calendar);
        if let Some(parent) = parent {
            parent.message.replied |= from.is_owner() && !parent.from.is_owner();
        }
        written.extend(next);
    }
    written.into_iter().map(|written| written.message).collect()
}

fn write(
    thread: &Thread,
    entry: &Entry,
    number: usize,
    from: Person,
    parent: Option<&Written>,
    calendar: Calendar,
) -> Option<Written> {
    let options = &entry.options;
    let days_ago = thread.days_ago - entry.day;
    let mut at = calendar.at(days_ago, entry.clock)?;
    let id = format!("{:08x}.{number}.{}@{}", seed(thread.slug), seed(entry.text) % 10_000, from.domain());
    if !entry.clock.starts_with("now") {
        at += i64::from(seed(&id) % 60);
    }
    let mut references = parent.map(|parent| parent.references.clone()).unwrap_or_default();
    references.extend(parent.map(|parent| parent.id.clone()));
    let subject = match (options.subject, parent) {
        (Some(subject), _) => subject.to_owned(),
        (None, Some(parent)) if options.value("forward").is_some() => {
            format!("Fwd: {}", bare(&parent.subject))
        }
        (None, Some(parent)) => format!("Re: {}", bare(&parent.subject)),
        (None, None) if options.has("nosubject") => String::new(),
        (None, None) => thread.subject.to_owned(),
    };
    let recipients =
        |keys: &[&str]| -> Vec<String> { keys.iter().filter_map(|key| recipient(key, thread)).collect() };
    let (to, cc) = (recipients(&entry.to), recipients(&entry.cc));
    let mail = Mail {
        from: mailbox(from.name, from.address),
        to: to.clone(),
        cc,
        subject: &subject,
        at,
        zone: from.zone,
        id: &id,
        references: &references,
        charset: options.value("charset").map_or(UTF_8, charset),
        fields: fields(thread, entry, from, &id, at),
        body: body(entry, from, &id, at, parent, calendar),
    };
    let message = DemoMessage {
        raw: mail.bytes(),
        folder_role: folder_role(thread, entry, from, days_ago),
        received_at: at,
        unread: options.has("unread"),
        starred: options.has("starred"),
        replied: false,
        tags: thread.options.value("tags").map(|tags| tags.split(',').collect()).unwrap_or_default(),
    };
    let to = entry
        .to
        .first()
        .and_then(|key| person(key))
        .map_or(String::new(), |person| person.address.to_owned());
    Some(Written { id, references, subject, text: entry.text, from, to, at, message })
}

fn bare(subject: &str) -> &str {
    subject.strip_prefix("Re: ").or_else(|| subject.strip_prefix("Fwd: ")).unwrap_or(subject)
}

fn recipient(key: &str, thread: &Thread) -> Option<String> {
    if key == "list" {
        let list = list(thread.options.value("list")?)?;
        return Some(mailbox(list.name, list.address));
    }
    person(key).map(|person| mailbox(person.name, person.address))
}

fn folder_role(thread: &Thread, entry: &Entry, from: Person, days_ago: i64) -> &'static str {
    if entry.options.has("draft") {
        "draft"
    } else if from.is_owner() {
        "sent"
    } else if days_ago > ARCHIVED_AFTER_DAYS || thread.options.value("folder") == Some("archive") {
        "archive"
    } else {
        "inbox"
    }
}

fn fields(thread: &Thread, entry: &Entry, from: Person, id: &str, at: i64) -> Vec<(&'static str, String)> {
    if from.is_owner() {
        return vec![("User-Agent", "Mailkeep".to_owned())];
    }
    let list = thread.options.value("list").and_then(list).filter(|_| entry.to.contains(&"list"));
    let domain = list.map_or(from.domain(), |list| list.address.rsplit('@').next().unwrap_or_default());
    let mut fields = arrival(domain, if entry.options.has("bounce") { "" } else { from.address }, id, at);
    if let Some(list) = list {
        fields.push(("List-Id", format!("{} <{}>", list.name, list.id)));
        fields.push(("List-Post", format!("<mailto:{}>", list.address)));
        fields.push(("List-Unsubscribe", format!("<https://{domain}/leave>")));
        fields.push(("Precedence", "list".to_owned()));
    }
    if entry.options.has("auto") || entry.options.has("bounce") {
        fields.push(("Auto-Submitted", "auto-replied".to_owned()));
    } else {
        let index = usize::try_from(seed(from.address)).unwrap_or(0) % PROGRAMS.len();
        fields.extend(PROGRAMS.get(index).map(|program| ("User-Agent", (*program).to_owned())));
    }
    fields
}

fn body(
    entry: &Entry,
    from: Person,
    id: &str,
    at: i64,
    parent: Option<&Written>,
    calendar: Calendar,
) -> Part {
    let options = &entry.options;
    let mut text = entry.text.to_owned();
    if !from.signature.is_empty() && !options.has("auto") {
        text.push_str("\n\n-- \n");
        text.push_str(&from.signature.replace('~', "\n"));
    }
    if let Some(parent) = parent.filter(|_| options.has("quote")) {
        text.push_str(&quotation(parent, from));
    }
    let flowed = options.has("flowed");
    let encoding = options.value("charset").map_or(UTF_8, charset);
    let mut part = Part::plain(&wrap(&text, flowed), encoding, flowed);
    let inline = options.value("inline").and_then(file);
    if let Some(picture) = &inline {
        let content_id = format!("picture.{id}");
        let html = Part::html(&simple_html(&text, Some(&content_id)));
        let related = Part::multipart("related", id, [html, Part::file(picture, Some(&content_id))]);
        part = Part::multipart("alternative", id, [part, related]);
    } else if options.has("html") {
        part = Part::multipart("alternative", id, [part, Part::html(&simple_html(&text, None))]);
    } else if options.value("ics").is_some() {
        part = Part::multipart("alternative", id, [part, Part::calendar(&invitation(calendar, at))]);
    }
    if let Some(parent) = parent.filter(|_| options.has("bounce")) {
        let [status, head] = Part::report(&parent.to, &parent.message.raw);
        return Part::multipart("report; report-type=delivery-status", id, [part, status, head]);
    }
    let forwarded = parent.filter(|_| options.value("forward").is_some());
    let forwarded = forwarded.map(|parent| Part::message(&parent.message.raw));
    let attached = options.value("attach").and_then(file).map(|file| Part::file(&file, None));
    let files: Vec<_> = forwarded.into_iter().chain(attached).collect();
    if files.is_empty() { part } else { Part::multipart("mixed", id, std::iter::once(part).chain(files)) }
}

/// What the parent said, below the answer.
fn quotation(parent: &Written, reader: Person) -> String {
    let mut quotation =
        format!("\n\nOn {}, {} wrote:\n", spoken_date(parent.at, reader.zone), parent.from.name);
    for line in wrap(parent.text, false).lines() {
        quotation.push_str(if line.starts_with('>') || line.is_empty() { ">" } else { "> " });
        quotation.push_str(line);
        quotation.push('\n');
    }
    quotation
}
