//! Runs over folders of hostile and of real HTML, where `MAILKEEP_CORPORA` names a place that has them.

use std::path::{Path, PathBuf};

use super::{checker, same};
use crate::mail::html::tree::ROOT;
use crate::mail::html::{Options, parse, sanitise, visible_text};

fn corpora() -> Option<PathBuf> {
    std::env::var_os("MAILKEEP_CORPORA").map(PathBuf::from)
}

fn files(folder: &Path, ending: &str, into: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        if path.is_dir() {
            files(&path, ending, into);
        } else if path.extension().is_some_and(|found| found == ending) {
            into.push(path);
        }
    }
}

/// Real newsletters, where there are any.
pub(super) fn newsletters() -> Vec<String> {
    let mut paths = Vec::new();
    if let Some(folder) = corpora() {
        files(&folder.join("newsletters"), "html", &mut paths);
    }
    paths.sort();
    paths.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

#[test]
fn known_payloads_come_to_nothing() {
    let Some(folder) = corpora() else { return };
    let mut paths = Vec::new();
    files(&folder.join("html/json"), "json", &mut paths);
    let mut count = 0;
    for path in paths {
        let cases: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for case in cases.as_array().unwrap() {
            let Some(payload) = case.get("payload").and_then(serde_json::Value::as_str) else { continue };
            for html in
                [payload.to_owned(), format!("<table><tr><td>{payload}"), format!("<svg><style>{payload}")]
            {
                let once = sanitise(&html, &same());
                checker::check(&once.document);
                assert_eq!(sanitise(&once.document, &same()).document, once.document, "{html}");
                assert!(!once.shown_as_text, "{html}");
                let _text = visible_text(&html);
            }
            count += 1;
        }
    }
    println!("{count} payloads");
}

#[test]
fn newsletters_keep_their_tables_and_words() {
    let Some(folder) = corpora() else { return };
    let mut paths = Vec::new();
    files(&folder.join("newsletters"), "html", &mut paths);
    let (mut count, mut bytes) = (0, 0);
    for path in paths {
        let Ok(html) = std::fs::read_to_string(&path) else { continue };
        for options in [same(), Options { dark: true, ..same() }] {
            let once = sanitise(&html, &options);
            checker::check(&once.document);
            assert_eq!(sanitise(&once.document, &options).document, once.document, "{}", path.display());
            assert!(!once.shown_as_text && !once.truncated, "{}", path.display());
            if has_cell(&html) {
                assert!(once.document.contains("<td"), "{}", path.display());
            }
        }
        let text = visible_text(&html);
        if text.text.is_empty() {
            println!("no text: {}", path.display());
        }
        count += 1;
        bytes += html.len();
    }
    println!("{count} newsletters, {bytes} bytes");
}

fn has_cell(html: &str) -> bool {
    let raw = parse::parse(html);
    let mut stack = vec![ROOT];
    while let Some(id) = stack.pop() {
        if raw.html_name(id).is_some_and(|name| &**name == "td") {
            return true;
        }
        stack.extend(raw.children(id));
    }
    false
}
