//! Row locks held, released and listed from outside; what they forbid is the affair of each action.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Named, Problem, Refusal, Removed};
use crate::App;
use crate::faults::{Fault, fault};
use crate::store::Operation;
use crate::store::operator_locks::{self, PREFIX, StoredLock};
use crate::store::row_locks::{InFlight, Mode, RowLocks};
use crate::store::tx::{Context, Tx};

/// How a row is held.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LockMode {
    /// Others may hold it shared as well; whatever changes it is refused.
    Shared,
    /// Nobody else holds it; whatever changes it or makes something from it is refused.
    #[default]
    Exclusive,
}

impl From<LockMode> for Mode {
    fn from(mode: LockMode) -> Self {
        match mode {
            LockMode::Shared => Self::Shared,
            LockMode::Exclusive => Self::Exclusive,
        }
    }
}

/// A lock to be held.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLock {
    /// The id of a snapshot, a disk, an image or an instance.
    pub resource: String,
    /// What it is to be called; no two locks have the same name. [default: the id of the resource]
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub mode: LockMode,
    /// The account that must have the resource; absent for whichever has it.
    #[serde(default)]
    pub account: Option<String>,
    /// It is released after so many milliseconds on the clock of the resources; absent for never.
    #[serde(default)]
    pub expires_ms: Option<i64>,
}

/// A row that is held.
#[derive(Serialize, ToSchema)]
pub struct LockItem {
    resource: String,
    /// The name of an operator's lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The id of what is being made, for a lock of the daemon's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<String>,
    mode: String,
    /// On the clock of the resources, UTC.
    acquired_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// A row that calls hold at this moment.
#[derive(Serialize, ToSchema)]
pub struct InFlightItem {
    account: String,
    resource: String,
    mode: &'static str,
}

/// All that is held.
#[derive(Serialize, ToSchema)]
pub struct LockList {
    /// By operators, and by what is under way; a restart keeps them.
    stored: Vec<LockItem>,
    /// By calls that are being served.
    in_flight: Vec<InFlightItem>,
}

impl From<StoredLock> for LockItem {
    fn from(lock: StoredLock) -> Self {
        let name = lock.holder.strip_prefix(PREFIX).map(str::to_owned);
        Self {
            resource: lock.resource_id,
            holder: name.is_none().then_some(lock.holder),
            name,
            mode: lock.mode,
            acquired_at: lock.acquired_at.to_seconds(),
            expires_at: lock.expires_at.map(crate::clock::Timestamp::to_seconds),
        }
    }
}

impl From<InFlight> for InFlightItem {
    fn from(row: InFlight) -> Self {
        Self { account: row.account_id, resource: row.resource_id, mode: row.mode.name() }
    }
}

/// Holds a row: calls that need it are refused with Operation.Conflict until it is released. Held already in a way that
/// forbids it, it is refused at once.
#[utoipa::path(post, path = "/locks", request_body = NewLock,
    responses((status = 201, body = LockItem), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn hold(
    State(app): State<Arc<App>>,
    new: Result<Json<NewLock>, JsonRejection>,
) -> Result<(StatusCode, Json<LockItem>), Refusal> {
    let Json(new) = new?;
    if new.expires_ms.is_some_and(|span| span < 1) {
        return Err(Refusal::bad("expires_ms: above 0"));
    }
    let name = new.name.clone().unwrap_or_else(|| new.resource.clone());
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !(1..=128).contains(&name.len()) || !name.chars().all(is_fine) {
        return Err(Refusal::bad("name: 1 to 128 letters, digits, - _ ."));
    }
    let owner = app.store.read(&Context::engine(), &Owner(new.resource.clone())).await?;
    let owner = owner.filter(|owner| new.account.as_ref().is_none_or(|account| account == owner));
    let owner = owner.ok_or_else(|| Refusal::absent(format!("{}: no such resource", new.resource)))?;
    let locks = RowLocks::none().and(&new.resource, new.mode.into());
    let context = Context { account_id: owner.into(), region: None };
    let hold = Hold { holder: format!("{PREFIX}{name}"), new };
    match app.store.write(context, locks, hold).await? {
        Ok(lock) => Ok((StatusCode::CREATED, Json(lock.into()))),
        Err(holder) => Err(Refusal::conflict(format!("held by {holder}"))),
    }
}

/// Lists who holds what: operators, what is under way, and calls that are being served.
#[utoipa::path(get, path = "/locks", responses((status = 200, body = LockList)))]
pub async fn list(State(app): State<Arc<App>>) -> Result<Json<LockList>, Refusal> {
    let in_flight = app.store.rows_in_flight().into_iter().map(InFlightItem::from).collect();
    let stored = app.store.read(&Context::engine(), &Stored).await?;
    Ok(Json(LockList { stored: stored.into_iter().map(LockItem::from).collect(), in_flight }))
}

/// Releases an operator's lock. Those of what is under way are released by its end alone.
#[utoipa::path(delete, path = "/locks/{name}", params(("name" = String, Path, description = "Its name")),
    responses((status = 200, body = Removed), (status = 404, body = Problem)))]
pub async fn release(State(app): State<Arc<App>>, Named(name): Named<String>) -> Result<Json<Removed>, Refusal> {
    let holder = Some(format!("{PREFIX}{name}"));
    let removed = app.store.write(Context::engine(), RowLocks::none(), Release(holder)).await?;
    if removed == 0 { Err(Refusal::absent(format!("no lock {name} is held"))) } else { Ok(Json(Removed { removed })) }
}

/// Releases the locks of all operators.
#[utoipa::path(delete, path = "/locks", responses((status = 200, body = Removed)))]
pub async fn release_all(State(app): State<Arc<App>>) -> Result<Json<Removed>, Refusal> {
    let removed = app.store.write(Context::engine(), RowLocks::none(), Release(None)).await?;
    Ok(Json(Removed { removed }))
}

struct Owner(String);

impl Operation for Owner {
    type Output = Option<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, Fault> {
        operator_locks::owner_of(tx, &self.0).await
    }
}

struct Hold {
    holder: String,
    new: NewLock,
}

impl Operation for Hold {
    /// The lock, or who holds the row already.
    type Output = Result<StoredLock, String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, Fault> {
        let Self { holder, new } = self;
        let mode = Mode::from(new.mode);
        // Checks
        if operator_locks::owner_of(tx, &new.resource).await?.is_none() {
            return Err(fault("Operation.Conflict"));
        }
        if let Some(other) = operator_locks::in_the_way(tx, &new.resource, holder, mode).await? {
            return Ok(Err(other));
        }
        // Effect
        let expires_at = new.expires_ms.map(|span| tx.now.plus_millis(span));
        operator_locks::hold(tx, &new.resource, holder, mode, expires_at).await?;
        Ok(Ok(StoredLock {
            resource_id: new.resource.clone(),
            holder: holder.clone(),
            mode: mode.name().to_owned(),
            acquired_at: tx.now,
            expires_at,
        }))
    }
}

struct Stored;

impl Operation for Stored {
    type Output = Vec<StoredLock>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, Fault> {
        operator_locks::list(tx).await
    }
}

struct Release(Option<String>);

impl Operation for Release {
    type Output = usize;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<usize, Fault> {
        operator_locks::release(tx, self.0.as_deref()).await
    }
}
