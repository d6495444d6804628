//! Parts that families share: pages, tags, names and descriptions; no rule of one family alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::config::{KmsKeyState, Unknown};
use crate::faults::{Fault, fault};
use crate::store::filter::{Cursor, Listed, Listing, Page, Start};
use crate::store::tags::TagRow;
use crate::store::tx::Tx;
use crate::store::{snapshot_services, tombstones};

/// The answer of an action that answers nothing but its RequestId.
#[derive(Debug, Serialize, Deserialize)]
pub struct Empty {}

/// How large the pages of an action may be.
#[derive(Clone, Copy, Debug)]
pub struct PageLimits {
    pub default: i64,
    /// Of PageSize; more is refused.
    pub page_size: i64,
    /// Of MaxResults; more counts as this.
    pub max_results: i64,
}

/// The four paging parameters as sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Paging<'a> {
    pub page_number: Option<i64>,
    pub page_size: Option<i64>,
    pub max_results: Option<i64>,
    pub next_token: Option<&'a str>,
}

/// The paging fields of an answer; which of them are there depends on what was sent (decision 14).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageFields {
    pub next_token: Option<String>,
    pub page_number: Option<i64>,
    pub page_size: Option<i64>,
    pub total_count: Option<i64>,
}

/// MaxResults below this counts as this: observed by the CSI driver.
const SMALLEST_MAX_RESULTS: i64 = 10;

impl Paging<'_> {
    /// The page asked for.
    ///
    /// # Errors
    /// 400 `InvalidParameter` for a page number below 1, a page size out of range, or a token that is none of ours.
    pub fn page(&self, limits: PageLimits) -> Result<Page, Fault> {
        if self.page_number.is_some_and(|number| number < 1) {
            return Err(Fault::invalid("PageNumber"));
        }
        if self.page_size.is_some_and(|size| !(1..=limits.page_size).contains(&size)) {
            return Err(Fault::invalid("PageSize"));
        }
        let by_token = self.max_results.map(|size| size.clamp(SMALLEST_MAX_RESULTS, limits.max_results));
        let size = by_token.or(self.page_size).unwrap_or(limits.default);
        let start = match (self.next_token, self.page_number) {
            (Some(token), _) => Start::After(decode(token).ok_or_else(|| Fault::invalid("NextToken"))?),
            (None, None | Some(1)) => Start::First,
            (None, Some(number)) => Start::Number(number),
        };
        Ok(Page { size, start })
    }

    /// Whether the answer tells a total: not in pure token mode.
    #[must_use]
    pub fn wants_total(&self) -> bool {
        !self.is_by_token() || self.is_by_number()
    }

    /// The paging fields of the answer.
    #[must_use]
    pub fn fields<T: Listed>(&self, page: &Page, listing: &Listing<T>, total: i64) -> PageFields {
        let next = listing.rows.last().filter(|_| listing.more).map(|row| encode(&row.cursor()));
        let by_number = self.wants_total();
        PageFields {
            next_token: (self.is_by_token() || !self.is_by_number()).then(|| next.unwrap_or_default()),
            page_number: by_number.then(|| self.page_number.unwrap_or(1)),
            page_size: by_number.then_some(page.size),
            total_count: by_number.then_some(total),
        }
    }

    fn is_by_token(&self) -> bool {
        self.max_results.is_some() || self.next_token.is_some()
    }

    fn is_by_number(&self) -> bool {
        self.page_number.is_some() || self.page_size.is_some()
    }
}

fn encode(cursor: &Cursor) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", cursor.creation_time.millis(), cursor.id))
}

fn decode(token: &str) -> Option<Cursor> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (millis, id) = text.split_once('.')?;
    Some(Cursor { creation_time: Timestamp::from_millis(millis.parse().ok()?), id: id.to_owned() })
}

/// `Filter.N` of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyValue {
    #[serde(default)]
    pub key: String,
    #[serde(default)]
    pub value: String,
}

/// `Tag.N` of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    #[serde(default)]
    pub key: Option<String>,
    #[serde(default)]
    pub value: Option<String>,
}

/// Tags as most answers have them.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tags {
    pub tag: Vec<TagItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagItem {
    pub tag_key: String,
    pub tag_value: String,
}

impl From<Vec<TagRow>> for Tags {
    fn from(rows: Vec<TagRow>) -> Self {
        let item = |row: TagRow| TagItem { tag_key: row.tag_key, tag_value: row.tag_value };
        Self { tag: rows.into_iter().map(item).collect() }
    }
}

