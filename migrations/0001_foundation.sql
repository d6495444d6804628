-- The schema of resources, their references, and what the engine keeps beside them.
-- Dialect-neutral: TEXT and BIGINT only; times are milliseconds since 1970 UTC, flags 0 or 1.

-- One row: the clock, the position of the seeded id generator and the number of the last event.
CREATE TABLE engine (
    singleton    BIGINT PRIMARY KEY CHECK (singleton = 1),
    present      BIGINT NOT NULL,
    id_position  BIGINT NOT NULL,
    last_event   BIGINT NOT NULL
);

CREATE TABLE instances (
    instance_id          TEXT PRIMARY KEY,
    account_id           TEXT NOT NULL,
    region_id            TEXT NOT NULL,
    zone_id              TEXT NOT NULL,
    instance_name        TEXT NOT NULL,
    description          TEXT NOT NULL,
    host_name            TEXT NOT NULL,
    instance_type        TEXT NOT NULL,
    image_id             TEXT NOT NULL,
    status               TEXT NOT NULL CHECK (status IN ('Pending', 'Starting', 'Running', 'Stopping', 'Stopped')),
    started_once         BIGINT NOT NULL CHECK (started_once IN (0, 1)),
    deletion_protection  BIGINT NOT NULL CHECK (deletion_protection IN (0, 1)),
    instance_charge_type TEXT NOT NULL,
    stopped_mode         TEXT NOT NULL,
    security_group_id    TEXT NOT NULL,
    vpc_id               TEXT NOT NULL,
    vswitch_id           TEXT NOT NULL,
    private_ip_address   TEXT NOT NULL,
    key_pair_name        TEXT NOT NULL,
    resource_group_id    TEXT NOT NULL,
    creation_time        BIGINT NOT NULL,
    start_time           BIGINT
);
CREATE INDEX instances_by_creation ON instances (account_id, region_id, creation_time, instance_id);

CREATE TABLE disks (
    disk_id                      TEXT PRIMARY KEY,
    account_id                   TEXT NOT NULL,
    region_id                    TEXT NOT NULL,
    zone_id                      TEXT NOT NULL,
    disk_name                    TEXT NOT NULL,
    description                  TEXT NOT NULL,
    type                         TEXT NOT NULL CHECK (type IN ('system', 'data')),
    category                     TEXT NOT NULL,
    performance_level            TEXT NOT NULL,
    size                         BIGINT NOT NULL,
    status                       TEXT NOT NULL
        CHECK (status IN ('Creating', 'Available', 'Attaching', 'In_use', 'Detaching', 'ReIniting')),
    portable                     BIGINT NOT NULL CHECK (portable IN (0, 1)),
    delete_with_instance         BIGINT NOT NULL CHECK (delete_with_instance IN (0, 1)),
    delete_auto_snapshot         BIGINT NOT NULL CHECK (delete_auto_snapshot IN (0, 1)),
    enable_auto_snapshot         BIGINT NOT NULL CHECK (enable_auto_snapshot IN (0, 1)),
    encrypted                    BIGINT NOT NULL CHECK (encrypted IN (0, 1)),
    kms_key_id                   TEXT NOT NULL,
    multi_attach                 TEXT NOT NULL,
    disk_charge_type             TEXT NOT NULL,
    provisioned_iops             BIGINT,
    bursting_enabled             BIGINT NOT NULL CHECK (bursting_enabled IN (0, 1)),
    storage_set_id               TEXT NOT NULL,
    storage_set_partition_number BIGINT,
    image_id                     TEXT NOT NULL,
    -- Plain text, kept when the snapshot is gone; the live reference is disk_snapshot_references.
    source_snapshot_id           TEXT NOT NULL,
    serial_number                TEXT NOT NULL,
    resource_group_id            TEXT NOT NULL,
    ever_attached                BIGINT NOT NULL CHECK (ever_attached IN (0, 1)),
    creation_time                BIGINT NOT NULL,
    attached_time                BIGINT,
    detached_time                BIGINT,
    -- Snapshots taken of it so far, the failed and deleted ones included: the first one is the large one.
    snapshots_taken              BIGINT NOT NULL
);
CREATE INDEX disks_by_creation ON disks (account_id, region_id, creation_time, disk_id);

-- Who has a disk: one row, or several for a multi-attach disk. Present while Attaching, In_use, Detaching and ReIniting.
CREATE TABLE disk_attachments (
    disk_id       TEXT NOT NULL REFERENCES disks (disk_id) ON DELETE CASCADE,
    instance_id   TEXT NOT NULL REFERENCES instances (instance_id),
    device        TEXT NOT NULL,
    attached_time BIGINT NOT NULL,
    PRIMARY KEY (disk_id, instance_id)
);
CREATE INDEX disk_attachments_by_instance ON disk_attachments (instance_id);

