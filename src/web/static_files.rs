//! Stylesheet, scripts and icon, embedded in the program.

use super::error::WebError;
use super::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

const FILES: [(&str, &str, &str); 12] = [
    ("mailkeep.css", "text/css; charset=utf-8", include_str!("../../static/mailkeep.css")),
    ("icon.svg", "image/svg+xml", include_str!("../../static/icon.svg")),
    ("page.js", "text/javascript; charset=utf-8", include_str!("../../static/page.js")),
    ("list.js", "text/javascript; charset=utf-8", include_str!("../../static/list.js")),
    ("palette.js", "text/javascript; charset=utf-8", include_str!("../../static/palette.js")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("../../static/live.js")),
    ("compose.js", "text/javascript; charset=utf-8", include_str!("../../static/compose.js")),
    ("forecast.js", "text/javascript; charset=utf-8", include_str!("../../static/forecast.js")),
    ("sheet.js", "text/javascript; charset=utf-8", include_str!("../../static/sheet.js")),
    ("passkeys.js", "text/javascript; charset=utf-8", include_str!("../../static/passkeys.js")),
    ("devices.js", "text/javascript; charset=utf-8", include_str!("../../static/devices.js")),
    ("setup.js", "text/javascript; charset=utf-8", include_str!("../../static/setup.js")),
];

/// One of them.
pub(super) async fn file(Path(name): Path<String>) -> Result<Response, WebError> {
    named(&name)
}

/// The one of this name.
pub(super) fn named(name: &str) -> Result<Response, WebError> {
    let (_, kind, text) = FILES.iter().find(|(known, _, _)| *known == name).ok_or(WebError::NotFound)?;
    Ok(([(header::CONTENT_TYPE, *kind)], *text).into_response())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_file_of_the_folder_is_served() {
        let mut on_disk: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/static"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        on_disk.sort();
        let mut served: Vec<&str> = super::FILES.iter().map(|(name, _, _)| *name).collect();
        served.sort_unstable();
        assert_eq!(on_disk, served);
    }
}
