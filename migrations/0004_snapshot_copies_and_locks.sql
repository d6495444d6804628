-- What snapshots are beside rows of their own: chains with their sizes, and locks in compliance mode.

-- Whether a snapshot is a copy rides along as well: copies are no part of their source disk's quotas.
DROP INDEX snapshots_by_disk;
CREATE INDEX snapshots_by_disk
    ON snapshots (source_disk_id, creation_time, snapshot_id, status, snapshot_type, source_snapshot_id);

-- The snapshots of a disk in a region as one chain, so that neither its totals nor those of a region ever scan.
CREATE TABLE snapshot_links (
    source_disk_id   TEXT NOT NULL,
    region_id        TEXT NOT NULL,
    account_id       TEXT NOT NULL,
    snapshot_link_id TEXT NOT NULL,
    source_disk_type TEXT NOT NULL,
    -- That of the snapshot it began with: the chain's place in lists.
    creation_time    BIGINT NOT NULL,
    -- Snapshots of whatever status.
    total_count      BIGINT NOT NULL,
    -- Bytes of those that are accomplished.
    total_size       BIGINT NOT NULL,
    PRIMARY KEY (source_disk_id, region_id)
);
CREATE INDEX snapshot_links_by_creation ON snapshot_links (account_id, region_id, creation_time, snapshot_link_id);

INSERT INTO snapshot_links (source_disk_id, region_id, account_id, snapshot_link_id, source_disk_type, creation_time,
    total_count, total_size)
SELECT source_disk_id, region_id, account_id, snapshot_link_id, MIN(source_disk_type), MIN(creation_time), COUNT(*),
    SUM(CASE status WHEN 'accomplished' THEN full_size_bytes ELSE 0 END)
FROM snapshots GROUP BY source_disk_id, region_id, account_id, snapshot_link_id;

-- The chains follow the snapshots by themselves.
CREATE TRIGGER snapshots_linked_in AFTER INSERT ON snapshots
BEGIN
    INSERT INTO snapshot_links (source_disk_id, region_id, account_id, snapshot_link_id, source_disk_type, creation_time,
        total_count, total_size)
    VALUES (NEW.source_disk_id, NEW.region_id, NEW.account_id, NEW.snapshot_link_id, NEW.source_disk_type,
        NEW.creation_time, 1, CASE NEW.status WHEN 'accomplished' THEN NEW.full_size_bytes ELSE 0 END)
    ON CONFLICT (source_disk_id, region_id)
    DO UPDATE SET total_count = total_count + 1, total_size = total_size + excluded.total_size;
END;

CREATE TRIGGER snapshots_linked_out AFTER DELETE ON snapshots
BEGIN
    UPDATE snapshot_links SET total_count = total_count - 1,
        total_size = total_size - CASE OLD.status WHEN 'accomplished' THEN OLD.full_size_bytes ELSE 0 END
    WHERE source_disk_id = OLD.source_disk_id AND region_id = OLD.region_id;
    DELETE FROM snapshot_links
    WHERE source_disk_id = OLD.source_disk_id AND region_id = OLD.region_id AND total_count = 0;
END;

CREATE TRIGGER snapshots_linked_anew AFTER UPDATE OF status, full_size_bytes ON snapshots
BEGIN
    UPDATE snapshot_links SET total_size = total_size
        - CASE OLD.status WHEN 'accomplished' THEN OLD.full_size_bytes ELSE 0 END
        + CASE NEW.status WHEN 'accomplished' THEN NEW.full_size_bytes ELSE 0 END
    WHERE source_disk_id = NEW.source_disk_id AND region_id = NEW.region_id;
END;

-- Locks that keep snapshots from being deleted, the expired ones too.
CREATE TABLE snapshot_locks (
    snapshot_id                  TEXT PRIMARY KEY REFERENCES snapshots (snapshot_id) ON DELETE CASCADE,
    account_id                   TEXT NOT NULL,
    region_id                    TEXT NOT NULL,
    lock_mode                    TEXT NOT NULL CHECK (lock_mode IN ('compliance')),
    lock_status                  TEXT NOT NULL CHECK (lock_status IN ('compliance-cooloff', 'compliance', 'expired')),
    -- Hours.
    cool_off_period              BIGINT NOT NULL,
    -- Days.
    lock_duration                BIGINT NOT NULL,
    creation_time                BIGINT NOT NULL,
    -- From here on both run; NULL until the snapshot is accomplished, and so are the two ends.
    lock_duration_start_time     BIGINT,
    cool_off_period_expired_time BIGINT,
    lock_expired_time            BIGINT
);
CREATE INDEX snapshot_locks_by_creation ON snapshot_locks (account_id, region_id, creation_time, snapshot_id);
