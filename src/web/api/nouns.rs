//! The nouns of the description. A field that ends in `?` may be missing; a type is a word of JSON Schema, `time`, another
//! noun, an array of these in brackets, or several of these with `|` between them.

use serde_json::{Map, Value, json};

struct Noun {
    name: &'static str,
    words: &'static str,
    fields: &'static [(&'static str, &'static str)],
}

const fn noun(
    name: &'static str,
    words: &'static str,
    fields: &'static [(&'static str, &'static str)],
) -> Noun {
    Noun { name, words, fields }
}

/// What calls answer.
const ANSWERS: &[Noun] = &[
    noun(
        "Sender",
        "A sender that something was decided about",
        &[("address", "string"), ("pictures", "boolean"), ("view", "string|null")],
    ),
    noun("Forgotten", "The sender that was forgotten", &[("forgotten", "string")]),
    noun(
        "NetworkStatus",
        "Tor, and which way things go",
        &[
            ("offline", "boolean"),
            ("tor_for_everything", "boolean"),
            ("tor", "Tor"),
            ("routes", "[PurposeRoute]"),
        ],
    ),
    noun(
        "Tor",
        "How we stand with Tor; percent is how far the one inside has come while it starts",
        &[
            ("mode", "string"),
            ("socks", "string|null"),
            ("state", "string"),
            ("percent", "integer|null"),
            ("words", "string"),
        ],
    ),
    noun(
        "PurposeRoute",
        "The route of a purpose: direct, tor or never; and the setting that changes it",
        &[("purpose", "string"), ("route", "string"), ("setting", "string|null")],
    ),
    noun("Person", "Somebody", &[("name", "string"), ("address", "string")]),
    noun(
        "Found",
        "What a search found",
        &[
            ("query", "string"),
            ("total", "integer"),
            ("took_ms", "number"),
            ("messages", "[Hit]"),
            ("indexing?", "[integer]"),
        ],
    ),
    noun(
        "Hit",
        "A message in a list",
        &[
            ("id", "string"),
            ("thread", "string"),
            ("date", "time"),
            ("from", "Person|null"),
            ("to", "[Person]"),
            ("subject", "string"),
            ("snippet", "string"),
            ("tags", "[string]"),
            ("attachments", "integer"),
            ("privacy", "string"),
            ("assurance", "string"),
            ("hits?", "array"),
        ],
    ),
    noun(
        "Count",
        "How many messages match",
        &[("query", "string"), ("total", "integer"), ("took_ms", "number")],
    ),
    noun("Thread", "A thread, oldest message first", &[("id", "string"), ("messages", "[Hit]")]),
    noun(
        "Message",
        "A message",
        &[
            ("id", "string"),
            ("thread", "string"),
            ("message_id", "string|null"),
            ("places", "[Place]"),
            ("date", "time"),
            ("from", "Person|null"),
            ("to", "[Person]"),
            ("cc", "[Person]"),
            ("bcc", "[Person]"),
            ("reply_to", "[Person]"),
            ("subject", "string"),
            ("text", "string"),
            ("parts", "[Part]"),
            ("tags", "[string]"),
            ("bytes", "integer"),
            ("privacy", "string"),
            ("assurance", "string"),
            ("signer", "string|null"),
            ("reasons", "[string]"),
            ("authentication", "Authentication"),
        ],
    ),
    noun(
        "Authentication",
        "What is known about where a message is from",
        &[("dkim", "Dkim|null"), ("server", "[ServerNote]"), ("words", "[string]")],
    ),
    noun(
        "Dkim",
        "What became of its DKIM signature",
        &[
            ("result", "string"),
            ("domain", "string|null"),
            ("selector", "string|null"),
            ("key", "string|null"),
            ("resolver", "string|null"),
            ("dnssec", "boolean"),
            ("checked_at", "time|null"),
            ("flaw", "string|null"),
        ],
    ),
    noun("ServerNote", "What the owner's own server noted", &[("server", "string"), ("methods", "[Method]")]),
    noun(
        "Method",
        "A check that a server made",
        &[("method", "string"), ("result", "string"), ("of", "string|null")],
    ),
    noun(
        "Left",
        "How a list was left, or how it can be",
        &[("way", "string"), ("words", "string"), ("draft", "string|null"), ("link", "string|null")],
    ),
    noun("Place", "Where a message lies", &[("account", "string"), ("folder", "string"), ("uid", "integer")]),
    noun(
        "Part",
        "A part of a message",
        &[
            ("n", "integer"),
            ("type", "string"),
            ("name", "string|null"),
            ("bytes", "integer"),
            ("risk", "string"),
        ],
    ),
    noun("Changed", "How many messages were meant", &[("changed", "integer")]),
    noun("Deleted", "How many messages are gone for ever", &[("deleted", "integer")]),
    noun(
        "Queued",
        "An entry of the outbox, which is also the message's id",
        &[("id", "string"), ("encrypted", "boolean"), ("signed", "boolean"), ("recommendation", "string")],
    ),
    noun(
        "KeptDraft",
        "A draft",
        &[
            ("id", "string"),
            ("saved_at", "time"),
            ("from", "Person|null"),
            ("to", "[Person]"),
            ("cc", "[Person]"),
            ("bcc", "[Person]"),
            ("subject", "string"),
            ("text", "string"),
            ("reply_to_id", "string|null"),
            ("attachments", "[KeptFile]"),
        ],
    ),
    noun(
        "KeptFile",
        "A file of a draft",
        &[("name", "string"), ("content_type", "string"), ("bytes", "integer")],
    ),
    noun("Discarded", "The draft that is no more", &[("discarded", "string")]),
    noun(
        "OutboxEntry",
        "An entry of the outbox",
        &[
            ("id", "string"),
            ("state", "string"),
            ("subject", "string"),
            ("attempts", "integer"),
            ("next_attempt", "time|null"),
            ("recipients", "[Recipient]"),
            ("words", "string"),
            ("copied", "boolean"),
            ("queued_at", "time"),
            ("draft?", "string|null"),
        ],
    ),
    noun(
        "Recipient",
        "Somebody a message goes to",
        &[("address", "string"), ("state", "string"), ("reply", "string")],
    ),
    noun(
        "Synced",
        "What a pass did",
        &[
            ("fetched", "integer"),
            ("bytes", "integer"),
            ("flags_pulled", "integer"),
            ("flags_pushed", "integer"),
            ("moved", "integer"),
            ("deleted", "integer"),
            ("failed", "integer"),
            ("seconds", "number"),
            ("failures?", "[string]"),
        ],
    ),
    noun("Server", "A server", &[("host", "string"), ("port", "integer"), ("security", "string")]),
    noun(
        "Account",
        "An account; its password is never shown",
        &[
            ("email", "string"),
            ("name", "string"),
            ("imap", "Server"),
            ("smtp", "Server"),
            ("user", "string"),
            ("own_ca", "boolean"),
            ("prefer_encrypt", "string"),
            ("route", "string"),
            ("synced_at", "time|null"),
            ("trouble", "string"),
            ("found_by?", "string"),
        ],
    ),
    noun(
        "Key",
        "A key; what it can do is not in it",
        &[
            ("fingerprint", "string"),
            ("addresses", "[string]"),
            ("secret", "boolean"),
            ("created", "time"),
            ("expires", "time|null"),
            ("revoked", "boolean"),
            ("current", "boolean"),
            ("algorithm", "string"),
            ("backed_up", "time|null"),
        ],
    ),
    noun(
        "Candidate",
        "A key that a look-up found, with the first source that named it and all of them",
        &[
            ("fingerprint", "string"),
            ("addresses", "[string]"),
            ("secret", "boolean"),
            ("created", "time"),
            ("expires", "time|null"),
            ("revoked", "boolean"),
            ("current", "boolean"),
            ("algorithm", "string"),
            ("backed_up", "time|null"),
            ("source", "string"),
            ("server", "string"),
            ("sources", "[string]"),
            ("usable", "boolean"),
            ("words", "string"),
        ],
    ),
    noun(
        "Publication",
        "How far a key of the owner's is at a key server: waiting, published, removing, removed or failed",
        &[
            ("address", "string"),
            ("server", "string"),
            ("fingerprint", "string"),
            ("state", "string"),
            ("words", "string"),
        ],
    ),
    noun(
        "WkdDirectory",
        "A Web Key Directory that was written",
        &[("directory", "string"), ("domains", "[string]"), ("keys", "integer")],
    ),
    noun(
        "Device",
        "A device of the owner's, or a program that says so",
        &[
            ("id", "string"),
            ("name", "string"),
            ("state", "string"),
            ("last_seen", "time|null"),
            ("this", "boolean"),
            ("sas", "string|null"),
            ("account", "string"),
            ("words", "string"),
            ("program", "string"),
        ],
    ),
    noun(
        "Pairing",
        "A pairing that goes on",
        &[
            ("id", "string"),
            ("name", "string"),
            ("state", "string"),
            ("sas", "string|null"),
            ("words", "string"),
        ],
    ),
    noun(
        "DeviceCode",
        "A code that this device shows, to be typed into a new one",
        &[
            ("id", "string"),
            ("code", "string"),
            ("expires", "time"),
            ("account", "string"),
            ("words", "string"),
        ],
    ),
    noun("CancelledPairings", "Pairings that were ended", &[("cancelled", "integer")]),
    noun("RemovedDevice", "A device that was removed", &[("removed", "string"), ("words", "string")]),
    noun("ImportedKeys", "The keys that were taken in", &[("keys", "[Key]")]),
    noun(
        "SetupMessage",
        "A Setup Message on its way to the owner, and the code that opens it",
        &[("id", "string"), ("code", "string")],
    ),
    noun(
        "Peer",
        "A correspondent, with what is known of their key; keys and history are empty in lists",
        &[
            ("email", "string"),
            ("last_seen", "time|null"),
            ("autocrypt_timestamp", "time|null"),
            ("public_key_fingerprint", "string|null"),
            ("prefer_encrypt", "string"),
            ("gossip_timestamp", "time|null"),
            ("gossip_fingerprint", "string|null"),
            ("trust", "string"),
            ("recommendation", "string"),
            ("pinned_fingerprint", "string|null"),
            ("pinned_since", "time|null"),
            ("verified_since", "time|null"),
            ("waiting_fingerprint", "string|null"),
            ("private_messages", "integer"),
            ("answered", "integer"),
            ("program", "string"),
            ("words", "string"),
            ("keys", "[SaidKey]"),
            ("history", "[KeyDecision]"),
        ],
    ),
    noun(
        "Invitation",
        "An invitation to compare keys, good for one correspondent; state is made, asked, answered, done or other-key",
        &[
            ("email", "string"),
            ("account", "string"),
            ("own", "boolean"),
            ("state", "string"),
            ("fingerprint", "string"),
            ("expires", "time"),
            ("link", "string|null"),
        ],
    ),
    noun(
        "SaidKey",
        "A key that was said to be a correspondent's, and by which way",
        &[
            ("fingerprint", "string"),
            ("way", "string"),
            ("first", "time"),
            ("last", "time"),
            ("messages", "integer"),
        ],
    ),
    noun(
        "KeyDecision",
        "What was decided about a key",
        &[("at", "time"), ("fingerprint", "string"), ("deed", "string"), ("way", "string")],
    ),
    noun(
        "AccountCheck",
        "How the logins went",
        &[("email", "string"), ("ok", "boolean"), ("imap", "string"), ("smtp", "string")],
    ),
    noun("Removed", "The account that is no more", &[("removed", "string")]),
    noun(
        "Imported",
        "What was taken in",
        &[
            ("messages", "integer"),
            ("duplicates", "integer"),
            ("failed", "integer"),
            ("bytes", "integer"),
            ("seconds", "number"),
            ("failures?", "[string]"),
        ],
    ),
    noun("Exported", "What was written", &[("messages", "integer"), ("bytes", "integer")]),
    noun(
        "Checked",
        "How the store is",
        &[
            ("messages", "integer"),
            ("damaged", "integer"),
            ("repaired", "integer"),
            ("lost", "integer"),
            ("findings?", "[string]"),
        ],
    ),
    noun(
        "Status",
        "How everything is",
        &[
            ("version", "string"),
            ("messages", "integer"),
            ("raw_bytes", "integer"),
            ("disk_bytes", "integer"),
            ("packs_bytes", "integer"),
            ("index_bytes", "integer"),
            ("database_bytes", "integer"),
            ("free_bytes", "integer"),
            ("unread", "integer"),
            ("indexed", "object"),
            ("outbox", "integer"),
            ("accounts", "[AccountStatus]"),
            ("tasks", "object"),
        ],
    ),
    noun(
        "AccountStatus",
        "How an account is",
        &[("email", "string"), ("synced_at", "time|null"), ("trouble", "string"), ("skipped", "[string]")],
    ),
    noun(
        "Connection",
        "A connection that left",
        &[
            ("at", "time"),
            ("purpose", "string"),
            ("host", "string"),
            ("port", "integer"),
            ("route", "string"),
            ("outcome", "string"),
        ],
    ),
    noun(
        "Token",
        "A token, without what it is",
        &[("name", "string"), ("scope", "string"), ("created", "time")],
    ),
    noun(
        "NewToken",
        "A token that was just made",
        &[("name", "string"), ("scope", "string"), ("token", "string")],
    ),
    noun("Revoked", "The token that is no more", &[("revoked", "string")]),
    noun(
        "RemoteAccess",
        "How reading from afar stands",
        &[
            ("second_factor", "SecondFactor"),
            ("onion", "Onion"),
            ("unlock_onion", "UnlockOnion"),
            ("sessions", "[RemoteSession]"),
            ("devices", "[RemoteDevice]"),
            ("passkeys", "[Passkey]"),
        ],
    ),
    noun(
        "SecondFactor",
        "Since when codes are asked for, null for never, and how many spare ones are left",
        &[("since", "time|null"), ("spare_codes", "integer")],
    ),
    noun(
        "FactorBegun",
        "A secret for codes: as an address for a QR code, and to be typed",
        &[("address", "string"), ("secret", "string")],
    ),
    noun(
        "SpareCodes",
        "Codes that each take the place of one from the phone",
        &[("spare_codes", "[string]")],
    ),
    noun(
        "Onion",
        "The onion service: whether it is wanted, whether only devices with a key find it, and how it stands",
        &[
            ("wanted", "boolean"),
            ("restricted", "boolean"),
            ("address", "string|null"),
            ("reachable", "boolean"),
            ("words", "string"),
        ],
    ),
    noun(
        "UnlockOnion",
        "The onion service by which a locked store is unlocked: whether it is wanted, and whether all that it needs is there",
        &[("wanted", "boolean"), ("address", "string|null"), ("ready", "boolean"), ("words", "string")],
    ),
    noun("OnionAddress", "The address of the onion service", &[("address", "string")]),
    noun(
        "RemoteSession",
        "Somebody who is signed in from afar",
        &[("id", "string"), ("name", "string"), ("host", "string"), ("began", "time"), ("last_seen", "time")],
    ),
    noun("Ended", "The session that was ended", &[("ended", "string")]),
    noun(
        "RemoteDevice",
        "A device of the owner's elsewhere",
        &[("name", "string"), ("has_key", "boolean"), ("added", "time"), ("last_seen", "time|null")],
    ),
    noun(
        "Passkey",
        "A passkey for signing in from afar under one name",
        &[("name", "string"), ("site", "string"), ("added", "time"), ("last_used", "time|null")],
    ),
    noun(
        "NewRemoteDevice",
        "A device that was just added: the address it comes by, its key, and that as a line for Tor; the same for the address \
         by which it unlocks, null where there is none",
        &[
            ("name", "string"),
            ("address", "string"),
            ("key", "string"),
            ("auth_private", "string"),
            ("unlock_address", "string|null"),
            ("unlock_auth_private", "string|null"),
        ],
    ),
    noun("RemovedName", "What was removed", &[("removed", "string")]),
    noun("Setting", "A setting", &[("key", "string"), ("value", "string")]),
    noun("Data", "The data directory", &[("data", "string")]),
    noun(
        "Health",
        "Whether Mailkeep answers, and whether it is locked",
        &[("status", "string"), ("locked", "boolean")],
    ),
    noun(
        "Problem",
        "What went wrong (RFC 9457)",
        &[("type", "string"), ("title", "string"), ("status", "integer"), ("detail", "string")],
    ),
];

