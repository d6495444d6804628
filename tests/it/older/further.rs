//! `[fidelity] older_codes`: the codes of decision 255, today's where it is off and the older one where it is on.

use super::spelled::{Ids, Row, both_ways};
use crate::disk_specs::attached;
use crate::images::system_snapshot;
use crate::support::TestApp;
use crate::support::answer::text;

const ROWS: &[Row] = &[
    (
        "CreateDisk",
        "ZoneId=cn-hangzhou-h Size=40 DiskCategory=cloud_essd Encrypted=false KMSKeyId=k-1",
        "InvalidEncrypted.NotMatchKmsKeyId",
        "InvalidParameter.EncryptedIllegal",
    ),
    (
        "CreateDisk",
        "ZoneId=cn-hangzhou-h SnapshotId=@secret DiskCategory=cloud_essd Encrypted=false",
        "InvalidEncrypted.NotMatchSnapshot",
        "EncryptedOption.Conflict",
    ),
    (
        "CreateDisk",
        "ZoneId=cn-hangzhou-h SnapshotId=@secret DiskCategory=cloud_essd EncryptAlgorithm=sm4-128",
        "InvalidEncryptAlgorithm.NotMatchSnapshot",
        "NotSupport.SnapshotEncryptedAlgorithmConflict",
    ),
    ("CreateSnapshotGroup", "DiskId.1=@multi", "InvalidOperation.MultiAttachDisk", "InvalidDisk.ShareVolume"),
    (
        "ReplaceSystemDisk",
        "InstanceId=@stopped ImageId=@arm",
        "ImageNotSupportInstanceType",
        "InvalidParameter.Conflict",
    ),
];

#[tokio::test]
async fn disks_groups_and_replacements_answer_their_older_codes() {
    let mut app = TestApp::new().await;
    let disk = app.disk_with(|disk| disk.encrypted = true.into()).await;
    let (_, stopped) = attached(&app, "Stopped", |disk| "system".clone_into(&mut disk.disk_type)).await;
    let system = system_snapshot(&app).await;
    let arm = app.ok("CreateImage", &[("SnapshotId", &system), ("Architecture", "arm64")]).await;
    app.advance("1m").await;
    let ids = Ids::from([
        ("arm", text(&arm, "/ImageId")),
        ("multi", app.disk_with(|disk| "Enabled".clone_into(&mut disk.multi_attach)).await),
        ("secret", app.accomplished_snapshot(&disk).await),
        ("stopped", stopped),
    ]);
    both_ways(&mut app, &ids, ROWS).await;
}
