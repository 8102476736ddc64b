-- What the store knows about mail. The mail itself lies in the packs; what stands here can be rebuilt from them,
-- but for the owner's accounts, tags and settings, which the snapshots keep.

-- An account is an address with its servers; `settings` is JSON (servers, user, password, CA).
CREATE TABLE account (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL DEFAULT '',
    settings TEXT NOT NULL,
    trouble TEXT NOT NULL DEFAULT '',
    synced_at INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A folder is what IMAP calls a mailbox. `raw_name` is its name as the server spells it; uid_validity, uid_next and
-- highest_modseq are the sync position: everything below uid_next that is still wanted has been fetched.
CREATE TABLE folder (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    raw_name TEXT NOT NULL,
    role TEXT NOT NULL DEFAULT '',
    uid_validity INTEGER NOT NULL DEFAULT 0,
    uid_next INTEGER NOT NULL DEFAULT 0,
    highest_modseq INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account_id, raw_name)
) STRICT;

-- One message, by content. `digest` is its id on the surface. Identical bytes are one row, however many places hold them.
-- `role` says where it lies while no server holds it (an import, a draft). `link` is the keyed hash of its Message-ID.
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    thread_id INTEGER NOT NULL,
    link INTEGER NOT NULL,
    pack INTEGER NOT NULL,
    pack_offset INTEGER NOT NULL,
    pack_length INTEGER NOT NULL,
    size INTEGER NOT NULL,
    date INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    people TEXT NOT NULL,
    subject TEXT NOT NULL,
    snippet TEXT NOT NULL,
    attachments INTEGER NOT NULL DEFAULT 0,
    role TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX message_by_date ON message (date, id);
CREATE INDEX message_by_thread ON message (thread_id, date, digest);
CREATE INDEX message_by_link ON message (link);

-- Which thread each Message-ID belongs to, be it a message's own or one it refers to: threads are the classes of
-- messages that name each other, so the order of arrival does not matter.
CREATE TABLE thread_link (
    link INTEGER PRIMARY KEY,
    thread_id INTEGER NOT NULL
) STRICT;
CREATE INDEX thread_link_by_thread ON thread_link (thread_id);

-- Where servers hold a message. `flags` and `keywords` are what the server said last; what the owner wants stands in
-- the tags, and the difference is pushed. `wanted` is the role of the folder the owner moved it to, 'gone' for delete.
CREATE TABLE place (
    folder_id INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
    uid INTEGER NOT NULL,
    message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    flags INTEGER NOT NULL DEFAULT 0,
    keywords TEXT NOT NULL DEFAULT '',
    wanted TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (folder_id, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX place_by_message ON place (message_id);
CREATE INDEX place_wanted ON place (wanted) WHERE wanted <> '';

-- UIDs that could not be taken (too large, unreadable), so that a sync steps over them and says so.
CREATE TABLE skipped (
    folder_id INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
    uid INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (folder_id, uid)
) STRICT, WITHOUT ROWID;

-- Messages whose flags or tags the owner changed since they were last pushed.
CREATE TABLE changed (
    message_id INTEGER PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE
) STRICT;

-- Tags, flags and places as bitmaps over message.id, in chunks of 65,536 so that one change writes little.
-- The name '' holds every message.
CREATE TABLE tag (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE tag_bits (
    tag_id INTEGER NOT NULL REFERENCES tag (id) ON DELETE CASCADE,
    chunk INTEGER NOT NULL,
    bits BLOB NOT NULL,
    PRIMARY KEY (tag_id, chunk)
) STRICT, WITHOUT ROWID;

-- Messages on their way out. The message itself is in `message` from the moment it is queued.
CREATE TABLE outbox (
    message_id INTEGER PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    account_id INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    queued_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL DEFAULT 0,
    copied INTEGER NOT NULL DEFAULT 0,
    replies_to BLOB,
    words TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE outbox_recipient (
    message_id INTEGER NOT NULL REFERENCES outbox (message_id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    state TEXT NOT NULL,
    reply TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (message_id, address)
) STRICT, WITHOUT ROWID;

-- Drafts: the newest bytes of a draft are a message with the role 'draft'; this says which, and what it answers.
CREATE TABLE draft (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    message_id INTEGER REFERENCES message (id) ON DELETE SET NULL,
    content TEXT NOT NULL,
    saved_at INTEGER NOT NULL
) STRICT;

-- Everybody the owner wrote with, for completing addresses and the contacts page.
CREATE TABLE person (
    address TEXT PRIMARY KEY,
    name TEXT NOT NULL DEFAULT '',
    received INTEGER NOT NULL DEFAULT 0,
    sent INTEGER NOT NULL DEFAULT 0,
    last_at INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- API tokens, hashed. In no snapshot.
CREATE TABLE token (
    name TEXT PRIMARY KEY,
    scope TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
