//! Negatives that the contract itself yields, for every action: what is missing, wrong, out of range, unknown or foreign.

mod scene;

use std::collections::BTreeSet;

use snapshotd::api::action::{Entry, Kind};
use snapshotd::api::registry;

use crate::support::OTHER_KEY;
use crate::support::answer::Answer;
use crate::support::contract::{Parameter, capital, capitals, contract, general};
use scene::Scene;

const ECS: &str = "2014-05-26";

/// Read and, for a wrong value, without effect by the vendor's own word (decision 256).
const WITHOUT_EFFECT: [(&str, &str); 1] = [("DescribeTasks", "TaskStatus")];

/// Documented with two upper limits, of which the larger one holds.
const WIDER: [(&str, &str); 2] =
    [("CreateAutoSnapshotPolicy", "retentionDays"), ("ModifyAutoSnapshotPolicyEx", "retentionDays")];
/// What these answer is stored nowhere.
const WITHOUT_STORE: [&str; 5] =
    ["DescribeRegions", "DescribeZones", "DescribeSnapshotPackage", "OpenSnapshotService", "ModifyAutoSnapshotPolicy"];

fn entries() -> impl Iterator<Item = &'static Entry> {
    registry::all().filter(|entry| entry.version == ECS)
}

async fn call(scene: &Scene, entry: &Entry, params: &[(String, String)]) -> Answer {
    let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    scene.app.call(entry.name, &params).await
}

/// The smallest call with one parameter set to `value`; `N` counts as 1.
async fn with(scene: &Scene, entry: &Entry, name: &str, value: &str) -> Answer {
    let parts = name.split('.').map(|part| if part == "N" { "1" } else { part });
    let name = capital(&parts.collect::<Vec<_>>().join("."));
    let mut params = scene.smallest(entry);
    params.retain(|(known, _)| *known != name);
    params.push((name, value.to_owned()));
    call(scene, entry, &params).await
}

/// The parameters of an action that it reads and that are in use.
fn parameters(entry: &Entry) -> Vec<&'static Parameter> {
    let read: BTreeSet<String> = entry.parameters().iter().map(|name| capitals(&general(name))).collect();
    let own = contract().actions[entry.name].parameters.iter();
    let is_ignored = |name: &str| WITHOUT_EFFECT.contains(&(entry.name, name));
    own.filter(|own| read.contains(&capitals(&general(&own.name))))
        .filter(|own| !own.deprecated && !is_ignored(&own.name))
        .collect()
}

/// Complains where a wrong value went through, or was met only by what the right call meets as well.
fn expect_refused(wrong: &mut Vec<String>, right: &Answer, answer: &Answer, what: &str) {
    if answer.status == 200 || (right.status != 200 && answer.code() == right.code()) {
        wrong.push(format!("{} {what}: {} {}", answer.sent.action, answer.status, answer.code()));
    }
}

