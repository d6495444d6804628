//! The log of requests: the last calls as they came and went, without secrets; bounded in number and in size.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::clock::Timestamp;
use crate::levers::rules::Drop;
use crate::wire::credentials::Caller;
use crate::wire::params::Params;

/// Bytes of names and values kept of one request: who sends more shall not fill the memory.
const BYTES: usize = 8 * 1_024;
/// Parameters that prove or carry a secret.
const SECRETS: [&str; 5] = ["signature", "securitytoken", "bearertoken", "password", "secret"];

/// A request as it is remembered.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Counts from 1 on.
    pub number: u64,
    /// The machine's clock at its arrival.
    pub time: Timestamp,
    /// Empty where it named none.
    pub action: String,
    /// Empty where its caller was not proven.
    pub account: String,
    /// As claimed, where its caller was not proven.
    pub access_key_id: String,
    pub parameters: Vec<(String, String)>,
    /// Some of its parameters were too many or too long to be kept.
    pub is_cut: bool,
    pub request_id: String,
    pub status: u16,
    /// Empty for a success.
    pub code: String,
    pub duration_us: u64,
    /// The rules of faults that disturbed it.
    pub rules: Vec<u64>,
    pub drop: Option<Drop>,
}

/// A request that is being answered.
pub struct Note {
    time: Timestamp,
    begun: Instant,
    account: String,
    access_key_id: String,
    parameters: Vec<(String, String)>,
    is_cut: bool,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    pub action: &'a str,
    pub request_id: &'a str,
    pub status: u16,
    pub code: &'a str,
    pub rules: &'a [u64],
    pub drop: Option<Drop>,
}

impl Note {
    /// Keeps its parameters but for the secrets among them.
    pub fn received(&mut self, params: &Params) {
        params.get("AccessKeyId").unwrap_or_default().clone_into(&mut self.access_key_id);
        let mut room = BYTES;
        for (name, value) in params.pairs().iter().filter(|(name, _)| !is_secret(name)) {
            let size = name.len() + value.len();
            self.is_cut |= size > room;
            if size <= room {
                room -= size;
                self.parameters.push((name.clone(), value.clone()));
            }
        }
    }

    /// Keeps whose it is.
    pub fn proven(&mut self, caller: &Caller) {
        caller.account_id.as_ref().clone_into(&mut self.account);
        caller.access_key_id.as_ref().clone_into(&mut self.access_key_id);
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // SignatureMethod, -Version and -Nonce say how a request was signed and tell no secret.
    name == SECRETS[0] || SECRETS[1..].iter().any(|secret| name.contains(secret))
}

/// The last requests.
pub struct RequestLog {
    size: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    last: u64,
    requests: VecDeque<Recorded>,
}

impl RequestLog {
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self { size, kept: Mutex::default() }
    }

    /// Begins to take note of a request; `None` where none is kept.
    #[must_use]
    pub fn begin(&self, now: impl FnOnce() -> Timestamp) -> Option<Note> {
        (self.size > 0).then(|| Note {
            time: now(),
            begun: Instant::now(),
            account: String::new(),
            access_key_id: String::new(),
            parameters: Vec::new(),
            is_cut: false,
        })
    }

    /// Keeps a request that was answered; the oldest one makes room.
    pub fn end(&self, note: Note, end: End<'_>) {
        let Note { time, begun, account, access_key_id, parameters, is_cut } = note;
        let mut kept = self.kept();
        kept.last += 1;
        if kept.requests.len() >= self.size {
            kept.requests.pop_front();
        }
        let recorded = Recorded {
            number: kept.last,
            time,
            action: end.action.to_owned(),
            account,
            access_key_id,
            parameters,
            is_cut,
            request_id: end.request_id.to_owned(),
            status: end.status,
            code: end.code.to_owned(),
            duration_us: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            rules: end.rules.to_vec(),
            drop: end.drop,
        };
        kept.requests.push_back(recorded);
    }

    /// The requests that `is_wanted` likes, the oldest first, at most the last `limit` of them.
    #[must_use]
    pub fn list(&self, limit: usize, is_wanted: impl Fn(&Recorded) -> bool) -> Vec<Recorded> {
        let kept = self.kept();
        let mut wanted: Vec<_> = kept.requests.iter().rev().filter(|request| is_wanted(request)).take(limit).collect();
        wanted.reverse();
        wanted.into_iter().cloned().collect()
    }

    /// Forgets all; how many they were.
    pub fn clear(&self) -> usize {
        std::mem::take(&mut self.kept().requests).len()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(log: &RequestLog, params: &[(&str, &str)]) {
        let mut note = log.begin(|| Timestamp::from_millis(0)).expect("it is on");
        let pairs: Vec<_> = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        note.received(&Params::from(pairs));
        let end = End { action: "A", request_id: "R", status: 200, code: "", rules: &[], drop: None };
        log.end(note, end);
    }

    #[test]
    fn secrets_are_not_kept() {
        let log = RequestLog::new(9);
        let secrets = [("Signature", "x"), ("SecurityToken", "x"), ("Password", "x"), ("DataDisk.1.KMSSecret", "x")];
        keep(&log, &[&secrets[..], &[("SignatureNonce", "n"), ("DiskId", "d-1")]].concat());
        let names: Vec<_> = log.list(9, |_| true).remove(0).parameters.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["SignatureNonce", "DiskId"]);
    }

    #[test]
    fn memory_is_bounded_in_number_and_in_size() {
        let log = RequestLog::new(2);
        let long = "x".repeat(BYTES);
        for _ in 0..3 {
            keep(&log, &[("Long", &long), ("DiskId", "d-1")]);
        }
        let kept = log.list(9, |_| true);
        assert_eq!(kept.iter().map(|request| request.number).collect::<Vec<_>>(), [2, 3]);
        assert!(kept[0].is_cut && kept[0].parameters.len() == 1);
        assert!(RequestLog::new(0).begin(|| Timestamp::from_millis(0)).is_none());
    }
}
