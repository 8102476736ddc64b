-- Whether a message was judged with the keys that are known. What came just before the end of a run, and what a new key may
-- speak for, waits here and is judged in the background, however much it is.
ALTER TABLE envelope ADD COLUMN judged INTEGER NOT NULL DEFAULT 0;
CREATE INDEX envelope_to_judge ON envelope (message_id) WHERE judged = 0;
