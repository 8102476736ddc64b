-- What an avatar server said of somebody: `mark` is the keyed hash of the address, which is not kept here; `picture` is a PNG
-- that was drawn here, or null where there is none to be had.
CREATE TABLE avatar (
    mark INTEGER PRIMARY KEY,
    asked_at INTEGER NOT NULL,
    again_at INTEGER NOT NULL,
    picture BLOB
) STRICT;
CREATE INDEX avatar_by_age ON avatar (asked_at);
