//! Clients that choose calls by a seed, send them over sockets of their own and write down what they saw; judges nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::checker::Span;
use super::model::{Answer, Call, Event, Overlap, Shown};
use crate::support::REGION;
use crate::support::answer::snapshot_ids;
use crate::support::daemon::{Connection, Reply};
use crate::support::random::Random;

/// What a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Snapshot(usize),
    Disk,
    Everything,
}

/// What the clients of a round share.
pub struct Scene {
    pub round: usize,
    pub disk: String,
    pub snapshots: Vec<String>,
    /// Whether things are made from snapshots and operators hold rows; else a conflict has but one cause.
    pub holds: bool,
    /// What was made from each snapshot: images, disks.
    pub made: Mutex<BTreeMap<usize, (Vec<String>, Vec<String>)>>,
    pub counter: AtomicU64,
    pub seen: Mutex<Vec<(Target, Span<Event>)>>,
}

/// Where a call has no answer, until it is known when the daemon died.
pub const OPEN: u64 = u64::MAX;

impl Scene {
    pub fn new(round: usize, disk: String, snapshots: Vec<String>, holds: bool) -> Self {
        Self {
            round,
            disk,
            snapshots,
            holds,
            made: Mutex::default(),
            counter: AtomicU64::new(0),
            seen: Mutex::default(),
        }
    }

    pub fn tick(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::SeqCst)
    }

    /// Makes a call and writes it down; whether it was answered.
    pub fn call(&self, connection: &mut Connection, target: Target, call: Call) -> bool {
        let begun = self.tick();
        let reply = self.send(connection, target, &call);
        let ended = if reply.is_some() { self.tick() } else { OPEN };
        let answer = reply.map_or(Answer::Lost, |reply| answer(&call, &reply));
        if let (Answer::Made(id), Target::Snapshot(nth)) = (&answer, target) {
            let mut made = self.made.lock().expect("unpoisoned");
            let (images, disks) = made.entry(nth).or_default();
            if call == Call::CreateImage { images } else { disks }.push(id.clone());
        }
        let was_answered = answer != Answer::Lost;
        let span = Span { begun, ended, call: Event { call, answer, overlap: Overlap::No } };
        self.seen.lock().expect("unpoisoned").push((target, span));
        was_answered
    }

    /// Some calls one after the other, until nobody answers.
    pub fn client(&self, mut connection: Connection, mut random: Random, calls: usize) {
        for _ in 0..calls {
            let (target, call) = self.choose(&mut random);
            if !self.call(&mut connection, target, call) {
                return;
            }
        }
    }

    fn choose(&self, random: &mut Random) -> (Target, Call) {
        let small = |random: &mut Random| u8::try_from(1 + random.below(2)).expect("small");
        if random.once_in(6) {
            let (token, variant) = (small(random), u8::from(random.once_in(8)));
            let hold = Call::Hold { name: 9, exclusive: true };
            let call = match random.below(if self.holds { 12 } else { 9 }) {
                0 | 1 => Call::List,
                9 => hold,
                10 | 11 => Call::Release { name: 9 },
                more => Call::Take { token: token + 2 * u8::try_from(more / 4).expect("small"), variant },
            };
            return (Target::Disk, call);
        }
        if self.holds && random.once_in(24) {
            return (Target::Everything, Call::Advance);
        }
        let nth = random.below(self.snapshots.len());
        let made = |random: &mut Random, of_disks: bool| {
            let made = self.made.lock().expect("unpoisoned");
            let (images, disks) = made.get(&nth)?;
            let ids = if of_disks { disks } else { images };
            (!ids.is_empty()).then(|| ids[random.below(ids.len())].clone())
        };
        let call = match random.below(if self.holds { 27 } else { 14 }) {
            0 => Call::Delete { force: random.once_in(2) },
            1..=3 => Call::Rename(u8::try_from(1 + random.below(200)).expect("small")),
            4..=6 => Call::Look,
            7 | 8 => Call::Tag { key: small(random), value: u8::try_from(random.below(200)).expect("small") },
            9 => Call::Untag { key: small(random) },
            10 | 11 => Call::Lock,
            12 | 13 => Call::Unlock,
            14 | 15 => Call::CreateImage,
            16 | 17 => Call::CreateDisk,
            18..=20 => made(random, false).map_or(Call::Look, Call::DeleteImage),
            21..=23 => made(random, true).map_or(Call::Look, Call::DeleteDisk),
            24 => Call::Hold { name: small(random), exclusive: random.once_in(2) },
            _ => Call::Release { name: small(random) },
        };
        (Target::Snapshot(nth), call)
    }

    fn send(&self, connection: &mut Connection, target: Target, call: &Call) -> Option<Reply> {
        let id = match target {
            Target::Snapshot(nth) => self.snapshots[nth].as_str(),
            Target::Disk | Target::Everything => self.disk.as_str(),
        };
        let snapshot = ("SnapshotId", id);
        let tagged = [("ResourceType", "snapshot"), ("ResourceId.1", id)];
        match call {
            Call::Delete { force } => {
                connection.call("DeleteSnapshot", &[snapshot, ("Force", if *force { "true" } else { "false" })])
            }
            Call::Rename(name) => {
                connection.call("ModifySnapshotAttribute", &[snapshot, ("SnapshotName", &format!("name-{name}"))])
            }
            Call::Look => {
                connection.call("DescribeSnapshots", &[("RegionId", REGION), ("SnapshotIds", &format!("[\"{id}\"]"))])
            }
            Call::Tag { key, value } => {
                let (key, value) = (format!("key-{key}"), format!("value-{value}"));
                let tag = [("Tag.1.Key", key.as_str()), ("Tag.1.Value", value.as_str())];
                connection.call("TagResources", &[&tagged[..], &tag[..]].concat())
            }
            Call::Untag { key } => {
                let key = format!("key-{key}");
                connection.call("UntagResources", &[&tagged[..], &[("TagKey.1", key.as_str())]].concat())
            }
            Call::Lock => {
                let lock = [("LockMode", "compliance"), ("LockDuration", "1"), ("CoolOffPeriod", "23")];
                connection.call("LockSnapshot", &[&[snapshot], &lock[..]].concat())
            }
            Call::Unlock => connection.call("UnlockSnapshot", &[snapshot]),
            Call::CreateImage => connection.call("CreateImage", &[snapshot]),
            Call::DeleteImage(image) => connection.call("DeleteImage", &[("ImageId", image)]),
            Call::CreateDisk => {
                let disk = [("ZoneId", "cn-hangzhou-h"), ("DiskCategory", "cloud_essd")];
                connection.call("CreateDisk", &[&[snapshot], &disk[..]].concat())
            }
            Call::DeleteDisk(disk) => connection.call("DeleteDisk", &[("DiskId", disk)]),
            Call::Hold { name, exclusive } => {
                let mode = if *exclusive { "exclusive" } else { "shared" };
                let lock = json!({"resource": id, "name": format!("{id}-{name}"), "mode": mode});
                connection.lever("POST", "/locks", &lock.to_string())
            }
            Call::Release { name } => connection.lever("DELETE", &format!("/locks/{id}-{name}"), ""),
            Call::Take { token, variant } => {
                let (token, name) = (format!("round-{}-{token}", self.round), format!("name-{variant}"));
                let params = [("DiskId", id), ("ClientToken", token.as_str()), ("SnapshotName", name.as_str())];
                connection.call("CreateSnapshot", &params)
            }
            Call::List => {
                let params = [("RegionId", REGION), ("DiskId", id), ("PageSize", "100")];
                connection.call("DescribeSnapshots", &params)
            }
            Call::Advance => connection.lever("POST", "/clock/advance", &json!({"by": "10s"}).to_string()),
        }
    }
}

