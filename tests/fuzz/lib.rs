//! The floors that are fuzzed, alone, and what the targets hold every input to.

pub mod crypto;
pub mod mail;

use mail::html::{Options, Remote, sanitise};

/// Elements that no document of ours holds.
const FORBIDDEN: [&str; 22] = [
    "script", "iframe", "frame", "frameset", "object", "embed", "applet", "svg", "math", "form", "input", "button",
    "select", "textarea", "link", "base", "template", "noscript", "video", "audio", "source", "portal",
];

/// Sanitises as the frame does, with every link and picture placed, and holds the document to its promises: cleaning it again
/// changes no byte, it is no longer than the message allows, and no tag or style in it can run or load anything.
pub fn hold(html: &str) {
    for dark in [false, true] {
        let options = Options {
            remote: Remote::Blocked,
            cid: &|_| Some("/picture/1".to_owned()),
            link: &|url| Some(url.to_owned()),
            fold_quotes: true,
            dark,
        };
        let once = sanitise(html, &options);
        check(&once.document);
        assert!(once.document.len() <= 64 * html.len() + 20_000, "{} bytes of {}", once.document.len(), html.len());
        let twice = sanitise(&once.document, &options);
        assert_eq!(twice.document, once.document, "cleaning again changed it");
    }
}

/// Every `<` of a document begins a tag, so that looking at those is looking at everything.
fn check(document: &str) {
    let mut rest = document;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, further) = after.split_once('>').expect("a tag ends");
        let tag = tag.to_ascii_lowercase();
        let name = tag.trim_start_matches('/').split([' ', '\n', '\t']).next().unwrap_or_default();
        assert!(!FORBIDDEN.contains(&name), "<{tag}>");
        for attribute in tag.split("\" ").skip(1).chain(tag.split_once(' ').map(|(_, first)| first)) {
            let (name, value) = attribute.split_once("=\"").unwrap_or((attribute, ""));
            assert!(!name.starts_with("on") && name != "srcdoc" && name != "srcset" && name != "action", "<{tag}>");
            let value = value.trim_start();
            if matches!(name, "href" | "src" | "background") {
                let fine = ["http://", "https://", "mailto:", "/picture/", "data:image/"];
                assert!(fine.iter().any(|fine| value.starts_with(fine)), "<{tag}>");
                assert!(name == "href" || !value.starts_with("http"), "<{tag}>");
            }
            if name == "style" {
                check_css(value);
            }
        }
        rest = further;
        if name == "style" && !tag.starts_with('/') {
            check_css(rest.split_once("</style>").expect("a style sheet ends").0);
        }
    }
}

fn check_css(css: &str) {
    for token in ["url(", "image-set", "@import", "@font-face", "expression", "var(", "attr(", "\\", "behavior", "position:", "fixed;"] {
        assert!(!css.contains(token), "{token} in {css}");
    }
}
