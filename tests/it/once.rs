//! What is asked for under one token happens once, and what is asked for dry does not happen: every action that takes
//! ClientToken, and every one that writes and takes DryRun, in a table.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use snapshotd::api::action::Kind;
use snapshotd::api::registry;

use crate::support::answer::{column, text};
use crate::support::contract::contract;
use crate::support::{OTHER_ACCOUNT, REGION, TestApp};

const CLIENTS: usize = 64;
pub const BASE: (&str, &str) = ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd");
pub const TYPE: (&str, &str) = ("InstanceType", "ecs.g7.large");
pub const ZONE: (&str, &str) = ("ZoneId", "cn-hangzhou-h");

/// What the instance of the scene does; an action needs the one or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Is {
    Running,
    Stopped,
    /// Running and paid in advance.
    PaidFor,
}
use Is::{PaidFor, Running, Stopped};

/// Values that begin with `@` are ids of the scene.
pub type Row = (&'static str, Is, &'static [(&'static str, &'static str)]);

pub const COPY: &[(&str, &str)] = &[
    ("SnapshotId", "@snapshot"),
    ("DestinationRegionId", "cn-beijing"),
    ("DestinationSnapshotName", "copy"),
    ("DestinationSnapshotDescription", "copy"),
];
pub const LOCK: &[(&str, &str)] =
    &[("SnapshotId", "@snapshot"), ("LockMode", "compliance"), ("LockDuration", "2"), ("CoolOffPeriod", "3")];
pub const CLONE: &[(&str, &str)] = &[
    ("SourceDiskId", "@disk"),
    ("DiskName", "clone"),
    ("Size", "50"),
    ("DiskCategory", "cloud_essd"),
    ("PerformanceLevel", "PL1"),
    ("Encrypted", "false"),
    ("MultiAttach", "Disabled"),
];
pub const COPY_IMAGE: &[(&str, &str)] = &[("ImageId", "@image"), ("DestinationRegionId", "cn-beijing")];

const WITH_TOKEN: &[Row] = &[
    ("CreateSnapshot", Running, &[("DiskId", "@disk")]),
    ("CreateSnapshotGroup", Running, &[("InstanceId", "@instance")]),
    ("CopySnapshot", Running, COPY),
    ("LockSnapshot", Running, LOCK),
    ("UnlockSnapshot", Running, &[("SnapshotId", "@locked")]),
    ("CreateDisk", Running, &[ZONE, ("Size", "40"), ("DiskCategory", "cloud_essd")]),
    ("CloneDisks", Running, CLONE),
    ("ResizeDisk", Running, &[("DiskId", "@disk"), ("NewSize", "50")]),
    ("CreateImage", Running, &[("SnapshotId", "@locked")]),
    ("CopyImage", Running, COPY_IMAGE),
    ("CreateInstance", Running, &[BASE, TYPE, ZONE]),
    ("RunInstances", Running, &[BASE, TYPE, ZONE, ("Amount", "3")]),
    ("ReplaceSystemDisk", Stopped, &[("InstanceId", "@instance"), BASE]),
    (
        "ModifyDiskChargeType",
        PaidFor,
        &[("InstanceId", "@instance"), ("DiskIds", "@disks"), ("DiskChargeType", "PostPaid")],
    ),
];

const WITH_DRY_RUN: &[Row] = &[
    ("LockSnapshot", Running, LOCK),
    ("UnlockSnapshot", Running, &[("SnapshotId", "@locked")]),
    ("CloneDisks", Running, CLONE),
    ("ModifyDiskSpec", Running, &[("DiskId", "@disk"), ("DiskCategory", "cloud_auto")]),
    ("ResetDisk", Stopped, &[("DiskId", "@disk"), ("SnapshotId", "@snapshot")]),
    ("ResetDisks", Stopped, &[("Disk.1.DiskId", "@disk"), ("Disk.1.SnapshotId", "@snapshot")]),
    ("CreateImage", Running, &[("InstanceId", "@instance")]),
    ("CopyImage", Running, COPY_IMAGE),
    ("ModifyImageAttribute", Running, &[("ImageId", "@image"), ("Description", "another")]),
    ("ModifyImageSharePermission", Running, &[("ImageId", "@image"), ("AddAccount.1", OTHER_ACCOUNT)]),
    ("DeleteImage", Running, &[("ImageId", "@image")]),
    ("CreateInstance", Running, &[BASE, TYPE, ZONE]),
    ("RunInstances", Running, &[BASE, TYPE, ZONE, ("Amount", "3")]),
    ("StopInstance", Running, &[("InstanceId", "@instance")]),
    ("RebootInstance", Running, &[("InstanceId", "@instance")]),
    ("StartInstance", Stopped, &[("InstanceId", "@instance")]),
    ("DeleteInstance", Stopped, &[("InstanceId", "@instance")]),
];

/// An instance with its two disks, a snapshot of each, that of the system disk locked and imaged.
pub struct Scene {
    pub app: TestApp,
    pub ids: BTreeMap<&'static str, String>,
}

