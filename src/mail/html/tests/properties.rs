//! What holds for every input.

use proptest::prelude::*;

use super::{body, checker, same};
use crate::mail::html::{Options, sanitise, text_document, visible_text};

/// Pieces that parsers stumble over, to be thrown together at random.
const PIECES: &[&str] = &[
    "<div>",
    "</div>",
    "<p>",
    "</p>",
    "<b>",
    "</b>",
    "<i class=x>",
    "</i>",
    "<a href=https://b.example/?utm_a=1&b>",
    "</a>",
    "<table>",
    "</table>",
    "<tr>",
    "<td width=10%>",
    "</td>",
    "<th colspan=2>",
    "<caption>",
    "<tbody>",
    "<colgroup>",
    "<col>",
    "<svg>",
    "</svg>",
    "<math>",
    "<mtext>",
    "<foreignObject>",
    "<desc>",
    "<style>",
    "</style>",
    "<title>",
    "</title>",
    "<script>",
    "</script>",
    "<noscript>",
    "</noscript>",
    "<template>",
    "</template>",
    "<select>",
    "<option>",
    "</select>",
    "<textarea>",
    "</textarea>",
    "<xmp>",
    "</xmp>",
    "<plaintext>",
    "<pre>\n",
    "</pre>",
    "<listing>",
    "<button>",
    "</button>",
    "<form>",
    "</form>",
    "<object>",
    "</object>",
    "<marquee>",
    "</marquee>",
    "<li>",
    "<ul>",
    "</ul>",
    "<dd>",
    "<dt>",
    "<nobr>",
    "<h1>",
    "</h1>",
    "<h2>",
    "<center>",
    "<font color=red size=+9>",
    "</font>",
    "<br>",
    "</br>",
    "<hr width=50%>",
    "<img src=x>",
    "<img src=https://t.example/ alt='<\"&>' width=1>",
    "<image src=x>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?x",
    ">",
    "\"",
    "'",
    "=",
    "&amp;",
    "&#13;",
    "&lt;",
    "&nbsp;",
    "\n",
    " ",
    "text",
    "é漢\u{202e}",
    "\0",
    "<body bgcolor=#abc text=x>",
    "<html>",
    "<head>",
    "<ruby>",
    "<rt>",
    "<rb>",
    "<p style='color:red;margin:-3px 4em;font:bold 12px/2 a,\"b c\"'>",
    "<blockquote type=cite>",
    "</blockquote>",
    "<details open>",
    "<summary>",
    "<div class='a mk-quote mk-blocked c-x' id=y>",
    "<div style='display:none'>",
    "<style>.a>b,#y{color:#123;width:3.33333em}@media (max-width:9em){p{margin:0 auto}}</style>",
    "<frameset>",
    "<iframe>",
    "</iframe>",
    "<dialog>",
    "<menu>",
    "<div style='text-indent:-900px'>",
    "<td background=https://t.example/x>",
    "<a>",
    "<span hidden>",
    "<p title=\"</p>\">",
    "<div dir=RTL lang=de align=CENTER>",
    "<div style=\"background:#fff8;border:1px solid\">",
];

fn soup() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sanitising_twice_is_sanitising_once(html in soup()) {
        for dark in [false, true] {
            let options = Options { dark, ..same() };
            let once = sanitise(&html, &options);
            checker::check(&once.document);
            let twice = sanitise(&once.document, &options);
            prop_assert_eq!(&twice.document, &once.document);
            let inner = sanitise(body(&once.document), &Options { dark: false, ..options });
            if !dark {
                prop_assert_eq!(body(&inner.document), body(&once.document));
            }
        }
    }

    #[test]
    fn any_characters_will_do(html in "\\PC{0,200}") {
        let once = sanitise(&html, &same());
        checker::check(&once.document);
        prop_assert_eq!(sanitise(&once.document, &same()).document, once.document);
        let _text = visible_text(&html);
    }

    #[test]
    fn any_style_will_do(style in "[a-z0-9:;(){}#.,%!/\\\\ \"'<>@*-]{0,120}") {
        let html = format!("<style>{style}</style><style>p{{{style}}}</style><p style=\"{}\">x</p>", style.replace('"', "&quot;"));
        let once = sanitise(&html, &same());
        checker::check(&once.document);
        prop_assert_eq!(sanitise(&once.document, &same()).document, once.document);
    }

    #[test]
    fn a_text_is_shown_as_it_is(text in "[ -~\n]{0,200}") {
        let document = text_document(&text, &Options { fold_quotes: false, ..same() }).document;
        checker::check(&document);
        prop_assert_eq!(sanitise(&document, &same()).document.len(), sanitise(&sanitise(&document, &same()).document, &same()).document.len());
    }

    #[test]
    fn what_a_document_shows_is_what_the_message_showed(words in prop::collection::vec("[a-z]{1,8}", 1..20)) {
        let html = words.iter().map(|word| format!("<p style='color:#333'>{word}</p>")).collect::<String>();
        let document = sanitise(&html, &same()).document;
        prop_assert_eq!(visible_text(&document).text, visible_text(&html).text);
    }
}
