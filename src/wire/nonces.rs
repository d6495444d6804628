//! The memory of used signature nonces; bounded, forgotten at a restart, never asks whether a signature is valid.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The latest nonces of all keys, the oldest forgotten first.
///
/// A nonce is kept as 8 bytes of a keyed hash of itself and its access key. At a full million a fresh one is taken for
/// a used one about once in 2^44 calls; the memory of it all is below 30 MB and grows only as nonces come.
pub struct Nonces {
    limit: usize,
    hasher: RandomState,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    marks: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Nonces {
    /// Remembers `limit` nonces.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, hasher: RandomState::new(), used: Mutex::default() }
    }

    /// Whether `key_id` has used `nonce`; for the check that comes before the signature and remembers nothing.
    #[must_use]
    pub fn contains(&self, key_id: &str, nonce: &str) -> bool {
        let mark = self.mark(key_id, nonce);
        self.used().marks.contains(&mark)
    }

    /// Uses `nonce` up, once its signature was found valid; false when another request was faster.
    pub fn record(&self, key_id: &str, nonce: &str) -> bool {
        let mark = self.mark(key_id, nonce);
        let mut used = self.used();
        if !used.marks.insert(mark) {
            return false;
        }
        used.order.push_back(mark);
        if used.order.len() > self.limit
            && let Some(oldest) = used.order.pop_front()
        {
            used.marks.remove(&oldest);
        }
        true
    }

    fn mark(&self, key_id: &str, nonce: &str) -> u64 {
        self.hasher.hash_one((key_id, nonce))
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_nonce_is_used_up_for_its_key_alone() {
        let nonces = Nonces::new(10);
        assert!(!nonces.contains("a", "n") && !nonces.contains("a", "n"));
        assert!(nonces.record("a", "n"));
        assert!(nonces.contains("a", "n") && !nonces.record("a", "n"));
        assert!(nonces.record("b", "n") && nonces.record("an", ""));
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let nonces = Nonces::new(2);
        for nonce in ["1", "2", "3"] {
            assert!(nonces.record("a", nonce));
        }
        assert!(!nonces.contains("a", "1") && nonces.contains("a", "2") && nonces.contains("a", "3"));
        assert_eq!(nonces.used().marks.len(), 2);
    }

    #[test]
    fn of_concurrent_requests_with_one_nonce_exactly_one_passes() {
        let nonces = Nonces::new(1_000);
        for nonce in 0..200 {
            let nonce = nonce.to_string();
            let passed = thread::scope(|scope| {
                let tries: Vec<_> = (0..4).map(|_| scope.spawn(|| nonces.record("a", &nonce))).collect();
                tries.into_iter().map(thread::ScopedJoinHandle::join).filter(|passed| *passed.as_ref().unwrap()).count()
            });
            assert_eq!(passed, 1);
        }
    }
}