CREATE TABLE snapshots (
    snapshot_id                    TEXT PRIMARY KEY,
    account_id                     TEXT NOT NULL,
    region_id                      TEXT NOT NULL,
    snapshot_name                  TEXT NOT NULL,
    description                    TEXT NOT NULL,
    status                         TEXT NOT NULL CHECK (status IN ('progressing', 'accomplished', 'failed')),
    usage                          TEXT NOT NULL CHECK (usage IN ('none', 'image', 'disk', 'image_disk')),
    snapshot_type                  TEXT NOT NULL CHECK (snapshot_type IN ('user', 'auto')),
    category                       TEXT NOT NULL,
    snapshot_link_id               TEXT NOT NULL,
    snapshot_sn                    TEXT NOT NULL,
    source_disk_id                 TEXT NOT NULL,
    source_disk_size               BIGINT NOT NULL,
    source_disk_type               TEXT NOT NULL CHECK (source_disk_type IN ('system', 'data')),
    source_snapshot_id             TEXT NOT NULL,
    source_region_id               TEXT NOT NULL,
    product_code                   TEXT NOT NULL,
    encrypted                      BIGINT NOT NULL CHECK (encrypted IN (0, 1)),
    kms_key_id                     TEXT NOT NULL,
    resource_group_id              TEXT NOT NULL,
    -- 1 while usable, which for the ESSD family is at once.
    available                      BIGINT NOT NULL CHECK (available IN (0, 1)),
    instant_access                 BIGINT NOT NULL CHECK (instant_access IN (0, 1)),
    instant_access_retention_days  BIGINT,
    retention_days                 BIGINT,
    full_size_bytes                BIGINT NOT NULL,
    creation_time                  BIGINT NOT NULL,
    -- The instant that is captured; CreationTime shows from then on.
    cut_time                       BIGINT NOT NULL,
    -- When it will be, or was, accomplished.
    finish_time                    BIGINT NOT NULL,
    last_modified_time             BIGINT NOT NULL
);
CREATE INDEX snapshots_by_creation ON snapshots (account_id, region_id, creation_time, snapshot_id);
-- Status and type ride along, so that the quotas of a disk are counted without a look at the rows.
CREATE INDEX snapshots_by_disk ON snapshots (source_disk_id, creation_time, snapshot_id, status, snapshot_type);
CREATE INDEX snapshots_unfinished ON snapshots (account_id, region_id, status, creation_time, snapshot_id)
    WHERE status <> 'accomplished';
CREATE INDEX snapshots_used ON snapshots (account_id, region_id, usage, creation_time, snapshot_id)
    WHERE usage <> 'none';

-- How many snapshots there are of each combination, so that totals never scan.
CREATE TABLE snapshot_counts (
    account_id       TEXT NOT NULL,
    region_id        TEXT NOT NULL,
    status           TEXT NOT NULL,
    usage            TEXT NOT NULL,
    snapshot_type    TEXT NOT NULL,
    source_disk_type TEXT NOT NULL,
    encrypted        BIGINT NOT NULL,
    snapshot_count   BIGINT NOT NULL,
    PRIMARY KEY (account_id, region_id, status, usage, snapshot_type, source_disk_type, encrypted)
);

-- A disk made from a snapshot; gone with the disk, or by DeleteSnapshot with Force.
CREATE TABLE disk_snapshot_references (
    disk_id     TEXT PRIMARY KEY REFERENCES disks (disk_id) ON DELETE CASCADE,
    snapshot_id TEXT NOT NULL REFERENCES snapshots (snapshot_id)
);
CREATE INDEX disk_snapshot_references_by_snapshot ON disk_snapshot_references (snapshot_id);

CREATE TABLE images (
    image_id          TEXT PRIMARY KEY,
    -- 'system' for the public base images, which every account sees.
    account_id        TEXT NOT NULL,
    -- '*' for the public base images, which exist in all regions.
    region_id         TEXT NOT NULL,
    image_name        TEXT NOT NULL,
    image_family      TEXT NOT NULL,
    image_version     TEXT NOT NULL,
    description       TEXT NOT NULL,
    status            TEXT NOT NULL
        CHECK (status IN ('Creating', 'Waiting', 'Available', 'UnAvailable', 'CreateFailed', 'Deprecated')),
    size              BIGINT NOT NULL,
    platform          TEXT NOT NULL,
    os_name           TEXT NOT NULL,
    os_type           TEXT NOT NULL CHECK (os_type IN ('linux', 'windows')),
    architecture      TEXT NOT NULL CHECK (architecture IN ('i386', 'x86_64', 'arm64')),
    boot_mode         TEXT NOT NULL,
    license_type      TEXT NOT NULL,
    imds_support      TEXT NOT NULL,
    nvme_support      TEXT NOT NULL,
    is_copied         BIGINT NOT NULL CHECK (is_copied IN (0, 1)),
    resource_group_id TEXT NOT NULL,
    creation_time     BIGINT NOT NULL,
    finish_time       BIGINT NOT NULL
);
CREATE INDEX images_by_creation ON images (account_id, region_id, creation_time, image_id);

