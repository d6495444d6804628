//! An instance made by CreateInstance, and what becomes of any instance and its disks: rebooted, stopped by force, deleted.

use super::{IMAGE, TYPE, run, shown};
use crate::support::answer::{column, text};
use crate::support::{OTHER_KEY, OTHER_REGION, TestApp};

async fn create(app: &TestApp, more: &[(&str, &str)]) -> String {
    text(&app.ok("CreateInstance", &[&[IMAGE, TYPE], more].concat()).await, "/InstanceId")
}

async fn disks(app: &TestApp, instance_id: &str) -> Vec<String> {
    column(&app.ok("DescribeDisks", &[("InstanceId", instance_id)]).await, "/Disks/Disk", "DiskId")
}

#[tokio::test]
async fn an_instance_is_created_stopped_and_its_disks_hold_nothing_until_it_has_run() {
    let app = TestApp::new().await;
    let id = create(&app, &[("DataDisk.1.Size", "40"), ("Tag.1.Key", "k"), ("InstanceName", "first")]).await;
    let instance = shown(&app, &id).await;
    assert_eq!((text(&instance, "/Status"), text(&instance, "/StartTime")), ("Stopped".to_owned(), String::new()));
    assert_eq!(text(&instance, "/Tags/Tag/0/TagKey"), "k");
    let attached = disks(&app, &id).await;
    assert_eq!(attached.len(), 2);
    for disk in &attached {
        app.refused("CreateSnapshot", &[("DiskId", disk)], 403, "IncorrectDiskStatus.NeverUsed").await;
    }
    app.ok("StartInstance", &[("InstanceId", &id)]).await;
    for disk in &attached {
        app.ok("CreateSnapshot", &[("DiskId", disk)]).await;
    }
}

#[tokio::test]
async fn a_reboot_is_starting_until_it_is_running_again() {
    let app = TestApp::with(|config| {
        config.lifecycle.instance_start_ms = 2_000;
        config.lifecycle.instance_stop_ms = 3_000;
    })
    .await;
    let id = run(&app, &[]).await.remove(0);
    let instance = [("InstanceId", id.as_str())];
    app.refused("RebootInstance", &instance, 403, "IncorrectInstanceStatus").await;
    app.advance("2s").await;
    app.refused("RebootInstance", &[instance[0], ("DryRun", "true")], 400, "DryRunOperation").await;
    app.ok("RebootInstance", &instance).await;
    assert_eq!(text(&shown(&app, &id).await, "/Status"), "Starting");
    app.advance("4s").await;
    assert_eq!(text(&shown(&app, &id).await, "/Status"), "Starting");
    app.advance("1s").await;
    assert_eq!(text(&shown(&app, &id).await, "/Status"), "Running");
    app.ok("RebootInstance", &[instance[0], ("ForceStop", "true")]).await;
    app.advance("2s").await;
    assert_eq!(text(&shown(&app, &id).await, "/Status"), "Running");
    app.ok("StopInstance", &[instance[0], ("ForceStop", "true")]).await;
    app.advance("0s").await;
    assert_eq!(text(&shown(&app, &id).await, "/Status"), "Stopped");
    app.refused("RebootInstance", &instance, 403, "IncorrectInstanceStatus").await;
    app.refused("RebootInstance", &[], 400, "MissingParameter").await;
    app.call_as(OTHER_KEY, "RebootInstance", &instance).await.refused(404, "InvalidInstanceId.NotFound");
    let elsewhere = [instance[0], ("RegionId", OTHER_REGION)];
    app.refused("RebootInstance", &elsewhere, 404, "InvalidInstanceId.NotFound").await;
}

#[tokio::test]
async fn every_status_has_the_actions_that_it_allows() {
    let app = TestApp::new().await;
    for (status, start, stop, reboot, delete) in [
        ("Pending", false, false, false, "IncorrectInstanceStatus.Initializing"),
        ("Starting", false, false, false, "IncorrectInstanceStatus"),
        ("Running", false, true, true, "IncorrectInstanceStatus"),
        ("Stopping", false, false, false, "IncorrectInstanceStatus"),
        ("Stopped", true, false, false, "DryRunOperation"),
    ] {
        let id = create(&app, &[]).await;
        app.sql(&format!("UPDATE instances SET status = '{status}' WHERE instance_id = '{id}'")).await;
        let instance = [("InstanceId", id.as_str()), ("DryRun", "true")];
        for (action, allowed) in [("StartInstance", start), ("StopInstance", stop), ("RebootInstance", reboot)] {
            let code = match (allowed, action, status) {
                (true, ..) => "DryRunOperation",
                (false, "StartInstance", "Pending") => "InstanceNotReady",
                (false, ..) => "IncorrectInstanceStatus",
            };
            assert_eq!(app.call(action, &instance).await.code(), code, "{action} while {status}");
        }
        assert_eq!(app.call("DeleteInstance", &instance).await.code(), delete, "while {status}");
    }
}

