-- Since when the word of another device was taken whose roster is not here yet.
ALTER TABLE device_own ADD COLUMN joined_at INTEGER NOT NULL DEFAULT 0;