/// Tags to be set, checked; keys and values in the order sent.
///
/// # Errors
/// 400 `InvalidTagKey.Malformed`, `InvalidTagValue.Malformed`, `Duplicate.TagKey`.
pub fn tags_to_set(tags: &[Tag]) -> Result<Vec<(String, String)>, Fault> {
    let mut pairs: Vec<(String, String)> = Vec::with_capacity(tags.len());
    for tag in tags {
        let key = tag.key.as_deref().unwrap_or_default();
        let value = tag.value.as_deref().unwrap_or_default();
        if key.is_empty() || !is_tag_text(key) || ["acs:", "aliyun"].iter().any(|start| key.starts_with(start)) {
            return Err(fault("InvalidTagKey.Malformed"));
        }
        if !is_tag_text(value) {
            return Err(fault("InvalidTagValue.Malformed"));
        }
        if pairs.iter().any(|(known, _)| known == key) {
            return Err(fault("Duplicate.TagKey"));
        }
        pairs.push((key.to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

/// Refuses more tags on one resource than the quota allows.
///
/// # Errors
/// 403 `QuotaExceed.Tags`.
pub fn check_tag_quota(tx: &Tx<'_>, count: usize) -> Result<(), Fault> {
    if i64::try_from(count).unwrap_or(i64::MAX) > tx.config().quotas.tags {
        return Err(fault("QuotaExceed.Tags").with("The number of tags exceeds the quota."));
    }
    Ok(())
}

/// What deleting an id that is not there answers, decision 1: ignored where it existed and is gone, else `code`, unless
/// `choice` says otherwise.
///
/// # Errors
/// `code`.
pub async fn deleted_already(tx: &mut Tx<'_>, id: &str, choice: Unknown, code: &'static str) -> Result<Empty, Fault> {
    let ignored = match choice {
        Unknown::Ignore => true,
        Unknown::NotFound => false,
        Unknown::Idempotent => tombstones::remembers(tx, id).await?,
    };
    if ignored { Ok(Empty {}) } else { Err(fault(code)) }
}

/// Tags to filter by, checked: a key with an optional value each.
///
/// # Errors
/// 400 `InvalidTagCount`, `InvalidTag.Mismatch`.
pub fn tags_to_match(tags: &[Tag]) -> Result<Vec<(&str, Option<&str>)>, Fault> {
    if tags.len() > 20 {
        return Err(fault("InvalidTagCount"));
    }
    let mut pairs = Vec::with_capacity(tags.len());
    for Tag { key, value } in tags {
        let key = key.as_deref().ok_or_else(|| fault("InvalidTag.Mismatch"))?;
        pairs.push((key, value.as_deref()));
    }
    Ok(pairs)
}

/// Whether `text` may be the key or the value of a tag.
#[must_use]
pub fn is_tag_text(text: &str) -> bool {
    text.chars().count() <= 128 && !has_control(text) && !text.contains("http://") && !text.contains("https://")
}

/// Whether `name` may name a resource: 2 to 128 characters, a letter first, then letters, digits and `:_.-`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let rest = |c: char| c.is_alphanumeric() || matches!(c, ':' | '_' | '.' | '-');
    (2..=128).contains(&name.chars().count())
        && name.starts_with(char::is_alphabetic)
        && name.chars().all(rest)
        && !is_address(name)
}

/// Whether `text` may describe a resource: 2 to 256 characters, no address.
#[must_use]
pub fn is_description(text: &str) -> bool {
    (2..=256).contains(&text.chars().count()) && !is_address(text) && !has_control(text)
}

fn is_address(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// Control characters that XML cannot carry are refused wherever text is stored (decision 31).
fn has_control(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// Refuses a key that cannot encrypt or decrypt, decision 90; empty is the service's default key, which always can.
///
/// # Errors
/// `InvalidParameter.KMSKeyId.KMSUnauthorized`, `InvalidParameter.KMSKeyId.NotFound`,
/// `InvalidParameter.KMSKeyId.CMKNotEnabled`, `InvalidParameter.KMSKeyId.CMKUnauthorized`,
/// `InvalidKMSKeyId.NotSymmetric`.
pub fn check_kms_key(tx: &Tx<'_>, kms_key_id: &str) -> Result<(), Fault> {
    let keys = &tx.config().kms_keys;
    if kms_key_id.is_empty() {
        return Ok(());
    }
    if !tx.config().fidelity.kms_authorized {
        return Err(fault("InvalidParameter.KMSKeyId.KMSUnauthorized"));
    }
    if keys.is_empty() {
        return Ok(());
    }
    let is_callers = |account: &String| account == tx.account_id();
    let found = keys.iter().find(|key| key.id == kms_key_id && key.account.as_ref().is_none_or(is_callers));
    match found {
        None => Err(fault("InvalidParameter.KMSKeyId.NotFound")),
        Some(key) if key.state != KmsKeyState::Enabled => Err(fault("InvalidParameter.KMSKeyId.CMKNotEnabled")),
        Some(key) if !key.tagged => Err(fault("InvalidParameter.KMSKeyId.CMKUnauthorized")),
        Some(key) if !key.symmetric => Err(fault("InvalidKMSKeyId.NotSymmetric")),
        Some(_) => Ok(()),
    }
}

/// Refuses what costs money as long as the caller's account is in arrears (decision 179).
///
/// # Errors
/// `InvalidAccountStatus.NotEnoughBalance`.
pub fn check_balance(tx: &Tx<'_>) -> Result<(), Fault> {
    let is_in_arrears = tx.levers().arrears.has(tx.account_id());
    if is_in_arrears { Err(fault("InvalidAccountStatus.NotEnoughBalance")) } else { Ok(()) }
}

/// Refuses what needs the snapshot service as long as the caller's account has not opened it (decision 30) or does not
/// pay for it.
///
/// # Errors
/// 403 `InvalidAccountStatus.SnapshotServiceUnavailable`, `InvalidAccountStatus.NotEnoughBalance`.
pub async fn check_snapshot_service(tx: &mut Tx<'_>) -> Result<(), Fault> {
    check_balance(tx)?;
    if tx.config().fidelity.snapshot_service_open || snapshot_services::is_open(tx).await? {
        return Ok(());
    }
    Err(fault("InvalidAccountStatus.SnapshotServiceUnavailable"))
}

/// Refuses to touch an instance that is locked for security, and a disk that such an instance has (decision 160).
///
/// # Errors
/// `InstanceLockedForSecurity`.
pub fn check_unlocked(lock: Option<&str>) -> Result<(), Fault> {
    if lock == Some("security") { Err(fault("InstanceLockedForSecurity")) } else { Ok(()) }
}

/// What most actions call an instance that is not paid for.
pub const IN_ARREARS: &str = "InstanceExpiredOrInArrears";

/// As [`check_unlocked`], for an instance that is not paid for.
///
/// # Errors
/// `code`.
pub fn check_paid(lock: Option<&str>, code: &'static str) -> Result<(), Fault> {
    if lock == Some("financial") { Err(fault(code)) } else { Ok(()) }
}

/// Both [`check_unlocked`] and [`check_paid`].
///
/// # Errors
/// `InstanceLockedForSecurity`, `InstanceExpiredOrInArrears`.
pub fn check_unlocked_and_paid(lock: Option<&str>) -> Result<(), Fault> {
    check_unlocked(lock).and_then(|()| check_paid(lock, IN_ARREARS))
}

/// Whether this may be the id of a resource group: those are another product, so any is taken as given (decision 95).
#[must_use]
pub fn is_resource_group(id: &str) -> bool {
    id.starts_with("rg-") && id.is_ascii()
}

/// Refuses with `code` where a value is given that `is_fine` does not like.
///
/// # Errors
/// `code`.
pub fn check_given(value: Option<&str>, is_fine: fn(&str) -> bool, code: &'static str) -> Result<(), Fault> {
    if value.is_some_and(|text| !is_fine(text)) { Err(fault(code)) } else { Ok(()) }
}

/// Refuses with `code` where a value is given that is none of `allowed`; case is ignored.
///
/// # Errors
/// `code`.
pub fn check_one_of(value: Option<&str>, allowed: &[&str], code: &'static str) -> Result<(), Fault> {
    match value {
        Some(text) if !allowed.iter().any(|known| known.eq_ignore_ascii_case(text)) => Err(fault(code)),
        _ => Ok(()),
    }
}

/// The vendor's spelling, one of `allowed`, of a value that came in whatever case; `None` for one that is none of them,
/// such as the `all` of a filter.
#[must_use]
pub fn spelled(value: Option<&str>, allowed: &[&'static str]) -> Option<&'static str> {
    let value = value?;
    allowed.iter().copied().find(|known| known.eq_ignore_ascii_case(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PageLimits = PageLimits { default: 10, page_size: 100, max_results: 500 };

    #[test]
    fn max_results_is_clamped_and_page_size_is_refused() {
        let size = |paging: Paging<'_>| paging.page(LIMITS).map(|page| page.size);
        assert_eq!(size(Paging { max_results: Some(1), ..Paging::default() }).expect("clamped"), 10);
        assert_eq!(size(Paging { max_results: Some(9_999), ..Paging::default() }).expect("clamped"), 500);
        for bad in [0, 101, -1] {
            let refused = size(Paging { page_size: Some(bad), ..Paging::default() });
            assert_eq!(refused.expect_err("out of range").code(), "InvalidParameter");
        }
    }

    #[test]
    fn a_cursor_survives_its_token() {
        let cursor = Cursor { creation_time: Timestamp::from_millis(-5), id: "s-bp1.x".to_owned() };
        assert_eq!(decode(&encode(&cursor)), Some(cursor));
        for bad in ["", "!", "AAAA", "MTIz"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_follow_the_documented_rule() {
        for good in ["ab", "快照1", "a:b_c.d-e"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["a", "1ab", "a b", "http://x", "ab\u{7}", &"a".repeat(129)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
