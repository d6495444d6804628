//! Levers on the state as a whole: reset, save points, their differences, and what an account owns; no SQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::moment::Moment;
use super::{Named, Problem, Refusal, body, check_name};
use crate::faults::Fault;
use crate::store::Operation;
use crate::store::catalog::{Fields, IMPLIED};
use crate::store::reset::{self, OWNED, Reset};
use crate::store::row_locks::RowLocks;
use crate::store::savepoints::{Contents, Savepoint};
use crate::store::tx::{Context, Tx};
use crate::{App, regions};

/// The name that stands for the state as it is, where two are compared.
const NOW: &str = "now";

/// What is to go; everything where nothing is named.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetRequest {
    /// Only what this account owns.
    account: Option<String>,
    /// Only what is in this region.
    region: Option<String>,
}

/// What went.
#[derive(Serialize, ToSchema)]
pub struct ResetAnswer {
    /// How many resources.
    pub removed: i64,
}

/// A reset as an operation.
pub struct Resetting(pub Reset);

impl Operation for Resetting {
    type Output = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, Fault> {
        reset::reset(tx, &self.0).await
    }
}

/// Takes everything away, or what is of one account or region: resources, timers, locks, client tokens, tombstones.
///
/// Base images, events, webhooks and accounts stay; the clock stands where it stood.
#[utoipa::path(post, path = "/reset", request_body = Option<ResetRequest>,
    responses((status = 200, body = ResetAnswer), (status = 400, body = Problem)))]
pub async fn reset(State(app): State<Arc<App>>, bytes: Bytes) -> Result<Json<ResetAnswer>, Refusal> {
    let ResetRequest { account, region } = body::json::<Option<_>>(&bytes)?.unwrap_or_default();
    if region.as_deref().is_some_and(|region| regions::find(region).is_none()) {
        return Err(Refusal::bad(format!("region: one of {}", regions::names().join(", "))));
    }
    let operation = Resetting(Reset { account_id: account, region_id: region });
    let removed = app.store.write(Context::engine(), RowLocks::none(), operation).await?;
    Ok(Json(ResetAnswer { removed }))
}

/// A save point to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSavepoint {
    /// Letters, digits, `-`, `_` and `.`, 64 at most; not `now`.
    name: String,
    /// Takes the place of one of the same name.
    #[serde(default)]
    replace: bool,
}

/// A save point that is there.
#[derive(Serialize, ToSchema)]
pub struct SavepointView {
    name: String,
    /// The instant of the resources that it was made at.
    present: Moment,
    bytes: u64,
}

impl From<Savepoint> for SavepointView {
    fn from(savepoint: Savepoint) -> Self {
        Self { name: savepoint.name, present: savepoint.present.into(), bytes: savepoint.bytes }
    }
}

/// Lists the save points.
#[utoipa::path(get, path = "/savepoints", responses((status = 200, body = Vec<SavepointView>)))]
pub async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<SavepointView>>, Refusal> {
    Ok(Json(app.store.savepoints().await?.into_iter().map(SavepointView::from).collect()))
}

/// Saves the state under a name, while calls are served.
#[utoipa::path(post, path = "/savepoints", request_body = NewSavepoint,
    responses((status = 200, body = SavepointView), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn save(State(app): State<Arc<App>>, bytes: Bytes) -> Result<Json<SavepointView>, Refusal> {
    let NewSavepoint { name, replace } = body::json(&bytes)?;
    check_name("name", &name)?;
    if name == NOW {
        return Err(Refusal::bad("name: `now` stands for the state as it is"));
    }
    if !replace && app.store.has_savepoint(&name) {
        return Err(Refusal::conflict("a save point of this name is there; `replace` puts this one in its place"));
    }
    Ok(Json(app.store.save(&name).await?.into()))
}

fn existing(app: &App, name: &str) -> Result<(), Refusal> {
    let is_there = check_name("name", name).is_ok() && app.store.has_savepoint(name);
    if is_there { Ok(()) } else { Err(Refusal::absent(format!("there is no save point {name}"))) }
}

/// Puts a saved state in the place of what is there; a manual clock goes back to its time, ids to their place.
#[utoipa::path(post, path = "/savepoints/{name}/restore", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn restore(State(app): State<Arc<App>>, Named(name): Named<String>) -> Result<StatusCode, Refusal> {
    existing(&app, &name)?;
    app.store.restore(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets a save point.
#[utoipa::path(delete, path = "/savepoints/{name}", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn delete(State(app): State<Arc<App>>, Named(name): Named<String>) -> Result<StatusCode, Refusal> {
    existing(&app, &name)?;
    app.store.delete_savepoint(&name)?;
    Ok(StatusCode::NO_CONTENT)
}

/// How the rows of a table differ.
#[derive(Default, Serialize, ToSchema)]
pub struct Difference {
    /// Rows that only the second state has.
    #[schema(value_type = Vec<Object>)]
    added: Vec<Fields>,
    /// Rows that only the first state has.
    #[schema(value_type = Vec<Object>)]
    removed: Vec<Fields>,
    changed: Vec<Changed>,
}

/// A row that both have, with the columns that differ.
#[derive(Serialize, ToSchema)]
pub struct Changed {
    #[schema(value_type = Object)]
    key: Fields,
    #[schema(value_type = Object)]
    before: Fields,
    #[schema(value_type = Object)]
    after: Fields,
}

/// Tells in what two states differ, by table; `now` is the state as it is. Tables without a difference are left out.
#[utoipa::path(get, path = "/savepoints/{a}/diff/{b}",
    params(("a" = String, Path, description = "a save point, or now"), ("b" = String, Path, description = "likewise")),
    responses((status = 200, body = BTreeMap<String, Difference>), (status = 404, body = Problem)))]
