//! Automatic snapshot policies and disks: applied, cancelled and listed; no SQL, no transport, no schedule.

use serde::{Deserialize, Serialize};

use crate::api::action::{Action, Entry, read, write};
use crate::api::common::{Empty, PageLimits, Paging, check_snapshot_service};
use crate::faults::{Fault, fault};
use crate::store::disks::{self, Disk};
use crate::store::filter::{self, Filter, Listing};
use crate::store::policies::{self, Policy};
use crate::store::policy_associations::{self as associations, Association, OfDisk, OfPolicy};
use crate::store::tx::Tx;

pub static ACTIONS: [Entry; 3] = [
    write::<ApplyAutoSnapshotPolicy>(),
    write::<CancelAutoSnapshotPolicy>(),
    read::<DescribeAutoSnapshotPolicyAssociations>(),
];

const MOST_DISKS: usize = 100;

/// The ids of a JSON array, each once; `None` where it is no list of one to a hundred ids.
fn disk_ids(text: &str) -> Option<Vec<String>> {
    let mut ids: Vec<String> = Vec::new();
    for id in serde_json::from_str::<Vec<String>>(text).ok()? {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    (1..=MOST_DISKS).contains(&ids.len()).then_some(ids)
}

/// Applies a policy to disks: to all or to none.
#[derive(Debug, Deserialize)]
pub struct ApplyAutoSnapshotPolicy {
    #[serde(rename = "autoSnapshotPolicyId")]
    auto_snapshot_policy_id: String,
    /// A JSON array; no `JsonList`, as the code for a bad one has several texts.
    #[serde(rename = "diskIds")]
    disk_ids: String,
}

impl ApplyAutoSnapshotPolicy {
    // The meanings of ParameterInvalid behind that of an unknown region.
    const UNSUITABLE_POLICY: usize = 1;
    const BAD_DISKS: usize = 2;
    const POLICY_ELSEWHERE: usize = 4;

    fn disk_ids(&self) -> Result<Vec<String>, Fault> {
        disk_ids(&self.disk_ids).ok_or_else(|| fault("ParameterInvalid").variant(Self::BAD_DISKS))
    }

    async fn policy(&self, tx: &mut Tx<'_>) -> Result<Policy, Fault> {
        let Some(policy) = policies::find_of_account(tx, &self.auto_snapshot_policy_id).await? else {
            return Err(fault("InvalidAutoSnapshotPolicyId.NotFound"));
        };
        if tx.named_region().is_some_and(|named| named != policy.region_id) {
            return Err(fault("ParameterInvalid").variant(Self::POLICY_ELSEWHERE));
        }
        // One that goes by the tags of instances finds its disks by itself.
        if !policy.is_of_disks() {
            return Err(fault("ParameterInvalid").variant(Self::UNSUITABLE_POLICY));
        }
        Ok(policy)
    }
}

impl Action for ApplyAutoSnapshotPolicy {
    const NAME: &'static str = "ApplyAutoSnapshotPolicy";
    const UNKNOWN_REGION: &'static str = "ParameterInvalid";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        self.disk_ids().map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        check_snapshot_service(tx).await?;
        let policy = self.policy(tx).await?;
        let ids = self.disk_ids()?;
        let disks = disks_in(tx, &ids, Some(&policy.region_id)).await?;
        match disks.iter().filter(|disk| disk.is_ephemeral()).count() {
            0 => {}
            count if count == disks.len() => return Err(fault("DiskCategory.OperationNotSupported")),
            _ => return Err(fault("PartofDiskCategory.OperationNotSupported")),
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let known = associations::applied_to(tx, &ids).await?;
        let quota = tx.config().quotas.policies_per_disk;
        // Effect, of which nothing stays when a later disk is refused
        for disk in &disks {
            let own: Vec<_> = known.iter().filter(|known| known.disk_id == disk.disk_id).collect();
            if own.iter().any(|known| known.auto_snapshot_policy_id == policy.auto_snapshot_policy_id) {
                continue;
            }
            make_room(tx, disk, &own, quota).await?;
            associations::apply(tx, &policy.auto_snapshot_policy_id, disk).await?;
        }
        Ok(Empty {})
    }
}

/// Where a disk has one policy at most, the new one takes the place of the old one; else there has to be room for it.
async fn make_room(tx: &mut Tx<'_>, disk: &Disk, own: &[&Association], quota: i64) -> Result<(), Fault> {
    if quota == 1 {
        for old in own {
            associations::cancel(tx, &old.auto_snapshot_policy_id, disk).await?;
        }
        return Ok(());
    }
    if i64::try_from(own.len()).unwrap_or(i64::MAX) >= quota {
        let refusal = fault("QuotaExceed.AppliedAutoSnapshotPolicyQuota");
        return Err(refusal.with(&disk.disk_id).with(quota.to_string()));
    }
    Ok(())
}

/// The disks with these ids, in the region if one is given.
async fn disks_in(tx: &mut Tx<'_>, ids: &[String], region_id: Option<&str>) -> Result<Vec<Disk>, Fault> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let disk = disks::find(tx, id).await?.map(|found| found.disk);
        let disk = disk.filter(|disk| region_id.is_none_or(|region| region == disk.region_id));
        found.push(disk.ok_or_else(|| fault("InvalidDiskId.NotFound"))?);
    }
    Ok(found)
}

