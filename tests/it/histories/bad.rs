//! Histories as the daemon must never leave them, and good ones that look odd: the checker tells them apart.

use std::collections::{BTreeMap, BTreeSet};

use super::checker::{self, Found, Model, Span};
use super::disk::OfDisk;
use super::model::{Answer, Call, Event, OfSnapshot, Overlap, Shown};

fn span((begun, ended): (u64, u64), call: Call, answer: Answer) -> Span<Event> {
    Span { begun, ended, call: Event { call, answer, overlap: Overlap::No } }
}

fn refused(code: &str) -> Answer {
    Answer::Refused(code.to_owned())
}

fn seen(name: u8, usage: &str) -> Answer {
    Answer::Seen(Some(Shown { name, usage: usage.to_owned(), tags: BTreeMap::new() }))
}

fn made(id: &str) -> Answer {
    Answer::Made(id.to_owned())
}

fn has_order<M: Model<Call = Event>>(model: &M, spans: &[Span<Event>]) -> bool {
    checker::check(model, spans).is_ok_and(|found| found == Found::Order)
}

const DELETE: Call = Call::Delete { force: false };
const FORCE: Call = Call::Delete { force: true };

#[test]
fn a_lost_update_has_no_order() {
    let after = |look: Answer| {
        [
            span((0, 3), Call::Rename(1), Answer::Done),
            span((1, 2), Call::Rename(2), Answer::Done),
            span((4, 5), Call::Look, look),
        ]
    };
    assert!(has_order(&OfSnapshot, &after(seen(1, "none"))));
    assert!(has_order(&OfSnapshot, &after(seen(2, "none"))));
    assert!(!has_order(&OfSnapshot, &after(seen(0, "none"))));
    let overwritten = [
        span((0, 1), Call::Rename(1), Answer::Done),
        span((2, 3), Call::Rename(2), Answer::Done),
        span((4, 5), Call::Look, seen(1, "none")),
    ];
    assert!(!has_order(&OfSnapshot, &overwritten));
}

#[test]
fn a_call_without_an_answer_may_have_happened_before_a_refusal_that_began_after_it() {
    let conflict = Event { call: Call::Rename(2), answer: refused("Operation.Conflict"), overlap: Overlap::Yes };
    let history = [
        span((0, 3), Call::Rename(1), Answer::Lost),
        Span { begun: 4, ended: 9, call: conflict },
        span((5, 6), Call::Look, seen(1, "none")),
    ];
    assert!(has_order(&OfSnapshot, &history));
}

#[test]
fn a_phantom_success_has_no_order() {
    let deleted = [span((0, 1), DELETE, Answer::Done), span((2, 3), Call::CreateImage, made("m-1"))];
    assert!(!has_order(&OfSnapshot, &deleted));
    let in_use = |delete: Call, outcome: Answer| {
        [
            span((0, 1), Call::CreateImage, made("m-1")),
            span((2, 3), Call::Advance, Answer::Done),
            span((4, 5), delete, outcome),
        ]
    };
    assert!(!has_order(&OfSnapshot, &in_use(FORCE, Answer::Done)));
    assert!(has_order(&OfSnapshot, &in_use(FORCE, refused("SnapshotCreatedImage"))));
    let unsaid = [span((0, 1), DELETE, Answer::Done), span((2, 3), Call::Look, seen(0, "none"))];
    assert!(!has_order(&OfSnapshot, &unsaid));
}

#[test]
fn a_conflict_needs_a_holder_that_overlaps_or_a_stored_lock() {
    let conflict = refused("Operation.Conflict");
    let alone = [span((0, 1), Call::Rename(1), Answer::Done), span((2, 3), Call::Rename(2), conflict.clone())];
    assert!(!has_order(&OfSnapshot, &alone));
    let of = |spans: &[Span<Event>]| {
        let seen: Vec<_> = spans.iter().cloned().map(|span| (super::Target::Snapshot(0), span)).collect();
        super::spans_of(&seen, super::Target::Snapshot(0))
    };
    assert!(!has_order(&OfSnapshot, &of(&alone)));
    let both = [span((0, 3), Call::Rename(1), conflict.clone()), span((1, 2), Call::Rename(2), conflict.clone())];
    assert!(!has_order(&OfSnapshot, &of(&both)), "somebody had it");
    let at_once = [span((0, 3), Call::Rename(1), Answer::Done), span((1, 2), Call::Rename(2), conflict.clone())];
    assert!(has_order(&OfSnapshot, &of(&at_once)));
    let readers = [span((0, 3), Call::CreateImage, made("m")), span((1, 2), Call::CreateDisk, conflict.clone())];
    assert!(!has_order(&OfSnapshot, &of(&readers)), "both share it");
    let stored = [
        span((0, 1), Call::Hold { name: 1, exclusive: true }, Answer::Done),
        span((2, 3), Call::CreateDisk, conflict.clone()),
        span((4, 5), Call::Release { name: 1 }, Answer::Done),
        span((6, 7), DELETE, Answer::Done),
    ];
    assert!(has_order(&OfSnapshot, &of(&stored)));
    let released = [&stored[..3], &[span((6, 7), DELETE, conflict)]].concat();
    assert!(!has_order(&OfSnapshot, &of(&released)));
}