#[tokio::test]
async fn an_instance_without_a_system_disk_does_not_start() {
    let app = TestApp::new().await;
    let id = app.instance_in("cn-hangzhou", "Stopped").await;
    app.refused("StartInstance", &[("InstanceId", &id)], 400, "InvalidInstance.NotFoundSystemDisk").await;
    app.refused("StopInstance", &[("InstanceId", &id), ("StoppedMode", "x")], 400, "InvalidParameter").await;
    app.refused("DeleteInstance", &[("InstanceId", "x")], 400, "InvalidParameter").await;
}

#[tokio::test]
async fn disks_that_are_to_outlive_an_instance_become_free_when_it_is_deleted() {
    let app = TestApp::new().await;
    let data = [("DataDisk.1.Size", "40"), ("DataDisk.2.Size", "40"), ("DataDisk.2.DeleteWithInstance", "false")];
    let id = create(&app, &data).await;
    let body = app.ok("DescribeDisks", &[("InstanceId", &id), ("DiskType", "system")]).await;
    let system = text(&body, "/Disks/Disk/0/DiskId");
    app.ok("ModifyDiskAttribute", &[("DiskId", &system), ("DeleteWithInstance", "false")]).await;
    assert_eq!(disks(&app, &id).await.len(), 3);
    app.ok("DeleteInstance", &[("InstanceId", &id)]).await;
    let body = app.ok("DescribeDisks", &[("Status", "Available")]).await;
    let left = column(&body, "/Disks/Disk", "DiskId");
    assert!(left.len() == 2 && left.contains(&system), "{body}");
    assert_eq!(app.count("SELECT COUNT(*) FROM disks").await, 2);
}

#[tokio::test]
async fn a_subscription_is_deleted_only_by_whoever_says_so() {
    let app = TestApp::new().await;
    let id = create(&app, &[("InstanceChargeType", "PrePaid")]).await;
    app.refused("DeleteInstance", &[("InstanceId", &id)], 403, "ChargeTypeViolation").await;
    app.ok("DeleteInstance", &[("InstanceId", &id), ("TerminateSubscription", "true")]).await;
}

#[tokio::test]
async fn instances_made_together_are_numbered_as_asked() {
    let app = TestApp::new().await;
    let names = async |params: &[(&str, &str)], field: &str| {
        let mut names = Vec::new();
        for id in run(&app, &[&[("Amount", "2")][..], params].concat()).await {
            names.push(text(&shown(&app, &id).await, field));
        }
        names
    };
    assert_eq!(names(&[("InstanceName", "web-[9,3]")], "/InstanceName").await, ["web-009", "web-010"]);
    let suffix = ("UniqueSuffix", "true");
    assert_eq!(names(&[("InstanceName", "web"), suffix], "/InstanceName").await, ["web001", "web002"]);
    assert_eq!(names(&[("HostName", "web"), suffix], "/HostName").await, ["web001", "web002"]);
    assert_eq!(names(&[("HostNames.1", "aa"), ("HostNames.2", "bb")], "/HostName").await, ["aa", "bb"]);
}

#[tokio::test]
async fn every_instance_of_an_account_has_an_address_of_its_own() {
    let app = TestApp::new().await;
    let mut seen = std::collections::BTreeSet::new();
    for id in run(&app, &[("Amount", "100")]).await {
        let address = text(&shown(&app, &id).await, "/VpcAttributes/PrivateIpAddress/IpAddress/0");
        let parsed: std::net::Ipv4Addr = address.parse().expect("an address");
        assert!(parsed.octets()[0] == 172 && (16..32).contains(&parsed.octets()[1]), "{address}");
        assert!(seen.insert(address));
    }
    let id = create(&app, &[("PrivateIpAddress", "192.168.1.2")]).await;
    assert_eq!(text(&shown(&app, &id).await, "/VpcAttributes/PrivateIpAddress/IpAddress/0"), "192.168.1.2");
}
