//! Measures the release binary beside a bare axum handler and raw SQLite commits in one run; prints Markdown tables.
//!
//! `cargo bench --bench throughput -- [ROWS …] [CALL …] [@CONNECTIONS …]` (default: 1000 rows, all calls, 1, 8, 64 and 256
//! connections). Absolute figures drift with the machine: read the ratios.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "figures for people, far from any limit"
)]

mod daemon;
mod load;
mod raw;
mod seed;

use std::process::ExitCode;
use std::time::Duration;

use daemon::{Bare, Daemon};
use load::{Load, Outcome};

const CONNECTIONS: [usize; 4] = [1, 8, 64, 256];
/// Far more than there is work for.
const OVERLOAD: usize = 1_000;
const STARTS: usize = 5;
const HEAD: &str = "| call | connections | requests/s | p50 µs | p99 µs | errors | × bare axum | × raw |\n|---|---|---|---|---|---|---|---|";
/// Calls of one measurement, and the time after which it stops all the same.
const CALLS: usize = 20_000;
const LONGEST: Duration = Duration::from_secs(8);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if arguments.first().is_some_and(|word| word == "serve-bare") {
        return daemon::serve_bare();
    }
    let numbers = |prefix: &str, default: &[usize]| {
        let words = arguments.iter().filter_map(|word| word.strip_prefix(prefix));
        let found: Vec<usize> = words.filter_map(|word| word.parse().ok()).collect();
        if found.is_empty() { default.to_vec() } else { found }
    };
    let (sizes, at) = (numbers("", &[1_000]), numbers("@", &CONNECTIONS));
    let calls: Vec<&String> =
        arguments.iter().filter(|word| !word.starts_with(|c: char| c == '@' || c.is_ascii_digit())).collect();
    let is_wanted = |name: &str| calls.is_empty() || calls.iter().any(|call| *call == name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bare = Bare::start();
    println!("| connections | bare axum, requests/s | p50 µs |\n|---|---|---|");
    let mut bare_at = Vec::new();
    for &connections in &at {
        let outcome = runtime.block_on(Load::plain(CALLS).run(bare.address(), connections, LONGEST));
        println!("| {connections} | {:.0} | {:.0} |", outcome.per_second(), outcome.micros(0.5));
        bare_at.push(outcome.per_second());
    }
    for rows in sizes {
        println!("\n### {rows} stored snapshots\n");
        one_size(&runtime, rows, &at, &bare_at, &is_wanted);
    }
    ExitCode::SUCCESS
}

fn one_size(
    runtime: &tokio::runtime::Runtime,
    rows: usize,
    at: &[usize],
    bare: &[f64],
    is_wanted: &dyn Fn(&str) -> bool,
) {
    let folder = tempfile::tempdir().expect("a folder");
    let stored = rows + CALLS * at.len();
    let raw = raw::measure(&folder.path().join("raw"), stored);
    println!(
        "raw rusqlite, same statements, 100 a commit with a savepoint each: delete {:.0}/s, create {:.0}/s;",
        raw.delete, raw.create
    );
    println!(
        "one operation a commit: p50 {:.0} µs a delete, {:.0} µs a create\n",
        raw.delete_alone_micros, raw.create_alone_micros
    );
    println!("{HEAD}");
    let data = folder.path().join("daemon");
    let mut daemon = Daemon::start(&data);
    daemon.stop();
    let ids = seed::fill(&data.join("snapshotd.db"), stored);
    let (deletable, kept) = ids.snapshots.split_at(CALLS * at.len());
    let mut daemon = Daemon::start(&data);
    let show = |name: &str, connections: usize, outcome: &Outcome, bare: f64, raw: Option<f64>| {
        let rate = outcome.per_second();
        let raw = raw.map_or("–".to_owned(), |raw| format!("{:.2}", rate / raw));
        println!(
            "| {name} | {connections} | {rate:.0} | {:.0} | {:.0} | {} | {:.3} | {raw} |",
            outcome.micros(0.5),
            outcome.micros(0.99),
            outcome.errors,
            rate / bare
        );
    };
    for (i, &connections) in at.iter().enumerate() {
        for (name, load) in load::reads(CALLS / 4, kept, &ids.disks) {
            if !is_wanted(name) {
                continue;
            }
            let outcome = runtime.block_on(load.run(daemon.address(), connections, LONGEST));
            show(name, connections, &outcome, bare[i], None);
        }
        if is_wanted("CreateSnapshot") {
            let creates = load::creates(CALLS, &ids.disks);
            let outcome = runtime.block_on(creates.run(daemon.address(), connections, LONGEST));
            show("CreateSnapshot", connections, &outcome, bare[i], Some(raw.create));
        }
        if is_wanted("DeleteSnapshot") {
            let deletes = load::deletes(&deletable[i * CALLS..(i + 1) * CALLS]);
            let outcome = runtime.block_on(deletes.run(daemon.address(), connections, LONGEST));
            show("DeleteSnapshot", connections, &outcome, bare[i], Some(raw.delete));
        }
    }
    println!("\nresident memory after the load: {} MB", daemon.resident_mb());
    if is_wanted("overload") {
        println!("\n{HEAD}");
        let creates = load::creates(CALLS, &ids.disks);
        let outcome = runtime.block_on(creates.run(daemon.address(), OVERLOAD, LONGEST));
        show("CreateSnapshot under overload", OVERLOAD, &outcome, bare[bare.len() - 1], Some(raw.create));
    }
    println!(
        "\nresident memory at the end: {} MB; user+system CPU of the daemon: {:.1} s",
        daemon.resident_mb(),
        daemon.cpu_seconds()
    );
    daemon.stop();
    let mut starts: Vec<Duration> = (0..STARTS).map(|_| daemon::first_answer(&data)).collect();
    starts.sort_unstable();
    println!(
        "\nfirst answer on this store after the start of the process: {:.1} ms",
        starts[STARTS / 2].as_secs_f64() * 1e3
    );
}
