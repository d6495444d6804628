-- What is made through a shared image from a snapshot of another account: nobody is told the ids of others, and nobody's
-- snapshot is held by a disk that its owner cannot see.

ALTER TABLE disks ADD COLUMN foreign_source BIGINT NOT NULL DEFAULT 0 CHECK (foreign_source IN (0, 1));
ALTER TABLE snapshots ADD COLUMN foreign_source BIGINT NOT NULL DEFAULT 0 CHECK (foreign_source IN (0, 1));

UPDATE disks SET foreign_source = 1 WHERE source_snapshot_id <> '' AND EXISTS (
    SELECT 1 FROM snapshots s WHERE s.snapshot_id = disks.source_snapshot_id AND s.account_id <> disks.account_id);
UPDATE disks SET foreign_source = 1 WHERE source_snapshot_id <> '' AND EXISTS (
    SELECT 1 FROM tombstones t WHERE t.resource_id = disks.source_snapshot_id AND t.account_id <> disks.account_id);
UPDATE snapshots SET foreign_source = 1 WHERE source_snapshot_id <> '' AND EXISTS (
    SELECT 1 FROM snapshots s WHERE s.snapshot_id = snapshots.source_snapshot_id AND s.account_id <> snapshots.account_id);
UPDATE snapshots SET foreign_source = 1 WHERE source_snapshot_id <> '' AND EXISTS (
    SELECT 1 FROM tombstones t WHERE t.resource_id = snapshots.source_snapshot_id AND t.account_id <> snapshots.account_id);

DELETE FROM disk_snapshot_references WHERE disk_id IN (SELECT disk_id FROM disks WHERE foreign_source = 1);
UPDATE snapshots SET usage = CASE
    WHEN EXISTS (SELECT 1 FROM image_disk_mappings m WHERE m.snapshot_id = snapshots.snapshot_id) THEN 'image'
    ELSE 'none' END
WHERE usage IN ('disk', 'image_disk') AND NOT EXISTS (
    SELECT 1 FROM disk_snapshot_references r WHERE r.snapshot_id = snapshots.snapshot_id);

-- What only a seed says of a resource: the cloud product that manages a snapshot, and a disk that must not be deleted.
ALTER TABLE snapshots ADD COLUMN managed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE disks ADD COLUMN delete_protection BIGINT NOT NULL DEFAULT 0 CHECK (delete_protection IN (0, 1));
