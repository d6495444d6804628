//! Histories: many clients on few rows over real sockets, some with a `kill -9` in between; all that they saw has an order.
//!
//! `SNAPSHOTD_TEST_HISTORIES=SECONDS` runs the long form, `SNAPSHOTD_TEST_SEED=NUMBER` repeats a run from the seed it told.

mod bad;
mod checker;
mod clients;
mod disk;
mod model;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use checker::{Found, Model, Span};
use clients::{OPEN, Scene, Target};
use disk::OfDisk;
use model::{Answer, Call, Event, OfSnapshot, Overlap};

use crate::support::answer::{snapshot_ids, text};
use crate::support::daemon::{Connection, Daemon};
use crate::support::random::Random;
use crate::support::{REGION, database, invariants, run_seed};

const VARIABLES: [(&str, &str); 5] = [
    ("SNAPSHOTD_CLOCK__MODE", "manual"),
    ("SNAPSHOTD_LOG__LEVEL", "off"),
    ("SNAPSHOTD_LIFECYCLE__DISK_MS", "1000"),
    ("SNAPSHOTD_QUOTAS__IMAGES", "1000000"),
    ("SNAPSHOTD_QUOTAS__SNAPSHOTS_PER_DISK", "1000000"),
];
/// Of the configuration.
const AT_ONCE: usize = 10;
/// A round of 64 clients takes a second; one that takes this long is stuck.
const LIMIT: Duration = Duration::from_mins(1);

/// How a round goes.
struct Plan {
    clients: usize,
    calls: usize,
    snapshots: usize,
    holds: bool,
    kill: bool,
}

impl Plan {
    fn of(random: &mut Random, kill: bool) -> Self {
        // Of calls that a kill left without an answer any may have happened: with many at once the search has no end.
        let clients = if kill { 8 } else { [8, 8, 16, 16, 32, 64][random.below(6)] };
        let calls = if clients > 16 { 4 } else { 8 };
        Self { clients, calls, snapshots: 1 + random.below(4), holds: !random.once_in(3), kill }
    }
}

fn ok(connection: &mut Connection, action: &str, params: &[(&str, &str)]) -> serde_json::Value {
    let reply = connection.call(action, params).expect("an answer");
    assert_eq!(reply.status, 200, "{action}: {}", reply.text);
    reply.body()
}

