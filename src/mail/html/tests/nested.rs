//! What holds for markup that is nested the way parsers stumble over: tables in tables, text thrown out of them, letters
//! adopted by other paragraphs, drawings within formulas, raw text that is none; ends that are missing or come too early.

use html5ever::ns;
use proptest::prelude::*;

use super::{body, checker, corpora, same};
use crate::mail::html::tree::{Data, NodeId, ROOT, Tree};
use crate::mail::html::{Options, cascade, document, look, parse, sanitise};

/// Elements that change how what is inside them is read.
const HOLDERS: &[&str] = &[
    "div",
    "p",
    "b",
    "i",
    "a href=https://b.example/",
    "nobr",
    "font color=red",
    "table",
    "caption",
    "colgroup",
    "tbody",
    "thead",
    "tr",
    "td",
    "th",
    "ul",
    "ol",
    "li",
    "dl",
    "dd",
    "dt",
    "h1",
    "h3",
    "pre",
    "listing",
    "xmp",
    "plaintext",
    "blockquote type=cite",
    "details",
    "summary",
    "center",
    "form",
    "fieldset",
    "button",
    "label",
    "select",
    "option",
    "optgroup",
    "textarea",
    "object",
    "marquee",
    "applet",
    "template",
    "noscript",
    "noembed",
    "noframes",
    "iframe",
    "title",
    "style",
    "script",
    "svg",
    "foreignObject",
    "desc",
    "svg title",
    "math",
    "mtext",
    "mi",
    "annotation-xml",
    "annotation-xml encoding=text/html",
    "mglyph",
    "malignmark",
    "ruby",
    "rb",
    "rt",
    "rtc",
    "rp",
    "body bgcolor=red",
    "html",
    "head",
    "frameset",
    "dialog",
    "menu",
    "address",
    "span style='display:none'",
    "div class='gmail_quote mk-quote c-x'",
    "x-y",
    "svg:g",
    "div style='font:1px/2 a;margin:-1px 3em;background:#123'",
    "search",
    "slot",
    "audio",
    "video",
    "canvas",
];
/// What stands alone.
const LEAVES: &[&str] = &[
    "x",
    " ",
    "\n",
    "&lt;img src=x onerror=alert(1)&gt;",
    "&amp;#60;",
    "\u{0}",
    "\u{feff}é",
    "<br>",
    "<hr>",
    "<img src=x onerror=alert(1)>",
    "<img src='cid:a\"b<c>'>",
    "<image src=https://t.example/1>",
    "<input type=image src=x onfocus=alert(1)>",
    "<col span=2>",
    "<!-- x -->",
    "<!--><p>",
    "<![CDATA[<b>]]>",
    "<?x?>",
    "</p>",
    "</br>",
    "</table>",
    "</td>",
    "</b>",
    "</a>",
    "</svg>",
    "</math>",
    "</select>",
    "</form>",
    "</body>",
    "</html>",
    "</style>",
    "</textarea>",
    "</template>",
    "<base href=//eve.example>",
    "<link rel=stylesheet href=x>",
    "<meta http-equiv=refresh content=0>",
    "<a name=x id=y onclick=alert(1)>",
    "<p title=\"</style></xmp><img src=x onerror=alert(1)>\">",
    "<b style='background:url(//t.example);--x:1;position:fixed;color:var(--x)'>",
    "<tr>",
    "<td>",
    "<frame>",
    "<keygen>",
    "<wbr>",
    "<style>@import 'x';p::before{content:url(x)}.a{color:red}#b:hover{width:1px}</style>",
    "&#13;",
    "&nbsp;",
    "<nobr>",
    "<option>",
];

/// How an element ends: as it should, not at all, or after what follows it.
#[derive(Debug, Clone, Copy)]
enum End {
    Proper,
    Missing,
    Twice,
}