/// Lets a policy, or the only one, no longer apply to disks: to all or to none. What did not apply is no error.
#[derive(Debug, Deserialize)]
pub struct CancelAutoSnapshotPolicy {
    #[serde(rename = "diskIds")]
    disk_ids: String,
    #[serde(rename = "autoSnapshotPolicyId")]
    auto_snapshot_policy_id: Option<String>,
}

impl CancelAutoSnapshotPolicy {
    /// The meaning of ParameterInvalid behind that of an unknown region.
    const BAD_DISKS: usize = 1;

    fn disk_ids(&self) -> Result<Vec<String>, Fault> {
        disk_ids(&self.disk_ids).ok_or_else(|| fault("ParameterInvalid").variant(Self::BAD_DISKS))
    }
}

impl Action for CancelAutoSnapshotPolicy {
    const NAME: &'static str = "CancelAutoSnapshotPolicy";
    const UNKNOWN_REGION: &'static str = "ParameterInvalid";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        self.disk_ids().map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        if let Some(id) = &self.auto_snapshot_policy_id
            && policies::find(tx, id).await?.is_none()
        {
            return Err(fault("InvalidAutoSnapshotPolicyId.NotFound"));
        }
        let ids = self.disk_ids()?;
        let disks = disks_in(tx, &ids, None).await?;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let known = associations::applied_to(tx, &ids).await?;
        let of = |disk: &Disk| known.iter().filter(|known| known.disk_id == disk.disk_id).collect::<Vec<_>>();
        if self.auto_snapshot_policy_id.is_none()
            && let Some(disk) = disks.iter().find(|disk| of(disk).len() > 1)
        {
            return Err(fault("OperationDenied.TooManyAutoSnapshotPolicies").with(&disk.disk_id));
        }
        // Effect
        for disk in &disks {
            for association in of(disk) {
                let policy_id = &association.auto_snapshot_policy_id;
                if self.auto_snapshot_policy_id.as_ref().is_none_or(|meant| meant == policy_id) {
                    associations::cancel(tx, policy_id, disk).await?;
                }
            }
        }
        Ok(Empty {})
    }
}

/// Lists the disks of a policy or the policies of a disk, newest first, in pages by token.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeAutoSnapshotPolicyAssociations {
    auto_snapshot_policy_id: Option<String>,
    disk_id: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

const LIMITS: PageLimits = PageLimits { default: 10, page_size: 100, max_results: 100 };

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    next_token: String,
    auto_snapshot_policy_associations: Items,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    auto_snapshot_policy_association: Vec<Item>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    auto_snapshot_policy_id: String,
    disk_id: String,
}

impl Action for DescribeAutoSnapshotPolicyAssociations {
    const NAME: &'static str = "DescribeAutoSnapshotPolicyAssociations";
    type Response = Described;

    fn check(&self) -> Result<(), Fault> {
        match (&self.auto_snapshot_policy_id, &self.disk_id) {
            (None, None) => Err(fault("MissingParameter.AutoSnapshotPolicyIdOrDiskId")),
            (Some(_), Some(_)) => Err(fault("ParameterConflict.AutoSnapshotPolicyIdAndDiskId")),
            _ => self.paging().page(LIMITS).map(drop),
        }
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Described, Fault> {
        let paging = self.paging();
        let page = paging.page(LIMITS)?;
        let mut filter = Filter::default();
        if let Some(policy_id) = &self.auto_snapshot_policy_id {
            if policies::find(tx, policy_id).await?.is_none() {
                return Err(fault("InvalidAutoSnapshotPolicyId.NotFound"));
            }
            filter.is("auto_snapshot_policy_id", policy_id.as_str());
            let listing = filter::list::<OfPolicy>(tx, &associations::OF_POLICY, &filter, &page).await?;
            let next_token = paging.fields(&page, &listing, 0).next_token;
            return Ok(described(next_token, listing, |row| row.association));
        }
        let disk_id = self.disk_id.as_deref().unwrap_or_default();
        if disks::find(tx, disk_id).await?.is_none() {
            return Err(fault("InvalidDiskId.NotFound"));
        }
        filter.is("disk_id", disk_id);
        let listing = filter::list::<OfDisk>(tx, &associations::OF_DISK, &filter, &page).await?;
        let next_token = paging.fields(&page, &listing, 0).next_token;
        Ok(described(next_token, listing, |row| row.association))
    }
}

impl DescribeAutoSnapshotPolicyAssociations {
    fn paging(&self) -> Paging<'_> {
        Paging { max_results: self.max_results, next_token: self.next_token.as_deref(), ..Paging::default() }
    }
}

fn described<T>(next_token: Option<String>, listing: Listing<T>, association: fn(T) -> Association) -> Described {
    let item = |Association { auto_snapshot_policy_id, disk_id, .. }| Item { auto_snapshot_policy_id, disk_id };
    let items = listing.rows.into_iter().map(association).map(item);
    Described {
        next_token: next_token.unwrap_or_default(),
        auto_snapshot_policy_associations: Items { auto_snapshot_policy_association: items.collect() },
    }
}