CREATE TABLE image_disk_mappings (
    image_id    TEXT NOT NULL REFERENCES images (image_id) ON DELETE CASCADE,
    -- 0 for the system disk, then the data disks in their order.
    position    BIGINT NOT NULL,
    device      TEXT NOT NULL,
    type        TEXT NOT NULL CHECK (type IN ('system', 'data')),
    size        BIGINT NOT NULL,
    encrypted   BIGINT NOT NULL CHECK (encrypted IN (0, 1)),
    -- NULL for the public base images.
    snapshot_id TEXT REFERENCES snapshots (snapshot_id),
    PRIMARY KEY (image_id, position)
);
CREATE INDEX image_disk_mappings_by_snapshot ON image_disk_mappings (snapshot_id) WHERE snapshot_id IS NOT NULL;

CREATE TABLE tags (
    resource_id            TEXT NOT NULL,
    tag_key                TEXT NOT NULL,
    tag_value              TEXT NOT NULL,
    account_id             TEXT NOT NULL,
    region_id              TEXT NOT NULL,
    -- instance, disk, snapshot or image, as ECS spells them.
    resource_type          TEXT NOT NULL,
    -- That of the resource, so that a page by tag comes off one index in order.
    resource_creation_time BIGINT NOT NULL,
    PRIMARY KEY (resource_id, tag_key)
);
CREATE INDEX tags_by_value
    ON tags (account_id, region_id, resource_type, tag_key, tag_value, resource_creation_time, resource_id);

-- How many resources carry a tag, so that totals by tag never scan.
CREATE TABLE tag_counts (
    account_id     TEXT NOT NULL,
    region_id      TEXT NOT NULL,
    resource_type  TEXT NOT NULL,
    tag_key        TEXT NOT NULL,
    tag_value      TEXT NOT NULL,
    resource_count BIGINT NOT NULL,
    PRIMARY KEY (account_id, region_id, resource_type, tag_key, tag_value)
);

-- What happens without a call: a kind of change, the resource, and when. No payload: the state is read anew.
CREATE TABLE timers (
    kind        TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    due_at      BIGINT NOT NULL,
    PRIMARY KEY (resource_id, kind)
);
CREATE INDEX timers_by_due ON timers (due_at, kind, resource_id);

-- Locks of long-running tasks and of operators, which survive a crash.
CREATE TABLE row_locks (
    resource_id TEXT NOT NULL,
    holder      TEXT NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('shared', 'exclusive')),
    acquired_at BIGINT NOT NULL,
    PRIMARY KEY (resource_id, holder)
);
CREATE INDEX row_locks_by_holder ON row_locks (holder);

-- Ids that existed and are gone, so that deleting one again is no error.
CREATE TABLE tombstones (
    resource_id TEXT PRIMARY KEY,
    account_id  TEXT NOT NULL,
    region_id   TEXT NOT NULL,
    deleted_at  BIGINT NOT NULL,
    -- The number of the event that tells of the deletion: the order in which they are forgotten.
    event_id    BIGINT NOT NULL
);
CREATE INDEX tombstones_by_event ON tombstones (account_id, event_id);

-- Every state change, in order.
CREATE TABLE events (
    event_id    BIGINT PRIMARY KEY,
    account_id  TEXT NOT NULL,
    region_id   TEXT NOT NULL,
    name        TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    occurred_at BIGINT NOT NULL,
    detail      TEXT NOT NULL
);

-- Answers to calls with a client token, written in the transaction of their effect.
CREATE TABLE client_tokens (
    account_id   TEXT NOT NULL,
    region_id    TEXT NOT NULL,
    action       TEXT NOT NULL,
    client_token TEXT NOT NULL,
    -- SHA-256 of the parameters as parsed values.
    fingerprint  TEXT NOT NULL,
    response     TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (account_id, region_id, action, client_token)
);
CREATE INDEX client_tokens_by_creation ON client_tokens (created_at);
