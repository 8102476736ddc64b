//! Files that are attached to what the owner writes.

use super::drafts::{self, Attached};
use super::failure::Failure;
use super::import;
use std::path::Path;

/// A file to attach, read from the disk.
///
/// # Errors
/// When it cannot be read, or is too large.
pub fn attach(path: &Path) -> Result<Attached, Failure> {
    let cannot =
        |e: std::io::Error| Failure::failed(format!("Cannot read {}: {}", path.display(), import::plain(&e)));
    if std::fs::metadata(path).map_err(cannot)?.len() > drafts::LARGEST as u64 {
        return Err(Failure::failed(format!(
            "{} is larger than 50 MB and cannot be sent by mail",
            path.display()
        )));
    }
    let bytes = std::fs::read(path).map_err(cannot)?;
    let name = path.file_name().map_or_else(|| "attachment".into(), |n| n.to_string_lossy().into_owned());
    Ok(Attached::new(&name, media_type(&name), &bytes))
}

/// The media type that a file's name speaks of.
#[must_use]
pub fn media_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "txt" | "log" | "md" => "text/plain",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "ics" => "text/calendar",
        "vcf" => "text/vcard",
        "eml" => "message/rfc822",
        "zip" => "application/zip",
        "json" => "application/json",
        "odt" => "application/vnd.oasis.opendocument.text",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "asc" => "application/pgp-keys",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        _ => "application/octet-stream",
    }
}
