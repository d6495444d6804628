//! DescribeImages: its filters and pages; what it shows of an image is in `item`.

mod item;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::api::action::Action;
use crate::api::common::{KeyValue, PageLimits, Paging, Tag, check_one_of, tags_to_match};
use crate::api::describe::{self, CREATION, check_filters, narrow_by_creation};
use crate::faults::{Fault, fault};
use crate::store::filter::{self, Filter};
use crate::store::image_shares::{self, EVERYBODY};
use crate::store::images::{self, Image, Mapping};
use crate::store::tags::{self, ResourceType};
use crate::store::tx::Tx;
use item::{Item, Viewed};

const LIMITS: PageLimits = PageLimits { default: 10, page_size: 100, max_results: 100 };

/// Lists images, newest first: the caller's own, those shared with it and the public ones. Without Status only those that
/// are Available; community images only when they are asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeImages {
    image_id: Option<String>,
    status: Option<String>,
    snapshot_id: Option<String>,
    image_name: Option<String>,
    image_family: Option<String>,
    image_owner_alias: Option<String>,
    image_owner_id: Option<i64>,
    #[serde(rename = "OSType")]
    os_type: Option<String>,
    architecture: Option<String>,
    page_number: Option<i64>,
    page_size: Option<i64>,
    usage: Option<String>,
    resource_group_id: Option<String>,
    is_public: Option<bool>,
    action_type: Option<String>,
    instance_type: Option<String>,
    is_support_io_optimized: Option<bool>,
    is_support_cloudinit: Option<bool>,
    usable: Option<bool>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    filter: Vec<KeyValue>,
    #[serde(default)]
    tag: Vec<Tag>,
}

impl Action for DescribeImages {
    const NAME: &'static str = "DescribeImages";
    type Response = Described;

    fn check(&self) -> Result<(), Fault> {
        let owners = ["system", "self", "others", "marketplace"];
        check_one_of(self.image_owner_alias.as_deref(), &owners, "InvalidImageOwnerAlias.ValueNotSupported")?;
        check_one_of(self.os_type.as_deref(), &["windows", "linux"], "InvalidOSType")?;
        check_one_of(self.architecture.as_deref(), &super::ARCHITECTURES, "InvalidArchitecture")?;
        if self.instance_type.as_deref().is_some_and(|name| architectures_of(name).is_none()) {
            return Err(fault("InvalidInstanceType.ValueNotSupported"));
        }
        check_one_of(self.usage.as_deref(), &["instance", "none"], "InvalidUsage")?;
        check_one_of(self.action_type.as_deref(), &["createecs", "changeos"], "InvalidParamter")?;
        check_filters(&self.filter, &CREATION, &["NetworkType", "platform"])?;
        tags_to_match(&self.tag).map(drop)?;
        self.paging().page(LIMITS).map(drop)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Described, Fault> {
        let paging = self.paging();
        let page = paging.page(LIMITS)?;
        let mut filter = self.filters(tx);
        for (key, value) in tags_to_match(&self.tag)? {
            filter.tag(tx, ResourceType::Image, "images.image_id", key, value);
        }
        let listing = filter::list::<Image>(tx, &images::SOURCE, &filter, &page).await?;
        let total = describe::total(tx, &images::SOURCE, &filter, &paging, (&page, &listing)).await?;
        let ids: Vec<&str> = listing.rows.iter().map(|row| row.image_id.as_str()).collect();
        let mut tags = tags::of_all(tx, &ids).await?;
        let mut mappings: HashMap<String, Vec<Mapping>> = HashMap::new();
        for mapping in images::mappings_of(tx, &ids).await? {
            mappings.entry(mapping.image_id.clone()).or_default().push(mapping);
        }
        let in_use = images::in_use(tx, &ids).await?;
        let (public, shared) = image_shares::of_images(tx, &ids).await?.into_iter().partition::<Vec<_>, _>(is_public);
        let of = |shares: Vec<image_shares::Share>| shares.into_iter().map(|share| share.image_id).collect();
        let (public, shared): (HashSet<String>, HashSet<String>) = (of(public), of(shared));
        let (now, caller) = (tx.now, tx.account_id());
        let item = |row: Image| {
            Item::of(Viewed {
                tags: tags.remove(&row.image_id).unwrap_or_default(),
                mappings: mappings.remove(&row.image_id).unwrap_or_default(),
                usage: usage(in_use.contains(&row.image_id)),
                is_own: row.account_id == caller,
                is_community: public.contains(&row.image_id),
                is_shared: shared.contains(&row.image_id),
                row,
                now,
            })
        };
        Ok(Described {
            region_id: tx.region().id,
            page_number: self.page_number.unwrap_or(1),
            page_size: page.size,
            total_count: total,
            images: Items { image: listing.rows.into_iter().map(item).collect() },
        })
    }
}

impl DescribeImages {
    fn paging(&self) -> Paging<'_> {
        Paging { page_number: self.page_number, page_size: self.page_size, ..Paging::default() }
    }

