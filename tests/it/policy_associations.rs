//! Automatic snapshot policies and disks: applied to all or to none, cancelled, listed, shown by the disks themselves.

use serde_json::json;

use crate::auto_snapshot_policies::policy_with;
use crate::support::answer::{column, text};
use crate::support::{OTHER_KEY, OTHER_REGION, REGION, TestApp};

const APPLY: &str = "ApplyAutoSnapshotPolicy";
const CANCEL: &str = "CancelAutoSnapshotPolicy";
const LIST: &str = "DescribeAutoSnapshotPolicyAssociations";
const ITEMS: &str = "/AutoSnapshotPolicyAssociations/AutoSnapshotPolicyAssociation";
const HERE: (&str, &str) = ("regionId", REGION);
const ID: &str = "autoSnapshotPolicyId";
const BY_TAG: [(&str, &str); 4] = [
    ("AssociationType", "AssociatedWithInstanceTag"),
    ("TargetTags.1.Key", "backup"),
    ("TargetTags.2.Key", "stage"),
    ("TargetTags.2.Value", "live"),
];

fn list(ids: &[&str]) -> String {
    json!(ids).to_string()
}

async fn apply(app: &TestApp, policy: &str, disks: &[&str]) {
    app.ok(APPLY, &[HERE, (ID, policy), ("diskIds", &list(disks))]).await;
}

async fn policies_of(app: &TestApp, disk: &str) -> Vec<String> {
    column(&app.ok(LIST, &[HERE, ("DiskId", disk)]).await, ITEMS, "AutoSnapshotPolicyId")
}

async fn disks_of(app: &TestApp, policy: &str) -> Vec<String> {
    column(&app.ok(LIST, &[HERE, ("AutoSnapshotPolicyId", policy)]).await, ITEMS, "DiskId")
}

async fn disk_nums(app: &TestApp, policy: &str) -> i64 {
    let body = app.ok("DescribeAutoSnapshotPolicyEx", &[HERE, ("AutoSnapshotPolicyId", policy)]).await;
    let number = body.pointer("/AutoSnapshotPolicies/AutoSnapshotPolicy/0/DiskNums");
    number.and_then(serde_json::Value::as_i64).expect("a number")
}

/// The disks that DescribeDisks finds, each with the policy that it shows.
async fn described(app: &TestApp, params: &[(&str, &str)]) -> Vec<(String, String)> {
    let body = app.ok("DescribeDisks", &[&[HERE], params].concat()).await;
    let ids = column(&body, "/Disks/Disk", "DiskId");
    ids.into_iter().zip(column(&body, "/Disks/Disk", "AutoSnapshotPolicyId")).collect()
}

#[tokio::test]
async fn a_policy_applies_to_disks_until_it_is_cancelled() {
    let app = TestApp::new().await;
    let policy = policy_with(&app, &[]).await;
    let (one, two) = (app.attached_disk().await, app.attached_disk().await);
    apply(&app, &policy, &[&one, &two, &one]).await;
    let before = app.dump().await;
    apply(&app, &policy, &[&one]).await;
    assert_eq!(app.dump().await, before, "it applies already");
    assert_eq!(disks_of(&app, &policy).await, [two.as_str(), &one]);
    assert_eq!((policies_of(&app, &one).await, disk_nums(&app, &policy).await), (vec![policy.clone()], 2));
    app.ok(CANCEL, &[HERE, ("diskIds", &list(&[&one]))]).await;
    app.ok(CANCEL, &[HERE, ("diskIds", &list(&[&one])), (ID, &policy)]).await;
    assert_eq!((policies_of(&app, &one).await, disk_nums(&app, &policy).await), (vec![], 1));
    let events = "SELECT COUNT(*) FROM events WHERE name = 'Disk:CancelAutoSnapshotPolicyCompleted'";
    assert_eq!(app.count(events).await, 1);
}

