-- Passkeys (Web Authentication): a second factor beside codes, under a name that is reached by TLS. `site` is the name under
-- which one was made, and under which alone it works; `id` is what browsers call it; `key` is its public half with how often it
-- was used, as JSON.
CREATE TABLE passkey (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    site TEXT NOT NULL,
    id BLOB NOT NULL UNIQUE,
    key BLOB NOT NULL,
    added_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL DEFAULT 0
) STRICT;
