//! The older actions on tags, one resource at a time: set, removed, counted and looked up by number of page; no SQL.

use serde::{Deserialize, Serialize};

use super::{MOST_TAGS, known_type, pairs_to_set, resource_type, set_on};
use crate::api::action::Action;
use crate::api::common::{Empty, PageLimits, Paging, Tag, check_one_of, spelled, tags_to_match, tags_to_set};
use crate::faults::{Fault, fault};
use crate::store::filter::Page;
use crate::store::tag_usage::{self, Carrier, Count, Usage};
use crate::store::tags;
use crate::store::tx::Tx;

const LIMITS: PageLimits = PageLimits { default: 50, page_size: 100, max_results: 100 };

fn check_count(tags: &[Tag]) -> Result<(), Fault> {
    if tags.len() > MOST_TAGS { Err(fault("InvalidTagCount")) } else { Ok(()) }
}

/// The page asked for, its number, and how many a page has.
fn page(number: Option<i64>, size: Option<i64>) -> Result<(Page, i64), Fault> {
    let paging = Paging { page_number: number, page_size: size, ..Paging::default() };
    Ok((paging.page(LIMITS)?, number.unwrap_or(1)))
}

/// Sets tags on one resource.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddTags {
    resource_type: String,
    resource_id: String,
    #[serde(default)]
    tag: Vec<Tag>,
}

impl Action for AddTags {
    const NAME: &'static str = "AddTags";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        resource_type(&self.resource_type)?;
        if self.tag.is_empty() {
            return Err(Fault::missing("Tag.1.Key"));
        }
        check_count(&self.tag)?;
        pairs_to_set(&self.tag).map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        let (kind, pairs) = (resource_type(&self.resource_type)?, pairs_to_set(&self.tag)?);
        set_on(tx, kind, std::slice::from_ref(&self.resource_id), &pairs).await?;
        Ok(Empty {})
    }
}

/// Removes tags from one resource: those named, with a value only where it has that one; all where none is named.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RemoveTags {
    resource_type: String,
    resource_id: String,
    #[serde(default)]
    tag: Vec<Tag>,
}

impl Action for RemoveTags {
    const NAME: &'static str = "RemoveTags";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        resource_type(&self.resource_type)?;
        check_count(&self.tag)?;
        let keys = self.tag.iter().map(|tag| Tag { key: tag.key.clone(), value: None });
        keys.into_iter().try_for_each(|tag| tags_to_set(&[tag]).map(drop))
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        let kind = resource_type(&self.resource_type)?;
        let id = self.resource_id.as_str();
        if tags::resource(tx, kind, id).await?.is_none() {
            return Err(fault("InvalidResourceId.NotFound"));
        }
        if self.tag.is_empty() {
            tags::remove(tx, id, None).await?;
            return Ok(Empty {});
        }
        for known in tags::of_all(tx, &[id]).await?.remove(id).unwrap_or_default() {
            let is_named = |tag: &Tag| {
                let is_value = tag.value.as_ref().is_none_or(|value| *value == known.tag_value);
                tag.key.as_ref() == Some(&known.tag_key) && is_value
            };
            if self.tag.iter().any(is_named) {
                tags::remove(tx, id, Some(&known.tag_key)).await?;
            }
        }
        Ok(Empty {})
    }
}

/// Lists tags, each with how many resources of each type carry it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeTags {
    resource_type: Option<String>,
    resource_id: Option<String>,
    category: Option<String>,
    #[serde(default)]
    tag: Vec<Tag>,
    page_number: Option<i64>,
    page_size: Option<i64>,
}

