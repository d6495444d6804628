-- The clock as it was changed at run time, the copies that automatic snapshots are to get, and the timers of policies.

-- system, manual or scaled with its pace; empty as long as the configuration's mode holds.
ALTER TABLE engine ADD COLUMN clock_mode TEXT NOT NULL DEFAULT '';
-- The mode in the configuration when it was changed: another one there takes over.
ALTER TABLE engine ADD COLUMN clock_configured TEXT NOT NULL DEFAULT '';
-- Milliseconds by which a system clock was advanced over the machine's.
ALTER TABLE engine ADD COLUMN clock_offset BIGINT NOT NULL DEFAULT 0;

-- The copy that an automatic snapshot gets in another region once it is accomplished: the policy as it was at its run.
CREATE TABLE planned_copies (
    snapshot_id    TEXT PRIMARY KEY REFERENCES snapshots (snapshot_id) ON DELETE CASCADE,
    region_id      TEXT NOT NULL,
    -- NULL for ever.
    retention_days BIGINT,
    encrypted      BIGINT NOT NULL CHECK (encrypted IN (0, 1)),
    -- Empty for the source's own key.
    kms_key_id     TEXT NOT NULL
);

-- Fires at once and finds its hour, or else the next one.
INSERT INTO timers (kind, resource_id, due_at)
SELECT 'take_snapshots', p.auto_snapshot_policy_id, e.present FROM auto_snapshot_policies p CROSS JOIN engine e;
