//! Rules of faults: which occasions they are for, when they apply, what they do; in memory, never touches the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::ids;

/// The action of a rule that is for all of them.
pub const ANY: &str = "*";

fn any() -> String {
    ANY.to_owned()
}

/// A rule: for which calls or endings, when, and what happens then.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The action, such as DeleteSnapshot; `*` for all. Of an ending: the action that began it.
    #[serde(default = "any")]
    pub action: String,
    /// The id of a resource that the call names, or that ends; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The account that calls, or whose resource ends; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// When it applies; absent for always.
    #[serde(default)]
    pub when: When,
    pub effect: Effect,
    /// The rule is used up after so many hits; absent for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_hits: Option<u64>,
    /// The rule goes after so many milliseconds on the machine's clock; absent for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
}

/// Conditions, all of which must hold. Occasions are counted from 1 on, those alone that action, account, resource and
/// progress of the rule fit.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// On this occasion only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// From this occasion on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// On every so many occasions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// With this probability, 0 to 1; the same seed draws the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Where draws begin [default: `[seed] ids` of the configuration].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// While a snapshot or an image that the call names is done by so many percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Window>,
}

/// Percent done, both ends included.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    pub from: i64,
    pub to: i64,
}

/// What happens: to a call one or more of latency, error and drop; to an ending `ends` alone.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// The call is refused with this code, status and text as documented for the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The call waits so many milliseconds first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// The connection is closed without an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop: Option<Drop>,
    /// What was begun ends otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ends>,
}

/// When a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Drop {
    /// Before the call: nothing is done.
    Before,
    /// After its commit: all is done, the answer is lost.
    After,
}

/// How something under way ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Ends {
    /// A snapshot becomes `failed`, an image `CreateFailed`.
    Failed,
    /// As long as the rule stands it stays as it is.
    Never,
}

/// A rule that stands, and what it did.
#[derive(Clone, Debug)]
pub struct Standing {
    pub number: u64,
    pub rule: Rule,
    pub occasions: u64,
    pub hits: u64,
    pub expires_at: Option<Timestamp>,
    /// What it keeps from ending.
    pub holds: BTreeSet<String>,
}

/// Something that a rule may be for.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    pub action: &'a str,
    pub account: &'a str,
    /// The ids that are named.
    pub resources: &'a BTreeSet<String>,
    /// Percent done of those that are under way.
    pub progress: &'a BTreeMap<String, i64>,
    /// The machine's clock.
    pub now: Timestamp,
}

/// What the rules do to a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The rules that applied.
    pub rules: Vec<u64>,
    pub latency_ms: u64,
    pub error: Option<String>,
    pub drop: Option<Drop>,
}

impl Standing {
    /// Whether action, account and resource fit; progress is looked at apart.
    fn is_for(&self, occasion: &Occasion<'_>) -> bool {
        let rule = &self.rule;
        (rule.action == ANY || rule.action == occasion.action)
            && rule.account.as_deref().is_none_or(|account| account == occasion.account)
            && rule.resource.as_ref().is_none_or(|id| occasion.resources.contains(id))
            && self.expires_at.is_none_or(|end| occasion.now < end)
    }

    fn is_in_window(&self, progress: &BTreeMap<String, i64>) -> bool {
        let Some(Window { from, to }) = self.rule.when.progress else { return true };
        let is_in = |percent: &i64| (from..=to).contains(percent);
        match &self.rule.resource {
            Some(id) => progress.get(id).is_some_and(is_in),
            None => progress.values().any(is_in),
        }
    }

    /// Counts an occasion; whether the rule applies to it.
    fn applies(&mut self) -> bool {
        self.occasions += 1;
        let (n, when) = (self.occasions, &self.rule.when);
        let is_spent = self.rule.max_hits.is_some_and(|most| self.hits >= most);
        let is_drawn = || when.probability.is_none_or(|chance| ids::draw(when.seed.unwrap_or_default(), n) < chance);
        let applies = !is_spent
            && when.nth.is_none_or(|nth| n == nth)
            && when.from.is_none_or(|from| n >= from)
            && when.every.is_none_or(|every| n.is_multiple_of(every))
            && is_drawn();
        self.hits += u64::from(applies);
        applies
    }
}

