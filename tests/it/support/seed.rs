//! Set-ups: instances, disks, snapshots and images that a test begins with, put in through the store.

use snapshotd::clock::Timestamp;
use snapshotd::faults::Fault;
use snapshotd::regions;
use snapshotd::store::Operation;
use snapshotd::store::disks::{self, Disk};
use snapshotd::store::row_locks::RowLocks;
use snapshotd::store::snapshots;
use snapshotd::store::timers::{self, TimerKind};
use snapshotd::store::tx::{Context, Tx};

use super::answer::text;
use super::{ACCOUNT, REGION, TestApp};

/// A disk as tests have it: `cloud_essd`, 40 GiB, attached once, now free; change what matters.
pub fn disk_row(disk_id: &str, region_id: &str, now: Timestamp) -> Disk {
    let text = str::to_owned;
    Disk {
        disk_id: text(disk_id),
        account_id: text(ACCOUNT),
        region_id: text(region_id),
        zone_id: format!("{region_id}-h"),
        disk_name: String::new(),
        description: String::new(),
        disk_type: text("data"),
        category: text("cloud_essd"),
        performance_level: text("PL1"),
        size: 40,
        status: text("Available"),
        portable: true.into(),
        delete_with_instance: false.into(),
        delete_auto_snapshot: true.into(),
        enable_auto_snapshot: true.into(),
        encrypted: false.into(),
        kms_key_id: String::new(),
        multi_attach: text("Disabled"),
        disk_charge_type: text("PostPaid"),
        provisioned_iops: None,
        bursting_enabled: false.into(),
        storage_set_id: String::new(),
        storage_set_partition_number: None,
        image_id: String::new(),
        source_snapshot_id: String::new(),
        serial_number: disk_id.trim_start_matches("d-").to_owned(),
        resource_group_id: String::new(),
        ever_attached: true.into(),
        creation_time: now,
        attached_time: None,
        detached_time: None,
        snapshots_taken: 0,
        delete_protection: false.into(),
        foreign_source: false.into(),
    }
}

pub struct InsertDisk {
    pub disk: Disk,
    pub instance_id: Option<String>,
}

impl Operation for InsertDisk {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        disks::insert(tx, &self.disk).await?;
        match &self.instance_id {
            Some(instance_id) => disks::attach(tx, &self.disk.disk_id, instance_id, "/dev/xvdb").await,
            None => Ok(()),
        }
    }
}

struct RefreshUsage(String);

impl Operation for RefreshUsage {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        snapshots::refresh_usage(tx, &self.0).await
    }
}

struct Fail(String);

impl Operation for Fail {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let found = snapshots::find_for_engine(tx, &self.0).await?.expect("a snapshot");
        assert!(snapshots::finish(tx, &found.snapshot, "failed").await?, "it is progressing");
        timers::clear(tx, TimerKind::SnapshotFinish, &self.0).await
    }
}

impl TestApp {
    /// Runs an operation as the first account.
    pub async fn operate<O: Operation>(&self, operation: O) -> O::Output {
        let context = Context { account_id: ACCOUNT.into(), region: None };
        self.app().store.write(context, RowLocks::none(), operation).await.expect("the operation succeeds")
    }

    fn seeded_id(&self, prefix: &str, region_id: &str) -> String {
        let mark = regions::find(region_id).expect("a region").mark;
        format!("{prefix}-{mark}{:017}", self.next_number())
    }

    /// A running instance that was started once.
    pub async fn instance(&self) -> String {
        self.instance_in(REGION, "Running").await
    }

