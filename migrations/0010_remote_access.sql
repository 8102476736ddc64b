-- What a session from afar needs beside the passphrase: a secret from which codes are made (RFC 6238). One is in force; one
-- may be pending until a code proves that the owner's program has it. `last_step` is the newest half minute whose code was
-- used: no code works twice.
CREATE TABLE second_factor (
    state TEXT PRIMARY KEY CHECK (state IN ('in-force', 'pending')),
    secret BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    last_step INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Codes for when that program is lost, as keyed hashes. One that was used is gone.
CREATE TABLE spare_code (
    hash BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Browsers of the owner's elsewhere. `token` is the keyed hash of what such a browser shows; `client_key` is the public half
-- of the key with which it finds the onion service, where it has one.
CREATE TABLE remote_device (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    token BLOB NOT NULL UNIQUE,
    client_key BLOB,
    added_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The key of the onion service, and the address that follows from it.
CREATE TABLE onion_key (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    secret BLOB NOT NULL,
    address TEXT NOT NULL,
    made_at INTEGER NOT NULL
) STRICT;
