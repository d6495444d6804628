//! Operation locks of instances, set and taken away from outside; what they forbid is the affair of each action.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Named, Problem, Refusal, Removed};
use crate::App;
use crate::actions::instances::LOCK_REASONS;
use crate::faults::Fault;
use crate::store::Operation;
use crate::store::operation_locks::{self, OperationLock};
use crate::store::operator_locks;
use crate::store::row_locks::RowLocks;
use crate::store::tx::{Context, Tx};

/// Why an instance is locked, as the vendor tells it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceLock {
    /// The id of an instance.
    pub instance: String,
    /// security, financial, recycling, dedicatedhostfinancial or refunded. The first two forbid calls, with
    /// InstanceLockedForSecurity and InstanceExpiredOrInArrears; all are shown.
    #[serde(default = "security")]
    pub reason: String,
    /// What the owner of the instance reads.
    #[serde(default)]
    pub message: String,
}

fn security() -> String {
    "security".to_owned()
}

impl From<OperationLock> for InstanceLock {
    fn from(lock: OperationLock) -> Self {
        Self { instance: lock.instance_id, reason: lock.lock_reason, message: lock.lock_msg }
    }
}

/// Which locks of an instance are meant.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Those for this reason; absent for all.
    reason: Option<String>,
}

/// Locks an instance as the vendor does. Once more for the same reason changes the message.
#[utoipa::path(post, path = "/operation-locks", request_body = InstanceLock,
    responses((status = 201, body = InstanceLock), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn set(
    State(app): State<Arc<App>>,
    lock: Result<Json<InstanceLock>, JsonRejection>,
) -> Result<(StatusCode, Json<InstanceLock>), Refusal> {
    let Json(lock) = lock?;
    if !LOCK_REASONS.contains(&lock.reason.as_str()) {
        return Err(Refusal::bad(format!("reason: one of {}", LOCK_REASONS.join(", "))));
    }
    if app.store.write(Context::engine(), RowLocks::none(), Set(lock.clone())).await? {
        Ok((StatusCode::CREATED, Json(lock)))
    } else {
        Err(Refusal::absent(format!("{}: no such instance", lock.instance)))
    }
}

/// Lists the operation locks of all instances.
#[utoipa::path(get, path = "/operation-locks", responses((status = 200, body = [InstanceLock])))]
pub async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<InstanceLock>>, Refusal> {
    let locks = app.store.read(&Context::engine(), &All).await?;
    Ok(Json(locks.into_iter().map(InstanceLock::from).collect()))
}

/// Unlocks an instance.
#[utoipa::path(delete, path = "/operation-locks/{instance}",
    params(("instance" = String, Path, description = "Its id"), Which),
    responses((status = 200, body = Removed), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn remove(
    State(app): State<Arc<App>>,
    Named(instance): Named<String>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Removed>, Refusal> {
    let Query(Which { reason }) = which?;
    let clear = Clear { instance: Some(instance.clone()), reason };
    let removed = app.store.write(Context::engine(), RowLocks::none(), clear).await?;
    if removed == 0 {
        Err(Refusal::absent(format!("{instance} is not locked so")))
    } else {
        Ok(Json(Removed { removed }))
    }
}

/// Unlocks all instances.
#[utoipa::path(delete, path = "/operation-locks", responses((status = 200, body = Removed)))]
pub async fn clear(State(app): State<Arc<App>>) -> Result<Json<Removed>, Refusal> {
    let all = Clear { instance: None, reason: None };
    let removed = app.store.write(Context::engine(), RowLocks::none(), all).await?;
    Ok(Json(Removed { removed }))
}

struct Set(InstanceLock);

impl Operation for Set {
    /// Whether there is such an instance.
    type Output = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, Fault> {
        let Self(InstanceLock { instance, reason, message }) = self;
        if !instance.starts_with("i-") || operator_locks::owner_of(tx, instance).await?.is_none() {
            return Ok(false);
        }
        let lock =
            OperationLock { instance_id: instance.clone(), lock_reason: reason.clone(), lock_msg: message.clone() };
        operation_locks::set(tx, &lock).await?;
        Ok(true)
    }
}

struct All;

impl Operation for All {
    type Output = Vec<OperationLock>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, Fault> {
        operation_locks::list(tx).await
    }
}

struct Clear {
    instance: Option<String>,
    reason: Option<String>,
}

impl Operation for Clear {
    type Output = usize;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<usize, Fault> {
        operation_locks::clear(tx, self.instance.as_deref(), self.reason.as_deref()).await
    }
}
