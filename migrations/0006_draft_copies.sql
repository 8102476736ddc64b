-- Copies of drafts that lie on a server, encrypted to the owner, for the owner's other programs. `key` is the draft's; a row
-- whose draft is gone says what is still to be removed there. `message_id` is the copy's own, `digest` that of the content.
CREATE TABLE draft_copy (
    key TEXT NOT NULL,
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    message_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (account_id, key)
) STRICT, WITHOUT ROWID;
