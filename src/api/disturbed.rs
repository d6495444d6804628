//! A call under rules of faults: waits, is refused or loses its answer; knows no action by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::App;
use crate::api::action::{Call, Entry};
use crate::api::describe::{progress, progress_of};
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::levers::rules::{Drop, Occasion, Verdict};
use crate::store::tx::{Context, Tx};
use crate::store::{Operation, images, snapshots};
use crate::wire::params::Params;

/// Does a call as the rules have it; tells also which of them applied.
pub async fn serve(app: Arc<App>, entry: &'static Entry, call: Call) -> (Result<Vec<u8>, Fault>, Verdict) {
    let verdict = match judge(&app, entry, &call).await {
        Ok(verdict) => verdict,
        Err(failure) => return (Err(failure), Verdict::default()),
    };
    if verdict.latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(verdict.latency_ms)).await;
    }
    let outcome = match (&verdict.error, verdict.drop) {
        (Some(code), _) => Err(fault(code.clone())),
        // Nobody will read it.
        (None, Some(Drop::Before)) => Err(fault("ServiceUnavailable")),
        (None, Some(Drop::After) | None) => entry.serve(app, call).await,
    };
    (outcome, verdict)
}

async fn judge(app: &App, entry: &Entry, call: &Call) -> Result<Verdict, Fault> {
    let resources = named(&call.params);
    let mut occasion = Occasion {
        action: entry.name,
        account: &call.caller.account_id,
        resources: &resources,
        progress: &BTreeMap::new(),
        now: app.clock.wall_now(),
    };
    let rules = &app.levers.rules;
    if !rules.asks_for_progress(&occasion) {
        return Ok(rules.judge_call(&occasion));
    }
    let context = Context { account_id: Arc::clone(&call.caller.account_id), region: None };
    let progress = app.store.read(&context, &Progress(resources.clone())).await?;
    occasion.progress = &progress;
    Ok(rules.judge_call(&occasion))
}

/// All that a call names, ids among it: its values, and the elements of those that are lists.
fn named(params: &Params) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (_, value) in params.pairs() {
        match serde_json::from_str::<Vec<String>>(value) {
            Ok(list) => named.extend(list),
            Err(_) => drop(named.insert(value.clone())),
        }
    }
    named
}

/// How far the snapshots and images among these ids are done, in percent.
struct Progress(BTreeSet<String>);

impl Operation for Progress {
    type Output = BTreeMap<String, i64>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, Fault> {
        let mut percents = BTreeMap::new();
        for id in &self.0 {
            let percent = if id.starts_with(IdKind::Snapshot.prefix()) {
                snapshots::find(tx, id).await?.map(|found| progress_of(&found.snapshot, tx.now).0)
            } else if id.starts_with(IdKind::Image.prefix()) {
                images::find(tx, id).await?.map(|found| match found.image.status.as_str() {
                    "Creating" => progress(found.image.creation_time, found.image.finish_time, tx.now).0,
                    "Available" | "Deprecated" => 100,
                    _ => 0,
                })
            } else {
                None
            };
            percents.extend(percent.map(|percent| (id.clone(), percent)));
        }
        Ok(percents)
    }
}
