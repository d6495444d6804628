-- Groups of snapshots taken at once; policies that take snapshots by themselves, and the disks that they apply to.

CREATE TABLE snapshot_groups (
    snapshot_group_id TEXT PRIMARY KEY,
    account_id        TEXT NOT NULL,
    region_id         TEXT NOT NULL,
    name              TEXT NOT NULL,
    description       TEXT NOT NULL,
    status            TEXT NOT NULL CHECK (status IN ('progressing', 'accomplished', 'failed')),
    -- The instance that had all the disks, else empty.
    instance_id       TEXT NOT NULL,
    resource_group_id TEXT NOT NULL,
    creation_time     BIGINT NOT NULL,
    -- When it will be, or was, finished.
    finish_time       BIGINT NOT NULL
);
CREATE INDEX snapshot_groups_by_creation ON snapshot_groups (account_id, region_id, creation_time, snapshot_group_id);

-- Gone with the snapshot, and with the group: then the snapshot stands alone.
CREATE TABLE snapshot_group_members (
    snapshot_id       TEXT PRIMARY KEY REFERENCES snapshots (snapshot_id) ON DELETE CASCADE,
    snapshot_group_id TEXT NOT NULL REFERENCES snapshot_groups (snapshot_group_id) ON DELETE CASCADE,
    -- From 0, in the order of the disks.
    position          BIGINT NOT NULL
);
CREATE INDEX snapshot_group_members_by_group ON snapshot_group_members (snapshot_group_id, position);

CREATE TABLE auto_snapshot_policies (
    auto_snapshot_policy_id         TEXT PRIMARY KEY,
    account_id                      TEXT NOT NULL,
    region_id                       TEXT NOT NULL,
    auto_snapshot_policy_name       TEXT NOT NULL,
    association_type                TEXT NOT NULL
        CHECK (association_type IN ('AssociatedWithDisk', 'AssociatedWithInstanceTag')),
    -- -1 for ever.
    retention_days                  BIGINT NOT NULL,
    enable_cross_region_copy        BIGINT NOT NULL CHECK (enable_cross_region_copy IN (0, 1)),
    -- Empty for none.
    target_copy_region              TEXT NOT NULL,
    copied_snapshots_retention_days BIGINT NOT NULL,
    copy_encrypted                  BIGINT NOT NULL CHECK (copy_encrypted IN (0, 1)),
    copy_kms_key_id                 TEXT NOT NULL,
    resource_group_id               TEXT NOT NULL,
    creation_time                   BIGINT NOT NULL
);
CREATE INDEX auto_snapshot_policies_by_creation
    ON auto_snapshot_policies (account_id, region_id, creation_time, auto_snapshot_policy_id);

-- The hours of the day, UTC+8, at which a policy takes snapshots.
CREATE TABLE auto_snapshot_policy_time_points (
    auto_snapshot_policy_id TEXT NOT NULL
        REFERENCES auto_snapshot_policies (auto_snapshot_policy_id) ON DELETE CASCADE,
    time_point              BIGINT NOT NULL CHECK (time_point BETWEEN 0 AND 23),
    PRIMARY KEY (auto_snapshot_policy_id, time_point)
);

-- The days on which it does, 1 for Monday.
CREATE TABLE auto_snapshot_policy_weekdays (
    auto_snapshot_policy_id TEXT NOT NULL
        REFERENCES auto_snapshot_policies (auto_snapshot_policy_id) ON DELETE CASCADE,
    repeat_weekday          BIGINT NOT NULL CHECK (repeat_weekday BETWEEN 1 AND 7),
    PRIMARY KEY (auto_snapshot_policy_id, repeat_weekday)
);

-- The tags that an instance has to carry, for a policy associated so; an empty value stands for any.
CREATE TABLE auto_snapshot_policy_target_tags (
    auto_snapshot_policy_id TEXT NOT NULL
        REFERENCES auto_snapshot_policies (auto_snapshot_policy_id) ON DELETE CASCADE,
    tag_key                 TEXT NOT NULL,
    tag_value               TEXT NOT NULL,
    PRIMARY KEY (auto_snapshot_policy_id, tag_key)
);

-- The policies that were applied to a disk by a call.
CREATE TABLE auto_snapshot_policy_associations (
    auto_snapshot_policy_id TEXT NOT NULL
        REFERENCES auto_snapshot_policies (auto_snapshot_policy_id) ON DELETE CASCADE,
    disk_id                 TEXT NOT NULL REFERENCES disks (disk_id) ON DELETE CASCADE,
    creation_time           BIGINT NOT NULL,
    PRIMARY KEY (auto_snapshot_policy_id, disk_id)
);
CREATE INDEX auto_snapshot_policy_associations_by_disk ON auto_snapshot_policy_associations (disk_id, creation_time);

-- The disks that a policy applies to, by a call or by the tags of their instances: what a schedule has to go by. It
-- passes over those whose enable_auto_snapshot is 0, to which the policy applies none the less.
CREATE VIEW auto_snapshot_policy_disks AS
SELECT auto_snapshot_policy_id, disk_id, creation_time FROM auto_snapshot_policy_associations
UNION ALL
SELECT DISTINCT p.auto_snapshot_policy_id, d.disk_id, d.creation_time
FROM auto_snapshot_policies p
JOIN instances i ON i.account_id = p.account_id AND i.region_id = p.region_id
JOIN disk_attachments a ON a.instance_id = i.instance_id
JOIN disks d ON d.disk_id = a.disk_id
WHERE p.association_type = 'AssociatedWithInstanceTag'
  AND d.category NOT LIKE 'elastic_ephemeral_disk%'
  AND NOT EXISTS (
      SELECT 1 FROM auto_snapshot_policy_target_tags g
      WHERE g.auto_snapshot_policy_id = p.auto_snapshot_policy_id
        AND NOT EXISTS (
            SELECT 1 FROM tags t WHERE t.resource_id = i.instance_id AND t.tag_key = g.tag_key
              AND (g.tag_value = '' OR t.tag_value = g.tag_value)));
