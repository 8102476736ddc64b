-- Since when an address is heard from, UTC seconds as the message came; 0 where that was before this was noted.
ALTER TABLE person ADD COLUMN first_at INTEGER NOT NULL DEFAULT 0;

-- Those who are known well enough to be imitated: the owner wrote to them, or often hears from them.
CREATE INDEX person_known ON person (last_at) WHERE sent > 0 OR received >= 5;

-- What became of a message's DKIM signature. `waiting` until its key was asked for, then `pass`, `fail`, or `unknown` where
-- nobody could be asked in time. The key record is kept, so that the verdict outlives it. No row: nothing was to be checked.
CREATE TABLE signature (
    message_id INTEGER PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    domain TEXT NOT NULL DEFAULT '',
    selector TEXT NOT NULL DEFAULT '',
    aligned INTEGER NOT NULL DEFAULT 0,
    covers_leaving INTEGER NOT NULL DEFAULT 0,
    flaw TEXT NOT NULL DEFAULT '',
    key BLOB,
    resolver TEXT NOT NULL DEFAULT '',
    dnssec INTEGER NOT NULL DEFAULT 0,
    checked_at INTEGER NOT NULL DEFAULT 0,
    queued_at INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX signature_due ON signature (due_at) WHERE state = 'waiting';

-- Which houses sign their mail, and since when: a signature that is missing later means something there.
CREATE TABLE signing_domain (
    domain TEXT PRIMARY KEY,
    passed INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    first_at INTEGER NOT NULL DEFAULT 0,
    last_at INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Under which names an account's own server notes what it checked (RFC 8601), and in how many messages it was seen to.
CREATE TABLE noting_server (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    seen INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

-- Lists that the owner left: by their identifier, or the address they send from.
CREATE TABLE left_list (
    name TEXT PRIMARY KEY,
    way TEXT NOT NULL,
    left_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
