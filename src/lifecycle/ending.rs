//! How what is under way ends where a test bench wants it otherwise; never ends anything itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::levers::rules::{Ends, Occasion};
use crate::store::tx::Tx;

/// How a snapshot or an image that `action` began ends; `None` for as it should.
pub fn of(tx: &Tx<'_>, action: &str, account: &str, resource_id: &str) -> Option<Ends> {
    judge(tx, action, account, resource_id, true)
}

/// Whether something that has no status for having failed is kept from ending.
pub fn is_withheld(tx: &Tx<'_>, action: &str, account: &str, resource_id: &str) -> bool {
    judge(tx, action, account, resource_id, false).is_some()
}

fn judge(tx: &Tx<'_>, action: &str, account: &str, resource_id: &str, can_fail: bool) -> Option<Ends> {
    let rules = &tx.levers().rules;
    if rules.is_empty() {
        return None;
    }
    let resources = BTreeSet::from([resource_id.to_owned()]);
    let occasion = Occasion { action, account, resources: &resources, progress: &BTreeMap::new(), now: tx.wall_now() };
    rules.judge_ending(&occasion, can_fail)
}
