-- What changes of disks leave behind beside the disks themselves.

-- What a task of ModifyDiskSpec makes true when it is finished.
CREATE TABLE disk_spec_changes (
    task_id           TEXT PRIMARY KEY REFERENCES tasks (task_id) ON DELETE CASCADE,
    category          TEXT NOT NULL,
    performance_level TEXT NOT NULL,
    provisioned_iops  BIGINT
);

-- Tasks that one call started together.
CREATE TABLE task_groups (
    task_id       TEXT PRIMARY KEY REFERENCES tasks (task_id) ON DELETE CASCADE,
    task_group_id TEXT NOT NULL
);
CREATE INDEX task_groups_by_group ON task_groups (task_group_id);

-- What became of a disk, where a later rule asks for it.
CREATE TABLE disk_histories (
    disk_id                TEXT PRIMARY KEY REFERENCES disks (disk_id) ON DELETE CASCADE,
    -- When it last grew in a way that its running instance sees after a restart alone.
    expanded_at            BIGINT,
    charge_type_changed_at BIGINT,
    -- The disk that it is a clone of, else empty.
    source_disk_id         TEXT NOT NULL,
    -- The instance that a detached system disk came from, else empty.
    origin_instance_id     TEXT NOT NULL
);
