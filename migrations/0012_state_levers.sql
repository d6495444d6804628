-- What the levers of a test bench keep: who is told of events, accounts made at run time, markers, and the ids to come.

-- Who is told of events, and how far each has come.
CREATE TABLE webhooks (
    name        TEXT PRIMARY KEY,
    url         TEXT NOT NULL,
    -- Empty for all.
    event_name  TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    -- The number of the last event that was delivered.
    position    BIGINT NOT NULL
);

-- Accounts that were made while the daemon ran, beside those of the configuration.
CREATE TABLE accounts (
    account_id   TEXT PRIMARY KEY,
    account_name TEXT NOT NULL
);

CREATE TABLE access_keys (
    access_key_id     TEXT PRIMARY KEY,
    account_id        TEXT NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
    access_key_secret TEXT NOT NULL,
    -- Empty for none.
    security_token    TEXT NOT NULL,
    disabled          BIGINT NOT NULL CHECK (disabled IN (0, 1))
);
CREATE INDEX access_keys_by_account ON access_keys (account_id);

-- The text that stands for what is on a disk or in a snapshot; no row for an empty one.
CREATE TABLE contents (
    resource_id TEXT PRIMARY KEY,
    content     TEXT NOT NULL
);

-- Markers go where the data would go, so that no statement can forget them.
CREATE TRIGGER contents_into_snapshots AFTER INSERT ON snapshots
WHEN EXISTS (SELECT 1 FROM contents WHERE resource_id =
        CASE NEW.source_snapshot_id WHEN '' THEN NEW.source_disk_id ELSE NEW.source_snapshot_id END)
BEGIN
    INSERT INTO contents (resource_id, content)
    SELECT NEW.snapshot_id, content FROM contents
    WHERE resource_id = CASE NEW.source_snapshot_id WHEN '' THEN NEW.source_disk_id ELSE NEW.source_snapshot_id END;
END;

CREATE TRIGGER contents_out_of_snapshots AFTER DELETE ON snapshots
BEGIN
    DELETE FROM contents WHERE resource_id = OLD.snapshot_id;
END;

-- What a disk was made from: its snapshot, else the system disk of its image.
CREATE VIEW disk_origins AS
SELECT d.disk_id, CASE d.source_snapshot_id
    WHEN '' THEN (SELECT m.snapshot_id FROM image_disk_mappings m WHERE m.image_id = d.image_id AND m.position = 0)
    ELSE d.source_snapshot_id END AS snapshot_id
FROM disks d;

CREATE TRIGGER contents_into_disks AFTER INSERT ON disks
WHEN NEW.source_snapshot_id <> '' OR NEW.image_id <> ''
BEGIN
    INSERT INTO contents (resource_id, content)
    SELECT o.disk_id, c.content FROM disk_origins o JOIN contents c ON c.resource_id = o.snapshot_id
    WHERE o.disk_id = NEW.disk_id;
END;

CREATE TRIGGER contents_into_clones AFTER INSERT ON disk_histories
WHEN NEW.source_disk_id <> ''
BEGIN
    -- A clone of a disk of an image is told by that image as well.
    DELETE FROM contents WHERE resource_id = NEW.disk_id;
    INSERT INTO contents (resource_id, content)
    SELECT NEW.disk_id, content FROM contents WHERE resource_id = NEW.source_disk_id;
END;

CREATE TRIGGER contents_out_of_disks AFTER DELETE ON disks
BEGIN
    DELETE FROM contents WHERE resource_id = OLD.disk_id;
END;

-- One row, once the generator was seeded by a lever: it goes before the configured seed. Unsigned, hence text.
CREATE TABLE id_seeds (
    singleton BIGINT PRIMARY KEY CHECK (singleton = 1),
    seed      TEXT NOT NULL
);
