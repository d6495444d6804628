//! ModifyAutoSnapshotPolicyEx: what is given replaces what was; the disks of the policy follow it from then on.

use serde::Deserialize;

use super::set_timer;
use super::values::{self, Copies, CopyEncryption, Meanings};
use crate::api::action::Action;
use crate::api::common::{Empty, Tag, check_kms_key};
use crate::faults::{Fault, fault};
use crate::store::policies::{self, Policy};
use crate::store::tx::Tx;
use crate::wire::params::JsonList;

/// Changes a policy.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyAutoSnapshotPolicyEx {
    #[serde(rename = "autoSnapshotPolicyId")]
    auto_snapshot_policy_id: String,
    #[serde(rename = "autoSnapshotPolicyName")]
    auto_snapshot_policy_name: Option<String>,
    #[serde(rename = "timePoints")]
    time_points: Option<String>,
    #[serde(rename = "repeatWeekdays")]
    repeat_weekdays: Option<String>,
    #[serde(rename = "retentionDays")]
    retention_days: Option<String>,
    enable_cross_region_copy: Option<bool>,
    target_copy_regions: Option<JsonList<String>>,
    copied_snapshots_retention_days: Option<i64>,
    copy_encryption_configuration: Option<CopyEncryption>,
    #[serde(default)]
    target_tags: Vec<Tag>,
}

/// The vendor's own rows come first: an unknown region, then an unknown policy.
const MEANINGS: Meanings = Meanings { weekdays: 2, time_points: 3, retention_days: 4 };
const UNKNOWN_POLICY: usize = 1;

impl Action for ModifyAutoSnapshotPolicyEx {
    const NAME: &'static str = "ModifyAutoSnapshotPolicyEx";
    const UNKNOWN_REGION: &'static str = "ParameterInvalid";
    const MALFORMED: &'static [(&'static str, &'static str)] = &[
        ("TargetCopyRegions", "InvalidParameter.TargetCopyRegions"),
        ("CopiedSnapshotsRetentionDays", "InvalidParameter.CopiedSnapshotsRetentionDays"),
    ];
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        values::check_name(self.auto_snapshot_policy_name.as_deref())?;
        self.given_time_points()?;
        self.given_weekdays()?;
        self.given_retention_days()?;
        values::target_tags(&self.target_tags).map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let Some(policy) = policies::find(tx, &self.auto_snapshot_policy_id).await? else {
            return Err(fault("ParameterInvalid").variant(UNKNOWN_POLICY));
        };
        let target_tags = values::target_tags(&self.target_tags)?;
        if policy.is_of_disks() && !target_tags.is_empty() {
            return Err(Fault::invalid("TargetTags"));
        }
        let policy = self.changed(policy)?;
        check_kms_key(tx, &policy.copy_kms_key_id)?;
        // Effect
        let id = &policy.auto_snapshot_policy_id;
        policies::update(tx, &policy).await?;
        if let Some(hours) = self.given_time_points()? {
            policies::set_time_points(tx, id, &hours).await?;
        }
        if let Some(days) = self.given_weekdays()? {
            policies::set_weekdays(tx, id, &days).await?;
        }
        if !target_tags.is_empty() {
            policies::set_target_tags(tx, id, &target_tags).await?;
        }
        set_timer(tx, id).await?;
        Ok(Empty {})
    }
}

impl ModifyAutoSnapshotPolicyEx {
    fn given_time_points(&self) -> Result<Option<Vec<i64>>, Fault> {
        self.time_points.as_deref().map(|text| values::time_points(text, MEANINGS)).transpose()
    }

    fn given_weekdays(&self) -> Result<Option<Vec<i64>>, Fault> {
        self.repeat_weekdays.as_deref().map(|text| values::weekdays(text, MEANINGS)).transpose()
    }

    fn given_retention_days(&self) -> Result<Option<i64>, Fault> {
        self.retention_days.as_deref().map(|text| values::retention_days(text, MEANINGS)).transpose()
    }

    /// The policy as it will be; what is given has to fit what stays.
    fn changed(&self, mut policy: Policy) -> Result<Policy, Fault> {
        if let Some(name) = &self.auto_snapshot_policy_name {
            policy.auto_snapshot_policy_name.clone_from(name);
        }
        policy.retention_days = self.given_retention_days()?.unwrap_or(policy.retention_days);
        policy.enable_cross_region_copy =
            self.enable_cross_region_copy.map_or(policy.enable_cross_region_copy, Into::into);
        if let Some(JsonList(regions)) = &self.target_copy_regions {
            policy.target_copy_region = values::target_region(regions, &policy.region_id)?;
        }
        policy.copied_snapshots_retention_days =
            self.copied_snapshots_retention_days.unwrap_or(policy.copied_snapshots_retention_days);
        if let Some(given) = &self.copy_encryption_configuration {
            policy.copy_encrypted = given.encrypted.map_or(policy.copy_encrypted, Into::into);
            // A key goes with the encryption that it was for.
            let kept = if given.encrypted == Some(false) { String::new() } else { policy.copy_kms_key_id };
            policy.copy_kms_key_id = given.kms_key_id.clone().unwrap_or(kept);
        }
        let copies = Copies {
            is_enabled: policy.enable_cross_region_copy.into(),
            target_region: &policy.target_copy_region,
            retention_days: policy.copied_snapshots_retention_days,
            is_encrypted: policy.copy_encrypted.into(),
            kms_key_id: &policy.copy_kms_key_id,
        };
        copies.check()?;
        Ok(policy)
    }
}