/// What bodies hold. Other fields are refused.
const BODIES: &[Noun] = &[
    noun(
        "TagsApply",
        "Which messages, by either query or ids, and their new and old tags",
        &[("query?", "string"), ("ids?", "[string]"), ("add?", "[string]"), ("remove?", "[string]")],
    ),
    noun(
        "Draft",
        "A message as one writes it; text and body are the same, and people are one text or an array",
        &[
            ("from?", "string|Someone|null"),
            ("to?", "string|[Someone]|null"),
            ("cc?", "string|[Someone]|null"),
            ("bcc?", "string|[Someone]|null"),
            ("subject?", "string"),
            ("text?", "string|null"),
            ("body?", "string|null"),
            ("reply_to_id?", "string|null"),
            ("attachments?", "[File]"),
            ("encrypt?", "string|null"),
            ("sign?", "string|null"),
        ],
    ),
    noun("Someone", "Somebody to write to", &[("name?", "string|null"), ("address", "string")]),
    noun(
        "File",
        "A file to attach",
        &[("name", "string"), ("content_type?", "string|null"), ("base64", "string")],
    ),
    noun(
        "AccountAdd",
        "An account to add; a server that is not given is found, and one given as text is HOST:PORT",
        &[
            ("email", "string"),
            ("name?", "string"),
            ("imap?", "string|ServerAt|null"),
            ("imap_security?", "string|null"),
            ("smtp?", "string|ServerAt|null"),
            ("smtp_security?", "string|null"),
            ("user?", "string|null"),
            ("password", "string"),
            ("ca?", "string|null"),
            ("prefer_encrypt?", "string|null"),
            ("route?", "string|null"),
        ],
    ),
    noun(
        "ServerAt",
        "A server",
        &[("host", "string"), ("port?", "integer|null"), ("security?", "string|null")],
    ),
    noun(
        "Import",
        "Absolute paths, and a tag for all their mail",
        &[("paths", "[string]"), ("tag?", "string|null")],
    ),
    noun(
        "Export",
        "An absolute path, mbox, maildir or eml, and which messages",
        &[("path", "string"), ("format", "string"), ("query?", "string|null")],
    ),
    noun("WkdExport", "An absolute path of a folder", &[("directory", "string")]),
    noun("Check", "Whether to mend what can be mended", &[("repair?", "boolean")]),
    noun(
        "TokenCreate",
        "What to call the token, and read, write or admin",
        &[("name", "string"), ("scope", "string")],
    ),
    noun(
        "SenderChange",
        "What changes about a sender: whether pictures are always fetched, and html, text or nothing as the first view",
        &[("pictures?", "boolean|null"), ("view?", "string|null")],
    ),
    noun("FactorCode", "The code that the program shows now", &[("code", "string")]),
    noun("Name", "What to call it", &[("name", "string")]),
    noun(
        "RemoteDeviceAdd",
        "What to call the device, and the store's passphrase",
        &[("name", "string"), ("passphrase", "string")],
    ),
    noun("Preference", "mutual or nopreference", &[("prefer_encrypt", "string")]),
    noun("AccountRoute", "direct or tor", &[("route", "string")]),
    noun("KeyMake", "Whose key", &[("email", "string")]),
    noun(
        "KeyImport",
        "Keys, either armoured as text or any in base64, and what opens a secret key that is locked",
        &[("text?", "string|null"), ("base64?", "string|null"), ("password?", "string|null")],
    ),
    noun("Proof", "The passphrase", &[("passphrase", "string")]),
    noun("SetupCode", "The code of a Setup Message: nine groups of four digits", &[("code", "string")]),
    noun("TypedCode", "The code that the other device shows", &[("code", "string")]),
    noun("DeviceSas", "The numbers that the new device shows", &[("sas", "string")]),
    noun("Compared", "The whole fingerprint that was compared", &[("fingerprint", "string")]),
    noun("Invite", "From which account; from the first, where it is left out", &[("from?", "string")]),
    noun(
        "InvitationLink",
        "The link of an invitation, and the account to answer with",
        &[("link", "string"), ("from?", "string")],
    ),
    noun("SettingValue", "What a setting shall be", &[("value", "string")]),
    noun(
        "PassphraseChange",
        "The passphrase that holds and the one that shall hold",
        &[("passphrase", "string"), ("new_passphrase", "string")],
    ),
];

