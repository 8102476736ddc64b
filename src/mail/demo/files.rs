//! What hangs on the messages: tables, notes and papers by name.

use encoding_rs::WINDOWS_1252;

use super::pictures::picture;
use super::script::sections;
use super::time::{Calendar, calendar_date};

const FILES: &str = include_str!("files.txt");

/// An attachment.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) name: &'static str,
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// The file of that name; pictures are drawn, papers are set.
pub(super) fn file(name: &'static str) -> Option<File> {
    let text = sections(FILES).find(|(head, _)| *head == name).map(|(_, text)| text);
    let extension = name.rsplit('.').next()?;
    let (media_type, bytes) = match extension {
        "png" => ("image/png", picture(name)),
        "pdf" => ("application/pdf", pdf(text?)),
        "csv" => ("text/csv; charset=utf-8", crlf(text?)),
        "txt" => ("text/plain; charset=utf-8", crlf(text?)),
        "vcf" => ("text/vcard; charset=utf-8", crlf(text?)),
        _ => ("application/octet-stream", crlf(text?)),
    };
    Some(File { name, media_type, bytes })
}

/// The invitation to sign, for a day that is still to come (RFC 5545, RFC 5546).
pub(super) fn invitation(calendar: Calendar, sent_at: i64) -> String {
    let start = calendar.ahead(9);
    let (stamp, start, end) =
        (calendar_date(sent_at), calendar_date(start), calendar_date(start.saturating_add(2700)));
    let lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Thorne & Linden//Diary 2//EN",
        "METHOD:REQUEST",
        "BEGIN:VEVENT",
        "UID:signing-saltmarsh-reach@thornelinden.example",
        &format!("DTSTAMP:{stamp}"),
        &format!("DTSTART:{start}"),
        &format!("DTEND:{end}"),
        "SUMMARY:Signing\\, Saltmarsh Reach",
        "LOCATION:Thorne & Linden\\, 3 Assize Court\\, second floor",
        "DESCRIPTION:All three of you\\, in one room. Please bring identification.",
        "ORGANIZER;CN=Thorne & Linden:mailto:office@thornelinden.example",
        "ATTENDEE;CN=Robin Vale;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:",
        " mailto:robin@mailkeep.example",
        "ATTENDEE;CN=Ines Vale-Duarte;PARTSTAT=ACCEPTED:",
        " mailto:ines@valeduarte.example",
        "ATTENDEE;CN=Jonah Vale;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:",
        " mailto:jonah@bellwether.example",
        "SEQUENCE:0",
        "STATUS:CONFIRMED",
        "END:VEVENT",
        "END:VCALENDAR",
    ];
    lines.join("\r\n") + "\r\n"
}

fn crlf(text: &str) -> Vec<u8> {
    text.lines().flat_map(|line| [line, "\r\n"]).collect::<String>().into_bytes()
}

/// One page: the first line as its heading, the others below.
fn pdf(text: &str) -> Vec<u8> {
    let mut page = b"BT /F1 20 Tf 72 740 Td (".to_vec();
    for (index, line) in text.lines().enumerate() {
        if index > 0 {
            let font: &[u8] = if index == 1 { b"/F1 12 Tf 0 -30 Td (" } else { b"0 -18 Td (" };
            page.extend(font);
        }
        for byte in WINDOWS_1252.encode(line).0.iter() {
            if matches!(byte, b'(' | b')' | b'\\') {
                page.push(b'\\');
            }
            page.push(*byte);
        }
        page.extend(b") Tj\n");
    }
    page.extend(b"ET");
    let mut stream = format!("<< /Length {} >>\nstream\n", page.len()).into_bytes();
    stream.extend(page);
    stream.extend(b"\nendstream");
    let objects: [&[u8]; 5] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        &stream,
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman /Encoding /WinAnsiEncoding >>",
    ];
    let mut file = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, object) in (1..).zip(objects) {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.extend(format!("{number} 0 obj\n").into_bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let start = file.len();
    let trailer =
        format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1);
    file.extend(table.into_bytes());
    file.extend(trailer.into_bytes());
    file
}