const CATEGORIES: [&str; 3] = ["all", "custom", "system"];

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribedTags {
    page_number: i64,
    page_size: i64,
    total_count: i64,
    tags: UsedTags,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct UsedTags {
    tag: Vec<UsedTag>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct UsedTag {
    tag_key: String,
    tag_value: String,
    resource_type_count: TypeCounts,
}

/// How many resources of each type; those that this daemon does not have count none.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TypeCounts {
    instance: i64,
    disk: i64,
    volume: i64,
    image: i64,
    snapshot: i64,
    snapshot_policy: i64,
    securitygroup: i64,
    eni: i64,
    ddh: i64,
    key_pair: i64,
    launch_template: i64,
    reserved_instance: i64,
}

impl TypeCounts {
    fn add(&mut self, count: &Count) {
        match count.resource_type.as_str() {
            "instance" => self.instance += count.resource_count,
            "disk" => self.disk += count.resource_count,
            "image" => self.image += count.resource_count,
            "snapshot" => self.snapshot += count.resource_count,
            "snapshotpolicy" => self.snapshot_policy += count.resource_count,
            // The answer has no place for the others.
            _ => {}
        }
    }
}

impl Action for DescribeTags {
    const NAME: &'static str = "DescribeTags";
    type Response = DescribedTags;

    fn check(&self) -> Result<(), Fault> {
        self.resource_type.as_deref().map(known_type).transpose()?;
        check_one_of(self.category.as_deref(), &CATEGORIES, "Invalid.TagCategory")?;
        check_count(&self.tag)?;
        self.tag.iter().try_for_each(|tag| tags_to_set(std::slice::from_ref(tag)).map(drop))?;
        page(self.page_number, self.page_size).map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<DescribedTags, Fault> {
        let (page, page_number) = page(self.page_number, self.page_size)?;
        let kind = self.resource_type.as_deref().map(known_type).transpose()?;
        let mut described =
            DescribedTags { page_number, page_size: page.size, total_count: 0, tags: UsedTags { tag: Vec::new() } };
        // No resource of a type that is not here, and no tag of the system's own.
        if kind == Some(None) || spelled(self.category.as_deref(), &CATEGORIES) == Some("system") {
            return Ok(described);
        }
        let usage = Usage {
            resource_type: kind.flatten(),
            resource_id: self.resource_id.as_deref(),
            tags: tags_to_match(&self.tag)?,
        };
        for count in tag_usage::counts(tx, &usage, &page).await? {
            let listed = &mut described.tags.tag;
            let is_last = |tag: &UsedTag| tag.tag_key == count.tag_key && tag.tag_value == count.tag_value;
            if !listed.last().is_some_and(is_last) {
                let (tag_key, tag_value) = (count.tag_key.clone(), count.tag_value.clone());
                listed.push(UsedTag { tag_key, tag_value, resource_type_count: TypeCounts::default() });
            }
            if let Some(tag) = listed.last_mut() {
                tag.resource_type_count.add(&count);
            }
        }
        described.total_count = tag_usage::total_of_tags(tx, &usage).await?;
        Ok(described)
    }
}

/// Lists the resources that carry all of some tags, newest first.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeResourceByTags {
    resource_type: Option<String>,
    #[serde(default)]
    tag: Vec<Tag>,
    page_number: Option<i64>,
    page_size: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribedResources {
    page_number: i64,
    page_size: i64,
    total_count: i64,
    resources: Resources,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Resources {
    resource: Vec<Resource>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    region_id: String,
    resource_id: String,
    resource_type: String,
}

impl From<Carrier> for Resource {
    fn from(Carrier { region_id, resource_id, resource_type }: Carrier) -> Self {
        Self { region_id, resource_id, resource_type }
    }
}

impl Action for DescribeResourceByTags {
    const NAME: &'static str = "DescribeResourceByTags";
    type Response = DescribedResources;

    fn check(&self) -> Result<(), Fault> {
        self.resource_type.as_deref().map(known_type).transpose()?;
        if self.tag.iter().any(|tag| tag.key.is_none()) {
            return Err(Fault::missing("Tag.N.Key"));
        }
        check_count(&self.tag)?;
        page(self.page_number, self.page_size).map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<DescribedResources, Fault> {
        let (page, page_number) = page(self.page_number, self.page_size)?;
        let kind = self.resource_type.as_deref().map(known_type).transpose()?;
        let usage = Usage { resource_type: kind.flatten(), resource_id: None, tags: tags_to_match(&self.tag)? };
        let (carriers, total_count) = if kind == Some(None) {
            (Vec::new(), 0)
        } else {
            (tag_usage::carriers(tx, &usage, &page).await?, tag_usage::total_of_carriers(tx, &usage).await?)
        };
        let resource = carriers.into_iter().map(Resource::from).collect();
        Ok(DescribedResources { page_number, page_size: page.size, total_count, resources: Resources { resource } })
    }
}