pub async fn diff(
    State(app): State<Arc<App>>,
    Named((a, b)): Named<(String, String)>,
) -> Result<Json<BTreeMap<String, Difference>>, Refusal> {
    let before = contents(&app, &a).await?;
    let mut after = contents(&app, &b).await?;
    let mut differences = BTreeMap::new();
    for (name, old) in before {
        let difference = difference(&old, after.remove(&name).map(|new| new.rows).unwrap_or_default());
        differences.insert(name, difference);
    }
    differences
        .extend(after.into_iter().map(|(name, new)| (name, Difference { added: new.rows, ..Difference::default() })));
    differences.retain(|_, d| !(d.added.is_empty() && d.removed.is_empty() && d.changed.is_empty()));
    Ok(Json(differences))
}

async fn contents(app: &App, name: &str) -> Result<BTreeMap<String, Contents>, Refusal> {
    let savepoint = (name != NOW).then_some(name);
    if let Some(name) = savepoint {
        existing(app, name)?;
    }
    let contents = app.store.contents(savepoint).await?.into_iter();
    let contents = contents.filter(|contents| !IMPLIED.contains(&contents.table.name.as_str()));
    Ok(contents.map(|contents| (contents.table.name.clone(), contents)).collect())
}

fn difference(old: &Contents, new: Vec<Fields>) -> Difference {
    let pick = |row: &Fields, columns: &mut dyn Iterator<Item = &String>| -> Fields {
        columns.filter_map(|column| Some((column.clone(), row.get(column)?.clone()))).collect()
    };
    let key = |row: &Fields| serde_json::to_string(&pick(row, &mut old.table.key.iter())).unwrap_or_default();
    let mut rest: BTreeMap<String, Fields> = new.into_iter().map(|row| (key(&row), row)).collect();
    let mut difference = Difference::default();
    for before in &old.rows {
        let Some(after) = rest.remove(&key(before)) else {
            difference.removed.push(before.clone());
            continue;
        };
        if *before != after {
            let differs = |column: &&String| before.get(*column) != after.get(*column);
            let columns: Vec<&String> = before.keys().filter(differs).collect();
            difference.changed.push(Changed {
                key: pick(before, &mut old.table.key.iter()),
                before: pick(before, &mut columns.iter().copied()),
                after: pick(&after, &mut columns.iter().copied()),
            });
        }
    }
    difference.added = rest.into_values().collect();
    difference
}

/// Whose things are meant.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Owner {
    /// The id of the account.
    account: String,
}

struct Owned(String);

impl Operation for Owned {
    type Output = BTreeMap<&'static str, Vec<String>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, Fault> {
        let mut owned = BTreeMap::new();
        for (table, _) in OWNED {
            owned.insert(table, reset::owned(tx, table, &self.0).await?);
        }
        Ok(owned)
    }
}

/// Tells what an account still owns, ids by kind: what a test that cleans up has left.
#[utoipa::path(get, path = "/owned", params(Owner),
    responses((status = 200, body = BTreeMap<String, Vec<String>>), (status = 400, body = Problem)))]
pub async fn owned(
    State(app): State<Arc<App>>,
    owner: Result<Query<Owner>, QueryRejection>,
) -> Result<Json<BTreeMap<&'static str, Vec<String>>>, Refusal> {
    let operation = Owned(owner?.0.account);
    Ok(Json(app.store.read(&Context::engine(), &operation).await?))
}
