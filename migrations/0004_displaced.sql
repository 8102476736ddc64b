-- Messages that lost a place in an account, until a whole pass has shown whether they have another one there. Written
-- together with the removal, so that neither a lost connection nor a kill forgets them. `wanted` is what the owner
-- wanted of the lost place and the server was never told: the next places of the message there take it over.
CREATE TABLE displaced (
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    wanted TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX displaced_by_message ON displaced (message_id);

-- What earlier versions forgot: messages that lie nowhere at all.
INSERT INTO displaced (account_id, message_id)
SELECT (SELECT MIN(id) FROM account), id
FROM message
WHERE
    role = ''
    AND EXISTS (SELECT 1 FROM account)
    AND NOT EXISTS (SELECT 1 FROM place WHERE place.message_id = message.id);

-- UIDs that a server would not hand out: asked for again, at growing distances, but never given up.
CREATE TABLE refused (
    folder_id INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
    uid INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (folder_id, uid)
) STRICT, WITHOUT ROWID;

-- Only what is too large is stepped over for good; everything else is asked for again.
DELETE FROM skipped WHERE reason NOT LIKE 'It is larger than %';

-- What is to be pushed is noted for each account: one of them forgets nothing that another has not heard of.
CREATE TABLE changed_in (
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    PRIMARY KEY (account_id, message_id)
) STRICT, WITHOUT ROWID;
INSERT INTO changed_in (account_id, message_id)
SELECT DISTINCT folder.account_id, changed.message_id
FROM changed
    JOIN place ON place.message_id = changed.message_id
    JOIN folder ON folder.id = place.folder_id;
DROP TABLE changed;
ALTER TABLE changed_in RENAME TO changed;
CREATE INDEX changed_by_message ON changed (message_id);
