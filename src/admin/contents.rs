//! Levers on markers: short texts on disks, as programs inside would write them, and where they got to; no SQL.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Named, Problem, Refusal, body};
use crate::App;
use crate::faults::Fault;
use crate::store::Operation;
use crate::store::contents;
use crate::store::row_locks::RowLocks;
use crate::store::tx::{Context, Tx};

/// The longest marker, bytes.
const LONGEST: usize = 4_096;

/// A marker to be written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewContent {
    /// At most 4096 bytes; an empty one wipes the disk.
    content: String,
}

/// A marker; empty for none.
#[derive(Serialize, ToSchema)]
pub struct Content {
    content: String,
}

/// The marker of a disk of an image.
#[derive(Serialize, ToSchema)]
pub struct DeviceContent {
    device: String,
    content: String,
}

struct Write(String, String);

impl Operation for Write {
    type Output = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, Fault> {
        let is_there = contents::read(tx, &self.0).await?.is_some();
        if is_there {
            contents::write(tx, &self.0, &self.1).await?;
        }
        Ok(is_there)
    }
}

struct Read(String);

impl Operation for Read {
    type Output = Option<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<String>, Fault> {
        contents::read(tx, &self.0).await
    }
}

struct ReadImage(String);

impl Operation for ReadImage {
    type Output = Option<Vec<(String, String)>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, Fault> {
        contents::of_image(tx, &self.0).await
    }
}

fn absent(id: &str) -> Refusal {
    Refusal::absent(format!("there is no {id}"))
}

/// Writes a marker to a disk: snapshots, disks and images made from it carry it, a reset brings it back.
#[utoipa::path(put, path = "/disks/{id}/content", params(("id" = String, Path)), request_body = NewContent,
    responses((status = 204), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn write(State(app): State<Arc<App>>, Named(id): Named<String>, bytes: Bytes) -> Result<StatusCode, Refusal> {
    let NewContent { content } = body::json(&bytes)?;
    if content.len() > LONGEST {
        return Err(Refusal::bad(format!("content: at most {LONGEST} bytes")));
    }
    if !id.starts_with("d-")
        || !app.store.write(Context::engine(), RowLocks::none(), Write(id.clone(), content)).await?
    {
        return Err(absent(&id));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Reads the marker of a disk.
#[utoipa::path(get, path = "/disks/{id}/content", params(("id" = String, Path)),
    responses((status = 200, body = Content), (status = 404, body = Problem)))]
pub async fn of_disk(State(app): State<Arc<App>>, Named(id): Named<String>) -> Result<Json<Content>, Refusal> {
    read(&app, id).await
}

/// Reads the marker of a snapshot.
#[utoipa::path(get, path = "/snapshots/{id}/content", params(("id" = String, Path)),
    responses((status = 200, body = Content), (status = 404, body = Problem)))]
pub async fn of_snapshot(State(app): State<Arc<App>>, Named(id): Named<String>) -> Result<Json<Content>, Refusal> {
    read(&app, id).await
}

async fn read(app: &App, id: String) -> Result<Json<Content>, Refusal> {
    let content = app.store.read(&Context::engine(), &Read(id.clone())).await?;
    content.map(|content| Json(Content { content })).ok_or_else(|| absent(&id))
}

/// Reads the markers of the disks of an image, the system disk first.
#[utoipa::path(get, path = "/images/{id}/content", params(("id" = String, Path)),
    responses((status = 200, body = Vec<DeviceContent>), (status = 404, body = Problem)))]
pub async fn of_image(
    State(app): State<Arc<App>>,
    Named(id): Named<String>,
) -> Result<Json<Vec<DeviceContent>>, Refusal> {
    let disks = app.store.read(&Context::engine(), &ReadImage(id.clone())).await?.ok_or_else(|| absent(&id))?;
    Ok(Json(disks.into_iter().map(|(device, content)| DeviceContent { device, content }).collect()))
}
