//! Answers on a terminal: JSON as it is, or the same in words.

use crate::engine::failure::Failure;
use crate::engine::request::{Answer, Request};
use serde_json::Value;
use std::io::Write;

/// What was asked, as far as it shapes the words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Init,
    Lock,
    PassphraseChange,
    Check,
    Search,
    Count,
    Show,
    Token,
    Export,
    Unsubscribe,
    Import,
    AccountCheck,
    OutboxEntry,
    RecoveryKey,
    Shares,
    Other,
}

impl What {
    pub(super) const fn of(request: &Request) -> Self {
        match request {
            Request::Search { .. } => Self::Search,
            Request::Count(_) => Self::Count,
            Request::Show { .. } => Self::Show,
            Request::TokenCreate { .. } => Self::Token,
            Request::Export { .. } => Self::Export,
            Request::Unsubscribe(_) => Self::Unsubscribe,
            Request::Import { .. } => Self::Import,
            Request::AccountCheck(_) => Self::AccountCheck,
            Request::OutboxRetry(_) | Request::OutboxCancel(_) => Self::OutboxEntry,
            _ => Self::Other,
        }
    }
}

/// Prints an answer; gives the exit status.
pub(super) fn print(answer: &Answer, what: What, json: bool) -> Result<u8, Failure> {
    let bytes = match answer {
        Answer::Bytes { bytes, .. } => bytes.clone(),
        // All that is said of the outbox is a list of its entries.
        Answer::Json(value) if json && what == What::OutboxEntry => format!("[{value}]\n").into_bytes(),
        Answer::Json(value) if json => format!("{value}\n").into_bytes(),
        Answer::Json(value) => words(value, what).into_bytes(),
    };
    let mut out = std::io::stdout().lock();
    match out.write_all(&bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(0),
        // Whoever closed the pipe has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(0),
        Err(_) => Err(Failure::failed("The answer could not be written to standard output")),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Text from mail must not steer a terminal.
fn tame(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

fn person(value: &Value) -> String {
    match (text(value, "name"), text(value, "address")) {
        ("", address) => address.to_owned(),
        (name, address) => format!("{name} <{address}>"),
    }
}

fn words(value: &Value, what: What) -> String {
    let words = match what {
        What::Init => format!("Made a new store in {}\n", text(value, "data")),
        What::Lock => "Locked\n".to_owned(),
        What::PassphraseChange => "The passphrase was changed\n".to_owned(),
        What::Count => format!("{}\n", value.get("total").unwrap_or(&Value::Null)),
        What::Search => search(value),
        What::Show => show(value),
        What::Token => format!("{}\n", text(value, "token")),
        What::RecoveryKey => format!("{}\n", text(value, "recovery_key")),
        What::Shares => {
            let shares = value.get("shares").and_then(Value::as_array).into_iter().flatten();
            shares.filter_map(Value::as_str).map(|share| format!("{share}\n")).collect()
        }
        What::Unsubscribe => {
            let link = text(value, "link");
            format!(
                "{}\n{}",
                text(value, "words"),
                if link.is_empty() { String::new() } else { format!("{link}\n") }
            )
        }
        What::Check | What::Export | What::Other | What::Import | What::AccountCheck | What::OutboxEntry => {
            plain(value, 0)
        }
    };
    tame(&words)
}

fn search(value: &Value) -> String {
    let mut out = String::new();
    let messages = value.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for message in messages {
        let from = message.get("from").map(person).unwrap_or_default();
        let tags = message.get("tags").and_then(Value::as_array).into_iter().flatten();
        let tags: Vec<&str> = tags.filter_map(Value::as_str).collect();
        let day: String = text(message, "date").chars().take(16).collect();
        let (id, subject) = (text(message, "id"), text(message, "subject"));
        out.push_str(&format!("{id}  {}  {from}  {subject}  ({})\n", day.replace('T', " "), tags.join(" ")));
        if !text(message, "snippet").is_empty() {
            out.push_str(&format!("    {}\n", text(message, "snippet")));
        }
    }
    let total = value.get("total").and_then(Value::as_u64).unwrap_or(0);
    let noun = if total == 1 { "message" } else { "messages" };
    out.push_str(&format!("{} of {total} {noun}\n", messages.len()));
    out
}

fn show(value: &Value) -> String {
    let people = |key: &str| {
        let all: Vec<String> =
            value.get(key).and_then(Value::as_array).into_iter().flatten().map(person).collect();
        all.join(", ")
    };
    let mut out = String::new();
    let lines = [
        ("From", value.get("from").map(person).unwrap_or_default()),
        ("To", people("to")),
        ("Cc", people("cc")),
        ("Date", text(value, "date").to_owned()),
        ("Subject", text(value, "subject").to_owned()),
    ];
    for (name, line) in lines.iter().filter(|(_, line)| !line.is_empty()) {
        out.push_str(&format!("{name}: {line}\n"));
    }
    // What makes the sender doubtful stands above the text.
    let reasons = value.get("reasons").and_then(Value::as_array).into_iter().flatten();
    reasons.filter_map(Value::as_str).for_each(|reason| out.push_str(&format!("! {reason}\n")));
    out.push_str(&format!("\n{}\n", text(value, "text")));
    let parts = value.get("parts").and_then(Value::as_array).into_iter().flatten();
    for part in parts.filter(|part| !text(part, "name").is_empty()) {
        let number = |key: &str| part.get(key).and_then(Value::as_u64).unwrap_or(0);
        let (name, kind) = (text(part, "name"), text(part, "type"));
        out.push_str(&format!("[part {}: {name}, {kind}, {} bytes]\n", number("n"), number("bytes")));
    }
    out
}

/// Any value as indented lines `key: value`.
fn plain(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            let mut out = String::new();
            for (key, value) in fields {
                let nested = matches!(value, Value::Object(f) if !f.is_empty())
                    || matches!(value, Value::Array(a) if !a.is_empty());
                out.push_str(&if nested {
                    format!("{indent}{key}:\n{}", plain(value, depth + 1))
                } else {
                    format!("{indent}{key}: {}\n", scalar(value))
                });
            }
            out
        }
        Value::Array(items) if items.is_empty() && depth == 0 => "nothing\n".to_owned(),
        Value::Array(items) => items
            .iter()
            .map(|item| {
                let text = plain(item, depth + 1);
                let text = text.trim_start();
                format!("{indent}- {text}")
            })
            .collect(),
        other => format!("{indent}{}\n", scalar(other)),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Array(_) | Value::Object(_) => "none".to_owned(),
        other => other.to_string(),
    }
}
