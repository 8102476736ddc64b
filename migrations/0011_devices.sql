-- This program as one of the owner's devices, for each account: its number, its secrets (vodozemac's Olm account), the number of
-- its last message, the key that sessions with it begin with, what it last announced, and what the owner last said of the account.
-- `joined` is the device whose word was taken in a pairing, with its keys, until its roster is here. None of these tables goes
-- into a copy of the database: a restored store is a new device.
CREATE TABLE device_own (
    account_id INTEGER PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    device TEXT NOT NULL,
    secret TEXT NOT NULL,
    seq INTEGER NOT NULL,
    anchor BLOB NOT NULL,
    fallback BLOB NOT NULL,
    fallback_at INTEGER NOT NULL,
    announced BLOB NOT NULL DEFAULT x'',
    announced_at INTEGER NOT NULL DEFAULT 0,
    announced_seq INTEGER NOT NULL DEFAULT 0,
    joined TEXT NOT NULL DEFAULT '',
    joined_keys BLOB NOT NULL DEFAULT x'',
    mutual INTEGER NOT NULL,
    mutual_at INTEGER NOT NULL DEFAULT 0,
    mutual_by TEXT NOT NULL
) STRICT;

-- The statements of the roster.
CREATE TABLE device_statement (
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    hash BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (account_id, hash)
) STRICT, WITHOUT ROWID;

-- Another device: what it announced, the sessions with it, the highest number of its messages (`heard`) and of its updates
-- (`taken`) that were taken in, whether it waits to hear of that, whether something of it was missed or could not be opened, and
-- the highest number of ours that it confirmed.
CREATE TABLE device_other (
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    device TEXT NOT NULL,
    keys BLOB NOT NULL DEFAULT x'',
    fallback BLOB NOT NULL DEFAULT x'',
    program TEXT NOT NULL DEFAULT '',
    last_seen INTEGER NOT NULL DEFAULT 0,
    sessions TEXT NOT NULL DEFAULT '[]',
    heard INTEGER NOT NULL DEFAULT 0,
    taken INTEGER NOT NULL DEFAULT 0,
    owes INTEGER NOT NULL DEFAULT 0,
    missed INTEGER NOT NULL DEFAULT 0,
    closed INTEGER NOT NULL DEFAULT 0,
    confirmed INTEGER NOT NULL DEFAULT 0,
    told_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, device)
) STRICT, WITHOUT ROWID;

-- Which version of what another device was told, and with which message.
CREATE TABLE device_told (
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    device TEXT NOT NULL,
    entry BLOB NOT NULL,
    version BLOB NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (account_id, device, entry)
) STRICT, WITHOUT ROWID;

-- Messages on their way into a folder (its name for people).
CREATE TABLE device_letter (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    folder TEXT NOT NULL,
    message_id TEXT NOT NULL,
    bytes BLOB NOT NULL,
    tried INTEGER NOT NULL DEFAULT 0
) STRICT;