fn answer(call: &Call, reply: &Reply) -> Answer {
    assert!(reply.status < 500, "{call:?}: {} {}", reply.status, reply.text);
    let body = reply.body();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    match (call, reply.status) {
        (Call::Hold { .. }, 409) => {
            let why = text("error").expect("a reason");
            Answer::Refused(if why.starts_with("held") { "held".to_owned() } else { why })
        }
        (Call::Hold { .. } | Call::Release { .. }, 404) => Answer::Refused("404".to_owned()),
        (Call::Look, 200) => Answer::Seen(body.pointer("/Snapshots/Snapshot/0").map(shown)),
        (Call::List, 200) => Answer::Listed(snapshot_ids(&body).into_iter().collect::<BTreeSet<_>>()),
        (Call::Take { .. }, 200) => Answer::Made(text("SnapshotId").expect("an id")),
        (Call::CreateImage, 200) => Answer::Made(text("ImageId").expect("an id")),
        (Call::CreateDisk, 200) => Answer::Made(text("DiskId").expect("an id")),
        (_, 200 | 201) => Answer::Done,
        _ => Answer::Refused(text("Code").unwrap_or_else(|| panic!("{call:?}: {}", reply.text))),
    }
}

fn shown(snapshot: &Value) -> Shown {
    let number = |text: &Value, prefix: &str| {
        // A snapshot without a name shows none.
        let text = text.as_str().unwrap_or_default();
        text.strip_prefix(prefix).map_or(0, |number| number.parse().expect("a number"))
    };
    let tags = snapshot["Tags"]["Tag"].as_array().expect("tags").iter();
    Shown {
        name: number(&snapshot["SnapshotName"], "name-"),
        usage: snapshot["Usage"].as_str().expect("text").to_owned(),
        tags: tags.map(|tag| (number(&tag["TagKey"], "key-"), number(&tag["TagValue"], "value-"))).collect(),
    }
}
