//! Sealed and signed messages, put together from a header section and what was made of the payload.

use crate::mail::address::Person;
use crate::mail::autocrypt::DraftState;
use crate::mail::compose::{self, Attachment};

use super::entity::crlf;
use super::protect::with_field;

/// An encrypted message (RFC 3156 §4). `outer` is that of [`super::Protected`], `armored` the OpenPGP message.
#[must_use]
pub fn encrypted(outer: &[u8], armored: &str) -> Vec<u8> {
    let armored = crlf(armored.trim_ascii().as_bytes());
    let version = b"Content-Type: application/pgp-encrypted\r\n\
        Content-Description: PGP/MIME version identification\r\n\r\nVersion: 1\r\n"
        .to_vec();
    let mut message = b"Content-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\
        Content-Description: OpenPGP encrypted message\r\n\
        Content-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n"
        .to_vec();
    message.extend_from_slice(&armored);
    message.extend_from_slice(b"\r\n");
    let kind = "multipart/encrypted; protocol=\"application/pgp-encrypted\"";
    multipart(outer, kind, &[&version, &message])
}

/// A draft, encrypted to its writer alone, with what the writer decided outside (Autocrypt 1.1).
#[must_use]
pub fn draft_encrypted(outer: &[u8], armored: &str, state: DraftState) -> Vec<u8> {
    encrypted(&with_field(outer, DraftState::NAME, &state.to_field()), armored)
}

/// A message signed beside its text (RFC 3156 §5). `payload` are exactly the bytes that were signed; `micalg` names their
/// hash, such as `pgp-sha512`.
#[must_use]
pub fn signed(outer: &[u8], payload: &[u8], armored_signature: &str, micalg: &str) -> Vec<u8> {
    let micalg: String = micalg.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let mut signature = b"Content-Type: application/pgp-signature; name=\"signature.asc\"\r\n\
        Content-Description: OpenPGP signature\r\n\
        Content-Disposition: attachment; filename=\"signature.asc\"\r\n\r\n"
        .to_vec();
    signature.extend_from_slice(&crlf(armored_signature.trim_ascii().as_bytes()));
    signature.extend_from_slice(b"\r\n");
    let kind = format!("multipart/signed; micalg=\"{micalg}\";\r\n protocol=\"application/pgp-signature\"");
    multipart(outer, &kind, &[payload, &signature])
}

/// A message signed in a field that programs without OpenPGP pass over (draft-ietf-mailmaint-unobtrusive-signatures).
/// `payload` are exactly the bytes that were signed; `signature` is the OpenPGP signature in binary form.
#[must_use]
pub fn signed_unobtrusively(outer: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut part = b"Sig: t=p; b=".to_vec();
    for line in data_encoding::BASE64.encode(signature).as_bytes().chunks(76) {
        part.extend_from_slice(b"\r\n ");
        part.extend_from_slice(line);
    }
    part.extend_from_slice(b"\r\n");
    part.extend_from_slice(payload);
    multipart(outer, "multipart/mixed", &[&part])
}

/// One's own secret key on its way to another of one's programs (Autocrypt 1.1, Setup Message). `armored` is the encrypted
/// OpenPGP message, `begin` the first two digits of its code, `date` in seconds since 1970, `message_id` without angle
/// brackets.
#[must_use]
pub fn setup_message(address: &str, armored: &str, begin: &str, message_id: &str, date: i64) -> Vec<u8> {
    let begin: String = begin.chars().filter(char::is_ascii_digit).take(2).collect();
    let hint = if begin.is_empty() { String::new() } else { format!(" It begins with {begin}.") };
    let body = format!(
        "This message carries the key to your encrypted mail from one of your mail programs to another.\n\n\
         To use it, open this message in the other program and type the setup code that the first one showed \
         you.{hint} Whoever knows the code can open the key, so do not write it into a mail.\n\n\
         If you did not ask for this, you can delete the message. Nothing happens until somebody types the code.\n"
    );
    let person = Person { name: String::new(), address: address.to_owned() };
    let page = format!(
        "<!DOCTYPE html>\r\n<html><body>\r\n<p>This is the key to encrypted mail, protected by a setup code. A mail \
         program that knows Autocrypt can take it over.</p>\r\n<pre>\r\n{}\r\n</pre>\r\n</body></html>\r\n",
        armored.trim_ascii()
    );
    let draft = compose::Draft {
        from: person.clone(),
        to: vec![person],
        subject: "Autocrypt Setup Message".to_owned(),
        body,
        attachments: vec![Attachment {
            name: "autocrypt-setup-message.html".to_owned(),
            content_type: "application/autocrypt-setup".to_owned(),
            bytes: crlf(page.as_bytes()),
        }],
        message_id: message_id.to_owned(),
        date,
        ..compose::Draft::default()
    };
    [b"Autocrypt-Setup-Message: v1\r\n".as_slice(), &compose::to_bytes(&draft)].concat()
}

/// A certificate as an attachment (RFC 3156 §7). `fingerprint` only names the file.
#[must_use]
pub fn key_attachment(armored: &str, fingerprint: &str) -> Attachment {
    let digits: String = fingerprint.chars().filter(char::is_ascii_hexdigit).take(64).collect();
    let name =
        if digits.is_empty() { "OpenPGP key.asc".to_owned() } else { format!("OpenPGP key {digits}.asc") };
    Attachment { name, content_type: "application/pgp-keys".to_owned(), bytes: crlf(armored.as_bytes()) }
}

/// The message: header section, type, parts.
fn multipart(outer: &[u8], kind: &str, parts: &[&[u8]]) -> Vec<u8> {
    let boundary = boundary(outer, parts);
    let mut out = outer.to_vec();
    out.extend_from_slice(
        format!("MIME-Version: 1.0\r\nContent-Type: {kind};\r\n boundary=\"{boundary}\"\r\n\r\n").as_bytes(),
    );
    for part in parts {
        out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        out.extend_from_slice(part);
        // This line break belongs to the delimiter: a signed part is what lies before it.
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    out
}

/// A line that no part holds, made from the header section, so that the same message gives the same bytes. None of the
/// encodings can hold `=-`, and none of our other boundaries begins with it.
fn boundary(outer: &[u8], parts: &[&[u8]]) -> String {
    let id = super::entity::Entity::read(outer);
    let id = id.all("message-id").next().map(super::entity::Field::text).unwrap_or_default();
    let letters: String = id.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
    let mut boundary = format!("=-{letters}");
    while boundary.len() < 60
        && parts.iter().any(|part| memchr::memmem::find(part, boundary.as_bytes()).is_some())
    {
        boundary.push('x');
    }
    boundary
}
