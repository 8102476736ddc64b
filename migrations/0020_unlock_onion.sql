-- The key of the onion service that a locked store is unlocked by, where the owner wants one, and the address that follows from
-- it. While it is in use a copy lies readable in the data directory.
CREATE TABLE unlock_onion_key (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    secret BLOB NOT NULL,
    address TEXT NOT NULL,
    made_at INTEGER NOT NULL
) STRICT;
