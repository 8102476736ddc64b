-- When key servers were asked for an address, and when they may be asked again.
CREATE TABLE lookup (
    address TEXT PRIMARY KEY,
    asked_at INTEGER NOT NULL,
    again_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What each source said when it was asked last: keys that may be an address's. `place` is the order in which they are asked.
CREATE TABLE candidate (
    address TEXT NOT NULL,
    source TEXT NOT NULL,
    server TEXT NOT NULL,
    fingerprint TEXT NOT NULL REFERENCES certificate (fingerprint) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    PRIMARY KEY (address, source, server, fingerprint)
) STRICT, WITHOUT ROWID;

-- When a key that the owner relies on is asked for again, so that its end or its revocation becomes known.
CREATE TABLE refresh (
    fingerprint TEXT PRIMARY KEY,
    due_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The owner's keys at key servers: `uploaded`, `waiting` for the mail of the server, `published`, `removing` (waiting for the
-- mail that asks about it), `removed`. `began_at` is when the owner last asked for it.
CREATE TABLE publication (
    address TEXT NOT NULL,
    server TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (address, server)
) STRICT, WITHOUT ROWID;
