//! The driver: a kept corpus, mutations by a seed, and what every property has to hold to: no panic, no hang, bounded memory.
//!
//! A property answers with a word for what happened. An input with a new word is kept for the run, so that mutations start
//! from all kinds of outcomes and not from the first corpus alone.

use std::collections::HashSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::random::{self, Random};

/// One input takes at most this long, on a machine that does other things as well.
const SLOW: Duration = Duration::from_secs(5);
/// After so long the run is ended: it hangs.
const HANGS: Duration = Duration::from_mins(1);
const LONGEST: usize = 64 * 1_024;
/// Most inputs stay below this, so that there are many of them.
const USUAL: usize = 2 * 1_024;
/// More than any number of inputs of one kind may cost.
const MEMORY: u64 = 512 * 1_024 * 1_024;
/// Kept inputs are few, so that each is mutated often.
const POOL: usize = 512;

/// How long a run is.
#[derive(Clone, Copy)]
pub enum Budget {
    Inputs(u64),
    Time(Duration),
}

impl Budget {
    /// The long form: so many seconds for each target.
    pub fn long() -> Self {
        let told = std::env::var("SNAPSHOTD_FUZZ_SECONDS").ok();
        Self::Time(Duration::from_secs(told.map_or(60, |seconds| seconds.parse().expect("seconds"))))
    }

    fn is_used_up(self, inputs: u64, begun: Instant) -> bool {
        match self {
            Self::Inputs(most) => inputs >= most,
            Self::Time(most) => begun.elapsed() >= most,
        }
    }
}

/// Runs `property` on the corpus of `target` and on what comes of it.
pub fn run(target: &str, budget: Budget, mut property: impl FnMut(&[u8]) -> String) {
    let seed = random::told().unwrap_or(1);
    let mut random = Random::seeded(seed);
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "{target} has no corpus");
    let watch = Watch::begin(target);
    let (begun, memory) = (Instant::now(), resident());
    let (mut pool, mut words, mut inputs) = (corpus.clone(), HashSet::new(), 0);
    while !budget.is_used_up(inputs, begun) {
        let of_corpus = usize::try_from(inputs).ok().and_then(|nth| corpus.get(nth)).cloned();
        let input = of_corpus.unwrap_or_else(|| mutated(&pool, &mut random));
        watch.looks_at(&input);
        let started = Instant::now();
        let word = match catch_unwind(AssertUnwindSafe(|| property(&input))) {
            Ok(word) => word,
            Err(panic) => {
                eprintln!("{target}: seed {seed}, input {inputs} is kept as {}", keep(target, &input).display());
                resume_unwind(panic);
            }
        };
        assert!(started.elapsed() < SLOW, "{:?} for {}", started.elapsed(), keep(target, &input).display());
        if words.insert(word) && pool.len() < POOL {
            pool.push(input);
        }
        inputs += 1;
    }
    let grown = resident().saturating_sub(memory);
    assert!(grown < MEMORY, "{target} grew by {grown} bytes");
    let (kinds, seconds) = (words.len(), begun.elapsed().as_secs_f32());
    println!(
        "{target}: {inputs} inputs in {seconds:.1} s, {kinds} kinds of outcomes, {} KiB more memory",
        grown / 1_024
    );
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target)
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder(target)).expect("a folder of the corpus");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("an input")).collect()
}

/// Stores an input with which something is wrong: it belongs to the corpus from then on.
fn keep(target: &str, input: &[u8]) -> PathBuf {
    let mark = input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |mark, byte| (mark ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let file = folder(target).join(format!("found-{mark:016x}"));
    fs::write(&file, input).expect("the corpus can be written");
    file
}

/// Bytes of memory that this process has.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1_024
}

/// Ends the process, and tells the input, where a property does not come back.
struct Watch {
    now: Arc<Mutex<(Instant, Vec<u8>)>>,
    ended: Arc<AtomicBool>,
}

impl Watch {
    fn begin(target: &str) -> Self {
        let (now, ended) = (Arc::new(Mutex::new((Instant::now(), Vec::new()))), Arc::new(AtomicBool::new(false)));
        let (watched, over, target) = (Arc::clone(&now), Arc::clone(&ended), target.to_owned());
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(200));
                let (since, input) = &*watched.lock().expect("unpoisoned");
                if since.elapsed() > HANGS && !over.load(Ordering::Relaxed) {
                    eprintln!("{target} hangs: {}", keep(&target, input).display());
                    std::process::exit(1);
                }
            }
        });
        Self { now, ended }
    }

    fn looks_at(&self, input: &[u8]) {
        *self.now.lock().expect("unpoisoned") = (Instant::now(), input.to_owned());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// What parsers of these formats stumble over.
const WORDS: &[&str] = &[
    "%",
    "%%",
    "%0",
    "%00",
    "%ff",
    "%C3",
    "%E5%BF%AB",
    "+",
    "&",
    "&&",
    "=",
    ";",
    ",",
    ".",
    "..",
    ".1.",
    ".N.",
    "Tag.1.Key=",
    "Tag.1.Value=",
    "Filter.1.Key=",
    "Filter.1.Value=",
    "NextToken=",
    "MaxResults=",
    "PageSize=",
    "PageNumber=",
    "SnapshotIds=[\"s-1\"]",
    "Signature=",
    "Action=",
    "Format=XML",
    "RegionId=cn-hangzhou",
    "ClientToken=",
    "DryRun=true",
    "[",
    "]",
    "{",
    "}",
    "[[",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "0",
    "-0",
    "1",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "2147483648",
    "1e309",
    "0x10",
    "NaN",
    "\0",
    "\u{1}",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\r\n\r\n",
    "\u{85}",
    "\u{fffe}",
    "\u{202e}",
    "\u{1f600}",
    "<",
    ">",
    "&amp;",
    "&#0;",
    "]]>",
    "<!--",
    "<![CDATA[",
    "'",
    "--",
    "ACS3-HMAC-SHA256 ",
    "Credential=",
    "SignedHeaders=",
    "x-acs-",
    "host;",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "GET / HTTP/1.1\r\n",
    "1970-01-01T00:00Z",
    "9999-12-31T23:59:59Z",
];

fn mutated(pool: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = pool[random.below(pool.len())].clone();
    for _ in 0..=random.below(4) {
        mutate(&mut input, pool, random);
    }
    input.truncate(if random.once_in(200) { LONGEST } else { USUAL });
    input
}

fn mutate(input: &mut Vec<u8>, pool: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = at + random.below(input.len() - at + 1).min(1 + random.below(64));
    match random.below(9) {
        0 | 1 => drop(input.splice(at..at, WORDS[random.below(WORDS.len())].bytes())),
        2 => drop(input.splice(at..end, WORDS[random.below(WORDS.len())].bytes())),
        3 => drop(input.drain(at..end)),
        4 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        5 => input.insert(at, random.next().to_le_bytes()[0]),
        6 => {
            let part = input[at..end].to_vec();
            let times = if random.once_in(50) { 2_000 } else { 1 + random.below(8) };
            if part.len() * times < LONGEST {
                input.splice(at..at, part.repeat(times));
            }
        }
        7 => {
            let other = &pool[random.below(pool.len())];
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => input.truncate(at),
    }
}
