//! Rules of faults, made, shown and taken away; what a rule does is in `levers/rules.rs`.

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Named, Problem, Refusal, Removed};
use crate::App;
use crate::api::action::ECS;
use crate::api::registry;
use crate::faults::{self, Fault};
use crate::levers::rules::{ANY, Effect, Ends, Rule, Standing, When, Window};
use crate::store::Operation;
use crate::store::row_locks::RowLocks;
use crate::store::timers;
use crate::store::tx::{Context, Tx};

/// What makes something that can fail.
const CAN_FAIL: [&str; 5] = [ANY, "CreateSnapshot", "CopySnapshot", "CreateImage", "CopyImage"];

/// A rule that stands. Its members are told one by one: a schema of both would forbid what the rule does not know.
#[derive(Serialize, ToSchema)]
pub struct FaultRule {
    /// Counts from 1 on since the start.
    id: u64,
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    when: When,
    effect: Effect,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_hits: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_ms: Option<i64>,
    /// Calls or endings that it was for.
    occasions: u64,
    /// Those of them that it was applied to.
    hits: u64,
    /// It is used up, but goes on to hold what it holds.
    is_spent: bool,
    /// What it keeps from ending.
    holds: Vec<String>,
}

impl From<Standing> for FaultRule {
    fn from(standing: Standing) -> Self {
        let Standing { number: id, rule, occasions, hits, holds, .. } = standing;
        let is_spent = rule.max_hits.is_some_and(|most| hits >= most);
        let Rule { action, resource, account, when, effect, max_hits, expires_ms } = rule;
        let holds = holds.into_iter().collect();
        Self { id, action, resource, account, when, effect, max_hits, expires_ms, occasions, hits, is_spent, holds }
    }
}

/// Makes a rule stand. Rules are kept in memory and are gone after a restart.
#[utoipa::path(post, path = "/faults", request_body = Rule,
    responses((status = 201, body = FaultRule), (status = 400, body = Problem)))]
pub async fn add(
    State(app): State<Arc<App>>,
    rule: Result<Json<Rule>, JsonRejection>,
) -> Result<(StatusCode, Json<FaultRule>), Refusal> {
    let Json(mut rule) = rule?;
    check(&rule).map_err(Refusal::bad)?;
    if rule.when.probability.is_some() {
        rule.when.seed = rule.when.seed.or(Some(app.config.seed.ids));
    }
    let now = app.clock.wall_now();
    let holds_until = rule.expires_ms.filter(|_| rule.effect.ends == Some(Ends::Never));
    let id = app.levers.rules.add(rule, now);
    if let Some(span) = holds_until {
        tokio::spawn(take_away_later(Arc::downgrade(&app), id, span.unsigned_abs()));
    }
    Ok((StatusCode::CREATED, Json(find(&app, id)?)))
}

/// Lists the rules that stand, the oldest first.
#[utoipa::path(get, path = "/faults", responses((status = 200, body = [FaultRule])))]
pub async fn list(State(app): State<Arc<App>>) -> Json<Vec<FaultRule>> {
    Json(app.levers.rules.list(app.clock.wall_now()).into_iter().map(FaultRule::from).collect())
}

/// Shows a rule with its hits.
#[utoipa::path(get, path = "/faults/{id}", params(("id" = u64, Path, description = "Its id")),
    responses((status = 200, body = FaultRule), (status = 404, body = Problem)))]
pub async fn show(State(app): State<Arc<App>>, Named(id): Named<u64>) -> Result<Json<FaultRule>, Refusal> {
    find(&app, id).map(Json)
}

/// Takes a rule away; what it kept from ending ends now.
#[utoipa::path(delete, path = "/faults/{id}", params(("id" = u64, Path, description = "Its id")),
    responses((status = 200, body = FaultRule), (status = 404, body = Problem)))]
pub async fn remove(State(app): State<Arc<App>>, Named(id): Named<u64>) -> Result<Json<FaultRule>, Refusal> {
    let found = find(&app, id)?;
    take_away(&app, |standing| standing.number == id).await?;
    Ok(Json(found))
}

/// Takes all rules away; what they kept from ending ends now.
#[utoipa::path(delete, path = "/faults", responses((status = 200, body = Removed)))]
pub async fn clear(State(app): State<Arc<App>>) -> Result<Json<Removed>, Refusal> {
    let removed = take_away(&app, |_| true).await?;
    Ok(Json(Removed { removed }))
}

fn find(app: &App, id: u64) -> Result<FaultRule, Refusal> {
    let mut standing = app.levers.rules.list(app.clock.wall_now()).into_iter();
    let found = standing.find(|standing| standing.number == id);
    found.map(FaultRule::from).ok_or_else(|| Refusal::absent(format!("no rule {id} stands")))
}

async fn take_away(app: &App, is_meant: impl Fn(&Standing) -> bool) -> Result<usize, Fault> {
    let removed = app.levers.rules.remove(is_meant);
    if removed.iter().any(|standing| !standing.holds.is_empty()) {
        app.store.write(Context::engine(), RowLocks::none(), LetGo).await?;
    }
    Ok(removed.len())
}

async fn take_away_later(app: Weak<App>, id: u64, span_ms: u64) {
    tokio::time::sleep(Duration::from_millis(span_ms)).await;
    if let Some(app) = app.upgrade()
        && let Err(failure) = take_away(&app, |standing| standing.number == id).await
    {
        tracing::error!(error = ?failure, rule = id, "what an expired rule held is held until the next rule goes");
    }
}

struct LetGo;

impl Operation for LetGo {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        timers::let_go(tx).await
    }
}

/// Refuses a rule that could never do what it says.
fn check(rule: &Rule) -> Result<(), String> {
    let Rule { action, when, effect, .. } = rule;
    if action != ANY && registry::find(ECS, action).is_none() {
        return Err(format!("{action}: no such action; `snapshotd actions` lists them"));
    }
    if [when.nth, when.from, when.every, rule.max_hits].contains(&Some(0)) {
        return Err("nth, from, every and max_hits count from 1 on".to_owned());
    }
    if when.probability.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
        return Err("probability: 0 to 1".to_owned());
    }
    if when.progress.is_some_and(|Window { from, to }| from > to) {
        return Err("progress: from must not be above to".to_owned());
    }
    if rule.expires_ms.is_some_and(|span| span < 1) {
        return Err("expires_ms: above 0".to_owned());
    }
    check_effect(action, effect, when.progress.is_some())
}

fn check_effect(action: &str, effect: &Effect, asks_for_progress: bool) -> Result<(), String> {
    let Effect { error, latency_ms, drop, ends } = effect;
    let of_calls = error.is_some() || latency_ms.is_some() || drop.is_some();
    if of_calls == ends.is_some() {
        return Err("effect: error, latency_ms or drop for a call, or else ends".to_owned());
    }
    if error.is_some() && drop.is_some() {
        return Err("effect: a dropped connection carries no error".to_owned());
    }
    if *ends == Some(Ends::Failed) && !CAN_FAIL.contains(&action) {
        return Err(format!("ends failed is for {} only", CAN_FAIL.join(", ")));
    }
    if ends.is_some() && asks_for_progress {
        return Err("progress is a condition of calls".to_owned());
    }
    match error {
        Some(code) if faults::statuses(action, code).is_empty() => {
            Err(format!("{code} is no code of {action}; contract/errors.tsv and contract/additions.toml list them"))
        }
        _ => Ok(()),
    }
}
