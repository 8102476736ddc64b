//! Style sheets and style attributes, on any text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailkeep_fuzz::hold;

fuzz_target!(|bytes: &[u8]| {
    let css = String::from_utf8_lossy(bytes);
    let quoted = css.replace('&', "&amp;").replace('"', "&quot;");
    let sheet = css.replace("</", "");
    hold(&format!(
        "<style>{sheet}</style><div class=\"a b\" id=c style=\"{quoted}\"><p>One <a href=\"https://bob.example/\">two</a></p>\
         <table bgcolor=white><tr><td class=a>three<td class=b>four</table><img class=a src=\"https://bob.example/x\" alt=five></div>"
    ));
});
