//! Stories of what Eve sends and what Alice gets to see, property tests, and runs over folders of real and hostile mail.

#![expect(clippy::string_slice, reason = "tests may panic")]

mod checker;
mod corpora;
mod hostile;
mod nested;
mod properties;

use super::{Options, Remote, Sanitised, sanitise, text_document, visible_text};

/// Options under which every address leads to itself.
pub(super) fn same() -> Options<'static> {
    Options {
        remote: Remote::Blocked,
        cid: &|id| Some(format!("cid:{}", id.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>())),
        link: &|url| Some(url.to_owned()),
        fold_quotes: true,
        dark: false,
    }
}

pub(super) fn body(document: &str) -> &str {
    let start = document.find("<body").unwrap();
    let end = document.rfind("</html>").unwrap();
    &document[start..end]
}

fn clean(html: &str) -> String {
    let sanitised = sanitise(html, &same());
    checker::check(&sanitised.document);
    let body = body(&sanitised.document);
    body.strip_prefix("<body>").and_then(|body| body.strip_suffix("</body>")).unwrap_or(body).to_owned()
}

fn seen(html: &str) -> String {
    visible_text(html).text
}

#[test]
fn bobs_letter_stays_as_he_wrote_it() {
    assert_eq!(
        clean("<p>Dear <b>Alice</b>,<br>see <a href='https://bob.example/a?b=1&c=2'>this</a>.</p>"),
        "<p>Dear <b>Alice</b>,<br>see <a href=\"https://bob.example/a?b=1&amp;c=2\" \
         rel=\"noopener noreferrer nofollow\" target=\"_blank\">this</a>.</p>"
    );
}

#[test]
fn a_newsletters_table_keeps_its_looks() {
    assert_eq!(
        clean(
            "<table width=600 cellpadding=0 cellspacing=0 border=0 bgcolor=F4F4F4 align=center id=top class='wrap x!'>\
             <tr><td width='50%' valign=TOP nowrap style='padding:10px;font-family:Arial'>\
             <font color=#333 face=\"Arial, 'Evil;}'\" size=+1>Hi</font></table>"
        ),
        "<table width=\"600\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" bgcolor=\"#f4f4f4\" align=\"center\" \
         class=\"c-wrap i-top mk-fit\"><tbody><tr><td width=\"50%\" valign=\"top\" nowrap=\"\" \
         style=\"padding: 10px; font-family: arial\"><font color=\"#333333\" face=\"Arial, Evil\" size=\"+1\">Hi</font>\
         </td></tr></tbody></table>"
    );
}

#[test]
fn a_long_name_of_a_letter_is_cut_once() {
    let once = sanitise(&format!("<font face=\"a, {}\">Hello</font>", "b".repeat(60)), &same()).document;
    assert!(once.contains(&format!("face=\"a, {}\"", "b".repeat(40))), "{once}");
    assert_eq!(sanitise(&once, &same()).document, once, "cutting again takes nothing more");
}