#[tokio::test]
async fn each_required_parameter_that_is_missing_is_told() {
    let scene = Scene::new().await;
    let mut wrong = Vec::new();
    for entry in entries() {
        let params = scene.smallest(entry);
        let required = contract().actions[entry.name].parameters.iter().filter(|parameter| parameter.required);
        // Decision 16: the region is never missing. What an element of a list requires is a rule of its family.
        let is_told =
            |parameter: &&Parameter| capital(&parameter.name) != "RegionId" && !parameter.name.contains(".N.");
        for parameter in required.filter(is_told) {
            let name = capital(&parameter.name);
            let is_other = |known: &str| known != name && !general(known).starts_with(&name);
            let rest: Vec<_> = params.iter().filter(|(known, _)| is_other(known)).cloned().collect();
            let answer = call(&scene, entry, &rest).await;
            let words = ["mandatory", "can not be null"];
            let is_missing =
                answer.code().contains("Missing") || words.iter().any(|words| answer.message().contains(words));
            if answer.status == 200 || !is_missing {
                wrong.push(format!("{} without {name}: {} {}", entry.name, answer.status, answer.code()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_value_that_is_none_of_the_documented_ones_is_refused() {
    let scene = Scene::new().await;
    let mut wrong = Vec::new();
    for entry in entries() {
        let right = call(&scene, entry, &scene.smallest(entry)).await;
        for parameter in parameters(entry).into_iter().filter(|parameter| !parameter.values.is_empty()) {
            let answer = with(&scene, entry, &parameter.name, "no-such-value").await;
            expect_refused(&mut wrong, &right, &answer, &format!("with {}=no-such-value", parameter.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_number_that_is_none_or_out_of_its_range_is_refused_or_clamped_as_decided() {
    let scene = Scene::new().await;
    let mut wrong = Vec::new();
    for entry in entries() {
        let right = call(&scene, entry, &scene.smallest(entry)).await;
        for parameter in parameters(entry) {
            let is_number = matches!(parameter.kind.as_str(), "integer" | "long");
            let below = parameter.min.filter(|_| is_number).map(|min| (min - 1).to_string());
            let is_wider = WIDER.contains(&(entry.name, &*parameter.name));
            let above = parameter.max.filter(|_| is_number && !is_wider).map(|max| (max + 1).to_string());
            let is_clamped = parameter.name == "MaxResults";
            for value in [below, above].into_iter().flatten().filter(|_| !is_clamped) {
                let answer = with(&scene, entry, &parameter.name, &value).await;
                expect_refused(&mut wrong, &right, &answer, &format!("with {}={value}", parameter.name));
            }
            if is_number {
                let answer = with(&scene, entry, &parameter.name, "many").await;
                expect_refused(&mut wrong, &right, &answer, &format!("with {}=many", parameter.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_foreign_id_is_answered_as_an_unknown_and_a_malformed_one() {
    let scene = Scene::new().await;
    let before = scene.app.resources().await;
    let mut wrong = Vec::new();
    for entry in entries() {
        for parameter in parameters(entry) {
            let Some(kind) = Scene::kind(&parameter.name) else { continue };
            let unknown = with(&scene, entry, &parameter.name, "x-unknown").await;
            let malformed = with(&scene, entry, &parameter.name, "\u{1}' OR '1'='1").await;
            let Some((_, theirs)) = scene.theirs.iter().find(|(known, _)| *known == kind) else { continue };
            let foreign = with(&scene, entry, &parameter.name, theirs).await;
            let told = |answer: &Answer| (answer.status, answer.code().to_owned());
            let is_read = entry.kind == Kind::Read;
            // What cannot be an id is unknown too, or refused for its form in a word of the action's table.
            let is_of_form = ["Malformed", "MalFormed", "InvalidParameter", "ValueNotSupported"];
            let is_refused_for_its_form = !contract().refusals_of(entry.name, malformed.code()).is_empty()
                && is_of_form.iter().any(|word| malformed.code().contains(word));
            if told(&malformed) != told(&unknown) && !is_refused_for_its_form {
                wrong.push(format!("{} with {}: {:?}", entry.name, parameter.name, told(&malformed)));
            }
            if told(&foreign) != told(&unknown)
                || (!is_read && foreign.status == 200)
                || foreign.text.contains(theirs.as_str())
            {
                let told = (told(&foreign), told(&unknown));
                wrong.push(format!("{} with {}: {told:?}", entry.name, parameter.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(scene.app.resources().await == before, "something was changed");
}

#[tokio::test]
async fn a_region_that_does_not_exist_is_told_by_every_action() {
    let scene = Scene::new().await;
    let mut wrong = Vec::new();
    for entry in entries() {
        let answer = with(&scene, entry, "RegionId", "cn-nowhere").await;
        // Some tables have a spelling of their own.
        let is_own = (answer.code().contains("Region") || answer.message().contains("RegionId"))
            && contract().codes(entry.name).contains(&answer.code());
        if answer.code() != "InvalidRegionId.NotFound" && !is_own {
            wrong.push(format!("{}: {} {}", entry.name, answer.status, answer.code()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_store_that_fails_is_an_internal_error_of_every_action_that_needs_it() {
    let scene = Scene::new().await;
    let calls: Vec<_> = entries().map(|entry| (entry, scene.smallest(entry))).collect();
    scene.app.lose_tables().await;
    scene.app.expect_breakage(true);
    let mut wrong = Vec::new();
    for (entry, params) in calls.iter().filter(|(entry, _)| !WITHOUT_STORE.contains(&entry.name)) {
        let answer = call(&scene, entry, params).await;
        if (answer.status, answer.code()) != (500, "InternalError") {
            wrong.push(format!("{}: {} {}", entry.name, answer.status, answer.code()));
        }
    }
    scene.app.find_tables_again().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    scene.app.expect_breakage(false);
    scene.app.call_as(OTHER_KEY, "DescribeDisks", &[]).await.accepted();
}

#[tokio::test]
async fn a_store_that_is_closing_is_told_as_unavailable_by_every_action_that_needs_it() {
    let scene = Scene::new().await;
    scene.app.app().store.close().await;
    scene.app.expect_breakage(true);
    let mut wrong = Vec::new();
    for entry in entries().filter(|entry| entry.kind != Kind::Read || !WITHOUT_STORE.contains(&entry.name)) {
        let answer = call(&scene, entry, &scene.smallest(entry)).await;
        if answer.code() != "ServiceUnavailable" {
            wrong.push(format!("{}: {} {}", entry.name, answer.status, answer.code()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