#[test]
fn order_is_that_of_real_time() {
    let stale = [span((0, 1), Call::Tag { key: 1, value: 1 }, Answer::Done), span((2, 3), Call::Look, seen(0, "none"))];
    assert!(!has_order(&OfSnapshot, &stale));
    let at_once =
        [span((0, 3), Call::Tag { key: 1, value: 1 }, Answer::Done), span((1, 2), Call::Look, seen(0, "none"))];
    assert!(has_order(&OfSnapshot, &at_once));
    let back_and_forth = [
        span((0, 9), Call::Rename(1), Answer::Done),
        span((1, 2), Call::Look, seen(1, "none")),
        span((3, 4), Call::Look, seen(0, "none")),
    ];
    assert!(!has_order(&OfSnapshot, &back_and_forth));
}

#[test]
fn a_change_is_put_where_it_matters() {
    let through = [
        span((0, 9), Call::Advance, Answer::Done),
        span((1, 2), Call::CreateImage, made("m-1")),
        span((3, 4), Call::Rename(1), Answer::Done),
    ];
    assert!(has_order(&OfSnapshot, &through));
    assert!(!has_order(&OfSnapshot, &through[1..]));
}

#[test]
fn a_call_without_an_answer_happened_or_did_not() {
    let after = |look: Answer| [span((0, 1), DELETE, Answer::Lost), span((2, 3), Call::Look, look)];
    assert!(has_order(&OfSnapshot, &after(seen(0, "none"))));
    assert!(has_order(&OfSnapshot, &after(Answer::Seen(None))));
    let twice = [&after(Answer::Seen(None))[..], &[span((4, 5), Call::Look, seen(0, "none"))]].concat();
    assert!(!has_order(&OfSnapshot, &twice), "it cannot come back");
}

#[test]
fn a_token_makes_one_thing_and_is_refused_for_another() {
    let disk = OfDisk { at_once: 2, before: BTreeSet::from(["s-0".to_owned()]) };
    let take = |times, token, variant, answer| span(times, Call::Take { token, variant }, answer);
    assert!(has_order(&disk, &[take((0, 1), 1, 0, made("s-1")), take((2, 3), 1, 0, made("s-1"))]));
    assert!(!has_order(&disk, &[take((0, 1), 1, 0, made("s-1")), take((2, 3), 1, 0, made("s-2"))]));
    assert!(!has_order(&disk, &[take((0, 1), 1, 0, made("s-1")), take((2, 3), 2, 0, made("s-1"))]));
    assert!(!has_order(&disk, &[take((0, 1), 1, 0, made("s-1")), take((2, 3), 1, 1, made("s-1"))]));
    let processing = refused("IdempotentProcessing");
    assert!(!has_order(&disk, &[take((0, 1), 1, 0, processing)]));
    let lost = [take((0, 1), 1, 0, Answer::Lost), take((2, 3), 1, 0, made("s-1"))];
    let listed = |ids: &[&str]| Answer::Listed(ids.iter().map(|id| (*id).to_owned()).collect());
    for (ids, fine) in [(&["s-0", "s-1"][..], true), (&["s-0", "s-1", "s-2"][..], false), (&["s-0"][..], false)] {
        let spans = [&lost[..], &[span((4, 5), Call::List, listed(ids))]].concat();
        assert_eq!(has_order(&disk, &spans), fine, "{ids:?}");
    }
    let third = |answer| {
        let two = [take((0, 1), 1, 0, made("s-1")), take((2, 3), 2, 0, made("s-2"))];
        has_order(&disk, &[&two[..], &[take((4, 5), 3, 0, answer)]].concat())
    };
    assert!(!third(made("s-3")) && third(refused("QuotaExceed.ConcurrentSnapshotQuota")));
}
