//! Shares of images: with other accounts, or with everybody as a community image; no SQL, no transport.

use serde::{Deserialize, Serialize};

use crate::actions::images::own;
use crate::api::action::{Action, Entry, read, write};
use crate::api::common::{Empty, PageLimits, Paging};
use crate::api::describe;
use crate::faults::{Fault, fault};
use crate::store::filter::{self, Filter};
use crate::store::image_shares::{self, EVERYBODY, Share};
use crate::store::images::{self, Examined};
use crate::store::row_locks::RowLocks;
use crate::store::tx::Tx;
use crate::store::{accounts, snapshots};

pub static ACTIONS: [Entry; 2] = [write::<ModifyImageSharePermission>(), read::<DescribeImageSharePermission>()];

const LIMITS: PageLimits = PageLimits { default: 10, page_size: 100, max_results: 100 };
/// Documented: further accounts of a call are ignored.
const MOST_ACCOUNTS: usize = 10;
/// What LaunchPermission says of an image; the vendor gives it to few accounts, and to none of ours.
const LAUNCH_PERMISSIONS: [&str; 2] = ["PUBLIC", "HIDDEN"];

/// Lets other accounts use an image or no longer lets them; publishes it for everybody or takes it back.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyImageSharePermission {
    image_id: String,
    #[serde(default)]
    add_account: Vec<String>,
    #[serde(default)]
    remove_account: Vec<String>,
    is_public: Option<bool>,
    launch_permission: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

impl Action for ModifyImageSharePermission {
    const NAME: &'static str = "ModifyImageSharePermission";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        let names_accounts = !self.add_account.is_empty() || !self.remove_account.is_empty();
        if let Some(permission) = &self.launch_permission {
            if names_accounts {
                return Err(fault("UnnecessaryParameter.LaunchPermission"));
            }
            let is_known = LAUNCH_PERMISSIONS.iter().any(|known| known.eq_ignore_ascii_case(permission));
            let codes = ["InvalidParameter.LaunchPermission", "ForbiddenParameter.LaunchPermission"];
            return Err(fault(codes[usize::from(is_known)]));
        }
        if names_accounts && self.is_public == Some(true) {
            return Err(fault("InvalidParameter.IsPublic"));
        }
        if !names_accounts && self.is_public.is_none() {
            return Err(Fault::missing("AddAccount.1"));
        }
        Ok(())
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.image_id)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        if images::find(tx, &self.image_id).await?.is_some_and(|found| found.image.is_public()) {
            return Err(fault("Image.Public"));
        }
        let found = own(tx, &self.image_id).await?;
        if found.holds.is_held_exclusively() {
            return Err(fault("Operation.Conflict"));
        }
        let add = accounts(tx, &self.add_account).await?;
        let remove = accounts(tx, &self.remove_account).await?;
        if add.is_empty() && remove.is_empty() {
            return self.publish(tx, &found).await;
        }
        if !add.is_empty() {
            may_be_shared(tx, &found).await?;
            check_room(tx, &found, &add).await?;
        }
        // Effect
        for account_id in &remove {
            image_shares::remove(tx, &found.image, account_id).await?;
        }
        for account_id in &add {
            image_shares::add(tx, &found.image, account_id).await?;
        }
        Ok(Empty {})
    }
}

impl ModifyImageSharePermission {
    async fn publish(&self, tx: &mut Tx<'_>, found: &Examined) -> Result<Empty, Fault> {
        match (self.is_public.unwrap_or(false), found.is_community()) {
            (true, true) => Err(fault("Image.Public")),
            (false, false) => Err(fault("Image.NotPublic")),
            (false, true) => image_shares::remove(tx, &found.image, EVERYBODY).await.map(|()| Empty {}),
            (true, false) => {
                check_status(found)?;
                let mappings = images::mappings_of(tx, &[&found.image.image_id]).await?;
                if mappings.iter().any(|mapping| mapping.encrypted.into()) {
                    return Err(fault("OperationDeined.EncryptedSnapshot"));
                }
                image_shares::add(tx, &found.image, EVERYBODY).await.map(|()| Empty {})
            }
        }
    }
}