#[tokio::test]
async fn disks_show_the_policy_that_applies_to_them() {
    let app = TestApp::new().await;
    let (first, second) = (policy_with(&app, &[]).await, policy_with(&app, &[]).await);
    let (with, without) = (app.attached_disk().await, app.disk_with(|_| {}).await);
    apply(&app, &first, &[&with]).await;
    app.advance("1s").await;
    apply(&app, &second, &[&with]).await;
    let shows = |policy: &str| vec![(with.clone(), policy.to_owned())];
    assert_eq!(described(&app, &[("EnableAutomatedSnapshotPolicy", "true")]).await, shows(&second), "the last one");
    for policy in [&first, &second] {
        let by = [("AutoSnapshotPolicyId", policy.as_str()), ("DiskIds", &*list(&[&with]))];
        assert_eq!(described(&app, &by).await, shows(policy), "the one that was asked for");
    }
    assert_eq!(described(&app, &[("AutoSnapshotPolicyId", "sp-none")]).await, []);
    assert_eq!(described(&app, &[("EnableAutomatedSnapshotPolicy", "false")]).await.len(), 2);
    let body = app.ok("DescribeDisks", &[("DiskIds", &list(&[&without]))]).await;
    assert_eq!(body.pointer("/Disks/Disk/0/EnableAutomatedSnapshotPolicy"), Some(&json!(false)));
    app.ok("ModifyDiskAttribute", &[("DiskId", &with), ("EnableAutoSnapshot", "false")]).await;
    let body = app.ok("DescribeDisks", &[("AutoSnapshotPolicyId", &first), ("EnableAutoSnapshot", "false")]).await;
    assert_eq!(body.pointer("/Disks/Disk/0/EnableAutomatedSnapshotPolicy"), Some(&json!(true)), "it still applies");
}

