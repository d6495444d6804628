-- The counters follow their rows by themselves, so that no statement can forget them.

CREATE TRIGGER snapshots_counted_in AFTER INSERT ON snapshots
BEGIN
    INSERT INTO snapshot_counts
        (account_id, region_id, status, usage, snapshot_type, source_disk_type, encrypted, snapshot_count)
    VALUES (NEW.account_id, NEW.region_id, NEW.status, NEW.usage, NEW.snapshot_type, NEW.source_disk_type, NEW.encrypted, 1)
    ON CONFLICT (account_id, region_id, status, usage, snapshot_type, source_disk_type, encrypted)
    DO UPDATE SET snapshot_count = snapshot_count + 1;
END;

CREATE TRIGGER snapshots_counted_out AFTER DELETE ON snapshots
BEGIN
    UPDATE snapshot_counts SET snapshot_count = snapshot_count - 1
    WHERE account_id = OLD.account_id AND region_id = OLD.region_id AND status = OLD.status AND usage = OLD.usage
      AND snapshot_type = OLD.snapshot_type AND source_disk_type = OLD.source_disk_type AND encrypted = OLD.encrypted;
END;

CREATE TRIGGER snapshots_counted_anew
AFTER UPDATE OF account_id, region_id, status, usage, snapshot_type, source_disk_type, encrypted ON snapshots
BEGIN
    UPDATE snapshot_counts SET snapshot_count = snapshot_count - 1
    WHERE account_id = OLD.account_id AND region_id = OLD.region_id AND status = OLD.status AND usage = OLD.usage
      AND snapshot_type = OLD.snapshot_type AND source_disk_type = OLD.source_disk_type AND encrypted = OLD.encrypted;
    INSERT INTO snapshot_counts
        (account_id, region_id, status, usage, snapshot_type, source_disk_type, encrypted, snapshot_count)
    VALUES (NEW.account_id, NEW.region_id, NEW.status, NEW.usage, NEW.snapshot_type, NEW.source_disk_type, NEW.encrypted, 1)
    ON CONFLICT (account_id, region_id, status, usage, snapshot_type, source_disk_type, encrypted)
    DO UPDATE SET snapshot_count = snapshot_count + 1;
END;

CREATE TRIGGER tags_counted_in AFTER INSERT ON tags
BEGIN
    INSERT INTO tag_counts (account_id, region_id, resource_type, tag_key, tag_value, resource_count)
    VALUES (NEW.account_id, NEW.region_id, NEW.resource_type, NEW.tag_key, NEW.tag_value, 1)
    ON CONFLICT (account_id, region_id, resource_type, tag_key, tag_value)
    DO UPDATE SET resource_count = resource_count + 1;
END;

CREATE TRIGGER tags_counted_out AFTER DELETE ON tags
BEGIN
    UPDATE tag_counts SET resource_count = resource_count - 1
    WHERE account_id = OLD.account_id AND region_id = OLD.region_id AND resource_type = OLD.resource_type
      AND tag_key = OLD.tag_key AND tag_value = OLD.tag_value;
    DELETE FROM tag_counts
    WHERE account_id = OLD.account_id AND region_id = OLD.region_id AND resource_type = OLD.resource_type
      AND tag_key = OLD.tag_key AND tag_value = OLD.tag_value AND resource_count = 0;
END;

CREATE TRIGGER tags_counted_anew AFTER UPDATE OF tag_value ON tags WHEN OLD.tag_value <> NEW.tag_value
BEGIN
    UPDATE tag_counts SET resource_count = resource_count - 1
    WHERE account_id = OLD.account_id AND region_id = OLD.region_id AND resource_type = OLD.resource_type
      AND tag_key = OLD.tag_key AND tag_value = OLD.tag_value;
    DELETE FROM tag_counts
    WHERE account_id = OLD.account_id AND region_id = OLD.region_id AND resource_type = OLD.resource_type
      AND tag_key = OLD.tag_key AND tag_value = OLD.tag_value AND resource_count = 0;
    INSERT INTO tag_counts (account_id, region_id, resource_type, tag_key, tag_value, resource_count)
    VALUES (NEW.account_id, NEW.region_id, NEW.resource_type, NEW.tag_key, NEW.tag_value, 1)
    ON CONFLICT (account_id, region_id, resource_type, tag_key, tag_value)
    DO UPDATE SET resource_count = resource_count + 1;
END;