/// The accounts that count, each once.
async fn accounts(tx: &mut Tx<'_>, given: &[String]) -> Result<Vec<String>, Fault> {
    let mut accounts: Vec<String> = Vec::new();
    for account_id in given.iter().take(MOST_ACCOUNTS) {
        if account_id == tx.account_id() {
            return Err(fault("InvalidAccount.Forbbiden"));
        }
        if !accounts::is_known(tx, account_id).await? {
            return Err(fault("InvalidAccount.NotFound"));
        }
        if !accounts.contains(account_id) {
            accounts.push(account_id.clone());
        }
    }
    Ok(accounts)
}

/// The image can be given to other accounts.
async fn may_be_shared(tx: &mut Tx<'_>, found: &Examined) -> Result<(), Fault> {
    if found.is_community() {
        return Err(fault("Image.Public"));
    }
    check_status(found)?;
    let mappings = images::mappings_of(tx, &[&found.image.image_id]).await?;
    let encrypted = mappings.iter().filter(|mapping| mapping.encrypted.into());
    for snapshot_id in encrypted.filter_map(|mapping| mapping.snapshot_id.as_deref()) {
        // Decision 35: the default key is nobody else's.
        let source = snapshots::find(tx, snapshot_id).await?;
        if source.is_none_or(|source| source.snapshot.kms_key_id.is_empty()) {
            return Err(fault("OperationDeined.EncryptedSnapshot"));
        }
        if mappings.len() > 1 {
            return Err(fault("OperationDeined.FullImage"));
        }
    }
    Ok(())
}

fn check_status(found: &Examined) -> Result<(), Fault> {
    if found.image.status == "Available" { Ok(()) } else { Err(fault("OperationDenied.InvalidImageStatus")) }
}

/// There is room for these accounts beside those that have the image already.
async fn check_room(tx: &mut Tx<'_>, found: &Examined, add: &[String]) -> Result<(), Fault> {
    let known = image_shares::of_images(tx, &[&found.image.image_id]).await?;
    let is_new = |account_id: &&String| known.iter().all(|share| share.account_id != **account_id);
    let new = i64::try_from(add.iter().filter(is_new).count()).unwrap_or(i64::MAX);
    if found.shares + new > tx.config().quotas.accounts_per_image {
        return Err(fault("QuotaExceed.ShareImageUser"));
    }
    let is_first = found.shares == 0 && new > 0;
    if is_first && image_shares::count_others(tx, &found.image).await? >= tx.config().quotas.shared_images {
        return Err(fault("QuotaExceed.ShareImage"));
    }
    Ok(())
}

/// Lists the accounts that the caller's own image is shared with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeImageSharePermission {
    image_id: String,
    page_number: Option<i64>,
    page_size: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    region_id: String,
    image_id: String,
    page_number: i64,
    page_size: i64,
    total_count: i64,
    share_groups: ShareGroups,
    accounts: Accounts,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShareGroups {
    share_group: Vec<ShareGroup>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShareGroup {
    group: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Accounts {
    account: Vec<Account>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    aliyun_id: String,
    shared_time: String,
}

impl Action for DescribeImageSharePermission {
    const NAME: &'static str = "DescribeImageSharePermission";
    type Response = Described;

    fn check(&self) -> Result<(), Fault> {
        self.paging().page(LIMITS).map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Described, Fault> {
        let found = own(tx, &self.image_id).await?;
        let paging = self.paging();
        let page = paging.page(LIMITS)?;
        let mut filter = Filter::default();
        filter.is("image_id", self.image_id.as_str());
        filter.condition("account_id <> ?", [EVERYBODY.into()]);
        let listing = filter::list::<Share>(tx, &image_shares::SOURCE, &filter, &page).await?;
        let total = describe::total(tx, &image_shares::SOURCE, &filter, &paging, (&page, &listing)).await?;
        // A community image is shared with the group of all accounts.
        let groups = found.is_community().then_some(ShareGroup { group: "all" });
        let account =
            |share: Share| Account { aliyun_id: share.account_id, shared_time: share.creation_time.to_seconds() };
        Ok(Described {
            region_id: found.image.region_id,
            image_id: found.image.image_id,
            page_number: self.page_number.unwrap_or(1),
            page_size: page.size,
            total_count: total,
            share_groups: ShareGroups { share_group: groups.into_iter().collect() },
            accounts: Accounts { account: listing.rows.into_iter().map(account).collect() },
        })
    }
}

impl DescribeImageSharePermission {
    fn paging(&self) -> Paging<'_> {
        Paging { page_number: self.page_number, page_size: self.page_size, ..Paging::default() }
    }
}