fn markup() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(LEAVES).prop_map(str::to_owned);
    leaf.prop_recursive(7, 60, 5, |inner| {
        let ends = prop_oneof![5 => Just(End::Proper), 2 => Just(End::Missing), 1 => Just(End::Twice)];
        (prop::sample::select(HOLDERS), prop::collection::vec(inner, 0..5), ends).prop_map(
            |(holder, inside, end)| {
                let name = holder.split(' ').next().unwrap();
                let close = match end {
                    End::Proper => format!("</{name}>"),
                    End::Missing => String::new(),
                    End::Twice => format!("</{name}></{name} onclick=x>"),
                };
                format!("<{holder}>{}{close}", inside.concat())
            },
        )
    })
}

/// Every node below one, in order, with all there is to know about it.
fn told(tree: &Tree, top: NodeId) -> Vec<String> {
    let mut lines = Vec::new();
    let mut stack = vec![(top, 0_usize)];
    while let Some((id, depth)) = stack.pop() {
        lines.push(match &tree.node(id).data {
            Data::Nothing => format!("{depth} nothing"),
            Data::Text(text) => format!("{depth} text {:?}", &**text),
            Data::Element(name, attrs) => {
                assert!(name.ns == ns!(html), "{}", name.local);
                let attrs: Vec<String> =
                    attrs.iter().map(|a| format!("{}={:?}", a.name.local, &*a.value)).collect();
                format!("{depth} {} {}", name.local, attrs.join(" "))
            }
        });
        stack.extend(tree.children_reversed(id).map(|child| (child, depth + 1)));
    }
    lines
}

/// Holds for everything that is served.
fn hold(html: &str) {
    for dark in [false, true] {
        let options = Options { dark, ..same() };
        let once = sanitise(html, &options);
        checker::check(&once.document);
        assert_eq!(sanitise(&once.document, &options).document, once.document, "twice is once: {html}");
        // What is read from what is written is what was written: no node more, none less, none elsewhere.
        let read = parse::parse(&once.document);
        let top = read.body().unwrap();
        let sheet = look::sheets(&read, &[document::OWN_SHEET]);
        let kept = document::read_back(&read, &cascade::Cascades::new(&sheet));
        let kept_top = kept.children(ROOT).next().unwrap();
        assert_eq!(told(&read, top), told(&kept, kept_top), "{html}");
        let text = document::body(&kept);
        assert_eq!(text, body(&once.document), "{html}");
        // And alone, without its head, it is still the same body.
        let bare = parse::parse(&text);
        assert_eq!(told(&bare, bare.body().unwrap()), told(&read, top), "{html}");
        let after: Vec<_> = read.children(ROOT).flat_map(|id| read.children(id)).collect();
        assert_eq!(after.len(), 2, "a head and a body, and nothing behind them: {html}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_served_reads_back_as_the_tree_it_was_written_from(pieces in prop::collection::vec(markup(), 1..4)) {
        hold(&pieces.concat());
    }
}

#[test]
fn our_own_vectors_come_to_nothing_wherever_they_stand() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/vectors");
    let mut count = 0;
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let text = std::fs::read_to_string(path).unwrap();
        for vector in text.split("\n=== ").skip(1).map(|block| block.split_once('\n').unwrap().1) {
            for around in [
                "",
                "<table><tr>",
                "<p><b><i>",
                "<svg><desc>",
                "<select>",
                "<title>",
                "<p title=\"",
                "<style>p{",
            ] {
                hold(&format!("{around}{vector}"));
            }
            count += 1;
        }
    }
    assert!(count > 300);
}

/// Hostile pieces in the middle of real mail.
#[test]
fn a_vector_in_a_newsletter_comes_to_nothing() {
    let newsletters = corpora::newsletters();
    for (n, html) in newsletters.iter().enumerate().step_by(7) {
        let places: Vec<usize> = html.match_indices('<').map(|(at, _)| at).collect();
        let Some(at) = places.get(n * 31 % places.len().max(1)) else { continue };
        let (before, after) = html.split_at(*at);
        let leaves = LEAVES.iter().skip(n % 7).step_by(7).copied().collect::<String>();
        hold(&format!("{before}{leaves}{after}"));
    }
}
