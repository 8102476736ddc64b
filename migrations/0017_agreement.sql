-- How often a correspondent's key changed by itself: of two devices that rely on different keys, the one that followed further
-- is right.
ALTER TABLE peer ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;

-- The rosters this device had, as hashes of 32 bytes, the present one last; and the one that another device last said it has.
ALTER TABLE device_own ADD COLUMN rosters BLOB NOT NULL DEFAULT x'';
ALTER TABLE device_other ADD COLUMN roster BLOB NOT NULL DEFAULT x'';
