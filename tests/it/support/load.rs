//! Clients that load a daemon and remember what they were told, and the check that all of that is there afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::daemon::Connection;
use super::random::Random;

/// What clients make and delete.
struct Kind {
    create: &'static str,
    delete: &'static str,
    list: &'static str,
    /// Where the list's answer has its items.
    items: [&'static str; 2],
    id: &'static str,
    /// So many at most for each client.
    most: usize,
}

const KINDS: [Kind; 3] = [
    Kind {
        create: "CreateSnapshot",
        delete: "DeleteSnapshot",
        list: "DescribeSnapshots",
        items: ["Snapshots", "Snapshot"],
        id: "SnapshotId",
        most: 16,
    },
    Kind {
        create: "CreateDisk",
        delete: "DeleteDisk",
        list: "DescribeDisks",
        items: ["Disks", "Disk"],
        id: "DiskId",
        most: 8,
    },
    Kind {
        create: "CreateImage",
        delete: "DeleteImage",
        list: "DescribeImages",
        items: ["Images", "Image"],
        id: "ImageId",
        most: 8,
    },
];
const SNAPSHOTS: usize = 0;
const PAGE: usize = 50;

/// What is known of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    There,
    Gone,
    /// Its deletion had no answer.
    Doubtful,
}

/// A creation that was asked for since the last check.
struct Creation {
    kind: usize,
    params: Vec<(&'static str, String)>,
    /// None where no answer came.
    id: Option<String>,
}

/// A client with a disk of its own and what it knows, which goes on from one daemon to the next.
pub struct Client {
    number: usize,
    disk: String,
    random: Random,
    calls: usize,
    created: BTreeMap<String, Creation>,
    deleted: Vec<(usize, String)>,
    fates: [BTreeMap<String, Fate>; KINDS.len()],
}

impl Client {
    pub fn new(number: usize, disk: &str, seed: u64) -> Self {
        Self {
            number,
            disk: disk.to_owned(),
            random: Random::seeded(seed.wrapping_mul(31).wrapping_add(number as u64)),
            calls: 0,
            created: BTreeMap::new(),
            deleted: Vec::new(),
            fates: Default::default(),
        }
    }

    /// Calls until nobody answers; `acknowledged` counts what was done.
    pub fn run(&mut self, mut connection: Connection, acknowledged: &AtomicUsize) {
        while self.step(&mut connection, acknowledged).is_some() {}
    }

    fn step(&mut self, connection: &mut Connection, acknowledged: &AtomicUsize) -> Option<()> {
        let kind = self.random.below(KINDS.len());
        let there = self.there(kind);
        let done = if there.len() < KINDS[kind].most && self.random.below(5) < 3 {
            self.create(connection, kind)?
        } else if !there.is_empty() {
            let id = there[self.random.below(there.len())].clone();
            self.delete(connection, kind, id)?
        } else {
            false
        };
        acknowledged.fetch_add(usize::from(done), Ordering::Relaxed);
        Some(())
    }

    fn there(&self, kind: usize) -> Vec<String> {
        self.fates[kind].iter().filter(|(_, fate)| **fate == Fate::There).map(|(id, _)| id.clone()).collect()
    }

    fn create(&mut self, connection: &mut Connection, kind: usize) -> Option<bool> {
        self.calls += 1;
        let token = format!("client-{}-{}", self.number, self.calls);
        let snapshots = self.there(SNAPSHOTS);
        let mut params = match kind {
            SNAPSHOTS => vec![("DiskId", self.disk.clone())],
            _ if snapshots.is_empty() => return Some(false),
            _ => vec![("SnapshotId", snapshots[self.random.below(snapshots.len())].clone())],
        };
        match KINDS[kind].create {
            "CreateDisk" => {
                params.extend([("ZoneId", "cn-hangzhou-h".to_owned()), ("DiskCategory", "cloud_essd".to_owned())]);
            }
            "CreateImage" => params.push(("ImageName", token.clone())),
            _ => params.extend([("Tag.1.Key", "client".to_owned()), ("Tag.1.Value", self.number.to_string())]),
        }
        params.extend([("RegionId", "cn-hangzhou".to_owned()), ("ClientToken", token.clone())]);
        self.created.insert(token.clone(), Creation { kind, params, id: None });
        let answer = ask(connection, &self.created[&token])?;
        match &answer {
            Ok(id) => {
                self.fates[kind].insert(id.clone(), Fate::There);
                self.created.get_mut(&token).expect("just put in").id = Some(id.clone());
            }
            Err(Refused) => drop(self.created.remove(&token)),
        }
        Some(answer.is_ok())
    }