impl Scene {
    pub async fn new(is: Is) -> Self {
        let app = TestApp::new().await;
        let system = ("SystemDisk.Category", "cloud_essd");
        let data = [("DataDisk.1.Category", "cloud_essd"), ("DataDisk.1.Size", "40")];
        let paid = ("InstanceChargeType", if is == PaidFor { "PrePaid" } else { "PostPaid" });
        let made = app.ok("RunInstances", &[&[BASE, TYPE, ZONE, system, paid][..], &data].concat()).await;
        let instance = text(&made, "/InstanceIdSets/InstanceIdSet/0");
        app.advance("1m").await;
        let shown = app.ok("DescribeDisks", &[("RegionId", REGION)]).await;
        let mut disks: Vec<(String, String)> =
            column(&shown, "/Disks/Disk", "Type").into_iter().zip(column(&shown, "/Disks/Disk", "DiskId")).collect();
        disks.sort();
        let [disk, system] = [0, 1].map(|nth: usize| disks[nth].1.clone());
        let (snapshot, locked) = (app.accomplished_snapshot(&disk).await, app.accomplished_snapshot(&system).await);
        let image = text(&app.ok("CreateImage", &[("SnapshotId", &locked)]).await, "/ImageId");
        app.advance("1m").await;
        app.ok("LockSnapshot", &[&[("SnapshotId", locked.as_str())][..], &LOCK[1..]].concat()).await;
        if is == Stopped {
            app.ok("StopInstance", &[("InstanceId", &instance)]).await;
            app.advance("1m").await;
        }
        let ids = BTreeMap::from([
            ("@disks", format!("[\"{disk}\"]")),
            ("@instance", instance),
            ("@disk", disk),
            ("@system", system),
            ("@snapshot", snapshot),
            ("@locked", locked),
            ("@image", image),
        ]);
        Self { app, ids }
    }

    pub fn params<'a>(&'a self, row: &Row, more: (&'a str, &'a str)) -> Vec<(&'a str, &'a str)> {
        let id = |value: &'a str| self.ids.get(value).map_or(value, String::as_str);
        let given = row.2.iter().map(|(name, value)| (*name, id(value)));
        given.chain([("RegionId", REGION), more]).collect()
    }

    /// How many rows each table has once all that began has ended.
    async fn rows(&self) -> BTreeMap<String, usize> {
        self.app.advance("1m").await;
        self.app.resources().await.into_iter().map(|(table, rows)| (table, rows.len())).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_repeats_at_once_one_has_an_effect() {
    for row in WITH_TOKEN {
        let (action, is, _) = row;
        let once = Scene::new(*is).await;
        let before = once.rows().await;
        once.app.ok(action, &once.params(row, ("ClientToken", "one"))).await;
        let wanted = once.rows().await;
        assert_ne!(wanted, before, "{action}");
        let often = Scene::new(*is).await;
        let params = often.params(row, ("ClientToken", "one"));
        let answers = join_all((0..CLIENTS).map(|_| often.app.call(action, &params))).await;
        let seen: BTreeSet<(u16, &str)> = answers.iter().map(|answer| (answer.status, answer.code())).collect();
        // The table of CreateDisk has the older spelling alone (decision 163).
        let allowed = [(200, ""), (403, "IdempotentProcessing"), (403, "LastTokenProcessing")].into();
        assert!(seen.contains(&(200, "")) && seen.is_subset(&allowed), "{action}: {seen:?}");
        let last = often.app.call(action, &params).await;
        let same = |body: &serde_json::Value| {
            let mut body = body.clone();
            body["RequestId"].take();
            body.to_string()
        };
        let bodies = answers.iter().chain([&last]).filter(|answer| answer.status == 200);
        let bodies: BTreeSet<String> = bodies.map(|answer| same(&answer.body)).collect();
        assert_eq!(bodies.len(), 1, "{action}: {bodies:?}");
        assert_eq!(often.rows().await, wanted, "{action}");
    }
}

#[tokio::test]
async fn a_dry_run_checks_and_writes_nothing() {
    for row in WITH_DRY_RUN {
        let (action, is, _) = row;
        let scene = Scene::new(*is).await;
        let before = scene.app.resources().await;
        let answer = scene.app.call(action, &scene.params(row, ("DryRun", "true"))).await;
        assert_eq!(answer.code(), "DryRunOperation", "{action}: {}", answer.text);
        assert_eq!(scene.app.resources().await, before, "{action}");
        scene.app.ok(action, &scene.params(row, ("DryRun", "false"))).await;
        assert_ne!(scene.app.resources().await, before, "{action}");
    }
}

/// The actions of a table, which has each once.
fn named(rows: &[Row]) -> BTreeSet<&'static str> {
    let names: BTreeSet<&str> = rows.iter().map(|row| row.0).collect();
    assert_eq!(names.len(), rows.len());
    names
}

#[test]
fn each_action_that_takes_a_token_or_can_be_dry_is_in_its_table() {
    let takes = |name: &str| -> BTreeSet<&str> {
        let entries = registry::all().filter(|entry| entry.kind != Kind::Read);
        let has = |entry: &&snapshotd::api::action::Entry| {
            let parameters = &contract().actions[entry.name].parameters;
            parameters.iter().any(|parameter| parameter.name == name) || entry.parameters().contains(name)
        };
        entries.filter(has).map(|entry| entry.name).collect()
    };
    assert_eq!(named(WITH_TOKEN), takes("ClientToken"));
    let once: BTreeSet<&str> = registry::all().filter(|entry| entry.kind == Kind::WriteOnce).map(|e| e.name).collect();
    assert_eq!(named(WITH_TOKEN), once);
    assert_eq!(named(WITH_DRY_RUN), takes("DryRun"));
}
