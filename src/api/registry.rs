//! The list of all actions, by family; the router, the action list and the contract tests read only this.

use crate::actions;
use crate::api::action::{ECS, Entry};

/// One slice for each file of `actions/`.
static FAMILIES: &[&[Entry]] = &[
    &actions::snapshots::ACTIONS,
    &actions::snapshot_groups::ACTIONS,
    &actions::auto_snapshot_policies::ACTIONS,
    &actions::policy_associations::ACTIONS,
    &actions::snapshot_copies::ACTIONS,
    &actions::snapshot_locks::ACTIONS,
    &actions::snapshot_usage::ACTIONS,
    &actions::disks::ACTIONS,
    &actions::disk_attachments::ACTIONS,
    &actions::disk_changes::ACTIONS,
    &actions::disk_specs::ACTIONS,
    &actions::images::ACTIONS,
    &actions::image_copies::ACTIONS,
    &actions::image_shares::ACTIONS,
    &actions::instances::ACTIONS,
    &actions::tags::ACTIONS,
    &actions::regions::ACTIONS,
    &actions::tasks::ACTIONS,
    &actions::account::ACTIONS,
    &actions::neighbours::ACTIONS,
];

/// The action of this name in this version of the API.
#[must_use]
pub fn find(version: &str, name: &str) -> Option<&'static Entry> {
    all().find(|entry| entry.name == name && entry.version == version)
}

/// Actions of the vendor's ECS that this daemon does not have: the names of its Java SDK 5.3.0, and `ImportSnapshot`.
const NOT_EMULATED: &str = include_str!("../../contract/not_emulated.txt");

/// Whether the vendor has an action of this name and version, and this daemon has not.
#[must_use]
pub fn is_not_emulated(version: &str, name: &str) -> bool {
    version == ECS && NOT_EMULATED.lines().any(|known| known == name)
}

/// Whether any action has this version.
#[must_use]
pub fn has_version(version: &str) -> bool {
    all().any(|entry| entry.version == version)
}

/// Every action, family by family.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    FAMILIES.iter().copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::{ECS, NOT_EMULATED, find};

    #[test]
    fn what_is_not_emulated_is_not_served() {
        assert!(NOT_EMULATED.lines().all(|name| find(ECS, name).is_none()));
    }
}
