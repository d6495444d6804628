//! Codes beside the usual ones of an action: older spellings that have a condition of their own, told apart here.

mod apart;
mod disks;
mod further;
mod launched;
mod snapshots;
mod spelled;
mod withdrawn;

use crate::support::contract::contract;
use crate::support::{REGION, TestApp};

const DISK: (&str, &str) = ("DiskId", "d-none");
const ON: (&str, &str) = ("InstanceId", "i-none");

#[tokio::test]
async fn what_cannot_be_the_id_of_a_region_is_told_apart_from_a_region_that_is_none() {
    let app = TestApp::new().await;
    let pair = vec![("Disk.1.DiskId", "d-none"), ("Disk.1.SnapshotId", "s-none")];
    let cases = [
        ("AttachDisk", vec![DISK, ON], "InvalidRegionId.MalFormed"),
        ("DeleteDisk", vec![DISK], "InvalidRegionId.MalFormed"),
        ("DetachDisk", vec![DISK, ON], "InvalidRegionId.MalFormed"),
        ("ModifyDiskAttribute", vec![DISK, ("DiskName", "name")], "InvalidRegionId.MalFormed"),
        ("ReInitDisk", vec![DISK], "InvalidRegionId.MalFormed"),
        ("ResetDisk", vec![DISK, ("SnapshotId", "s-none")], "InvalidRegionId.MalFormed"),
        ("ResetDisks", pair, "InvalidRegionId.MalFormed"),
        ("ResizeDisk", vec![DISK, ("NewSize", "50")], "InvalidRegionId.MalFormed"),
        ("DescribeDisks", vec![], "InvalidRegion.NotFound"),
        ("DescribeZones", vec![], "InvalidRegion.NotFound"),
    ];
    for (action, params, code) in cases {
        for malformed in ["CN-HANGZHOU", "hangzhou", "cn hangzhou"] {
            let answer = app.call(action, &[&params[..], &[("RegionId", malformed)]].concat()).await;
            assert_eq!(answer.code(), code, "{action} in {malformed}");
        }
        let unknown = app.call(action, &[&params[..], &[("RegionId", "cn-nowhere")]].concat()).await;
        assert_eq!((unknown.status, unknown.code()), (404, "InvalidRegionId.NotFound"), "{action}");
    }
    let replace = [ON, ("ImageId", "m-none"), ("RegionId", "cn-nowhere")];
    app.refused("ReplaceSystemDisk", &replace, 403, "InvalidRegionId.NotExists").await;
}

#[tokio::test]
async fn a_missing_region_is_told_where_that_is_switched_on_and_a_table_has_a_code_for_it() {
    let app = TestApp::with(|config| config.fidelity.require_region = true).await;
    let resource = [("ResourceType", "disk"), ("ResourceId.1", "d-none")];
    let tagged = [&resource[..], &[("Tag.1.Key", "k")]].concat();
    let image = vec![("ImageId", "m-none")];
    let cases = [
        ("ListTagResources", resource.to_vec(), 404, "MissingParameter.RegionId"),
        ("TagResources", tagged, 404, "MissingParameter.RegionId"),
        ("UntagResources", [&resource[..], &[("TagKey.1", "k")]].concat(), 404, "MissingParameter.RegionId"),
        ("DescribeDisks", vec![], 400, "MissingParamter.RegionId"),
        ("DescribeAccountAttributes", vec![], 403, "Invalid.Parameter"),
        ("DescribeTasks", vec![], 400, "MissingParameter"),
        ("DescribeTaskAttribute", vec![("TaskId", "t-none")], 400, "MissingParameter"),
        ("CancelTask", vec![("TaskId", "t-none")], 400, "MissingParameter"),
        ("ModifyImageAttribute", [&image[..], &[("Description", "text")]].concat(), 400, "MissingParameter"),
        ("DescribeImageSharePermission", image.clone(), 400, "MissingParameter"),
        (
            "ModifyImageSharePermission",
            [&image[..], &[("AddAccount.1", "1000000000000002")]].concat(),
            400,
            "MissingParameter",
        ),
    ];
    for (action, params, status, code) in cases {
        let answer = app.refused(action, &params, status, code).await;
        assert!(answer.message().to_lowercase().contains("regionid"), "{action}: {}", answer.text);
        let named = app.call(action, &[&params[..], &[("RegionId", REGION)]].concat()).await;
        assert_ne!(named.code(), code, "{action}");
    }
    app.refused("DeleteDisk", &[DISK], 404, "InvalidDiskId.NotFound").await;
}

#[test]
fn no_action_is_told_a_missing_region_that_its_table_does_not_know() {
    for action in contract().actions.keys() {
        let code = snapshotd::faults::missing_region(action);
        assert!(code.is_none_or(|code| contract().codes(action).contains(code)), "{action}: {code:?}");
    }
}
