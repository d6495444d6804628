//! JoinResourceGroup: which group a resource is in; the groups are another product's and taken as given.

use serde::Deserialize;

use super::resource_type;
use crate::api::action::Action;
use crate::api::common::{Empty, check_given, is_resource_group};
use crate::faults::{Fault, fault};
use crate::store::row_locks::RowLocks;
use crate::store::tx::Tx;
use crate::store::{resource_groups, tags};

/// Moves a resource into another resource group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JoinResourceGroup {
    resource_type: String,
    resource_id: String,
    resource_group_id: String,
}

impl Action for JoinResourceGroup {
    const NAME: &'static str = "JoinResourceGroup";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        resource_type(&self.resource_type)?;
        check_given(Some(&self.resource_group_id), is_resource_group, "InvalidResourceGroup.NotFound")
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.resource_id)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        let kind = resource_type(&self.resource_type)?;
        let Some(found) = tags::resource(tx, kind, &self.resource_id).await? else {
            return Err(fault("InvalidResourceId.NotFound"));
        };
        resource_groups::join(tx, &found.tagged(kind, &self.resource_id), &self.resource_group_id).await?;
        Ok(Empty {})
    }
}
