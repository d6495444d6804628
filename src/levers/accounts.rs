//! Accounts that a test bench marked, such as those whose bills it leaves unpaid; knows nothing of what that forbids.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

/// The accounts, by id.
#[derive(Default)]
pub struct Accounts(RwLock<BTreeSet<String>>);

impl Accounts {
    #[must_use]
    pub fn has(&self, account_id: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(account_id)
    }

    /// Makes an account one of them, or no longer.
    pub fn put(&self, account_id: &str, is_one: bool) {
        let mut accounts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if is_one {
            accounts.insert(account_id.to_owned());
        } else {
            accounts.remove(account_id);
        }
    }
}