    /// Whose images are listed.
    fn visible(&self, tx: &Tx<'_>) -> Filter {
        const OWN: &str = "images.account_id = ? AND images.region_id = ?";
        const SHARED: &str = "images.account_id <> ? AND images.region_id = ?
            AND images.image_id IN (SELECT image_id FROM image_shares WHERE account_id = ?)";
        const COMMUNITY: &str =
            "images.region_id = ? AND images.image_id IN (SELECT image_id FROM image_shares WHERE account_id = ?)";
        let (caller, region) = (tx.account_id(), tx.region().id);
        let own = [caller.into(), region.into()];
        let shared = [caller.into(), region.into(), caller.into()];
        let mut filter = Filter::default();
        let owner = self.image_owner_alias.as_deref().map(str::to_ascii_lowercase);
        match (owner.as_deref(), self.is_public.unwrap_or(false)) {
            // There is no market, and base images are no community images.
            (Some("marketplace"), _) | (Some("system"), true) => filter.condition("1 = 0", []),
            (Some("self"), false) => filter.condition(OWN, own),
            (Some("others"), false) => filter.condition(SHARED, shared),
            (Some("system"), false) => filter.condition("images.account_id = 'system'", []),
            (of, true) => {
                filter.condition(COMMUNITY, [region.into(), EVERYBODY.into()]);
                match of {
                    Some("self") => filter.is("images.account_id", caller),
                    Some("others") => filter.condition("images.account_id <> ?", [caller.into()]),
                    _ => {}
                }
            }
            _ => {
                let any = format!("(images.account_id = 'system' OR {OWN} OR {SHARED})");
                filter.condition(&any, own.into_iter().chain(shared));
            }
        }
        filter
    }

    fn filters(&self, tx: &Tx<'_>) -> Filter {
        let mut filter = self.visible(tx);
        if let Some(owner_id) = self.image_owner_id {
            filter.is("images.account_id", owner_id.to_string().as_str());
        }
        match self.status.as_deref() {
            None => filter.is("images.status", "Available"),
            Some(text) if text.eq_ignore_ascii_case("all") => {}
            Some(list) => filter.any("images.status", list.split(',').map(str::trim)),
        }
        match self.usable {
            Some(true) => filter.is("images.status", "Available"),
            Some(false) => filter.condition("images.status <> 'Available'", []),
            None => {}
        }
        if self.is_support_io_optimized == Some(false) || self.is_support_cloudinit == Some(false) {
            // Documented of all images that can still be made.
            filter.condition("1 = 0", []);
        }
        if let Some(known) = self.instance_type.as_deref().and_then(architectures_of) {
            filter.any("architecture", known.iter().copied());
        }
        if let Some(ids) = &self.image_id {
            filter.any("images.image_id", ids.split(',').map(str::trim));
        }
        if let Some(name) = &self.image_name {
            filter.like("image_name", name);
        }
        filter.is_given("image_family", self.image_family.as_deref());
        filter.is_given("os_type", self.os_type.as_deref().map(str::to_ascii_lowercase).as_deref());
        filter.is_given("architecture", self.architecture.as_deref().map(str::to_ascii_lowercase).as_deref());
        filter.is_given("resource_group_id", self.resource_group_id.as_deref());
        if let Some(snapshot_id) = &self.snapshot_id {
            let mapped = "images.image_id IN (SELECT image_id FROM image_disk_mappings WHERE snapshot_id = ?)";
            filter.condition(mapped, [snapshot_id.as_str().into()]);
        }
        if let Some(usage) = &self.usage {
            let not = if usage.eq_ignore_ascii_case("none") { "NOT " } else { "" };
            let used = "EXISTS (SELECT 1 FROM instances i WHERE i.image_id = images.image_id AND i.account_id = ?)";
            filter.condition(&format!("{not}{used}"), [tx.account_id().into()]);
        }
        narrow_by_creation(&mut filter, &images::SOURCE, &self.filter);
        for KeyValue { value, .. } in self.filter.iter().filter(|filter| filter.key == "platform") {
            filter.is("platform", value.as_str());
        }
        filter
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    region_id: &'static str,
    page_number: i64,
    page_size: i64,
    total_count: i64,
    images: Items,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    image: Vec<Item>,
}

/// As the vendor spells it.
pub fn usage(is_in_use: bool) -> &'static str {
    if is_in_use { "instance" } else { "none" }
}

fn is_public(share: &image_shares::Share) -> bool {
    share.account_id == EVERYBODY
}

/// The architectures that an instance type boots, `None` for what is no instance type: families of Yitian and Ampere
/// processors end in `y` or, of the sixth generation, in `r`.
fn architectures_of(instance_type: &str) -> Option<&'static [&'static str]> {
    let mut parts = instance_type.split('.');
    let (Some("ecs"), Some(family), Some(size), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_arm = family.ends_with("6r") || family.ends_with("8y");
    (is_word(family) && is_word(size)).then_some(if is_arm { &["arm64"] } else { &["i386", "x86_64"] })
}