fn advance(connection: &mut Connection) {
    assert_eq!(connection.lever("POST", "/clock/advance", r#"{"by": "10s"}"#).expect("an answer").status, 200);
}

/// The system disk and the data disk of an instance that runs.
fn disks(connection: &mut Connection) -> (String, String) {
    let instance = [
        ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"),
        ("InstanceType", "ecs.g7.large"),
        ("ZoneId", "cn-hangzhou-h"),
        ("SystemDisk.Category", "cloud_essd"),
        ("DataDisk.1.Category", "cloud_essd"),
        ("DataDisk.1.Size", "40"),
    ];
    ok(connection, "RunInstances", &instance);
    advance(connection);
    let shown = ok(connection, "DescribeDisks", &[("RegionId", REGION)]);
    let of = |kind: &str| {
        let disks = shown["Disks"]["Disk"].as_array().expect("disks");
        text(disks.iter().find(|disk| disk["Type"] == kind).expect("one of each"), "/DiskId")
    };
    (of("system"), of("data"))
}

fn snapshots_of(connection: &mut Connection, disk: &str) -> BTreeSet<String> {
    let params = [("RegionId", REGION), ("DiskId", disk), ("PageSize", "100")];
    snapshot_ids(&ok(connection, "DescribeSnapshots", &params)).into_iter().collect()
}

/// Rounds on one daemon, which a kill replaces.
struct Bench<'a> {
    folder: &'a Path,
    daemon: Option<Daemon>,
    disks: (String, String),
    calls: usize,
    histories: usize,
    /// Of these, those with too many calls at once to find anything.
    undecided: usize,
}

impl<'a> Bench<'a> {
    fn start(folder: &'a Path) -> Self {
        let daemon = Daemon::start(folder, &VARIABLES);
        let disks = disks(&mut daemon.connect());
        Self { folder, daemon: Some(daemon), disks, calls: 0, histories: 0, undecided: 0 }
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("it runs")
    }

    fn round(&mut self, round: usize, plan: &Plan, random: &mut Random) -> Result<(), String> {
        let mut connection = self.daemon().connect();
        let made = (0..plan.snapshots).map(|_| ok(&mut connection, "CreateSnapshot", &[("DiskId", &self.disks.0)]));
        let snapshots = made.map(|made| text(&made, "/SnapshotId")).collect();
        advance(&mut connection);
        let before = snapshots_of(&mut connection, &self.disks.1);
        let scene = Scene::new(round, self.disks.1.clone(), snapshots, plan.holds);
        self.phase(&scene, plan, random, plan.kill);
        if plan.kill {
            self.phase(&scene, plan, random, false);
        }
        let mut connection = self.daemon().connect();
        for nth in 0..plan.snapshots {
            assert!(scene.call(&mut connection, Target::Snapshot(nth), Call::Look));
        }
        assert!(scene.call(&mut connection, Target::Disk, Call::List));
        self.clear(&mut connection);
        let seen = scene.seen.into_inner().expect("unpoisoned");
        self.calls += seen.len();
        let found = judge(&seen, plan, before)?;
        self.histories += found.len();
        self.undecided += found.into_iter().filter(|found| *found == Found::Nothing).count();
        Ok(())
    }

    /// All clients at once, until they are through or the daemon is killed and started again.
    fn phase(&mut self, scene: &Scene, plan: &Plan, random: &mut Random, kill: bool) {
        let begun = Instant::now();
        let enough = plan.clients * plan.calls / 2;
        thread::scope(|scope| {
            let clients: Vec<_> = (0..plan.clients)
                .map(|_| {
                    let (connection, random) = (self.daemon().connect(), Random::seeded(random.next()));
                    scope.spawn(move || scene.client(connection, random, plan.calls))
                })
                .collect();
            if kill {
                while scene.seen.lock().expect("unpoisoned").len() < enough && begun.elapsed() < LIMIT {
                    thread::yield_now();
                }
                self.daemon.take().expect("it runs").kill();
            }
            for client in clients {
                client.join().expect("a client's own checks");
            }
        });
        let mut seen = scene.seen.lock().expect("unpoisoned");
        assert!(begun.elapsed() < LIMIT, "the clients took {:?}", begun.elapsed());
        let lost: Vec<_> = seen.iter_mut().filter(|(_, span)| span.ended == OPEN).collect();
        if kill {
            let death = scene.tick();
            for (_, span) in lost {
                span.ended = death;
            }
            self.daemon = Some(Daemon::start(self.folder, &VARIABLES));
        } else {
            assert!(lost.is_empty(), "no answer to {lost:?}");
        }
    }

    /// Leaves nothing that grows from round to round.
    fn clear(&self, connection: &mut Connection) {
        connection.lever("DELETE", "/locks", "").expect("an answer");
        advance(connection);
        for id in snapshots_of(connection, &self.disks.1) {
            ok(connection, "DeleteSnapshot", &[("SnapshotId", &id)]);
        }
    }

    fn end(self) -> usize {
        assert!(self.daemon.expect("it runs").terminate().success());
        let broken = database::block_on(invariants::check(&self.folder.join("snapshotd.db"), &BTreeSet::new()));
        assert!(broken.is_empty(), "{broken:#?}");
        self.calls
    }
}

/// Looks for an order of what was seen of each snapshot and of the disk.
fn judge(seen: &[(Target, Span<Event>)], plan: &Plan, before: BTreeSet<String>) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    for nth in 0..plan.snapshots {
        let of_snapshot = explain(&OfSnapshot, &spans_of(seen, Target::Snapshot(nth)));
        found.push(of_snapshot.map_err(|why| format!("snapshot {nth}: {why}"))?);
    }
    let disk = OfDisk { at_once: AT_ONCE, before };
    found.push(explain(&disk, &spans_of(seen, Target::Disk)).map_err(|why| format!("disk: {why}"))?);
    Ok(found)
}

/// What was about `target`, in the order of beginnings, with the overlaps that explain conflicts.
fn spans_of(seen: &[(Target, Span<Event>)], target: Target) -> Vec<Span<Event>> {
    let about = |of: &Target| *of == target || *of == Target::Everything;
    let mut spans: Vec<_> = seen.iter().filter(|(of, _)| about(of)).map(|(_, span)| span.clone()).collect();
    spans.sort_by_key(|span| span.begun);
    let overlaps: Vec<_> = spans.iter().map(|span| overlap(span, &spans)).collect();
    spans.iter_mut().zip(overlaps).for_each(|(span, overlap)| span.call.overlap = overlap);
    spans
}