    pub async fn instance_in(&self, region_id: &str, status: &str) -> String {
        let id = self.seeded_id("i", region_id);
        let now = self.now().millis();
        self.sql(&format!(
            "INSERT INTO instances VALUES ('{id}', '{ACCOUNT}', '{region_id}', '{region_id}-h', 'seeded', '', 'seeded',
                 'ecs.g7.large', '', '{status}', 1, 0, 'PostPaid', 'KeepCharging', '', '', '', '10.0.0.1', '', '', {now}, {now})"
        ))
        .await;
        id
    }

    /// A data disk of the ESSD family on a running instance.
    pub async fn attached_disk(&self) -> String {
        let instance_id = self.instance().await;
        let mut disk = disk_row(&self.seeded_id("d", REGION), REGION, self.now());
        "In_use".clone_into(&mut disk.status);
        self.insert_disk(disk, Some(instance_id)).await
    }

    /// A free disk, changed by `change` before it is stored.
    pub async fn disk_with(&self, change: impl FnOnce(&mut Disk)) -> String {
        let mut disk = disk_row(&self.seeded_id("d", REGION), REGION, self.now());
        change(&mut disk);
        self.insert_disk(disk, None).await
    }

    /// A free disk of another region.
    pub async fn disk_in(&self, region_id: &str) -> String {
        let disk = disk_row(&self.seeded_id("d", region_id), region_id, self.now());
        self.insert_disk(disk, None).await
    }

    pub async fn insert_disk(&self, disk: Disk, instance_id: Option<String>) -> String {
        let id = disk.disk_id.clone();
        self.operate(InsertDisk { disk, instance_id }).await;
        id
    }

    /// A disk that was made from a snapshot.
    pub async fn disk_from(&self, snapshot_id: &str) -> String {
        self.disk_with(|disk| snapshot_id.clone_into(&mut disk.source_snapshot_id)).await
    }

    /// An image, in whatever status and account, that maps a snapshot.
    pub async fn image_from(&self, snapshot_id: &str, status: &str, account_id: &str) -> String {
        let id = self.seeded_id("m", REGION);
        let now = self.now().millis();
        self.sql(&format!(
            "INSERT INTO images (image_id, account_id, region_id, image_name, image_family, image_version, description, status,
                 size, platform, os_name, os_type, architecture, boot_mode, license_type, imds_support, nvme_support,
                 is_copied, resource_group_id, creation_time, finish_time)
             VALUES ('{id}', '{account_id}', '{REGION}', 'seeded-{id}', '', '', '', '{status}', 40,
                 'CentOS', 'CentOS 7.9', 'linux', 'x86_64', 'BIOS', 'Auto', 'v1', 'unsupported', 0, '', {now}, {now});
             INSERT INTO image_disk_mappings VALUES ('{id}', 0, '/dev/xvda', 'system', 40, 0, '{snapshot_id}');"
        ))
        .await;
        self.operate(RefreshUsage(snapshot_id.to_owned())).await;
        id
    }

    /// A snapshot of a disk, progressing.
    pub async fn snapshot(&self, disk_id: &str) -> String {
        text(&self.ok("CreateSnapshot", &[("DiskId", disk_id)]).await, "/SnapshotId")
    }

    /// A snapshot of a disk, two seconds later.
    pub async fn accomplished_snapshot(&self, disk_id: &str) -> String {
        let id = self.snapshot(disk_id).await;
        self.advance("2s").await;
        id
    }

    /// Ends the making of a snapshot without one.
    pub async fn fail(&self, snapshot_id: &str) {
        self.operate(Fail(snapshot_id.to_owned())).await;
    }

    /// The one snapshot with this id as DescribeSnapshots shows it; null for none.
    pub async fn described(&self, snapshot_id: &str) -> serde_json::Value {
        self.described_in(REGION, snapshot_id).await
    }

    pub async fn described_in(&self, region_id: &str, snapshot_id: &str) -> serde_json::Value {
        let ids = format!("[\"{snapshot_id}\"]");
        let body = self.ok("DescribeSnapshots", &[("RegionId", region_id), ("SnapshotIds", &ids)]).await;
        body.pointer("/Snapshots/Snapshot/0").cloned().unwrap_or_default()
    }
}
