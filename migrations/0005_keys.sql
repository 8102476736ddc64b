-- The owner's own keys. One of each address is current: it signs, and is the one that others are told of. The others are
-- kept for reading old mail. `secret` is an OpenPGP transferable secret key; `revocation` was made with it.
CREATE TABLE own_key (
    fingerprint TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    secret BLOB NOT NULL,
    revocation TEXT NOT NULL DEFAULT '',
    made_at INTEGER NOT NULL,
    current INTEGER NOT NULL DEFAULT 0,
    backed_up_at INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX own_key_current ON own_key (address) WHERE current = 1;

-- Certificates of others, merged and made small, and the key IDs by which signatures name them.
CREATE TABLE certificate (
    fingerprint TEXT PRIMARY KEY,
    bytes BLOB NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE certificate_key (
    key_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL REFERENCES certificate (fingerprint) ON DELETE CASCADE,
    PRIMARY KEY (key_id, fingerprint)
) STRICT, WITHOUT ROWID;

-- The names that certificates bear, folded, with the addresses beside them: whoever comes under such a name from elsewhere
-- is told of.
CREATE TABLE certificate_name (
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    fingerprint TEXT NOT NULL REFERENCES certificate (fingerprint) ON DELETE CASCADE,
    PRIMARY KEY (name, address, fingerprint)
) STRICT, WITHOUT ROWID;

-- What Autocrypt Level 1 keeps of a correspondent (the first seven), what trust on first use adds, and how they really
-- write: how often in private, how often in clear, how often they answered private mail, with which program.
CREATE TABLE peer (
    address TEXT PRIMARY KEY,
    last_seen INTEGER NOT NULL DEFAULT 0,
    autocrypt_timestamp INTEGER NOT NULL DEFAULT 0,
    public_key TEXT,
    mutual INTEGER NOT NULL DEFAULT 0,
    gossip_timestamp INTEGER NOT NULL DEFAULT 0,
    gossip_key TEXT,
    pinned TEXT,
    pinned_at INTEGER NOT NULL DEFAULT 0,
    verified_at INTEGER NOT NULL DEFAULT 0,
    refused TEXT NOT NULL DEFAULT '',
    private INTEGER NOT NULL DEFAULT 0,
    clear INTEGER NOT NULL DEFAULT 0,
    answered INTEGER NOT NULL DEFAULT 0,
    private_at INTEGER NOT NULL DEFAULT 0,
    program TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- Mail from a house that signs its mail (DKIM), whose signature is still to be checked: until then it says nothing of keys.
CREATE TABLE held_news (
    message_id INTEGER PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE
) STRICT;

-- Every key that was ever said to be an address's, by which way it came, and which message of the store was the first
-- to be signed with it or to bring it.
CREATE TABLE peer_key (
    address TEXT NOT NULL,
    fingerprint TEXT NOT NULL REFERENCES certificate (fingerprint),
    way TEXT NOT NULL,
    first_message INTEGER NOT NULL DEFAULT 0,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (address, fingerprint, way)
) STRICT, WITHOUT ROWID;

-- What was decided about keys and why, for good: each row's hash covers its words and the hash before it.
CREATE TABLE decision (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    address TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    deed TEXT NOT NULL,
    way TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX decision_by_address ON decision (address);

-- What protected a message (RFC 9787's summary), for lists; opening one judges it anew. `session_key` keeps mail readable
-- when keys change, and goes with the message. `issuer` is the key that claims to have signed.
CREATE TABLE envelope (
    message_id INTEGER PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    layer TEXT NOT NULL,
    session_key TEXT NOT NULL DEFAULT '',
    issuer TEXT NOT NULL DEFAULT '',
    privacy TEXT NOT NULL DEFAULT 'none',
    assurance TEXT NOT NULL DEFAULT 'none',
    signer TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX envelope_by_issuer ON envelope (issuer) WHERE issuer <> '';

-- Copies of a queued message for those who must not see the other recipients: the bytes that this one is sent instead.
ALTER TABLE outbox_recipient ADD COLUMN copy BLOB;

-- What protected a message stands in `envelope` now.
DELETE FROM tag WHERE name = ':encrypted';
