-- Snapshots under way, by their disk: whether and how many there are is asked before most changes of a disk.

CREATE INDEX snapshots_progressing ON snapshots (source_disk_id, source_snapshot_id, encrypted)
    WHERE status = 'progressing';
