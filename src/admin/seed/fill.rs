//! Rows of a document made whole: values of the right kind, defaults where none is given; knows no rule between rows.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::{Surroundings, text};
use crate::admin::Refusal;
use crate::admin::moment::{FORMS, Moment};
use crate::ids::snapshot_link_id;
use crate::regions;
use crate::store::catalog::{Column, Fields, Table};
use crate::store::whole::Rows;

/// What rows have where they say nothing, by table.
static DEFAULTS: LazyLock<BTreeMap<String, Map<String, Value>>> =
    LazyLock::new(|| toml::from_str(include_str!("defaults.toml")).expect("defaults.toml is valid"));

/// What a row may have beside the columns of its table.
pub const TAGS: &str = "tags";
pub const CONTENT: &str = "content";
/// Of disks: who has it, and as what.
pub const INSTANCE: &str = "instance_id";
pub const DEVICE: &str = "device";

/// The rows of a document, columns filled up; what is no column is left for [`super::implied`].
pub fn rows(surroundings: &Surroundings, tables: BTreeMap<String, Value>) -> Result<Rows, Refusal> {
    let mut rows = Rows::new();
    for (name, list) in tables {
        let Some(table) = surroundings.tables.iter().find(|table| table.name == name) else {
            let names: Vec<&str> = surroundings.tables.iter().map(|table| table.name.as_str()).collect();
            return Err(Refusal::bad(format!("{name}: one of present, id_position, {}", names.join(", "))));
        };
        let Value::Array(list) = list else { return Err(Refusal::bad(format!("{name}: a list of tables"))) };
        let mut filled = Vec::new();
        for (i, given) in list.into_iter().enumerate() {
            let place = format!("{name}[{i}]");
            let Value::Object(given) = given else { return Err(Refusal::bad(format!("{place}: a table"))) };
            filled.push(row(surroundings, table, &place, given)?);
        }
        rows.insert(name, filled);
    }
    Ok(rows)
}

fn extras(table: &Table) -> &'static [&'static str] {
    match table.name.as_str() {
        "disks" => &[TAGS, CONTENT, INSTANCE, DEVICE],
        "snapshots" => &[TAGS, CONTENT],
        "instances" | "images" | "snapshot_groups" | "auto_snapshot_policies" => &[TAGS],
        _ => &[],
    }
}

fn row(surroundings: &Surroundings, table: &Table, place: &str, given: Map<String, Value>) -> Result<Fields, Refusal> {
    let mut row = Fields::new();
    for (name, value) in given {
        let column = table.columns.iter().find(|column| column.name == name);
        let value = match column {
            Some(column) => judged(surroundings, column, value)
                .map_err(|allowed| Refusal::bad(format!("{place}.{name}: {allowed}")))?,
            None if extras(table).contains(&name.as_str()) => value,
            None => {
                let names = table.columns.iter().map(|column| column.name.as_str());
                let names: Vec<&str> = names.chain(extras(table).iter().copied()).collect();
                return Err(Refusal::bad(format!("{place}.{name}: one of {}", names.join(", "))));
            }
        };
        row.insert(name, value);
    }
    // An attached disk says so in one word.
    if table.name == "disks" && !text(&row, INSTANCE).is_empty() && !row.contains_key("status") {
        row.insert("status".to_owned(), "In_use".into());
    }
    let creation = row.get("creation_time").cloned().unwrap_or_else(|| surroundings.now.millis().into());
    for column in &table.columns {
        if row.contains_key(&column.name) {
            continue;
        }
        let known = DEFAULTS.get(&table.name).and_then(|defaults| defaults.get(&column.name));
        let value = match known {
            Some(value) => value.clone(),
            None if !column.is_required => continue,
            None => implied(surroundings, table, column, &row, &creation)
                .ok_or_else(|| Refusal::bad(format!("{place}.{}: it is needed", column.name)))?,
        };
        row.insert(column.name.clone(), value);
    }
    Ok(row)
}

/// A value as the column has it, else what is allowed.
fn judged(surroundings: &Surroundings, column: &Column, value: Value) -> Result<Value, String> {
    let is_null = value.is_null() && !column.is_required;
    match (&value, column.name.as_str()) {
        _ if is_null => Ok(value),
        (Value::String(text), _) if column.is_time() => {
            let moment = Moment::parse(text).ok_or(FORMS)?;
            Ok(moment.seen_from(surroundings.now).millis().into())
        }
        (_, _) if column.is_time() => Err(FORMS.to_owned()),
        (Value::Bool(flag), _) if column.is_flag => Ok(i64::from(*flag).into()),
        (_, _) if column.is_flag => Err("true or false".to_owned()),
        (Value::Number(number), _) if column.is_number && number.is_i64() => Ok(value),
        (_, _) if column.is_number => Err("a whole number".to_owned()),
        (Value::String(text), "account_id") if !surroundings.accounts.contains(text) => {
            Err("an account of the configuration, or one that was made".to_owned())
        }
        (Value::String(text), "region_id") if regions::find(text).is_none() => {
            Err(format!("one of {}", regions::names().join(", ")))
        }
        (Value::String(_), _) => Ok(value),
        _ => Err("a text".to_owned()),
    }
}

/// What a row has in a column where neither it nor a default says anything.
fn implied(
    surroundings: &Surroundings,
    table: &Table,
    column: &Column,
    row: &Fields,
    creation: &Value,
) -> Option<Value> {
    let zone = || regions::find(text(row, "region_id")).and_then(|region| region.zones().next());
    let id = || table.key.first().map(|key| text(row, key).to_owned());
    let token = |id: &str| id.split_once('-').map_or(id, |(_, token)| token).to_owned();
    Some(match column.name.as_str() {
        "account_id" => surroundings.account_id.clone().into(),
        "region_id" => surroundings.region_id.clone().into(),
        "zone_id" => zone()?.into(),
        "image_name" | "host_name" => id()?.into(),
        "serial_number" | "snapshot_sn" => token(&id()?).into(),
        "snapshot_link_id" => snapshot_link_id(text(row, "source_disk_id")).into(),
        _ if table.key.contains(&column.name) => return None,
        "finish_time" if text(row, "status") == "progressing" => {
            (creation.as_i64()?.max(surroundings.now.millis()) + surroundings.snapshot_ms).into()
        }
        _ if column.is_time() => creation.clone(),
        _ if column.is_number => 0.into(),
        _ => String::new().into(),
    })
}
