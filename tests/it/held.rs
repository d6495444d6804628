//! The rows that a call takes while it runs: what it changes for itself alone, what it makes something of in common with others.

use snapshotd::store::row_locks::{Mode, RowLocks};

use crate::once::Is::{self, PaidFor, Running, Stopped};
use crate::once::{BASE, CLONE, COPY, COPY_IMAGE, LOCK, Scene, TYPE, ZONE};
use crate::support::{ACCOUNT, OTHER_ACCOUNT};

/// An action, its parameters, and a row that it takes; values that begin with `@` are ids of the scene.
type Taken = (&'static str, Is, &'static [(&'static str, &'static str)], &'static str);

const SNAPSHOT: (&str, &str) = ("SnapshotId", "@snapshot");
const DISK: (&str, &str) = ("DiskId", "@disk");
const IMAGE: (&str, &str) = ("ImageId", "@image");
const INSTANCE: (&str, &str) = ("InstanceId", "@instance");
const SOURCE: (&str, &str) = ("DataDisk.1.SnapshotId", "@snapshot");
const BACK: &[(&str, &str)] = &[("Disk.1.DiskId", "@disk"), ("Disk.1.SnapshotId", "@snapshot")];
const GROUP: &str = "ssg-bp1000000000000000001";

/// Nothing else may use the row meanwhile.
const ALONE: &[Taken] = &[
    ("DeleteSnapshot", Running, &[SNAPSHOT], "@snapshot"),
    ("ModifySnapshotAttribute", Running, &[SNAPSHOT, ("Description", "another")], "@snapshot"),
    ("ModifySnapshotCategory", Running, &[SNAPSHOT, ("Category", "archive")], "@snapshot"),
    ("LockSnapshot", Running, LOCK, "@snapshot"),
    ("UnlockSnapshot", Running, &[("SnapshotId", "@locked")], "@locked"),
    ("DeleteSnapshotGroup", Running, &[("SnapshotGroupId", GROUP)], GROUP),
    ("DeleteDisk", Running, &[DISK], "@disk"),
    ("ResizeDisk", Running, &[DISK, ("NewSize", "50")], "@disk"),
    ("ModifyDiskSpec", Running, &[DISK, ("DiskCategory", "cloud_auto")], "@disk"),
    ("ReInitDisk", Stopped, &[DISK], "@disk"),
    ("ResetDisk", Stopped, &[DISK, SNAPSHOT], "@disk"),
    ("ResetDisks", Stopped, BACK, "@disk"),
    ("ModifyDiskChargeType", PaidFor, &[INSTANCE, ("DiskIds", "@disks"), ("DiskChargeType", "PostPaid")], "@disk"),
    ("ReplaceSystemDisk", Stopped, &[INSTANCE, BASE], "@instance"),
    ("ReplaceSystemDisk", Stopped, &[INSTANCE, BASE], "@system"),
    ("DeleteInstance", Stopped, &[INSTANCE], "@instance"),
    ("DeleteInstance", Stopped, &[INSTANCE], "@disk"),
    ("DeleteImage", Running, &[IMAGE], "@image"),
    ("ModifyImageAttribute", Running, &[IMAGE, ("Description", "another")], "@image"),
    ("ModifyImageSharePermission", Running, &[IMAGE, ("AddAccount.1", OTHER_ACCOUNT)], "@image"),
    ("CancelCopyImage", Running, &[IMAGE], "@image"),
    (
        "JoinResourceGroup",
        Running,
        &[("ResourceType", "disk"), ("ResourceId", "@disk"), ("ResourceGroupId", "rg-2")],
        "@disk",
    ),
];

/// Others may make something of the row at the same time, and nobody may change it.
const IN_COMMON: &[Taken] = &[
    ("CreateSnapshot", Running, &[DISK], "@disk"),
    ("CreateSnapshotGroup", Running, &[INSTANCE], "@disk"),
    ("CreateSnapshotGroup", Running, &[INSTANCE, ("DiskId.1", "@disk")], "@disk"),
    ("CopySnapshot", Running, COPY, "@snapshot"),
    ("CreateDisk", Running, &[ZONE, SNAPSHOT, ("DiskCategory", "cloud_essd")], "@snapshot"),
    ("CloneDisks", Running, CLONE, "@disk"),
    ("ResetDisk", Stopped, &[DISK, SNAPSHOT], "@snapshot"),
    ("ResetDisks", Stopped, BACK, "@snapshot"),
    ("CreateImage", Running, &[("SnapshotId", "@locked")], "@locked"),
    (
        "CreateImage",
        Running,
        &[
            ("DiskDeviceMapping.1.SnapshotId", "@locked"),
            ("DiskDeviceMapping.1.DiskType", "system"),
            ("DiskDeviceMapping.2.SnapshotId", "@snapshot"),
            ("DiskDeviceMapping.2.DiskType", "data"),
        ],
        "@snapshot",
    ),
    ("CreateImage", Running, &[INSTANCE], "@disk"),
    ("CopyImage", Running, COPY_IMAGE, "@image"),
    ("CreateInstance", Running, &[BASE, TYPE, ZONE, SOURCE], "@snapshot"),
    ("RunInstances", Running, &[BASE, TYPE, ZONE, SOURCE], "@snapshot"),
];

async fn code_while_held(scene: &Scene, taken: &Taken, mode: Mode) -> String {
    let (action, is, params, row) = *taken;
    let row = scene.ids.get(row).map_or(row, String::as_str);
    let _held = scene.app.app().store.hold(ACCOUNT, &RowLocks::none().and(row, mode)).await.expect("free");
    let answer = scene.app.call(action, &scene.params(&(action, is, params), ("OwnerAccount", ""))).await;
    // The table of CreateInstance has the older spelling alone.
    answer.code().replace("OperationConflict", "Operation.Conflict")
}

#[tokio::test]
async fn what_a_call_changes_it_has_for_itself_alone() {
    for is in [Running, Stopped, PaidFor] {
        let scene = Scene::new(is).await;
        let before = scene.app.resources().await;
        for taken in ALONE.iter().filter(|taken| taken.1 == is) {
            for mode in [Mode::Shared, Mode::Exclusive] {
                let code = code_while_held(&scene, taken, mode).await;
                assert_eq!(code, "Operation.Conflict", "{} while {} is held", taken.0, taken.3);
            }
        }
        assert_eq!(scene.app.resources().await, before);
    }
}

#[tokio::test]
async fn what_something_is_made_of_is_shared_with_others_and_with_nobody_who_changes_it() {
    for taken in IN_COMMON {
        let scene = Scene::new(taken.1).await;
        let code = code_while_held(&scene, taken, Mode::Exclusive).await;
        assert_eq!(code, "Operation.Conflict", "{} while {} is held", taken.0, taken.3);
        let code = code_while_held(&scene, taken, Mode::Shared).await;
        assert_eq!(code, "", "{} while {} is shared", taken.0, taken.3);
    }
}
