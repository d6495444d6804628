//! Lags: which reads trail the writes and by how much; knows nothing of how the past is kept.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far some reads trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Lag {
    /// The account whose reads trail; absent for all accounts.
    #[serde(default)]
    pub account: Option<String>,
    /// The reading action that trails, such as DescribeSnapshots; absent for all of them.
    #[serde(default)]
    pub action: Option<String>,
    /// Milliseconds on the clock of the resources, at most 60000; 0 ends it.
    #[schema(minimum = 0, maximum = 60000)]
    pub ms: i64,
}

impl Lag {
    fn is_for(&self, account: &str, action: &str) -> bool {
        self.account.as_deref().is_none_or(|wanted| wanted == account)
            && self.action.as_deref().is_none_or(|wanted| wanted == action)
    }
}

/// All lags that are set.
#[derive(Default)]
pub struct Lags {
    /// The largest one in milliseconds, 0 for none.
    largest: AtomicI64,
    set: Mutex<Vec<Lag>>,
}

impl Lags {
    /// By how many milliseconds a read trails: the largest lag that is set for it.
    #[must_use]
    pub fn of(&self, account: &str, action: &str) -> i64 {
        if self.largest() == 0 {
            return 0;
        }
        let lags = self.lock();
        lags.iter().filter(|lag| lag.is_for(account, action)).map(|lag| lag.ms).max().unwrap_or(0)
    }

    #[must_use]
    pub fn largest(&self) -> i64 {
        self.largest.load(Ordering::Acquire)
    }

    #[must_use]
    pub fn list(&self) -> Vec<Lag> {
        self.lock().clone()
    }

    /// Sets one in the place of that for the same account and action.
    pub fn put(&self, lag: Lag) {
        let mut set = self.lock();
        set.retain(|known| (&known.account, &known.action) != (&lag.account, &lag.action));
        if lag.ms > 0 {
            set.push(lag);
        }
        self.largest.store(set.iter().map(|lag| lag.ms).max().unwrap_or(0), Ordering::Release);
    }

    /// Ends all; how many they were.
    pub fn clear(&self) -> usize {
        let mut set = self.lock();
        self.largest.store(0, Ordering::Release);
        std::mem::take(&mut *set).len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Lag>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_lag_that_fits_counts_and_the_same_one_is_replaced() {
        let lags = Lags::default();
        let lag = |account: Option<&str>, action: Option<&str>, ms| Lag {
            account: account.map(str::to_owned),
            action: action.map(str::to_owned),
            ms,
        };
        assert_eq!(lags.of("a", "DescribeDisks"), 0);
        lags.put(lag(None, Some("DescribeDisks"), 100));
        lags.put(lag(Some("a"), None, 300));
        assert_eq!((lags.of("a", "DescribeDisks"), lags.of("b", "DescribeDisks")), (300, 100));
        assert_eq!(lags.of("b", "DescribeImages"), 0);
        lags.put(lag(Some("a"), None, 50));
        assert_eq!((lags.of("a", "DescribeDisks"), lags.largest()), (100, 100));
        lags.put(lag(None, Some("DescribeDisks"), 0));
        assert_eq!((lags.list().len(), lags.clear(), lags.largest()), (1, 1, 0));
    }
}