/// The schema that a type stands for.
pub(super) fn schema(kind: &str) -> Value {
    if kind.contains('|') {
        return json!({"anyOf": kind.split('|').map(schema).collect::<Vec<_>>()});
    }
    if let Some(item) = kind.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return json!({"type": "array", "items": schema(item)});
    }
    match kind {
        "string" | "integer" | "number" | "boolean" | "object" | "array" | "null" => json!({"type": kind}),
        "time" => json!({"type": "string", "format": "date-time"}),
        noun => json!({"$ref": format!("#/components/schemas/{noun}")}),
    }
}

/// All nouns.
pub(super) fn all() -> Map<String, Value> {
    let bodies = BODIES.iter().map(|noun| (noun, false));
    ANSWERS
        .iter()
        .map(|noun| (noun, true))
        .chain(bodies)
        .map(|(noun, open)| (noun.name.to_owned(), of(noun, open)))
        .collect()
}

fn of(noun: &Noun, open: bool) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (field, kind) in noun.fields {
        let name = field.strip_suffix('?').unwrap_or(field);
        if name == *field {
            required.push(name);
        }
        properties.insert(name.to_owned(), schema(kind));
    }
    json!({
        "type": "object", "description": noun.words, "properties": properties, "required": required,
        "additionalProperties": open,
    })
}