/// All rules that stand, in the order in which they were made.
#[derive(Default)]
pub struct Rules {
    count: AtomicUsize,
    stand: Mutex<Stand>,
}

#[derive(Default)]
struct Stand {
    last: u64,
    rules: Vec<Standing>,
}

impl Rules {
    /// Whether there is any rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Makes a rule stand from now on; its number.
    pub fn add(&self, rule: Rule, now: Timestamp) -> u64 {
        self.change(|stand| {
            stand.last += 1;
            let expires_at = rule.expires_ms.map(|span| now.plus_millis(span));
            let number = stand.last;
            let holds = BTreeSet::new();
            stand.rules.push(Standing { number, rule, occasions: 0, hits: 0, expires_at, holds });
            number
        })
    }

    /// The rules that stand at `now`.
    #[must_use]
    pub fn list(&self, now: Timestamp) -> Vec<Standing> {
        let stand = self.lock();
        stand.rules.iter().filter(|rule| rule.expires_at.is_none_or(|end| now < end)).cloned().collect()
    }

    /// Takes away the rules that `is_meant` likes.
    pub fn remove(&self, is_meant: impl Fn(&Standing) -> bool) -> Vec<Standing> {
        self.change(|stand| stand.rules.extract_if(.., |rule| is_meant(rule)).collect())
    }

    /// Whether a rule for this call asks how far what it names is done.
    #[must_use]
    pub fn asks_for_progress(&self, occasion: &Occasion<'_>) -> bool {
        self.lock().rules.iter().any(|rule| rule.rule.when.progress.is_some() && rule.is_for(occasion))
    }

    /// What happens to a call: latencies add up, the first rule with an error or a drop ends the search.
    #[must_use]
    pub fn judge_call(&self, occasion: &Occasion<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        for standing in &mut self.lock().rules {
            let is_for = standing.rule.effect.ends.is_none() && standing.is_for(occasion);
            if !is_for || !standing.is_in_window(occasion.progress) || !standing.applies() {
                continue;
            }
            let Effect { error, latency_ms, drop, .. } = &standing.rule.effect;
            verdict.rules.push(standing.number);
            verdict.latency_ms = verdict.latency_ms.saturating_add(latency_ms.unwrap_or_default());
            if error.is_some() || drop.is_some() {
                (verdict.error, verdict.drop) = (error.clone(), *drop);
                break;
            }
        }
        verdict
    }

    /// How something under way ends; `None` for as it should.
    ///
    /// `can_fail`: it is something that has a status for having failed; else rules that want it to are none for it. What
    /// a rule holds it goes on to hold, without counting it again, as often as the engine looks at it.
    #[must_use]
    pub fn judge_ending(&self, occasion: &Occasion<'_>, can_fail: bool) -> Option<Ends> {
        let mut stand = self.lock();
        let is_held = |standing: &Standing| {
            standing.is_for(occasion) && occasion.resources.iter().any(|id| standing.holds.contains(id))
        };
        if stand.rules.iter().any(is_held) {
            return Some(Ends::Never);
        }
        for standing in &mut stand.rules {
            let ends = standing.rule.effect.ends.filter(|ends| can_fail || *ends != Ends::Failed);
            let Some(ends) = ends else { continue };
            if standing.is_for(occasion) && standing.applies() {
                if ends == Ends::Never {
                    standing.holds.extend(occasion.resources.iter().cloned());
                }
                return Some(ends);
            }
        }
        None
    }

    fn change<T>(&self, change: impl FnOnce(&mut Stand) -> T) -> T {
        let mut stand = self.lock();
        let outcome = change(&mut stand);
        self.count.store(stand.rules.len(), Ordering::Release);
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Stand> {
        self.stand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
