//! Tags of all resources: set, removed and listed; the older actions in `older`, resource groups in `groups`; no SQL.

mod groups;
mod older;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::api::action::{Action, Entry, read, write};
use crate::api::common::{Empty, Tag, check_tag_quota, tags_to_set};
use crate::faults::{Fault, fault};
use crate::store::tags::{self, Listed, Query, ResourceType};
use crate::store::tx::Tx;
use groups::JoinResourceGroup;
use older::{AddTags, DescribeResourceByTags, DescribeTags, RemoveTags};

pub static ACTIONS: [Entry; 8] = [
    write::<TagResources>(),
    write::<UntagResources>(),
    read::<ListTagResources>(),
    write::<AddTags>(),
    write::<RemoveTags>(),
    read::<DescribeTags>(),
    read::<DescribeResourceByTags>(),
    write::<JoinResourceGroup>(),
];

/// The key under which a resource group is looked for, alone.
const RESOURCE_GROUP: &str = "acs:rm:rgId";
const MOST_RESOURCES: usize = 50;
const MOST_TAGS: usize = 20;
const PAGE: usize = 50;
const MISSING: &[(&str, &str)] = &[("ResourceType", "MissingParameter.ResourceType")];

/// Types that ECS tags and this daemon does not have.
const FOREIGN_TYPES: [&str; 14] = [
    "securitygroup",
    "eni",
    "ddh",
    "ddhcluster",
    "keypair",
    "launchtemplate",
    "reservedinstance",
    "volume",
    "elasticityassurance",
    "capacityreservation",
    "command",
    "invocation",
    "activation",
    "managedinstance",
];

fn resource_type(name: &str) -> Result<ResourceType, Fault> {
    known_type(name)?.ok_or_else(|| fault("InvalidResourceId.NotSupported"))
}

/// A type that ECS tags; `None` for one that this daemon does not have.
fn known_type(name: &str) -> Result<Option<ResourceType>, Fault> {
    let lower = name.to_ascii_lowercase();
    match ResourceType::find(&lower) {
        None if !FOREIGN_TYPES.contains(&lower.as_str()) => Err(fault("InvalidResourceType.NotFound")),
        found => Ok(found),
    }
}

/// Tags to be set, with what only the actions of this family refuse.
fn pairs_to_set(tags: &[Tag]) -> Result<Vec<(String, String)>, Fault> {
    if tags.iter().any(|tag| tag.key.is_none()) {
        return Err(fault("InvalidTag.Mismatch"));
    }
    let pairs = tags_to_set(tags)?;
    let is_again = |(i, (key, _)): (usize, &(String, String))| {
        pairs[..i].iter().any(|(other, _)| other.to_lowercase() == key.to_lowercase())
    };
    if pairs.iter().enumerate().any(is_again) { Err(fault("TagKey.Duplication")) } else { Ok(pairs) }
}

/// Sets tags on resources of the caller's: all or none.
async fn set_on(
    tx: &mut Tx<'_>,
    kind: ResourceType,
    resource_ids: &[String],
    pairs: &[(String, String)],
) -> Result<(), Fault> {
    for resource_id in resource_ids {
        let Some(found) = tags::resource(tx, kind, resource_id).await? else {
            return Err(fault("InvalidResourceId.NotFound"));
        };
        let known = tags::of_all(tx, &[resource_id]).await?.remove(resource_id).unwrap_or_default();
        let added = pairs.iter().filter(|(key, _)| !known.iter().any(|tag| tag.tag_key == *key)).count();
        check_tag_quota(tx, known.len() + added)?;
        tags::set(tx, &found.tagged(kind, resource_id), pairs).await?;
    }
    Ok(())
}

fn check_resources(ids: &[String]) -> Result<(), Fault> {
    match ids.len() {
        0 => Err(fault("MissingParameter.ResourceIds")),
        1..=MOST_RESOURCES => Ok(()),
        _ => Err(fault("NumberExceed.ResourceIds")),
    }
}

/// Sets tags on up to fifty resources: all or none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagResources {
    resource_type: String,
    #[serde(default)]
    resource_id: Vec<String>,
    #[serde(default)]
    tag: Vec<Tag>,
}

impl Action for TagResources {
    const NAME: &'static str = "TagResources";
    const MISSING: &'static [(&'static str, &'static str)] = MISSING;
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        check_resources(&self.resource_id)?;
        resource_type(&self.resource_type)?;
        match self.tag.len() {
            0 => return Err(fault("MissingParameter.Tags")),
            1..=MOST_TAGS => {}
            _ => return Err(fault("NumberExceed.Tags")),
        }
        pairs_to_set(&self.tag).map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        let kind = resource_type(&self.resource_type)?;
        set_on(tx, kind, &self.resource_id, &pairs_to_set(&self.tag)?).await?;
        Ok(Empty {})
    }
}

/// Refuses to look for more tags than a resource can have; where the quota is the usual one, no call can name so many.
fn check_askable(tx: &Tx<'_>, count: usize) -> Result<(), Fault> {
    check_tag_quota(tx, count).map_err(|_| fault("OperationDenied.QuotaExceed"))
}

fn tag_of(key: &str) -> Tag {
    Tag { key: Some(key.to_owned()), value: None }
}

/// Removes tags from up to fifty resources: those named, or all.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UntagResources {
    resource_type: String,
    #[serde(default)]
    resource_id: Vec<String>,
    #[serde(default)]
    tag_key: Vec<String>,
    #[serde(default)]
    all: bool,
}

