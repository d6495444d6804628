//! What CreateAutoSnapshotPolicy and ModifyAutoSnapshotPolicyEx read alike: hours, days, retention, copies and target tags.

use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::Value;

use crate::api::common::{Tag, is_name, tags_to_set};
use crate::faults::{Fault, fault};
use crate::regions;

/// The meanings of ParameterInvalid, by their place in the table of an action.
#[derive(Clone, Copy)]
pub struct Meanings {
    pub weekdays: usize,
    pub time_points: usize,
    pub retention_days: usize,
}

const FOR_EVER: i64 = -1;
const DAYS: RangeInclusive<i64> = 1..=65_536;
const DAYS_OF_COPIES: RangeInclusive<i64> = 1..=65_535;
const MOST_TARGET_TAGS: usize = 10;

/// The hours of the day of `["0", "23"]`, in order.
///
/// # Errors
/// `ParameterInvalid`.
pub fn time_points(text: &str, meanings: Meanings) -> Result<Vec<i64>, Fault> {
    numbers(text, 0..=23).ok_or_else(|| fault("ParameterInvalid").variant(meanings.time_points))
}

/// The days of the week of `["1", "7"]`, in order.
///
/// # Errors
/// `ParameterInvalid`.
pub fn weekdays(text: &str, meanings: Meanings) -> Result<Vec<i64>, Fault> {
    numbers(text, 1..=7).ok_or_else(|| fault("ParameterInvalid").variant(meanings.weekdays))
}

/// Days, or -1 for ever.
///
/// # Errors
/// `ParameterInvalid`.
pub fn retention_days(text: &str, meanings: Meanings) -> Result<i64, Fault> {
    let days = text.parse().ok().filter(|days| *days == FOR_EVER || DAYS.contains(days));
    days.ok_or_else(|| fault("ParameterInvalid").variant(meanings.retention_days))
}

/// A JSON array of numbers, as such or as text, each once and in the range.
fn numbers(text: &str, allowed: RangeInclusive<i64>) -> Option<Vec<i64>> {
    let values: Vec<Value> = serde_json::from_str(text).ok()?;
    let number = |value: &Value| match value {
        Value::String(digits) => digits.parse().ok(),
        other => other.as_i64(),
    };
    let mut numbers = values.iter().map(number).collect::<Option<Vec<i64>>>()?;
    numbers.sort_unstable();
    let is_fine = !numbers.is_empty()
        && numbers.iter().all(|number| allowed.contains(number))
        && numbers.windows(2).all(|pair| pair[0] < pair[1]);
    is_fine.then_some(numbers)
}

/// Refuses a name that no policy may have.
///
/// # Errors
/// 400 `InvalidSnapshotPolicyName.Malformed`.
pub fn check_name(name: Option<&str>) -> Result<(), Fault> {
    if name.is_some_and(|name| !is_name(name)) { Err(fault("InvalidSnapshotPolicyName.Malformed")) } else { Ok(()) }
}

/// `CopyEncryptionConfiguration`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CopyEncryption {
    pub encrypted: Option<bool>,
    #[serde(rename = "KMSKeyId")]
    pub kms_key_id: Option<String>,
}

/// Where the snapshots of a policy are copied to, as it will be.
pub struct Copies<'a> {
    pub is_enabled: bool,
    pub target_region: &'a str,
    pub retention_days: i64,
    pub is_encrypted: bool,
    pub kms_key_id: &'a str,
}

impl Copies<'_> {
    /// # Errors
    /// `InvalidParameter.TargetCopyRegions`, `InvalidParameter.CopiedSnapshotsRetentionDays`,
    /// `InvalidParameter.EncryptedIllegal`.
    pub fn check(&self) -> Result<(), Fault> {
        if self.is_enabled && self.target_region.is_empty() {
            return Err(fault("InvalidParameter.TargetCopyRegions"));
        }
        if self.retention_days != FOR_EVER && !DAYS_OF_COPIES.contains(&self.retention_days) {
            return Err(fault("InvalidParameter.CopiedSnapshotsRetentionDays"));
        }
        if !self.is_encrypted && !self.kms_key_id.is_empty() {
            return Err(fault("InvalidParameter.EncryptedIllegal"));
        }
        Ok(())
    }
}

/// The one region to copy to, empty for none: another one than the policy's.
///
/// # Errors
/// `InvalidParameter.TargetCopyRegions`.
pub fn target_region(regions: &[String], own: &str) -> Result<String, Fault> {
    match regions {
        [] => Ok(String::new()),
        [region] if region != own && regions::find(region).is_some() => Ok(region.clone()),
        _ => Err(fault("InvalidParameter.TargetCopyRegions")),
    }
}

/// The tags that instances have to carry: none, or some with a key each.
///
/// # Errors
/// `InvalidParameter`, as the codes of tags speak of the policy's own.
pub fn target_tags(tags: &[Tag]) -> Result<Vec<(String, String)>, Fault> {
    if tags.len() > MOST_TARGET_TAGS {
        return Err(Fault::invalid("TargetTags"));
    }
    tags_to_set(tags).map_err(|_| Fault::invalid("TargetTags"))
}
