-- Keys compared over a second way (SecureJoin): the invitations that the owner made (`own`), and those of others that the
-- owner took up; for each correspondent one of either. Each is good for one person, once, and for seven days. What is over
-- stays until then, so that a message that comes again is known. `fingerprint` is the key of whoever invites; `answers`
-- counts what was sent for it; `state` is made, asked, answered, done or other-key.
CREATE TABLE invitation (
    address TEXT NOT NULL,
    own INTEGER NOT NULL,
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    fingerprint TEXT NOT NULL,
    number TEXT NOT NULL,
    secret TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    answers INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (address, own)
) STRICT, WITHOUT ROWID;
CREATE INDEX invitation_by_account ON invitation (account_id);

-- A message between programs: it goes out like any other, and once it has, nothing of it is kept.
ALTER TABLE outbox ADD COLUMN passing INTEGER NOT NULL DEFAULT 0;