/// The row that a call has while it is served, and whether for itself.
fn row(call: &Call) -> Option<(&str, bool)> {
    match call {
        Call::Delete { .. } | Call::Rename(_) | Call::Lock | Call::Unlock => Some(("", true)),
        Call::CreateImage | Call::CreateDisk | Call::Take { .. } => Some(("", false)),
        Call::Hold { exclusive, .. } => Some(("", *exclusive)),
        Call::DeleteImage(id) | Call::DeleteDisk(id) => Some((id, true)),
        Call::Look | Call::Tag { .. } | Call::Untag { .. } | Call::Release { .. } | Call::List | Call::Advance => None,
    }
}

fn is_conflict(span: &Span<Event>) -> bool {
    matches!(&span.call.answer, Answer::Refused(code) if code == "Operation.Conflict")
}

/// Whether another call can have had what this one needs. One that was refused for a conflict of its own had the row only
/// where a stored lock refused it.
fn overlap(span: &Span<Event>, spans: &[Span<Event>]) -> Overlap {
    let stores = |other: &&Span<Event>| {
        let stores = matches!(other.call.call, Call::CreateImage | Call::CreateDisk | Call::Hold { .. });
        stores && !matches!(other.call.answer, Answer::Refused(_)) && other.begun < span.ended
    };
    let may_be_stored = spans.iter().find(stores).is_some();
    let had_it = |other: &&Span<Event>| {
        let (one, two) = (&span.call.call, &other.call.call);
        let same_token = matches!((one, two), (Call::Take { token: a, .. }, Call::Take { token: b, .. }) if a == b);
        let same_row = match (row(one), row(two)) {
            (Some((mine, shared)), Some((theirs, also))) => mine == theirs && (shared || also),
            _ => false,
        };
        let never_had = matches!(&other.call.answer, Answer::Refused(code) if code == "404");
        let overlaps = other.begun < span.ended && span.begun < other.ended && other.begun != span.begun;
        overlaps && (same_token || same_row && !never_had && (may_be_stored || !is_conflict(other)))
    };
    if spans.iter().find(had_it).is_some() { Overlap::Yes } else { Overlap::No }
}

fn explain<M: Model<Call = Event>>(model: &M, spans: &[Span<Event>]) -> Result<Found, String> {
    let stuck = match checker::check(model, spans) {
        Ok(found) => return Ok(found),
        Err(stuck) => stuck,
    };
    let mut told = format!("{} of {} calls have an order, and none of these is next:", stuck.explained, spans.len());
    for (i, Span { begun, ended, call }) in spans.iter().enumerate() {
        let mark = if stuck.left.contains(&i) { '?' } else { ' ' };
        let Event { call, answer, overlap } = call;
        // Writing to a String cannot fail.
        let _ = write!(told, "\n{mark} {begun:>6} {ended:>6} {call:?} -> {answer:?} {overlap:?}");
    }
    Err(told)
}

/// For how long, where a longer run than a few rounds is asked for.
fn long() -> Option<Duration> {
    let told = std::env::var("SNAPSHOTD_TEST_HISTORIES").ok()?;
    Some(Duration::from_secs(told.parse().expect("seconds")))
}

/// Rounds until enough; every one has an order.
fn rounds(kill: bool, few: usize) {
    let (seed, begun) = (run_seed(), Instant::now());
    let mut random = Random::seeded(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let mut bench = Bench::start(folder.path());
    let mut round = 0;
    while long().map_or(round < few, |time| begun.elapsed() < time) {
        let plan = Plan::of(&mut random, kill);
        if let Err(why) = bench.round(round, &plan, &mut random) {
            panic!("seed {seed}, round {round}, {} clients: {why}", plan.clients);
        }
        round += 1;
    }
    let (histories, undecided) = (bench.histories, bench.undecided);
    assert!(undecided * 10 <= histories, "{undecided} of {histories} histories were not decided");
    let calls = bench.end();
    let took = begun.elapsed();
    println!(
        "{round} rounds of {calls} calls in {took:?}: {histories} histories, {undecided} undecided, the others with an order"
    );
}

#[test]
fn what_many_clients_saw_of_few_rows_has_an_order() {
    rounds(false, 12);
}

#[test]
fn what_clients_saw_before_and_after_a_kill_has_an_order() {
    rounds(true, 4);
}
