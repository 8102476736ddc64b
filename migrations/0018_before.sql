-- When what this store holds of something shared was last changed here; 0 for not since that is noted.
ALTER TABLE device_shared ADD COLUMN here_at INTEGER NOT NULL DEFAULT 0;

-- Signatures that stood here until another device's took their place.
CREATE TABLE signature_before (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    value TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL
) STRICT;

-- Whether nothing of this device lies in the mailbox any more, because its owner does not want it shown there.
ALTER TABLE device_own ADD COLUMN withdrawn INTEGER NOT NULL DEFAULT 0;

-- The numbers that this store had as a device before it began anew, with their keys: what lies there of them is its own.
CREATE TABLE device_former (
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    device TEXT NOT NULL,
    keys BLOB NOT NULL,
    PRIMARY KEY (account_id, device)
) STRICT, WITHOUT ROWID;