#[tokio::test]
async fn a_disk_that_goes_takes_its_associations_with_it() {
    let app = TestApp::new().await;
    let policy = policy_with(&app, &[]).await;
    let disk = app.disk_with(|_| {}).await;
    apply(&app, &policy, &[&disk]).await;
    app.ok("DeleteDisk", &[("DiskId", &disk)]).await;
    assert_eq!(disks_of(&app, &policy).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_does_not_fit_is_applied_to_no_disk() {
    let app = TestApp::new().await;
    let policy = policy_with(&app, &[]).await;
    let by_tag = policy_with(&app, &BY_TAG).await;
    let ephemeral = |disk: &mut snapshotd::store::disks::Disk| {
        "elastic_ephemeral_disk_standard".clone_into(&mut disk.category);
    };
    let (good, odd) = (app.attached_disk().await, app.disk_with(ephemeral).await);
    let elsewhere = app.disk_in(OTHER_REGION).await;
    let of = (ID, policy.as_str());
    let good_list = list(&[&good]);
    let good_disks = ("diskIds", good_list.as_str());
    let many: Vec<String> = (0..101).map(|n| format!("d-{n}")).collect();
    let many = json!(many).to_string();
    let before = app.dump().await;
    let cases: [(Vec<(&str, &str)>, u16, &str, &str); 15] = [
        (vec![HERE, good_disks], 400, "MissingParameter", ID),
        (vec![HERE, of], 400, "MissingParameter", "diskIds"),
        (vec![HERE, of, ("diskIds", &good)], 403, "ParameterInvalid", "DiskIds"),
        (vec![HERE, of, ("diskIds", "[]")], 403, "ParameterInvalid", "DiskIds"),
        (vec![HERE, of, ("diskIds", "[1]")], 403, "ParameterInvalid", "DiskIds"),
        (vec![HERE, of, ("diskIds", &many)], 403, "ParameterInvalid", "DiskIds"),
        (vec![("regionId", "cn-atlantis"), of, good_disks], 403, "ParameterInvalid", "RegionId"),
        (vec![HERE, (ID, "sp-none"), good_disks], 400, "InvalidAutoSnapshotPolicyId.NotFound", ""),
        (vec![HERE, (ID, &by_tag), good_disks], 403, "ParameterInvalid", "AutoSnapshotPolicyId"),
        (vec![("regionId", OTHER_REGION), of, good_disks], 404, "ParameterInvalid", "in the region"),
        (vec![HERE, of, ("diskIds", r#"["d-none"]"#)], 404, "InvalidDiskId.NotFound", ""),
        (vec![of, ("diskIds", r#"["ELSEWHERE"]"#)], 404, "InvalidDiskId.NotFound", ""),
        (vec![HERE, of, ("diskIds", r#"["GOOD","d-none"]"#)], 404, "InvalidDiskId.NotFound", ""),
        (vec![HERE, of, ("diskIds", r#"["ODD"]"#)], 400, "DiskCategory.OperationNotSupported", ""),
        (vec![HERE, of, ("diskIds", r#"["GOOD","ODD"]"#)], 400, "PartofDiskCategory.OperationNotSupported", ""),
    ];
    for (params, status, code, word) in cases {
        let fill = |text: &str| text.replace("GOOD", &good).replace("ODD", &odd).replace("ELSEWHERE", &elsewhere);
        let params: Vec<(&str, String)> = params.iter().map(|(name, value)| (*name, fill(value))).collect();
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = app.refused(APPLY, &params, status, code).await;
        assert!(answer.message().contains(word), "{params:?}: {}", answer.message());
    }
    let foreign = app.call_as(OTHER_KEY, APPLY, &[HERE, of, good_disks]).await;
    foreign.refused(400, "InvalidAutoSnapshotPolicyId.NotFound");
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn a_disk_has_so_many_policies_and_no_more() {
    let app = TestApp::with(|config| config.quotas.policies_per_disk = 2).await;
    let (one, two) = (app.attached_disk().await, app.attached_disk().await);
    let mut policies = Vec::new();
    for _ in 0..3 {
        policies.push(policy_with(&app, &[]).await);
    }
    apply(&app, &policies[0], &[&one]).await;
    apply(&app, &policies[1], &[&one]).await;
    let params = [HERE, (ID, policies[2].as_str()), ("diskIds", &list(&[&two, &one]))];
    let answer = app.refused(APPLY, &params, 403, "QuotaExceed.AppliedAutoSnapshotPolicyQuota").await;
    assert!(answer.message().contains(&one) && answer.message().contains("quota 2"), "{}", answer.message());
    assert_eq!(policies_of(&app, &two).await, Vec::<String>::new(), "to all or to none");
    let both = [HERE, ("diskIds", &*list(&[&one]))];
    let answer = app.refused(CANCEL, &both, 403, "OperationDenied.TooManyAutoSnapshotPolicies").await;
    assert!(answer.message().contains(&one), "{}", answer.message());
    app.ok(CANCEL, &[&both[..], &[(ID, &policies[0])]].concat()).await;
    assert_eq!(policies_of(&app, &one).await, policies[1..2]);
}

#[tokio::test]
async fn a_policy_takes_the_place_of_another_where_a_disk_has_one() {
    let app = TestApp::with(|config| config.quotas.policies_per_disk = 1).await;
    let disk = app.attached_disk().await;
    for _ in 0..2 {
        let policy = policy_with(&app, &[]).await;
        apply(&app, &policy, &[&disk]).await;
        assert_eq!(policies_of(&app, &disk).await, [policy]);
    }
}

#[tokio::test]
async fn cancelling_is_refused_for_what_is_not_there() {
    let app = TestApp::new().await;
    let (policy, disk) = (policy_with(&app, &[]).await, app.attached_disk().await);
    apply(&app, &policy, &[&disk]).await;
    let disks = list(&[&disk]);
    let disks = ("diskIds", disks.as_str());
    let before = app.dump().await;
    let cases: [(&[(&str, &str)], u16, &str); 6] = [
        (&[HERE], 400, "MissingParameter"),
        (&[HERE, ("diskIds", "d-1")], 403, "ParameterInvalid"),
        (&[("regionId", "cn-atlantis"), disks], 403, "ParameterInvalid"),
        (&[HERE, ("diskIds", r#"["d-none"]"#)], 404, "InvalidDiskId.NotFound"),
        (&[("regionId", OTHER_REGION), disks], 404, "InvalidDiskId.NotFound"),
        (&[HERE, disks, (ID, "sp-none")], 404, "InvalidAutoSnapshotPolicyId.NotFound"),
    ];
    for (params, status, code) in cases {
        app.refused(CANCEL, params, status, code).await;
    }
    app.call_as(OTHER_KEY, CANCEL, &[HERE, disks]).await.refused(404, "InvalidDiskId.NotFound");
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn associations_are_listed_by_policy_or_by_disk_in_pages() {
    let app = TestApp::new().await;
    let policy = policy_with(&app, &[]).await;
    let mut disks = Vec::new();
    for _ in 0..12 {
        disks.push(app.disk_with(|_| {}).await);
    }
    apply(&app, &policy, &disks.iter().map(String::as_str).collect::<Vec<_>>()).await;
    disks.reverse();
    let by = ("AutoSnapshotPolicyId", policy.as_str());
    let first = app.ok(LIST, &[HERE, by, ("MaxResults", "10")]).await;
    assert_eq!(column(&first, ITEMS, "DiskId"), disks[..10]);
    let rest = app.ok(LIST, &[HERE, by, ("NextToken", &text(&first, "/NextToken"))]).await;
    assert_eq!((column(&rest, ITEMS, "DiskId"), text(&rest, "/NextToken")), (disks[10..].to_vec(), String::new()));
    let both = [by, ("DiskId", disks[0].as_str())];
    let cases: [(&[(&str, &str)], u16, &str); 6] = [
        (&[HERE], 403, "MissingParameter.AutoSnapshotPolicyIdOrDiskId"),
        (&both, 403, "ParameterConflict.AutoSnapshotPolicyIdAndDiskId"),
        (&[("AutoSnapshotPolicyId", "sp-none")], 404, "InvalidAutoSnapshotPolicyId.NotFound"),
        (&[("DiskId", "d-none")], 404, "InvalidDiskId.NotFound"),
        (&[("regionId", "cn-atlantis"), by], 404, "InvalidRegionId.NotFound"),
        (&[by, ("NextToken", "!")], 400, "InvalidParameter"),
    ];
    for (params, status, code) in cases {
        app.refused(LIST, params, status, code).await;
    }
    app.call_as(OTHER_KEY, LIST, &[by]).await.refused(404, "InvalidAutoSnapshotPolicyId.NotFound");
    app.call_as(OTHER_KEY, LIST, &both[1..]).await.refused(404, "InvalidDiskId.NotFound");
}

#[tokio::test]
async fn a_policy_by_tags_applies_to_the_disks_of_instances_that_carry_them_all() {
    let app = TestApp::new().await;
    let policy = policy_with(&app, &BY_TAG).await;
    let disk = app.attached_disk().await;
    let attachments = app.ok("DescribeDisks", &[("DiskIds", &list(&[&disk]))]).await;
    let instance = text(&attachments, "/Disks/Disk/0/InstanceId");
    let of = [("RegionId", REGION), ("ResourceType", "instance"), ("ResourceId.1", instance.as_str())];
    app.ok("TagResources", &[&of[..], &[("Tag.1.Key", "backup"), ("Tag.1.Value", "any")]].concat()).await;
    assert_eq!(disk_nums(&app, &policy).await, 0, "one of two tags is missing");
    app.ok("TagResources", &[&of[..], &[("Tag.1.Key", "stage"), ("Tag.1.Value", "live")]].concat()).await;
    assert_eq!((disk_nums(&app, &policy).await, policies_of(&app, &disk).await), (1, vec![policy.clone()]));
    assert_eq!(described(&app, &[("AutoSnapshotPolicyId", &policy)]).await, [(disk.clone(), policy.clone())]);
    app.ok("TagResources", &[&of[..], &[("Tag.1.Key", "stage"), ("Tag.1.Value", "test")]].concat()).await;
    assert_eq!(disks_of(&app, &policy).await, Vec::<String>::new());
    let narrowed = [HERE, (ID, &*policy), ("TargetTags.1.Key", "stage"), ("TargetTags.1.Value", "test")];
    app.ok("ModifyAutoSnapshotPolicyEx", &narrowed).await;
    assert_eq!(disks_of(&app, &policy).await, [disk]);
}

#[tokio::test]
async fn instances_are_run_with_policies_for_their_disks() {
    let app = TestApp::new().await;
    let (system, data) = (policy_with(&app, &[]).await, policy_with(&app, &[]).await);
    let run = |of_system: String, of_data: String| {
        let app = &app;
        async move {
            let params = [
                HERE,
                ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"),
                ("InstanceType", "ecs.g7.large"),
                ("SystemDisk.AutoSnapshotPolicyId", of_system.as_str()),
                ("DataDisk.1.Size", "20"),
                ("DataDisk.1.AutoSnapshotPolicyId", &of_data),
            ];
            app.call("RunInstances", &params).await
        }
    };
    let none = "sp-none".to_owned();
    let by_tag = policy_with(&app, &BY_TAG).await;
    for (of_system, of_data) in [(none.clone(), data.clone()), (system.clone(), none), (system.clone(), by_tag)] {
        let answer = run(of_system, of_data).await;
        assert_eq!(answer.code(), "InvalidAutoSnapshotPolicyId.NotFound", "{}", answer.text);
    }
    run(system.clone(), data.clone()).await.accepted();
    assert_eq!((disk_nums(&app, &system).await, disk_nums(&app, &data).await), (1, 1));
    let shown = app.ok("DescribeDisks", &[HERE, ("AutoSnapshotPolicyId", &system)]).await;
    assert_eq!(column(&shown, "/Disks/Disk", "Type"), ["system"]);
}
