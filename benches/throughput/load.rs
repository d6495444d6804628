//! The load generator: signed requests made beforehand, sent over keep-alive connections in a closed loop.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use snapshotd::clock::Clock;
use snapshotd::ids;
use snapshotd::wire::{form, signature_v1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Requests ready to be sent.
pub struct Load {
    requests: Vec<Vec<u8>>,
    /// Each connection sends a run of them of its own, as somebody does who walks through pages; else whoever is free
    /// sends the next one.
    is_walk: bool,
}

/// What a load came to.
pub struct Outcome {
    pub errors: usize,
    elapsed: Duration,
    /// Sorted.
    micros: Vec<u128>,
}

impl Outcome {
    pub fn per_second(&self) -> f64 {
        self.micros.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency below which `share` of the answers came.
    pub fn micros(&self, share: f64) -> f64 {
        let place = ((self.micros.len() as f64 - 1.0) * share).max(0.0) as usize;
        self.micros.get(place).copied().unwrap_or(0) as f64
    }
}

impl Load {
    /// The same unsigned request many times, for the bare handler.
    pub fn plain(calls: usize) -> Self {
        let request = http("Action=DescribeSnapshots&SnapshotIds=%5B%22s-1%22%5D");
        Self { requests: vec![request; calls], is_walk: false }
    }

    fn signed<'a>(calls: impl Iterator<Item = Vec<(&'a str, String)>>) -> Self {
        let now = Clock::system().wall_now().to_seconds();
        Self { requests: calls.map(|call| http(&sign(call, &now))).collect(), is_walk: false }
    }

    /// Sends everything over so many connections; stops after `longest`.
    pub async fn run(self, address: SocketAddr, connections: usize, longest: Duration) -> Outcome {
        let share = if self.is_walk { self.requests.len().div_ceil(connections) } else { self.requests.len() };
        let queues: Vec<_> =
            self.requests.chunks(share).map(|share| Arc::new(Mutex::new(VecDeque::from(share.to_vec())))).collect();
        let started = Instant::now();
        let tasks: Vec<_> = (0..connections)
            .map(|i| {
                let queue = Arc::clone(&queues[i % queues.len()]);
                tokio::spawn(async move { connection(address, &queue, started + longest).await })
            })
            .collect();
        let (mut micros, mut errors) = (Vec::new(), 0);
        for task in tasks {
            let (times, failed) = task.await.expect("a connection");
            micros.extend(times);
            errors += failed;
        }
        let elapsed = started.elapsed();
        micros.sort_unstable();
        Outcome { errors, elapsed, micros }
    }
}

async fn connection(address: SocketAddr, queue: &Mutex<VecDeque<Vec<u8>>>, end: Instant) -> (Vec<u128>, usize) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("nodelay");
    let (mut micros, mut errors, mut buffer) = (Vec::new(), 0, Vec::with_capacity(64 << 10));
    while Instant::now() < end {
        let Some(request) = queue.lock().expect("the queue").pop_front() else { break };
        let sent = Instant::now();
        stream.write_all(&request).await.expect("written");
        let is_success = answer(&mut stream, &mut buffer).await;
        micros.push(sent.elapsed().as_micros());
        errors += usize::from(!is_success);
    }
    (micros, errors)
}

/// Reads one answer with a Content-Length; whether it is a 200.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> bool {
    buffer.clear();
    loop {
        assert!(stream.read_buf(buffer).await.expect("read") > 0, "the server hung up");
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.and_then(|text| text.trim().parse().ok()).expect("a length");
        while buffer.len() < head + 4 + length {
            assert!(stream.read_buf(buffer).await.expect("read") > 0, "the server hung up");
        }
        return text.starts_with("http/1.1 200");
    }
}

pub fn creates(calls: usize, disks: &[String]) -> Load {
    Load::signed(
        (0..calls).map(|i| vec![("Action", "CreateSnapshot".to_owned()), ("DiskId", disks[i % disks.len()].clone())]),
    )
}

pub fn deletes(snapshots: &[String]) -> Load {
    Load::signed(snapshots.iter().map(|id| vec![("Action", "DeleteSnapshot".to_owned()), ("SnapshotId", id.clone())]))
}

/// The reading calls, each with its name.
pub fn reads(calls: usize, snapshots: &[String], disks: &[String]) -> Vec<(&'static str, Load)> {
    let describe = |filter: &dyn Fn(usize) -> Vec<(&'static str, String)>| {
        Load::signed((0..calls).map(|i| {
            let mut call = vec![("Action", "DescribeSnapshots".to_owned()), ("RegionId", "cn-hangzhou".to_owned())];
            call.extend(filter(i));
            call
        }))
    };
    let page = |size: usize| describe(&|_| vec![("PageSize", size.to_string())]);
    let walk = (snapshots.len() / 100).clamp(1, 200);
    vec![
        ("by id", describe(&|i| vec![("SnapshotIds", format!("[\"{}\"]", snapshots[i * 7_919 % snapshots.len()]))])),
        ("page of 10", page(10)),
        ("page of 100", page(100)),
        (
            "walk by PageNumber, 100 a page",
            Load {
                is_walk: true,
                ..describe(&|i| vec![("PageSize", "100".to_owned()), ("PageNumber", (i % walk + 1).to_string())])
            },
        ),
        (
            "by tag, page of 50",
            describe(&|_| {
                vec![
                    ("PageSize", "50".to_owned()),
                    ("Tag.1.Key", "team".to_owned()),
                    ("Tag.1.Value", "rare".to_owned()),
                ]
            }),
        ),
        ("by disk", describe(&|i| vec![("DiskId", disks[i * 31 % disks.len()].clone())])),
        ("by rare status", describe(&|_| vec![("Status", "failed".to_owned())])),
        ("by usage", describe(&|_| vec![("Usage", "image".to_owned())])),
    ]
}

fn sign(call: Vec<(&str, String)>, now: &str) -> String {
    let common = [
        ("Version", "2014-05-26".to_owned()),
        ("Format", "JSON".to_owned()),
        ("AccessKeyId", "testid".to_owned()),
        ("SignatureMethod", "HMAC-SHA1".to_owned()),
        ("SignatureVersion", "1.0".to_owned()),
        ("SignatureNonce", ids::nonce()),
        ("Timestamp", now.to_owned()),
    ];
    let pairs = call.into_iter().chain(common).map(|(name, value)| (name.to_owned(), value));
    let mut pairs: Vec<(String, String)> = pairs.collect();
    let signature = signature_v1::sign("testsecret", &signature_v1::string_to_sign("POST", &pairs));
    pairs.push(("Signature".to_owned(), signature));
    form::encoded_pairs(&pairs)
}

fn http(body: &str) -> Vec<u8> {
    format!(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
