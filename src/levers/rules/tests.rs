//! What rules do to occasions that are made up.

use super::*;

static NOTHING: BTreeMap<String, i64> = BTreeMap::new();

fn rule(text: &str) -> Rule {
    serde_json::from_str(text).expect("a rule")
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn call<'a>(action: &'a str, resources: &'a BTreeSet<String>, now: i64) -> Occasion<'a> {
    Occasion { action, account: "1", resources, progress: &NOTHING, now: at(now) }
}

/// On which of ten calls a rule with this condition applies.
fn hits(when: &str) -> Vec<u64> {
    let rules = Rules::default();
    rules.add(rule(&format!(r#"{{"when": {when}, "effect": {{"error": "InternalError"}}}}"#)), at(0));
    let none = BTreeSet::new();
    (1..=10).filter(|_| rules.judge_call(&call("A", &none, 0)).error.is_some()).collect()
}

#[test]
fn a_condition_counts_occasions() {
    assert_eq!(hits("{}").len(), 10);
    assert_eq!(hits(r#"{"nth": 3}"#), [3]);
    assert_eq!(hits(r#"{"from": 9}"#), [9, 10]);
    assert_eq!(hits(r#"{"every": 4}"#), [4, 8]);
    assert_eq!(hits(r#"{"every": 2, "from": 5}"#), [6, 8, 10]);
}

#[test]
fn chance_comes_from_the_seed_alone() {
    let draw = |seed| hits(&format!(r#"{{"probability": 0.5, "seed": {seed}}}"#));
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
    assert_eq!((hits(r#"{"probability": 0}"#).len(), hits(r#"{"probability": 1}"#).len()), (0, 10));
}

#[test]
fn action_account_resource_and_progress_must_fit() {
    let rules = Rules::default();
    let text = r#"{"action": "A", "account": "1", "resource": "s-1", "when": {"progress": {"from": 40, "to": 60}},
                   "effect": {"error": "InternalError"}}"#;
    rules.add(rule(text), at(0));
    let ids: BTreeSet<_> = ["s-1".to_owned(), "s-2".to_owned()].into();
    let other: BTreeSet<_> = ["s-2".to_owned()].into();
    let progress = |percent| BTreeMap::from([("s-1".to_owned(), percent), ("s-2".to_owned(), 50)]);
    let judge = |action, account, resources, progress: BTreeMap<String, i64>| {
        let occasion = Occasion { action, account, resources, progress: &progress, now: at(0) };
        rules.judge_call(&occasion).error.is_some()
    };
    assert!(judge("A", "1", &ids, progress(40)) && judge("A", "1", &ids, progress(60)));
    assert!(!judge("A", "1", &ids, progress(61)) && !judge("A", "1", &ids, NOTHING.clone()));
    assert!(!judge("B", "1", &ids, progress(50)) && !judge("A", "2", &ids, progress(50)));
    assert!(!judge("A", "1", &other, progress(50)));
    assert_eq!(rules.list(at(0))[0].occasions, 2, "what does not fit is no occasion");
}

#[test]
fn latencies_add_up_and_the_first_error_ends_the_search() {
    let rules = Rules::default();
    rules.add(rule(r#"{"effect": {"latency_ms": 5}}"#), at(0));
    rules.add(rule(r#"{"effect": {"latency_ms": 7, "error": "InternalError"}}"#), at(0));
    rules.add(rule(r#"{"effect": {"drop": "before"}}"#), at(0));
    let verdict = rules.judge_call(&call("A", &BTreeSet::new(), 0));
    let expected = Verdict { rules: vec![1, 2], latency_ms: 12, error: Some("InternalError".to_owned()), drop: None };
    assert_eq!(verdict, expected);
    assert_eq!(rules.list(at(0))[2].occasions, 0);
}

#[test]
fn a_rule_ends_by_hits_and_by_time() {
    let rules = Rules::default();
    rules.add(rule(r#"{"effect": {"error": "InternalError"}, "max_hits": 2, "expires_ms": 100}"#), at(0));
    let none = BTreeSet::new();
    let hit = |now| rules.judge_call(&call("A", &none, now)).error.is_some();
    assert_eq!([hit(0), hit(0), hit(0)], [true, true, false]);
    assert_eq!((rules.list(at(99)).len(), rules.list(at(100)).len()), (1, 0));
    rules.remove(|_| true);
    rules.add(rule(r#"{"effect": {"error": "InternalError"}, "expires_ms": 100}"#), at(0));
    assert_eq!([hit(99), hit(100)], [true, false]);
}

#[test]
fn what_is_held_stays_held_without_being_counted_again() {
    let rules = Rules::default();
    rules.add(rule(r#"{"effect": {"ends": "never"}, "max_hits": 1}"#), at(0));
    let (first, second): (BTreeSet<_>, BTreeSet<_>) = (["s-1".to_owned()].into(), ["s-2".to_owned()].into());
    for _ in 0..3 {
        assert_eq!(rules.judge_ending(&call("A", &first, 0), true), Some(Ends::Never));
    }
    assert_eq!(rules.judge_ending(&call("A", &second, 0), true), None, "it is used up");
    assert_eq!(rules.judge_call(&call("A", &first, 0)), Verdict::default(), "a call is no ending");
    let standing = rules.remove(|_| true).remove(0);
    assert_eq!((standing.hits, standing.holds.len()), (1, 1));
    assert!(rules.is_empty());
    rules.add(rule(r#"{"effect": {"ends": "failed"}}"#), at(0));
    assert_eq!(rules.judge_ending(&call("A", &first, 0), false), None, "it has no such status");
    assert_eq!((rules.judge_ending(&call("A", &first, 0), true), rules.list(at(0))[0].hits), (Some(Ends::Failed), 1));
}