impl Action for UntagResources {
    const NAME: &'static str = "UntagResources";
    const MISSING: &'static [(&'static str, &'static str)] = MISSING;
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        check_resources(&self.resource_id)?;
        resource_type(&self.resource_type)?;
        match (self.tag_key.len(), self.all) {
            (0, false) => Err(fault("MissingParameter.Tags")),
            (1.., true) => Err(fault("Param.Conflict")),
            (count, _) if count > MOST_TAGS => Err(fault("NumberExceed.Tags")),
            // A key that could not be set is none to be removed.
            _ => tags_to_set(&self.tag_key.iter().map(|key| tag_of(key)).collect::<Vec<_>>()).map(drop),
        }
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        let kind = resource_type(&self.resource_type)?;
        check_askable(tx, self.tag_key.len())?;
        for resource_id in &self.resource_id {
            if tags::resource(tx, kind, resource_id).await?.is_none() {
                return Err(fault("InvalidResourceId.NotFound"));
            }
            if self.all {
                tags::remove(tx, resource_id, None).await?;
            }
            for key in &self.tag_key {
                tags::remove(tx, resource_id, Some(key)).await?;
            }
        }
        Ok(Empty {})
    }
}

/// Lists the tags of resources, or the resources of tags, in pages by token.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListTagResources {
    resource_type: String,
    next_token: Option<String>,
    #[serde(default)]
    resource_id: Vec<String>,
    #[serde(default)]
    tag: Vec<Tag>,
    #[serde(default)]
    tag_filter: Vec<TagFilter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagFilter {
    tag_key: Option<String>,
    #[serde(default)]
    tag_values: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagList {
    next_token: String,
    tag_resources: TagItems,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagItems {
    tag_resource: Vec<TagItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagItem {
    resource_id: String,
    resource_type: &'static str,
    tag_key: String,
    tag_value: String,
}

impl Action for ListTagResources {
    const NAME: &'static str = "ListTagResources";
    const MISSING: &'static [(&'static str, &'static str)] = MISSING;
    type Response = TagList;

    fn check(&self) -> Result<(), Fault> {
        resource_type(&self.resource_type)?;
        if self.resource_id.is_empty() && self.tag.is_empty() && self.tag_filter.is_empty() {
            return Err(fault("BothEmpty.TagsAndResources"));
        }
        if self.resource_id.len() > MOST_RESOURCES {
            return Err(fault("NumberExceed.ResourceIds"));
        }
        if self.tag.len() > MOST_TAGS {
            return Err(fault("NumberExceed.Tags"));
        }
        if !self.tag.is_empty() && !self.tag_filter.is_empty() {
            return Err(fault("InvalidTags.MalFormed"));
        }
        if self.tag.iter().any(|tag| tag.key.is_none()) {
            return Err(fault("InvalidTag.Mismatch"));
        }
        let of_group = self.tag.iter().filter(|tag| tag.key.as_deref() == Some(RESOURCE_GROUP)).count();
        if of_group > 0 && of_group < self.tag.len() {
            return Err(fault("InvalidTag.NotSupported"));
        }
        // A key or value that could not be set is none to look for.
        tags_to_set(&self.tag)?;
        if self.tag_filter.len() > 5 || self.tag_filter.iter().any(|filter| filter.tag_key.is_none()) {
            return Err(fault("InvalidTagFilter.Malformed"));
        }
        if self.tag_filter.iter().any(|filter| filter.tag_values.len() > 5) {
            return Err(fault("NumberExceed.TagValues"));
        }
        self.place().map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<TagList, Fault> {
        let kind = resource_type(&self.resource_type)?;
        check_askable(tx, self.tag.len() + self.tag_filter.len())?;
        for resource_id in &self.resource_id {
            if tags::resource(tx, kind, resource_id).await?.is_none() {
                return Err(fault("InvalidResourceId.NotFound"));
            }
        }
        let by_tag =
            self.tag.iter().map(|tag| (tag.key.clone().unwrap_or_default(), Vec::from_iter(tag.value.clone())));
        let by_filter = self.tag_filter.iter();
        let by_filter = by_filter.map(|filter| (filter.tag_key.clone().unwrap_or_default(), filter.tag_values.clone()));
        let query = Query {
            resource_type: kind,
            resource_ids: &self.resource_id,
            tags: by_tag.chain(by_filter).collect(),
            after: self.place()?,
        };
        let Listed { rows, more } = tags::list(tx, &query, PAGE).await?;
        let last = rows.last().filter(|_| more);
        let next_token = last.map(|row| token(&row.resource_id, &row.tag_key)).unwrap_or_default();
        let item = |row: tags::TagRow| TagItem {
            resource_id: row.resource_id,
            resource_type: kind.name(),
            tag_key: row.tag_key,
            tag_value: row.tag_value,
        };
        Ok(TagList { next_token, tag_resources: TagItems { tag_resource: rows.into_iter().map(item).collect() } })
    }
}

impl ListTagResources {
    /// Resource and key after which the page begins.
    fn place(&self) -> Result<Option<(String, String)>, Fault> {
        let Some(token) = &self.next_token else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(token).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let place = text.and_then(|text| text.split_once(' ').map(|(id, key)| (id.to_owned(), key.to_owned())));
        place.map(Some).ok_or_else(|| fault("Invalid.NextToken"))
    }
}

fn token(resource_id: &str, tag_key: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{resource_id} {tag_key}"))
}
