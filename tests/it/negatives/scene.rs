//! Something of every kind, and for each action a call with nothing but what it requires; never judges an answer.

use snapshotd::api::action::Entry;

use crate::support::contract::{capital, contract, general};
use crate::support::{OTHER_KEY, REGION, TestApp, answer};

/// An account with a resource of every kind, and another account with its own.
pub struct Scene {
    pub app: TestApp,
    ours: Vec<(&'static str, String)>,
    /// Parameter and id of resources of the other account.
    pub theirs: Vec<(&'static str, String)>,
}

/// The parameters that name one resource, each with the kind of resource.
const NAMING: &[(&str, &str)] = &[
    ("DiskId", "disk"),
    ("SourceDiskId", "disk"),
    ("SnapshotId", "snapshot"),
    ("ImageId", "image"),
    ("InstanceId", "instance"),
    ("AutoSnapshotPolicyId", "policy"),
    ("SnapshotGroupId", "group"),
    ("TaskId", "task"),
];

/// What an action needs beyond what the contract calls required, or in another form than its name tells.
const MORE: &[(&str, &[(&str, &str)])] = &[
    ("CreateImage", &[("SnapshotId", "@system")]),
    (
        "CopySnapshot",
        &[
            ("DestinationRegionId", "cn-beijing"),
            ("DestinationSnapshotName", "copied"),
            ("DestinationSnapshotDescription", "a copy"),
        ],
    ),
    ("ExportSnapshot", &[("OssBucket", "exports")]),
    ("CreateDisk", &[("ZoneId", "cn-hangzhou-h"), ("Size", "40")]),
    ("ModifySnapshotAttribute", &[("Description", "another")]),
    ("ModifyDiskAttribute", &[("DiskId", "@disk"), ("Description", "another")]),
    ("RunInstances", &[("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"), ("InstanceType", "ecs.g7.large")]),
    ("ModifyImageSharePermission", &[("IsPublic", "true")]),
    ("CreateInstance", &[("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd")]),
    ("AddTags", &[("ResourceId", "@snapshot"), ("Tag.1.Key", "key")]),
    ("RemoveTags", &[("ResourceId", "@snapshot")]),
    ("JoinResourceGroup", &[("ResourceId", "@snapshot"), ("ResourceGroupId", "rg-1")]),
    ("TagResources", &[("ResourceId.1", "@snapshot"), ("Tag.1.Key", "key"), ("Tag.1.Value", "value")]),
    ("UntagResources", &[("ResourceId.1", "@snapshot"), ("TagKey.1", "key")]),
    ("ListTagResources", &[("ResourceId.1", "@snapshot")]),
    ("CreateSnapshotGroup", &[("DiskId.1", "@disk")]),
    ("ApplyAutoSnapshotPolicy", &[("DiskIds", "@disks")]),
    ("CancelAutoSnapshotPolicy", &[("DiskIds", "@disks")]),
    ("DescribeAutoSnapshotPolicyAssociations", &[("DiskId", "@disk")]),
    ("CancelTask", &[("TaskId", "t-none")]),
    ("DescribeTaskAttribute", &[("TaskId", "t-none")]),
    ("ResizeDisk", &[("NewSize", "50")]),
    ("ModifyDiskSpec", &[("DiskCategory", "cloud_auto")]),
    ("ModifyDiskChargeType", &[("DiskIds", "[\"d-none\"]")]),
    ("ResetDisks", &[("Disk.1.DiskId", "@disk"), ("Disk.1.SnapshotId", "@snapshot")]),
    ("ReplaceSystemDisk", &[("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd")]),
    ("CloneDisks", &[("PerformanceLevel", "PL1"), ("Size", "50")]),
];

/// Values of required parameters that name no resource.
const VALUES: &[(&str, &str)] = &[
    ("StartTime", "2026-01-01T00:00:00Z"),
    ("EndTime", "2026-01-01T00:01:00Z"),
    ("ResourceType", "snapshot"),
    ("InstanceType", "ecs.g7.large"),
    ("Tag.N", ""),
    ("ResourceId.N", ""),
    ("TimePoints", "[1]"),
    ("RepeatWeekdays", "[1]"),
    ("Disk.N", ""),
];

impl Scene {
    pub async fn new() -> Self {
        let app = TestApp::new().await;
        let disk = app.attached_disk().await;
        let snapshot = app.accomplished_snapshot(&disk).await;
        let system = crate::images::system_snapshot(&app).await;
        let image = answer::text(&app.ok("CreateImage", &[("SnapshotId", &system)]).await, "/ImageId");
        let instance = app.instance().await;
        let free = [("RegionId", REGION), ("ZoneId", "cn-hangzhou-h"), ("Size", "40")];
        let theirs = app.call_as(OTHER_KEY, "CreateDisk", &free).await.accepted();
        let their_disk = answer::text(&theirs, "/DiskId");
        let least = [("TimePoints", "[1]"), ("RepeatWeekdays", "[1]"), ("RetentionDays", "1")];
        let policy = answer::text(&app.ok("CreateAutoSnapshotPolicy", &least).await, "/AutoSnapshotPolicyId");
        let theirs = app.call_as(OTHER_KEY, "CreateAutoSnapshotPolicy", &least).await.accepted();
        let their_policy = answer::text(&theirs, "/AutoSnapshotPolicyId");
        let group = answer::text(&app.ok("CreateSnapshotGroup", &[("DiskId.1", &disk)]).await, "/SnapshotGroupId");
        app.advance("1m").await;
        let disks = format!("[\"{disk}\"]");
        let ours = vec![
            ("policy", policy),
            ("group", group),
            ("disks", disks),
            ("disk", disk),
            ("snapshot", snapshot),
            ("system", system),
            ("image", image),
            ("instance", instance),
        ];
        Self { app, ours, theirs: vec![("disk", their_disk), ("policy", their_policy)] }
    }

    /// Our resource of the kind that a parameter names; `None` for a parameter that names none.
    pub fn kind(parameter: &str) -> Option<&'static str> {
        NAMING.iter().find(|(name, _)| *name == capital(parameter)).map(|(_, kind)| *kind)
    }

    fn ours(&self, kind: &str) -> String {
        self.ours.iter().find(|(known, _)| *known == kind).map_or_else(String::new, |(_, id)| id.clone())
    }

    /// The smallest call of an action that is right in all its parts.
    pub fn smallest(&self, entry: &Entry) -> Vec<(String, String)> {
        let action = &contract().actions[entry.name];
        let mut params = Vec::new();
        for parameter in action.parameters.iter().filter(|parameter| parameter.required) {
            let name = capital(&parameter.name);
            let general = general(&name);
            let value = match (VALUES.iter().find(|(known, _)| *known == general), Self::kind(&name)) {
                (Some((_, value)), _) => (*value).to_owned(),
                (None, Some(kind)) => self.ours(kind),
                (None, None) if name == "RegionId" => REGION.to_owned(),
                (None, None) => parameter.values.first().cloned().unwrap_or_else(|| "1".to_owned()),
            };
            if !value.is_empty() {
                params.push((name, value));
            }
        }
        for (name, value) in MORE.iter().filter(|(action, _)| *action == entry.name).flat_map(|(_, more)| *more) {
            let value = value.strip_prefix('@').map_or_else(|| (*value).to_owned(), |kind| self.ours(kind));
            params.retain(|(known, _)| known != name);
            params.push(((*name).to_owned(), value));
        }
        params
    }
}
