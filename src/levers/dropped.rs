//! Accounts that were dropped while the daemon runs: a call that was admitted before finds no account any more when it is run.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

/// The accounts, by id.
#[derive(Default)]
pub struct Dropped {
    accounts: RwLock<BTreeSet<String>>,
    /// How many they are: with none, a call pays one look at a number.
    count: AtomicUsize,
}

impl Dropped {
    #[must_use]
    pub fn has(&self, account_id: &str) -> bool {
        self.count.load(Ordering::Acquire) > 0
            && self.accounts.read().unwrap_or_else(PoisonError::into_inner).contains(account_id)
    }

    /// Takes the account for dropped, or no longer.
    pub fn put(&self, account_id: &str, is_dropped: bool) {
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        if is_dropped {
            accounts.insert(account_id.to_owned());
        } else {
            accounts.remove(account_id);
        }
        self.count.store(accounts.len(), Ordering::Release);
    }
}
