//! Accounts in arrears: those whose bills a test bench leaves unpaid; knows nothing of what that forbids.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

/// The accounts, by id.
#[derive(Default)]
pub struct Arrears(RwLock<BTreeSet<String>>);

impl Arrears {
    #[must_use]
    pub fn has(&self, account_id: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(account_id)
    }

    #[must_use]
    pub fn list(&self) -> Vec<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Puts an account into arrears, or out of them.
    pub fn put(&self, account_id: &str, is_in_arrears: bool) {
        let mut accounts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if is_in_arrears {
            accounts.insert(account_id.to_owned());
        } else {
            accounts.remove(account_id);
        }
    }
}
