-- What the owner decided about a sender, by canonical address: whether pictures from elsewhere are always fetched
-- ('always' or ''), and which view of their mail comes first ('html', 'text' or '').
CREATE TABLE sender (
    address TEXT PRIMARY KEY,
    remote TEXT NOT NULL DEFAULT '',
    view TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- Copies of pictures that messages wanted from elsewhere. `address` is the keyed hash of where it lay; the copy is a
-- file in `pictures`, sealed under `key`. A row without a file says that there is none to be had.
CREATE TABLE picture (
    id INTEGER PRIMARY KEY,
    message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    address INTEGER NOT NULL,
    file TEXT NOT NULL DEFAULT '',
    key BLOB NOT NULL,
    media_type TEXT NOT NULL DEFAULT '',
    size INTEGER NOT NULL DEFAULT 0,
    UNIQUE (message_id, address)
) STRICT;
