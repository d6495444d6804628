//! Of RunInstances and CreateInstance.

use crate::support::{ACCOUNT, TestApp};

const IMAGE: (&str, &str) = ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd");
const TYPE: (&str, &str) = ("InstanceType", "ecs.g7.large");
const BOTH: [&str; 2] = ["RunInstances", "CreateInstance"];

async fn refused(app: &TestApp, action: &str, params: &[(&str, &str)], code: &str) {
    let answer = app.call(action, &[&[TYPE], params].concat()).await;
    assert_eq!(answer.code(), code, "{action} {params:?}: {}", answer.text);
}

#[tokio::test]
async fn images_and_snapshots_that_a_new_instance_cannot_have_are_told_apart() {
    let app = TestApp::new().await;
    let large = app.disk_with(|disk| disk.size = 2_001).await;
    let large = app.accomplished_snapshot(&large).await;
    let secret = app.disk_with(|disk| disk.encrypted = true.into()).await;
    let secret = app.accomplished_snapshot(&secret).await;
    let gone = app.image_from(&large, "UnAvailable", ACCOUNT).await;
    let fixed = app.image_from(&secret, "Available", ACCOUNT).await;
    app.sql(&format!("UPDATE images SET platform = 'FreeBSD' WHERE image_id = '{fixed}'")).await;
    let (of_large, of_secret) = (("DataDisk.1.SnapshotId", large.as_str()), ("DataDisk.1.SnapshotId", secret.as_str()));
    let encrypted = ("DataDisk.1.Encrypted", "true");
    let before = app.dump().await;
    for action in BOTH {
        refused(&app, action, &[("ImageId", &gone)], "OperationDenied.ImageNotValid").await;
        let cloud = ("DataDisk.1.Category", "cloud");
        refused(&app, action, &[IMAGE, of_large, cloud], "InstanceDiskCategoryLimitExceed").await;
        let algorithm = ("DataDisk.1.EncryptAlgorithm", "SM4-128");
        let mismatch = [IMAGE, of_secret, encrypted, algorithm];
        refused(&app, action, &mismatch, "InvalidEncryptAlgorithm.NotMatchSnapshot").await;
        let larger = [("ImageId", fixed.as_str()), ("SystemDisk.Size", "41")];
        refused(&app, action, &larger, "InvalidSystemDiskSize.ImageNotSupportResize").await;
        refused(&app, action, &[IMAGE, ("SystemDisk.Size", "2049")], "InvalidSystemDiskSize.MoreThanMaxSize").await;
        refused(&app, action, &[IMAGE, ("IoOptimized", "none")], "DependencyViolation.IoOptimized").await;
        refused(&app, action, &[IMAGE, ("ClientToken", "ü")], "InvalidClientToken.ValueNotSupported").await;
    }
    let dry = [IMAGE, ("DryRun", "true"), ("Amount", "101")];
    refused(&app, "RunInstances", &dry, "DryRun.InvalidAmount").await;
    let repeated = [IMAGE, ("Amount", "2"), ("PrivateIpAddress", "172.16.0.9")];
    refused(&app, "RunInstances", &repeated, "InvalidParameter.PrivateIpAddressRepeated").await;
    assert_eq!(app.dump().await, before);
    app.ok("CreateInstance", &[IMAGE, ("InstanceType", "ecs.s3.large"), ("IoOptimized", "none")]).await;
}
