//! What is said about an attachment: its kind, where that differs from what its name and its sender say, and how risky it
//! is to open, with the reasons in plain words.

use super::content::{self, Content};
use super::kind::Kind;
use crate::mail::part::{Part, Risk, extension};
use crate::mail::sender::SenderStanding;
use std::borrow::Cow;

/// What is said about an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it is: by its content, or, where that does not tell, by its name, or by what its sender says.
    pub kind: Option<Kind>,
    /// The media type of a picture, by its content; empty otherwise.
    pub picture: &'static str,
    /// What it is and what it says it is, where these differ, in a sentence; empty otherwise.
    pub difference: String,
    /// How risky it is to open.
    pub risk: Risk,
    /// Why, in sentences.
    pub reasons: Vec<String>,
}

/// A part is looked at whole up to this size, in bytes; of a larger one the beginning speaks.
const WHOLE_MAX: usize = 48 << 20;
/// The beginning, in bytes as they lie in the message.
const HEAD: usize = 96 << 10;

/// Looks at an attachment. `raw` is the message it was found in.
#[must_use]
pub fn look(part: &Part, raw: &[u8], sender: SenderStanding) -> Verdict {
    let body = part.raw_body(raw);
    let head = part.decode(body.get(..HEAD).unwrap_or(body));
    // What is packed shows what it holds only as a whole.
    let whole = body.len() <= WHOLE_MAX && (head.starts_with(b"PK") || head.starts_with(b"\xd0\xcf\x11\xe0"));
    let bytes: Cow<'_, [u8]> = if whole { part.decode(body) } else { head };
    let content = content::by_content(&bytes);
    judge(content.as_ref(), part, sender)
}

fn judge(content: Option<&Content>, part: &Part, sender: SenderStanding) -> Verdict {
    let ending = part.name.as_deref().map_or("", extension);
    let named = Kind::by_ending(ending);
    let declared = Kind::by_type(&part.content_type);
    let seen = content.map(|content| content.kind);
    let mut verdict = Verdict {
        // Bytes that are mere text are what their name says, as far as text goes.
        kind: match (seen, named.or(declared)) {
            (Some(Kind::Text | Kind::Xml), Some(claim)) if Kind::Text.passes_for(claim) => Some(claim),
            (Some(seen), _) => Some(seen),
            (None, claim) => claim,
        },
        picture: content.map_or("", |c| if c.kind == Kind::Picture { c.media_type } else { "" }),
        difference: String::new(),
        risk: part.risk,
        reasons: part.tricks.iter().map(|trick| trick.words().to_owned()).collect(),
    };
    if let Some(content) = content {
        differ(&mut verdict, content, named, declared, ending);
        weigh(&mut verdict, content);
    }
    if let Some(words) = verdict.kind.and_then(own_risk)
        && verdict.risk >= Risk::Caution
    {
        verdict.reasons.push(words.to_owned());
    }
    if verdict.risk != Risk::None && verdict.reasons.is_empty() {
        verdict.reasons.push(if verdict.risk == Risk::Danger {
            "It can run programs on your computer.".to_owned()
        } else {
            "It may carry programs within; open it only if you expected it.".to_owned()
        });
    }
    let stranger = match sender {
        SenderStanding::Known => None,
        SenderStanding::FirstTime => Some("This is the first message from its sender."),
        SenderStanding::LookAlike => {
            Some("The address of its sender looks like one you know, but is another.")
        }
    };
    if let Some(words) = stranger
        && verdict.risk != Risk::None
    {
        // Everybody writes for a first time, and many send their pictures and papers packed.
        let packed =
            sender == SenderStanding::FirstTime && content.is_some_and(|content| content.holds_plain);
        verdict.risk = if packed { verdict.risk } else { Risk::Danger };
        verdict.reasons.push(words.to_owned());
    }
    verdict.reasons.dedup();
    verdict
}

/// Says where the content is something else than the name and the sender say.
fn differ(
    verdict: &mut Verdict,
    content: &Content,
    named: Option<Kind>,
    declared: Option<Kind>,
    ending: &str,
) {
    let lies = |claim: Option<Kind>| claim.filter(|claim| !content.kind.passes_for(*claim));
    let says = match (lies(named), lies(declared)) {
        (Some(named), Some(declared)) if named != declared => {
            format!("Its name ends in .{ending}, its sender calls it {}", declared.words())
        }
        (Some(_), _) => format!("Its name ends in .{ending}"),
        // The name tells the truth; what mail programs say beside it is often wrong.
        (None, Some(_)) if named.is_some() => return,
        (None, Some(declared)) => format!("Its sender calls it {}", declared.words()),
        (None, None) => return,
    };
    verdict.difference = format!("{says}, but it is {}.", content.words);
    let runs = matches!(
        content.kind,
        Kind::Program
            | Kind::Script
            | Kind::Shortcut
            | Kind::Disk
            | Kind::WebPage
            | Kind::Drawing
            | Kind::Macros
    );
    verdict.risk = verdict.risk.max(if runs { Risk::Danger } else { Risk::Caution });
}

/// What the content alone says about the risk.
fn weigh(verdict: &mut Verdict, content: &Content) {
    let own = match content.kind {
        Kind::Program | Kind::Shortcut | Kind::Disk | Kind::Macros => Risk::Danger,
        Kind::Script | Kind::WebPage | Kind::Drawing | Kind::OldOffice | Kind::Archive => Risk::Caution,
        _ => Risk::None,
    };
    verdict.risk = verdict.risk.max(own);
    if let Some(name) = &content.holds {
        verdict.risk = Risk::Danger;
        verdict.reasons.push(format!("It holds a file that can run on your computer: {name}."));
    }
    if content.locked {
        verdict.risk = verdict.risk.max(Risk::Caution);
        verdict
            .reasons
            .push("It is locked with a password, so nothing can look inside before you do.".to_owned());
    }
}

/// What is risky about a kind as such.
const fn own_risk(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Program => "It is a program: it can do on your computer whatever you can.",
        Kind::Script => "It is a script: it can do on your computer whatever you can.",
        Kind::Shortcut => "It is a shortcut: it can lead anywhere and start anything.",
        Kind::Disk => "It is a disk image: what is in it can start programs.",
        Kind::Macros => "It brings macros along: programs that run in the office suite.",
        Kind::WebPage => {
            "It is a web page: opened in a browser, it can ask for passwords and tell that you read it."
        }
        Kind::Drawing => "It is a drawing that may hold scripts.",
        Kind::OldOffice => "Documents of this old format may carry programs.",
        _ => return None,
    })
}