#[test]
fn links_go_through_the_leave_page_and_others_nowhere() {
    let options = Options { link: &|url| Some(format!("/leave/{}", url.len())), ..Options::default() };
    let html =
        "<a href='https://bob.example'>one</a> <a href='javascript:x'>two</a> <a name=x id=y>three</a>";
    let document = sanitise(html, &options).document;
    assert!(
        document
            .contains("<a href=\"/leave/19\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">one</a>")
    );
    assert!(document.contains("<a>two</a>") && document.contains("<a class=\"i-y\">three</a>"));
    let none = sanitise(html, &Options::default()).document;
    assert!(!none.contains("href"));
}

#[test]
fn pictures_of_the_message_are_placed_and_others_wait() {
    let options =
        Options { cid: &|id| (id == "logo@bob").then(|| "/part/2".to_owned()), ..Options::default() };
    let html = "<img src='cid:logo@bob' alt=Logo><img src=cid:none alt=None>\
                <img src=https://t.example/a.png alt=Ad width=300 height=200><img src=file:///etc/passwd>";
    let result = sanitise(html, &options);
    assert_eq!(
        body(&result.document),
        "<body><img alt=\"Logo\" src=\"/part/2\"><bdi class=\"mk-blocked\" style=\"min-height: 24px; min-width: 24px\">None</bdi>\
         <bdi class=\"mk-blocked mk-fit\" style=\"width: 300px; aspect-ratio: 1.5; max-width: 300px\">Ad</bdi></body>"
    );
    assert_eq!((result.remote_images, result.tracking_pixels), (1, 0));
    let fetched = Options {
        remote: Remote::Fetched(&|url| url.ends_with("a.png").then(|| "/copy/1".to_owned())),
        ..Options::default()
    };
    assert!(sanitise(html, &fetched).document.contains("src=\"/copy/1\""));
}

#[test]
fn tracking_pixels_are_named_and_never_loaded() {
    let html = "<img src=http://Track.example/o.gif width=1 height=1>\
                <img src=//two.example/x style='display:none'><img src='https://three.example/x' style='width:0;height:0'>\
                <div style='display:none'><img src=https://track.example/b></div>\
                <img src=https://ad.example/spacer.gif width=600 height=1>";
    let fetched = Options { remote: Remote::Fetched(&|url| Some(url.to_owned())), ..Options::default() };
    for options in [Options::default(), fetched] {
        let result = sanitise(html, &options);
        assert_eq!(result.trackers, ["track.example", "two.example", "three.example"]);
        assert_eq!((result.tracking_pixels, result.remote_images), (4, 1));
        assert!(!body(&result.document).contains("track.example"));
    }
}

#[test]
fn backgrounds_count_as_remote_and_css_never_loads_them() {
    let html = "<style>.a{background:url(https://t.example/1.png)}</style>\
                <td background=x><table background='https://t.example/2.png'><tr>\
                <td style='background-image:url(\"https://t.example/3.png\")'>x</table>";
    let result = sanitise(html, &Options::default());
    assert_eq!(result.remote_images, 3);
    assert!(!result.document.contains("t.example"));
    let fetched = Options { remote: Remote::Fetched(&|_| Some("/copy".to_owned())), ..Options::default() };
    assert_eq!(sanitise(html, &fetched).document.matches("background=\"/copy\"").count(), 2);
}

#[test]
fn the_answered_mail_folds_but_a_forwarded_one_does_not() {
    let reply = "<div>Yes, gladly.</div><blockquote type=cite>Will you come?</blockquote>";
    let folded = clean(reply);
    assert_eq!(
        folded,
        "<div>Yes, gladly.</div><details class=\"mk-quote\"><summary>Quoted text</summary>\
         <blockquote type=\"cite\">Will you come?</blockquote></details>"
    );
    assert_eq!(clean(&folded), folded);
    assert!(!clean("<div class=gmail_quote>--------- Forwarded message<br>x</div>").contains("details"));
    assert!(
        !clean("<p>Look</p><div class=gmail_quote>--------- Forwarded message<br>x</div>")
            .contains("details")
    );
    assert!(!clean("<blockquote type=cite>Will you?</blockquote>Yes.").contains("details"));
    assert!(!clean("<blockquote type=cite>Only this</blockquote>").contains("details"));
}

#[test]
fn what_is_hidden_is_not_read() {
    for hidden in [
        "<div style='display:none'>SECRET</div>",
        "<div style='DISPLAY : NONE !important'>SECRET</div>",
        "<div style='d\\69splay:none'>SECRET</div>",
        "<div style='visibility:hidden'>SECRET</div>",
        "<span style='font-size:0'>SECRET</span>",
        "<span style='font-size:1px'>SECRET</span>",
        "<span style='font:0/0 a'>SECRET</span>",
        "<span style='opacity:0'>SECRET</span>",
        "<span style='color:#ffffff'>SECRET</span>",
        "<span style='color:transparent'>SECRET</span>",
        "<font color=white>SECRET</font>",
        "<table bgcolor=#102030><tr><td style='color:rgb(16,32,48)'>SECRET</table>",
        "<div style='max-height:0;overflow:hidden'>SECRET</div>",
        "<div style='height:0px;width:0px;overflow:hidden'>SECRET</div>",
        "<div style='text-indent:-9999px'>SECRET</div>",
        "<div style='position:absolute;left:-9999px'>SECRET</div>",
        "<div style='position:absolute;clip:rect(0 0 0 0)'>SECRET</div>",
        "<div style='margin-left:-9999px'>SECRET</div>",
        "<div hidden>SECRET</div>",
        "<dialog>SECRET</dialog>",
        "<style>.p{display:none}</style><div class='a p'>SECRET</div>",
        "<style>#p{font-size:0}</style><div id=p>SECRET</div>",
        "<style>div span.p{visibility:hidden}</style><div><b><span class=p>SECRET</span></b></div>",
        "<style>@media screen{.p{opacity:0}}</style><i class=p>SECRET</i>",
        "<style>i{display:none}</style><i>SECRET</i>",
        "<div style='display:none'><div style='display:block'>SECRET</div></div>",
        "<!-- SECRET --><!--[if mso]>SECRET<![endif]-->",
        "<title>SECRET</title>",
        "<script>SECRET</script><template>SECRET</template><noscript>SECRET</noscript>",
        "<svg><text>SECRET</text></svg><math><mi>SECRET</mi></math>",
        "<select><option>SECRET</select><textarea>SECRET</textarea>",
    ] {
        let html = format!("<p>Before</p>{hidden}<p>After</p>");
        assert_eq!(seen(&html), "Before\n\nAfter\n", "{hidden}");
        for dark in [false, true] {
            let shown = sanitise(&html, &Options { dark, ..same() });
            assert!(!shown.document.contains("SECRET"), "{}", shown.document);
            assert_eq!(sanitise(&shown.document, &Options { dark, ..same() }).document, shown.document);
        }
    }
}

#[test]
fn what_only_looks_hidden_is_read() {
    for shown in [
        "<td style='font-size:0'><span style='font-size:14px'>HELLO</span>",
        "<div style='visibility:hidden'><b style='visibility:visible'>HELLO</b></div>",
        "<div style='background:#000'><span style='color:#fff'>HELLO</span></div>",
        "<div style='background:url(x)'><span style='color:#fff'>HELLO</span></div>",
        "<div style='color:#fff'><a href=https://b.example/>HELLO</a></div>",
        "<div style='height:0'>HELLO</div>",
        "<style>.p{display:none} p.p{display:block}</style><p class=p>HELLO</p>",
        "<style>.p{display:none}</style><p class=p style='display:block'>HELLO</p>",
        "<style>@media (max-width:600px){.p{display:none}}</style><p class=p>HELLO</p>",
        "<a style='mso-hide:all'>HELLO</a>",
        "<button>HELLO</button>",
        "<label>HELLO</label>",
        "<form><fieldset>HELLO</fieldset></form>",
        "<xmp>HELLO</xmp>",
        "<plaintext>HELLO",
        "<x-y>HELLO</x-y>",
    ] {
        assert!(seen(shown).starts_with("HELLO"), "{shown}");
        assert!(!visible_text(shown).hidden, "{shown}");
        assert!(clean(shown).contains("HELLO"), "{}", clean(shown));
        assert!(!sanitise(shown, &same()).hidden_text, "{shown}");
    }
}

#[test]
fn the_reader_is_told_of_hidden_text_but_not_of_filling() {
    assert!(visible_text("<div style='display:none'>Buy now</div>x").hidden);
    assert!(sanitise("<div style='display:none'>Buy now</div>x", &same()).hidden_text);
    assert!(!visible_text("<div style='display:none'>&nbsp;&zwnj;&#847; </div>x").hidden);
}

#[test]
fn what_is_shown_on_phones_or_on_dark_pages_only_stays_for_them() {
    let phone = "<style>.p{display:none}@media (max-width:480px){.p{display:block!important}}</style><p class=p>MENU</p>";
    let dark = "<style>.d{display:none}@media (prefers-color-scheme:dark){.d{display:block!important}}</style><p class=d>NIGHT</p>";
    assert!(clean(phone).contains("MENU") && !seen(phone).contains("MENU"));
    assert!(sanitise(dark, &Options { dark: true, ..same() }).document.contains("NIGHT"));
    assert!(!sanitise(dark, &same()).document.contains("NIGHT"));
}

#[test]
fn a_line_for_lists_of_mail_is_told_from_other_hidden_text() {
    let of = |html: &str| {
        let shown = sanitise(html, &same());
        (shown.hidden_text, shown.preview_text)
    };
    assert_eq!(of("<div style='display:none'>This week</div><p>News"), (true, true));
    assert_eq!(of(&format!("<div style='display:none'>{}</div><p>News", "word ".repeat(200))), (true, false));
    assert_eq!(of("<p>News<div style='display:none'>This week</div>"), (true, false));
    assert_eq!(of("<div style='display:none'>a</div><p>News<i hidden>b</i>"), (true, false));
    assert_eq!(of("<p>News"), (false, false));
}

#[test]
fn what_is_too_wide_for_a_phone_gives_way() {
    let document = sanitise(
        "<style>.w{width:600px}.x{width:200px}</style><table width=600><tr><td class=w style='min-width:600px'>a</table>\
         <div style='width:640px;max-width:620px'>b</div><img src=cid:a width=640 height=320>",
        &same(),
    )
    .document;
    assert!(
        document.contains("@media (max-width: 640px) {\n.c-w { width: auto !important }\n}"),
        "{document}"
    );
    assert!(document.contains("<table width=\"600\" class=\"mk-fit\">"), "{document}");
    assert!(document.contains("style=\"min-width: 300px\""), "{document}");
    assert!(
        document.contains("class=\"mk-fit\" style=\"width: 640px; max-width: min(100%, 620px)\""),
        "{document}"
    );
    assert!(document.contains("<img width=\"640\" height=\"320\" class=\"mk-fit\" src"), "{document}");
    assert_eq!(sanitise(&document, &same()).document, document);
}

#[test]
fn a_table_of_figures_scrolls_by_itself() {
    let row = "<tr><td>Mon<td>Tue<td>Wed<td>Thu<td>Fri</tr>";
    let shown = clean(&format!("<table>{row}</table>"));
    assert!(shown.starts_with("<div class=\"mk-wide\"><table>"), "{shown}");
    assert_eq!(clean(&shown), shown);
    assert!(!clean(&format!("<table align=left>{row}</table>")).contains("mk-wide"));
    assert!(!clean("<table><tr><td>a<td>b<td>c</table>").contains("mk-wide"));
    assert!(!clean(&format!("<table>{row}<tr><td><table></table></table>")).starts_with("<div"));
}

#[test]
fn a_blocked_picture_leaves_a_quiet_box_of_its_size() {
    let shown = |html: &str| clean(html);
    let large = shown(
        "<img src=https://b.example/x width=600 height=300 alt='Our garden' style='color:#fff;display:block'>",
    );
    assert_eq!(
        large,
        "<bdi class=\"mk-blocked mk-fit\" style=\"display: block; width: 600px; aspect-ratio: 2; \
         max-width: min(100%, 600px)\">Our garden</bdi>"
    );
    assert_eq!(clean(&large), large);
    let spacer = shown("<img src=https://b.example/x width=20 height=4 alt=x>");
    assert_eq!(spacer, "<bdi class=\"mk-blocked mk-spacer\" style=\"width: 20px; height: 4px\"></bdi>");
    assert_eq!(shown("<img alt=''>"), "");
    // What a rule says of pictures it says of what stands for them.
    let document = sanitise(
        "<style>td > img.wide{margin:0 auto}</style><img class=wide src=https://b.example/x>",
        &same(),
    )
    .document;
    assert!(
        document.contains("td > img.c-wide, td > bdi.mk-blocked.c-wide { margin: 0 auto }"),
        "{document}"
    );
    // And a sender cannot hide text by what looks like one.
    let feigned = "<style>bdi.mk-blocked{display:none} bdi{display:none}</style>\
                   <bdi class=mk-blocked>a</bdi><bdi>b</bdi><p class=mk-blocked>c";
    assert!(seen(feigned).contains('b') && seen(feigned).contains('c'));
    assert!(clean(feigned).contains("b</bdi>") && clean(feigned).contains("<p>c"), "{}", clean(feigned));
}

#[test]
fn of_what_was_hidden_only_a_shell_is_left() {
    assert_eq!(
        clean("<div style='position:absolute;left:-9999px;color:red'>SECRET</div>"),
        "<div style=\"color: #ff0000; display: none !important\"></div>"
    );
}

#[test]
fn a_page_reads_well_as_text() {
    let html = "<h1>News</h1><p>Dear  Alice,<br>see <a href='https://bob.example/x'>here</a> or \
                <a href='https://bob.example/'>bob.example</a>.</p>\
                <ul><li>one<li>two<ol start=3><li>a<li>b</ol></ul>\
                <table><tr><td>Tea</td><td>2.00</td></tr><tr><td>Cake</td><td>3.50</td></tr></table>\
                <blockquote><p>Old</p><p>words</p></blockquote><pre>  x\n    y</pre><hr>\
                <img src=x alt='A cat'> caf&eacute;&nbsp;&amp; tea";
    assert_eq!(
        seen(html),
        "News\n\nDear Alice,\nsee here <https://bob.example/x> or bob.example.\n\n- one\n- two\n  3. a\n  4. b\n\n\
         Tea  2.00\nCake  3.50\n\n> Old\n>\n> words\n\n  x\n    y\n\n----\n\n[A cat] café & tea\n"
    );
}

#[test]
fn a_button_of_a_form_is_told_and_its_words_stay() {
    let result = sanitise("<form action=//eve.example><input name=p><button>Log in</button></form>", &same());
    assert!(result.forms_removed);
    assert_eq!(body(&result.document), "<body><div><span>Log in</span></div></body>");
}

#[test]
fn style_sheets_stay_where_they_are_harmless() {
    let html = "<html><head><style>.a{color:red;position:fixed}@media(max-width:480px){#b{width:100%}}</style></head>\
                <body><p class=a id=b>x</p>";
    let document = sanitise(html, &same()).document;
    assert!(
        document.contains(".c-a { color: #ff0000 }\n@media (max-width: 480px) { .i-b { width: 100% } }\n")
    );
    assert!(document.contains("<p class=\"c-a i-b\">x</p>"));
    assert_eq!(sanitise(&document, &same()).document, document);
}

#[test]
fn on_a_dark_page_colours_have_counterparts() {
    let options = Options { dark: true, ..same() };
    let html =
        "<style>.a{color:#111}</style><body bgcolor=#fff><p class=a style='background:#eee;color:#000'>x</p>";
    let document = sanitise(html, &options).document;
    assert!(document.contains("@media (prefers-color-scheme: dark) { .c-a { color: #"));
    assert!(
        document.contains(".mk-dark-0 { background-color: #") && document.contains("class=\"mk-dark-0\"")
    );
    assert_eq!(sanitise(&document, &options).document, document);
    checker::check(&document);
    let knows = "<style>@media (prefers-color-scheme:dark){p{color:#fff}}</style><p style='color:#000'>x</p>";
    let document = sanitise(knows, &options).document;
    assert!(document.contains("dark) { p { color: #ffffff } }") && !document.contains("mk-dark-0"));
    assert!(!sanitise(knows, &same()).document.contains("p { color: #ffffff }"));
}

#[test]
fn plain_text_becomes_a_document_with_links_and_a_folded_quote() {
    let text = "Hi <b>Alice</b> & \"all\",\r\nsee (https://bob.example/a_(b)), mailto:bob@b.example.\r\n\
                javascript:alert(1) http://\r\n\r\nOn Monday Eve wrote:\r\n> old\r\n>> older\r\n";
    let result = text_document(text, &same());
    checker::check(&result.document);
    let body = body(&result.document);
    assert!(body.starts_with("<body><div class=\"mk-text\">Hi &lt;b&gt;Alice&lt;/b&gt; &amp; &quot;all&quot;,\nsee (<a href=\"https://bob.example/a_(b)\" rel"));
    assert!(body.contains("</a>), <a href=\"mailto:bob@b.example\""));
    assert!(body.contains("</a>.\njavascript:alert(1) http://\n"));
    assert!(body.contains("<details class=\"mk-quote\"><summary>Quoted text</summary><blockquote type=\"cite\">&gt; old\n&gt;&gt; older\n</blockquote></details>"));
    assert_eq!(sanitise(&result.document, &same()).document, result.document);
}

#[test]
fn a_frame_is_as_high_as_the_lines_that_were_written() {
    let letter = |lines: usize| "At the old harbour.\n".repeat(lines);
    let (short, long) =
        (text_document(&letter(10), &same()).heights, text_document(&letter(40), &same()).heights);
    assert_eq!((long.0 - short.0, long.1 - short.1), (600, 600), "thirty lines of 20 pixels");
    let high = |tag: &str| sanitise(&format!("<{tag}>{}</{tag}>", letter(40)), &same()).heights.0;
    assert!(high("pre") >= 800 && high("div") < 400, "{} {}", high("pre"), high("div"));
}

#[test]
fn an_empty_message_is_an_empty_document() {
    for html in ["", " ", "<", "</", "<!", "<!--", "<?", "\0", "<html", "</body></html>"] {
        let result = sanitise(html, &same());
        checker::check(&result.document);
        assert!(!result.truncated && !result.shown_as_text);
        assert_eq!(
            visible_text(html).text.trim(),
            if html == "<" {
                "<"
            } else if html == "</" {
                "</"
            } else {
                ""
            }
        );
    }
    assert_eq!(Sanitised::default().document, "");
}
