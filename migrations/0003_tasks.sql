-- What runs for a while after the call that asked for it, and is looked up by an id of its own.

CREATE TABLE tasks (
    task_id       TEXT PRIMARY KEY,
    account_id    TEXT NOT NULL,
    region_id     TEXT NOT NULL,
    -- The operation, as DescribeTasks spells it: ModifyDiskSpec, ArchiveSnapshot, ExportSnapshot.
    task_action   TEXT NOT NULL,
    task_status   TEXT NOT NULL CHECK (task_status IN ('Processing', 'Finished', 'Failed')),
    resource_id   TEXT NOT NULL,
    creation_time BIGINT NOT NULL,
    -- When it will be, or was, finished.
    finish_time   BIGINT NOT NULL
);
CREATE INDEX tasks_by_creation ON tasks (account_id, region_id, creation_time, task_id);
CREATE INDEX tasks_by_resource ON tasks (resource_id);
