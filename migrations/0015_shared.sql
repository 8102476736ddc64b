-- What the owner set that other devices of theirs take over too, by name (`docs/sma.md`, 6): what counts, since when and on which
-- device it was said; and in `seen` what this store itself held when it last looked, so that a change made here is told from one
-- that was made elsewhere (null before it looked).
CREATE TABLE device_shared (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    at INTEGER NOT NULL,
    device TEXT NOT NULL,
    seen TEXT
) STRICT, WITHOUT ROWID;

-- Programs that were noticed in the mailbox, and about which the owner wants to hear no more.
CREATE TABLE device_dismissed (
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    device TEXT NOT NULL,
    PRIMARY KEY (account_id, device)
) STRICT, WITHOUT ROWID;
