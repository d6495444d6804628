//! CreateAutoSnapshotPolicy: its values, the quota, and the policy that applies to nothing yet.

use serde::{Deserialize, Serialize};

use super::set_timer;
use super::values::{self, Copies, CopyEncryption, Meanings};
use crate::api::action::Action;
use crate::api::common::{
    Tag, check_given, check_kms_key, check_snapshot_service, check_tag_quota, is_resource_group, spelled, tags_to_set,
};
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::policies::{self, Policy};
use crate::store::policy_associations;
use crate::store::tags::{self, ResourceType, Tagged};
use crate::store::tx::Tx;
use crate::wire::params::JsonList;

/// Makes a policy that takes snapshots at hours of days of the week.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateAutoSnapshotPolicy {
    #[serde(rename = "autoSnapshotPolicyName")]
    auto_snapshot_policy_name: Option<String>,
    #[serde(rename = "timePoints")]
    time_points: String,
    #[serde(rename = "repeatWeekdays")]
    repeat_weekdays: String,
    #[serde(rename = "retentionDays")]
    retention_days: String,
    #[serde(default)]
    enable_cross_region_copy: bool,
    #[serde(default)]
    target_copy_regions: JsonList<String>,
    copied_snapshots_retention_days: Option<i64>,
    copy_encryption_configuration: Option<CopyEncryption>,
    association_type: Option<String>,
    #[serde(default)]
    target_tags: Vec<Tag>,
    resource_group_id: Option<String>,
    #[serde(default)]
    tag: Vec<Tag>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Created {
    auto_snapshot_policy_id: String,
}

const MEANINGS: Meanings = Meanings { weekdays: 1, time_points: 2, retention_days: 3 };
const OF_DISKS: &str = "AssociatedWithDisk";
const ASSOCIATION_TYPES: [&str; 2] = [OF_DISKS, "AssociatedWithInstanceTag"];

impl Action for CreateAutoSnapshotPolicy {
    const NAME: &'static str = "CreateAutoSnapshotPolicy";
    const UNKNOWN_REGION: &'static str = "ParameterInvalid";
    const MALFORMED: &'static [(&'static str, &'static str)] = &[
        ("TargetCopyRegions", "InvalidParameter.TargetCopyRegions"),
        ("CopiedSnapshotsRetentionDays", "InvalidParameter.CopiedSnapshotsRetentionDays"),
    ];
    type Response = Created;

    fn check(&self) -> Result<(), Fault> {
        check_given(self.resource_group_id.as_deref(), is_resource_group, "InvalidResourceGroup.NotFound")?;
        values::check_name(self.auto_snapshot_policy_name.as_deref())?;
        values::time_points(&self.time_points, MEANINGS)?;
        values::weekdays(&self.repeat_weekdays, MEANINGS)?;
        values::retention_days(&self.retention_days, MEANINGS)?;
        let association_type = self.association_type()?;
        // Documented: an association by tags needs some, and they mean nothing to any other.
        match (association_type == OF_DISKS, values::target_tags(&self.target_tags)?.is_empty()) {
            (true, false) => return Err(Fault::invalid("TargetTags")),
            (false, true) => return Err(Fault::missing("TargetTags")),
            _ => {}
        }
        tags_to_set(&self.tag).map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Created, Fault> {
        // Checks
        check_snapshot_service(tx).await?;
        let region_id = tx.region().id;
        let policy = self.policy_of(tx, region_id)?;
        check_kms_key(tx, &policy.copy_kms_key_id)?;
        let tags = tags_to_set(&self.tag)?;
        check_tag_quota(tx, tags.len())?;
        if policies::count(tx, region_id).await? >= tx.config().quotas.policies {
            return Err(fault("AutoSnapshotPolicy.QuotaExceed"));
        }
        // Effect
        let id = &policy.auto_snapshot_policy_id;
        policies::insert(tx, &policy).await?;
        policies::set_time_points(tx, id, &values::time_points(&self.time_points, MEANINGS)?).await?;
        policies::set_weekdays(tx, id, &values::weekdays(&self.repeat_weekdays, MEANINGS)?).await?;
        policies::set_target_tags(tx, id, &values::target_tags(&self.target_tags)?).await?;
        // Only the stored tags tell which disks they meet; a refusal takes all back.
        if policy_associations::meets_ephemeral_disks_alone(tx, id).await? {
            return Err(fault("DiskCategory.OperationNotSupported"));
        }
        set_timer(tx, id).await?;
        tags::set(tx, &Tagged::new(ResourceType::SnapshotPolicy, policy.subject(), policy.creation_time), &tags)
            .await?;
        Ok(Created { auto_snapshot_policy_id: policy.auto_snapshot_policy_id })
    }
}

impl CreateAutoSnapshotPolicy {
    fn association_type(&self) -> Result<&'static str, Fault> {
        match &self.association_type {
            None => Ok(OF_DISKS),
            Some(text) => spelled(Some(text), &ASSOCIATION_TYPES).ok_or_else(|| Fault::invalid("AssociationType")),
        }
    }

    fn policy_of(&self, tx: &mut Tx<'_>, region_id: &str) -> Result<Policy, Fault> {
        let encryption = self.copy_encryption_configuration.as_ref();
        let copies = Copies {
            is_enabled: self.enable_cross_region_copy,
            target_region: &values::target_region(&self.target_copy_regions.0, region_id)?,
            retention_days: self.copied_snapshots_retention_days.unwrap_or(-1),
            is_encrypted: encryption.and_then(|given| given.encrypted).unwrap_or(false),
            kms_key_id: encryption.and_then(|given| given.kms_key_id.as_deref()).unwrap_or_default(),
        };
        copies.check()?;
        Ok(Policy {
            auto_snapshot_policy_id: tx.new_id(IdKind::AutoSnapshotPolicy, region_id),
            account_id: tx.account_id().to_owned(),
            region_id: region_id.to_owned(),
            auto_snapshot_policy_name: self.auto_snapshot_policy_name.clone().unwrap_or_default(),
            association_type: self.association_type()?.to_owned(),
            retention_days: values::retention_days(&self.retention_days, MEANINGS)?,
            enable_cross_region_copy: copies.is_enabled.into(),
            target_copy_region: copies.target_region.to_owned(),
            copied_snapshots_retention_days: copies.retention_days,
            copy_encrypted: copies.is_encrypted.into(),
            copy_kms_key_id: copies.kms_key_id.to_owned(),
            resource_group_id: self.resource_group_id.clone().unwrap_or_default(),
            creation_time: tx.now,
        })
    }
}
