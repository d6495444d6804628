//! Parts that Describe actions share beside pages: totals, filters by time and by keyword, progress; no rule of one family.

use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::store::filter::{self, Filter, Listing, Page, Source, Start};
use crate::store::snapshots::Snapshot;
use crate::store::tx::Tx;

use super::common::{KeyValue, Paging};

/// The total that a first page without a second one tells by itself.
#[must_use]
pub fn total_of<T>(page: &Page, listing: &Listing<T>) -> Option<i64> {
    (page.start == Start::First && !listing.more).then(|| i64::try_from(listing.rows.len()).unwrap_or(i64::MAX))
}

/// The total of a list without counters of its own; 0 where the answer tells none.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn total<T: Sync>(
    tx: &mut Tx<'_>,
    source: &Source,
    filter: &Filter,
    paging: &Paging<'_>,
    (page, listing): (&Page, &Listing<T>),
) -> Result<i64, Fault> {
    match total_of(page, listing) {
        Some(total) => Ok(total),
        None if paging.wants_total() => filter::count(tx, source, filter).await,
        None => Ok(0),
    }
}

/// Refuses `Filter.N` with a key that is neither among `times`, which take an instant, nor among `others`.
///
/// # Errors
/// `InvalidFilterKey.NotFound`, `InvalidFilterValue`.
pub fn check_filters(filters: &[KeyValue], times: &[&str], others: &[&str]) -> Result<(), Fault> {
    for KeyValue { key, value } in filters {
        let is_time = times.contains(&key.as_str());
        if !is_time && !others.contains(&key.as_str()) {
            return Err(fault("InvalidFilterKey.NotFound").with(key));
        }
        if is_time && Timestamp::parse(value).is_none() {
            return Err(fault("InvalidFilterValue").with(key));
        }
    }
    Ok(())
}

/// The keys of `Filter.N` that [`narrow_by_creation`] knows.
pub const CREATION: [&str; 2] = ["CreationStartTime", "CreationEndTime"];

/// Leaves what was made between the instants of `Filter.N`, both included; other keys are the caller's affair.
pub fn narrow_by_creation(filter: &mut Filter, source: &Source, filters: &[KeyValue]) {
    for KeyValue { key, value } in filters {
        let comparison = match key.as_str() {
            "CreationStartTime" => ">=",
            "CreationEndTime" => "<=",
            _ => continue,
        };
        if let Some(instant) = Timestamp::parse(value) {
            filter.condition(&format!("{}.creation_time {comparison} ?", source.table), [instant.into()]);
        }
    }
}

/// A filter's value, unless it is `all`, which filters nothing.
#[must_use]
pub fn unless_all(value: Option<&str>) -> Option<&str> {
    value.filter(|text| !text.eq_ignore_ascii_case("all"))
}

/// Percent done and seconds to go of a snapshot in whatever status.
#[must_use]
pub fn progress_of(snapshot: &Snapshot, now: Timestamp) -> (i64, i64) {
    match snapshot.status.as_str() {
        "progressing" => progress(snapshot.cut_time, snapshot.finish_time, now),
        "accomplished" => (100, 0),
        _ => (0, 0),
    }
}

/// Percent done and seconds to go of something under way; 100 is reached only with its status.
#[must_use]
pub fn progress(begun: Timestamp, finish: Timestamp, now: Timestamp) -> (i64, i64) {
    let whole = finish.since(begun).max(1);
    let done = now.since(begun).clamp(0, whole);
    ((done * 100 / whole).min(99), (finish.since(now).max(0) + 999) / 1_000)
}