    fn delete(&mut self, connection: &mut Connection, kind: usize, id: String) -> Option<bool> {
        self.fates[kind].insert(id.clone(), Fate::Doubtful);
        let reply = connection.call(KINDS[kind].delete, &[("RegionId", "cn-hangzhou"), (KINDS[kind].id, &id)])?;
        assert!(reply.status < 500, "{}", reply.text);
        let done = reply.status == 200;
        if done {
            self.deleted.push((kind, id.clone()));
        }
        self.fates[kind].insert(id, if done { Fate::Gone } else { Fate::There });
        Some(done)
    }

    /// Holds what it knows against what is there, and asks again where no answer came.
    fn check(&mut self, connection: &mut Connection, found: &BTreeSet<String>) {
        for (kind, fates) in self.fates.iter_mut().enumerate() {
            for (id, fate) in fates.iter_mut() {
                match fate {
                    Fate::There => assert!(found.contains(id), "{id} was acknowledged and is lost"),
                    Fate::Gone => assert!(!found.contains(id), "{id} was deleted and is back"),
                    Fate::Doubtful if found.contains(id) => *fate = Fate::There,
                    Fate::Doubtful => {
                        self.deleted.push((kind, id.clone()));
                        *fate = Fate::Gone;
                    }
                }
            }
            fates.retain(|_, fate| *fate != Fate::Gone);
        }
        for (kind, id) in self.deleted.drain(..).filter(|(kind, _)| KINDS[*kind].delete == "DeleteSnapshot") {
            let again = connection.call(KINDS[kind].delete, &[("SnapshotId", &id)]).expect("an answer");
            assert_eq!(again.status, 200, "the tombstone of {id} is lost: {}", again.text);
        }
        for creation in std::mem::take(&mut self.created).into_values() {
            let known = creation.id.as_ref();
            if known.is_some_and(|id| !self.fates[creation.kind].contains_key(id)) {
                continue;
            }
            let again = ask(connection, &creation).expect("an answer");
            if known.is_some() {
                assert_eq!(again.as_ref().ok(), known, "the token is lost: {:?}", creation.params);
            }
            // One without an answer may be refused now: then it was not done before.
            if let Ok(id) = again {
                self.fates[creation.kind].insert(id, Fate::There);
            }
        }
    }
}

struct Refused;

/// The id that was answered; `None` where nobody answers.
fn ask(connection: &mut Connection, creation: &Creation) -> Option<Result<String, Refused>> {
    let kind = &KINDS[creation.kind];
    let params: Vec<(&str, &str)> = creation.params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let reply = connection.call(kind.create, &params)?;
    assert!(reply.status < 500, "{}", reply.text);
    if reply.status != 200 {
        return Some(Err(Refused));
    }
    Some(Ok(reply.body()[kind.id].as_str().expect("an id").to_owned()))
}

/// The ids of everything there is.
pub fn all(connection: &mut Connection) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for kind in KINDS {
        for page in 1.. {
            let (page, size) = (page.to_string(), PAGE.to_string());
            let statuses = "Creating,Waiting,Available,UnAvailable,CreateFailed";
            let mut params = vec![("RegionId", "cn-hangzhou"), ("PageSize", &size), ("PageNumber", &page)];
            if kind.list == "DescribeImages" {
                params.extend([("ImageOwnerAlias", "self"), ("Status", statuses)]);
            }
            let reply = connection.call(kind.list, &params).expect("an answer");
            assert_eq!(reply.status, 200, "{}", reply.text);
            let body = reply.body();
            let items = body[kind.items[0]][kind.items[1]].as_array().expect("a list");
            for item in items {
                let id = item[kind.id].as_str().expect("an id").to_owned();
                assert!(ids.insert(id.clone()), "{id} is there twice");
            }
            if items.len() < PAGE {
                break;
            }
        }
    }
    ids
}

/// Everything acknowledged is there and nothing else is; `furnished` is what no client made.
pub fn check(connection: &mut Connection, clients: &mut [Client], furnished: &[String]) {
    let found = all(connection);
    for client in clients.iter_mut() {
        client.check(connection, &found);
    }
    let mut expected: BTreeSet<String> = furnished.iter().cloned().collect();
    expected.extend(clients.iter().flat_map(|client| (0..KINDS.len()).flat_map(|kind| client.there(kind))));
    assert_eq!(all(connection), expected, "what is there is what was asked for");
}
