//! Levers on the ids to come: a seed for all, a name for the next of a kind; no SQL.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Problem, Refusal, body};
use crate::App;
use crate::faults::Fault;
use crate::ids::IdKind;
use crate::store::Operation;
use crate::store::ids;
use crate::store::row_locks::RowLocks;
use crate::store::tx::{Context, Tx};

/// How ids are to be made; one of the two or both.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdsRequest {
    /// All ids follow from this number, other than 0, from now on and after a restart.
    seed: Option<u64>,
    /// The next id of its kind: a prefix (s-, d-, m-, i-, t-, tg-, ssg-, sp-), then 1 to 40 lower-case letters and
    /// digits. Used once; several for one kind are used in their order. Forgotten at a restart.
    next: Option<String>,
}

struct Change {
    seed: Option<u64>,
    next: Option<(IdKind, String)>,
}

/// What stood in the way.
enum Outcome {
    Done,
    SeedUsed,
    IdTaken,
}

impl Operation for Change {
    type Output = Outcome;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Outcome, Fault> {
        if let Some((kind, id)) = &self.next
            && !ids::name(tx, *kind, id).await?
        {
            return Ok(Outcome::IdTaken);
        }
        match self.seed {
            Some(seed) if !ids::seed(tx, seed).await? => Ok(Outcome::SeedUsed),
            _ => Ok(Outcome::Done),
        }
    }
}

/// Seeds the generator of ids, or names the next id of a kind.
#[utoipa::path(post, path = "/ids", request_body = IdsRequest,
    responses((status = 204), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn set(State(app): State<Arc<App>>, bytes: Bytes) -> Result<StatusCode, Refusal> {
    let IdsRequest { seed, next } = body::json(&bytes)?;
    if seed == Some(0) {
        return Err(Refusal::bad("seed: a whole number above 0"));
    }
    if seed.is_none() && next.is_none() {
        return Err(Refusal::bad("seed or next is needed"));
    }
    let named = |id: String| {
        if let Some(kind) = IdKind::of(&id) {
            return Ok((kind, id));
        }
        let prefixes = IdKind::ALL.map(IdKind::prefix).join(", ");
        Err(Refusal::bad(format!("next: one of {prefixes}, then 1 to 40 lower-case letters and digits")))
    };
    let change = Change { seed, next: next.map(named).transpose()? };
    match app.store.write(Context::engine(), RowLocks::none(), change).await? {
        Outcome::Done => Ok(StatusCode::NO_CONTENT),
        Outcome::SeedUsed => Err(Refusal::conflict("seed: ids of this seed are there already; reset first")),
        Outcome::IdTaken => Err(Refusal::conflict("next: this id is taken")),
    }
}
