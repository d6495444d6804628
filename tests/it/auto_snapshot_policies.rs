//! Automatic snapshot policies: made, shown, modified and deleted, with values that are checked and a quota.

use serde_json::{Value, json};

use crate::support::answer::{column, text};
use crate::support::{OTHER_KEY, OTHER_REGION, REGION, TestApp};
use snapshotd::config::Unknown;

const CREATE: &str = "CreateAutoSnapshotPolicy";
const DESCRIBE: &str = "DescribeAutoSnapshotPolicyEx";
const MODIFY: &str = "ModifyAutoSnapshotPolicyEx";
const DELETE: &str = "DeleteAutoSnapshotPolicy";
const LIST: &str = "/AutoSnapshotPolicies/AutoSnapshotPolicy";
const HERE: (&str, &str) = ("regionId", REGION);
const ID: &str = "autoSnapshotPolicyId";
/// The least that a policy needs.
const LEAST: [(&str, &str); 4] =
    [HERE, ("timePoints", r#"["1"]"#), ("repeatWeekdays", r#"["1"]"#), ("retentionDays", "-1")];

/// A new policy with more than the least.
pub async fn policy_with(app: &TestApp, more: &[(&str, &str)]) -> String {
    text(&app.ok(CREATE, &[&LEAST, more].concat()).await, "/AutoSnapshotPolicyId")
}

async fn found(app: &TestApp, params: &[(&str, &str)]) -> Vec<String> {
    column(&app.ok(DESCRIBE, &[&[HERE], params].concat()).await, LIST, "AutoSnapshotPolicyId")
}

/// The one policy with this id as DescribeAutoSnapshotPolicyEx shows it; null for none.
async fn shown(app: &TestApp, policy: &str) -> Value {
    let body = app.ok(DESCRIBE, &[HERE, ("AutoSnapshotPolicyId", policy)]).await;
    body.pointer(&format!("{LIST}/0")).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_policy_is_shown_as_it_was_made() {
    let app = TestApp::new().await;
    let params = [
        HERE,
        ("autoSnapshotPolicyName", "nightly"),
        ("timePoints", r#"["23", 0, "7"]"#),
        ("repeatWeekdays", r#"["7","1"]"#),
        ("retentionDays", "30"),
        ("EnableCrossRegionCopy", "true"),
        ("TargetCopyRegions", r#"["cn-beijing"]"#),
        ("CopiedSnapshotsRetentionDays", "60"),
        ("CopyEncryptionConfiguration.Encrypted", "true"),
        ("CopyEncryptionConfiguration.KMSKeyId", "key-1"),
        ("ResourceGroupId", "rg-1"),
        ("Tag.1.Key", "team"),
        ("Tag.1.Value", "a"),
    ];
    let id = text(&app.ok(CREATE, &params).await, "/AutoSnapshotPolicyId");
    assert!(id.starts_with("sp-bp1"), "{id}");
    let wanted = json!({
        "AutoSnapshotPolicyId": id, "AutoSnapshotPolicyName": "nightly", "RegionId": REGION, "Status": "Normal",
        "Type": "Custom", "AssociationType": "AssociatedWithDisk", "TimePoints": r#"["0","7","23"]"#,
        "RepeatWeekdays": r#"["1","7"]"#, "RetentionDays": 30, "EnableCrossRegionCopy": true,
        "TargetCopyRegions": r#"["cn-beijing"]"#, "CopiedSnapshotsRetentionDays": 60,
        "CopyEncryptionConfiguration": {"Encrypted": true, "KMSKeyId": "key-1"}, "DiskNums": 0, "VolumeNums": 0,
        "CreationTime": "2026-01-01T00:00:00Z", "ResourceGroupId": "rg-1", "TargetTags": {"TargetTag": []},
        "Tags": {"Tag": [{"TagKey": "team", "TagValue": "a"}]},
    });
    assert_eq!(shown(&app, &id).await, wanted);
    let plain = shown(&app, &policy_with(&app, &[]).await).await;
    assert_eq!((&plain["RetentionDays"], &plain["CopiedSnapshotsRetentionDays"]), (&json!(-1), &json!(-1)));
    assert_eq!((&plain["TargetCopyRegions"], &plain["EnableCrossRegionCopy"]), (&json!("[]"), &json!(false)));
    let xml = app.xml(DESCRIBE, &[HERE]).await;
    assert!(xml.text.contains("<AutoSnapshotPolicies><AutoSnapshotPolicy>"), "{}", xml.text);
}

#[tokio::test]
async fn what_a_policy_needs_is_missed_by_its_name() {
    let app = TestApp::new().await;
    for missing in ["timePoints", "repeatWeekdays", "retentionDays"] {
        let params: Vec<_> = LEAST.into_iter().filter(|(name, _)| *name != missing).collect();
        let answer = app.refused(CREATE, &params, 400, "MissingParameter").await;
        assert!(answer.message().contains(missing), "{}", answer.message());
    }
    let capitals = [("RegionId", REGION), ("TimePoints", "[1]"), ("RepeatWeekdays", "[1]"), ("RetentionDays", "1")];
    app.ok(CREATE, &capitals).await;
}

/// A parameter with a value that is refused, the code, and a word of its text; whether ModifyAutoSnapshotPolicyEx has it.
#[rustfmt::skip]
const BAD_VALUES: [((&str, &str), u16, &str, &str); 26] = [
    (("regionId", "cn-atlantis"), 403, "ParameterInvalid", "RegionId"),
    (("timePoints", "1"), 403, "ParameterInvalid", "TimePoints"),
    (("timePoints", "[]"), 403, "ParameterInvalid", "TimePoints"),
    (("timePoints", "[24]"), 403, "ParameterInvalid", "TimePoints"),
    (("timePoints", "[-1]"), 403, "ParameterInvalid", "TimePoints"),
    (("timePoints", r#"["1","1"]"#), 403, "ParameterInvalid", "TimePoints"),
    (("timePoints", r#"["noon"]"#), 403, "ParameterInvalid", "TimePoints"),
    (("timePoints", "[1.5]"), 403, "ParameterInvalid", "TimePoints"),
    (("repeatWeekdays", "[0]"), 403, "ParameterInvalid", "RepeatWeekDays"),
    (("repeatWeekdays", "[8]"), 403, "ParameterInvalid", "RepeatWeekDays"),
    (("repeatWeekdays", "{}"), 403, "ParameterInvalid", "RepeatWeekDays"),
    (("retentionDays", "0"), 403, "ParameterInvalid", "RetentionDays"),
    (("retentionDays", "-2"), 403, "ParameterInvalid", "RetentionDays"),
    (("retentionDays", "65537"), 403, "ParameterInvalid", "RetentionDays"),
    (("retentionDays", "ever"), 403, "ParameterInvalid", "RetentionDays"),
    (("autoSnapshotPolicyName", "1a"), 400, "InvalidSnapshotPolicyName.Malformed", ""),
    (("EnableCrossRegionCopy", "true"), 403, "InvalidParameter.TargetCopyRegions", ""),
    (("TargetCopyRegions", "cn-beijing"), 403, "InvalidParameter.TargetCopyRegions", ""),
    (("TargetCopyRegions", r#"["cn-atlantis"]"#), 403, "InvalidParameter.TargetCopyRegions", ""),
    (("TargetCopyRegions", r#"["cn-hangzhou"]"#), 403, "InvalidParameter.TargetCopyRegions", ""),
    (("TargetCopyRegions", r#"["cn-beijing","cn-shanghai"]"#), 403, "InvalidParameter.TargetCopyRegions", ""),
    (("CopiedSnapshotsRetentionDays", "0"), 403, "InvalidParameter.CopiedSnapshotsRetentionDays", ""),
    (("CopiedSnapshotsRetentionDays", "x"), 403, "InvalidParameter.CopiedSnapshotsRetentionDays", ""),
    (("CopyEncryptionConfiguration.KMSKeyId", "key-1"), 400, "InvalidParameter.EncryptedIllegal", ""),
    (("CopyEncryptionConfiguration.Encrypted", "x"), 400, "InvalidParameter", ""),
    (("TargetTags.1.Key", "k"), 400, "InvalidParameter", "TargetTags"),
];

#[tokio::test]
async fn bad_values_are_refused_when_made_and_when_modified() {
    let app = TestApp::new().await;
    let id = policy_with(&app, &[]).await;
    let before = app.dump().await;
    for (bad, status, code, word) in BAD_VALUES {
        let others = LEAST.into_iter().filter(|(name, _)| *name != bad.0);
        let params: Vec<_> = others.chain([bad]).collect();
        let answer = app.refused(CREATE, &params, status, code).await;
        assert!(answer.message().contains(word), "{bad:?}: {}", answer.message());
        let answer = app.refused(MODIFY, &[(ID, &id), bad], status, code).await;
        assert!(answer.message().contains(word), "{bad:?}: {}", answer.message());
    }
    let cases: [(&[(&str, &str)], u16, &str); 7] = [
        (&[("Tag.1.Key", "aliyun")], 400, "InvalidTagKey.Malformed"),
        (&[("Tag.1.Key", "k"), ("Tag.1.Value", "http://x")], 400, "InvalidTagValue.Malformed"),
        (&[("Tag.1.Key", "k"), ("Tag.2.Key", "k")], 400, "Duplicate.TagKey"),
        (&[("AssociationType", "Other")], 400, "InvalidParameter"),
        (&[("AssociationType", "AssociatedWithInstanceTag")], 400, "MissingParameter"),
        (&[("AssociationType", "AssociatedWithInstanceTag"), ("TargetTags.1.Key", "acs:x")], 400, "InvalidParameter"),
        (&[("AssociationType", "AssociatedWithInstanceTag"), ("TargetTags.1.Value", "v")], 400, "InvalidParameter"),
    ];
    for (more, status, code) in cases {
        app.refused(CREATE, &[&LEAST, more].concat(), status, code).await;
    }
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn the_quotas_of_policies_and_of_their_tags_are_kept_by_region() {
    let app = TestApp::with(|config| (config.quotas.policies, config.quotas.tags) = (2, 1)).await;
    let first = policy_with(&app, &[]).await;
    app.refused(CREATE, &[&LEAST[..], &[("Tag.1.Key", "a"), ("Tag.2.Key", "b")]].concat(), 403, "QuotaExceed.Tags")
        .await;
    policy_with(&app, &[]).await;
    app.refused(CREATE, &LEAST, 403, "AutoSnapshotPolicy.QuotaExceed").await;
    app.call_as(OTHER_KEY, CREATE, &LEAST).await.accepted();
    let elsewhere = [&[("regionId", OTHER_REGION)], &LEAST[1..]].concat();
    app.ok(CREATE, &elsewhere).await;
    app.ok(DELETE, &[HERE, (ID, &first)]).await;
    app.ok(CREATE, &LEAST).await;
}

#[tokio::test]
async fn policies_are_filtered_and_paged() {
    let app = TestApp::new().await;
    let named = [("autoSnapshotPolicyName", "named"), ("ResourceGroupId", "rg-1"), ("Tag.1.Key", "k")];
    let first = policy_with(&app, &named).await;
    app.advance("1s").await;
    let second = policy_with(&app, &[("Tag.1.Key", "k"), ("Tag.1.Value", "v")]).await;
    let (first, second) = (first.as_str(), second.as_str());
    let cases: [(&[(&str, &str)], &[&str]); 9] = [
        (&[], &[second, first]),
        (&[("AutoSnapshotPolicyId", first)], &[first]),
        (&[("AutoSnapshotPolicyName", "named")], &[first]),
        (&[("ResourceGroupId", "rg-1"), ("AutoSnapshotPolicyId", second)], &[]),
        (&[("Tag.1.Key", "k")], &[second, first]),
        (&[("Tag.1.Key", "k"), ("Tag.1.Value", "v")], &[second]),
        (&[("PageSize", "1")], &[second]),
        (&[("PageSize", "1"), ("PageNumber", "2")], &[first]),
        (&[("PageNumber", "2")], &[]),
    ];
    for (params, wanted) in cases {
        assert_eq!(found(&app, params).await, wanted, "{params:?}");
    }
    let body = app.ok(DESCRIBE, &[HERE, ("PageSize", "1")]).await;
    assert_eq!((&body["TotalCount"], &body["PageNumber"], &body["PageSize"]), (&json!(2), &json!(1), &json!(1)));
    let foreign = app.call_as(OTHER_KEY, DESCRIBE, &[HERE]).await.accepted();
    assert_eq!(foreign["TotalCount"], json!(0));
    let names: Vec<String> = (1..=21).map(|n| format!("Tag.{n}.Key")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "k")).collect();
    app.refused(DESCRIBE, &many, 400, "InvalidTagCount").await;
    app.refused(DESCRIBE, &[("Tag.1.Value", "v")], 400, "InvalidTag.Mismatch").await;
    app.refused(DESCRIBE, &[("RegionId", "cn-atlantis")], 400, "InvalidRegionId.NotFound").await;
    app.refused(DESCRIBE, &[("PageSize", "101")], 400, "InvalidParameter").await;
}

#[tokio::test]
async fn what_is_given_replaces_what_was() {
    let app = TestApp::new().await;
    let id = policy_with(&app, &[("autoSnapshotPolicyName", "old")]).await;
    let of = [HERE, (ID, id.as_str())];
    let first = [
        ("autoSnapshotPolicyName", "new"),
        ("timePoints", "[2,3]"),
        ("retentionDays", "65536"),
        ("TargetCopyRegions", r#"["cn-beijing"]"#),
        ("CopyEncryptionConfiguration.Encrypted", "true"),
        ("CopyEncryptionConfiguration.KMSKeyId", "key-1"),
    ];
    app.ok(MODIFY, &[&of[..], &first].concat()).await;
    app.ok(MODIFY, &[&of[..], &[("EnableCrossRegionCopy", "true"), ("repeatWeekdays", "[5]")]].concat()).await;
    let body = shown(&app, &id).await;
    assert_eq!((&body["AutoSnapshotPolicyName"], &body["RetentionDays"]), (&json!("new"), &json!(65_536)));
    assert_eq!((&body["TimePoints"], &body["RepeatWeekdays"]), (&json!(r#"["2","3"]"#), &json!(r#"["5"]"#)));
    assert_eq!(
        (&body["EnableCrossRegionCopy"], &body["TargetCopyRegions"]),
        (&json!(true), &json!(r#"["cn-beijing"]"#))
    );
    app.ok(MODIFY, &[&of[..], &[("CopyEncryptionConfiguration.Encrypted", "false")]].concat()).await;
    let plain = json!({"Encrypted": false, "KMSKeyId": ""});
    assert_eq!(shown(&app, &id).await["CopyEncryptionConfiguration"], plain, "the key goes with the encryption");
    let none = [&of[..], &[("TargetCopyRegions", "[]")]].concat();
    app.refused(MODIFY, &none, 403, "InvalidParameter.TargetCopyRegions").await;
    app.ok(MODIFY, &[&none[..], &[("EnableCrossRegionCopy", "false")]].concat()).await;
}

#[tokio::test]
async fn policies_that_are_not_there_are_not_found() {
    let app = TestApp::new().await;
    let id = policy_with(&app, &[]).await;
    let before = app.dump().await;
    for action in [MODIFY, DELETE] {
        app.refused(action, &[HERE], 400, "MissingParameter").await;
        app.refused(action, &[HERE, (ID, "sp-none")], 404, "ParameterInvalid").await;
        app.refused(action, &[("regionId", OTHER_REGION), (ID, &id)], 404, "ParameterInvalid").await;
        let foreign = app.call_as(OTHER_KEY, action, &[HERE, (ID, &id)]).await.refused(404, "ParameterInvalid");
        assert_eq!(foreign.message(), "The specified automatic snapshot policy does not exist.");
    }
    assert_eq!(app.dump().await, before);
    app.ok(DELETE, &[(ID, &id)]).await;
    app.refused(DELETE, &[(ID, &id)], 404, "ParameterInvalid").await;
    let lenient = TestApp::with(|config| config.fidelity.unknown_policy = Unknown::Idempotent).await;
    let id = policy_with(&lenient, &[]).await;
    for _ in 0..2 {
        lenient.ok(DELETE, &[HERE, (ID, &id)]).await;
    }
}

#[tokio::test]
async fn a_deleted_policy_leaves_nothing_behind() {
    let app = TestApp::new().await;
    let id = policy_with(&app, &[("Tag.1.Key", "k")]).await;
    let disk = app.attached_disk().await;
    app.ok("ApplyAutoSnapshotPolicy", &[HERE, (ID, &id), ("diskIds", &format!("[\"{disk}\"]"))]).await;
    app.ok(DELETE, &[HERE, (ID, &id)]).await;
    let dump = app.dump().await;
    let left = dump.iter().filter(|(table, rows)| table.starts_with("auto_snapshot") && !rows.is_empty());
    assert_eq!(left.count() + dump["tags"].len(), 0);
    assert_eq!(app.ok("DescribeDisks", &[]).await.pointer("/Disks/Disk/0/AutoSnapshotPolicyId"), Some(&json!("")));
}

#[tokio::test]
async fn policies_are_tagged_like_everything_else() {
    let app = TestApp::new().await;
    let id = policy_with(&app, &[]).await;
    let of = [("RegionId", REGION), ("ResourceType", "snapshotpolicy"), ("ResourceId.1", id.as_str())];
    app.ok("TagResources", &[&of[..], &[("Tag.1.Key", "k")]].concat()).await;
    assert_eq!(found(&app, &[("Tag.1.Key", "k")]).await, [id.as_str()]);
    app.ok("UntagResources", &[&of[..], &[("TagKey.1", "k")]].concat()).await;
    assert_eq!(found(&app, &[("Tag.1.Key", "k")]).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_withdrawn_policy_of_the_account_is_said_to_be_so() {
    let app = TestApp::new().await;
    let action = "ModifyAutoSnapshotPolicy";
    let answer = app.refused(action, &[("SystemDiskPolicyEnabled", "true")], 404, "InvalidAction.NotFound").await;
    assert!(answer.message().contains(MODIFY), "{}", answer.message());
    for bad in [
        ("SystemDiskPolicyTimePeriod", "5"),
        ("SystemDiskPolicyRetentionDays", "0"),
        ("DataDiskPolicyTimePeriod", "0"),
        ("DataDiskPolicyRetentionDays", "4"),
        ("DataDiskPolicyEnabled", "maybe"),
    ] {
        let answer = app.refused(action, &[bad], 400, "InvalidParameter").await;
        assert!(answer.message().contains(bad.0), "{}", answer.message());
    }
}
