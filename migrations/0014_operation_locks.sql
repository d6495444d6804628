-- Why the vendor would have locked an instance, and when a disk came to an instance that was stopped.

-- Put there by an operator of the daemon.
CREATE TABLE operation_locks (
    instance_id TEXT NOT NULL REFERENCES instances (instance_id) ON DELETE CASCADE,
    -- security, financial, recycling, dedicatedhostfinancial or refunded.
    lock_reason TEXT NOT NULL,
    -- Shown to the owner, may be empty.
    lock_msg    TEXT NOT NULL,
    PRIMARY KEY (instance_id, lock_reason)
);

-- When a data disk was last given to an instance that was Stopped: it is of no use until that is started.
ALTER TABLE disk_histories ADD COLUMN attached_stopped_at BIGINT;
