//! Configuration: embedded defaults, file, environment, flags, in that order; the only place that reads the environment.

mod clock;
mod kms_keys;
mod tls;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fmt, iter};

use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::regions;
pub use clock::{CatchUp, Clock, ClockMode, Millis, RATES, scaled};
pub use kms_keys::{KmsKey, KmsKeyState};
pub use tls::Tls;

/// The shipped defaults, which also document every key.
pub const DEFAULTS: &str = include_str!("../config.toml");
/// Read when no `--config` is given and the file exists.
const SYSTEM_FILE: &str = "/etc/snapshotd/config.toml";
const PREFIX: &str = "SNAPSHOTD_";
/// Variables that a test bench sets for its clients, not for the daemon: these, and the one that names the daemon to run.
const TEST_PREFIX: &str = "test_";
const BINARY: &str = "bin";
/// The id of the key that ships with the defaults and is public knowledge.
pub const DEFAULT_KEY: &str = "testid";
const DEFAULT_SECRET: &str = "testsecret";

/// Everything that can be configured; `config.toml` says what each key means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub tls: Tls,
    pub log: Log,
    pub admin: Admin,
    pub limits: Limits,
    pub clock: Clock,
    pub seed: Seed,
    pub accounts: Vec<Account>,
    /// Empty: every key id is taken as given.
    #[serde(default)]
    pub kms_keys: Vec<KmsKey>,
    pub lifecycle: Lifecycle,
    pub quotas: Quotas,
    pub fidelity: Fidelity,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

impl Log {
    /// What is logged; `None` where `level` does not tell. A bare word is a level, never the name of a module.
    #[must_use]
    pub fn filter(&self) -> Option<Targets> {
        let bare = self.level.split(',').filter(|part| !part.contains('='));
        let is_told = bare.into_iter().all(|word| word.trim().parse::<LevelFilter>().is_ok());
        self.level.parse().ok().filter(|_| is_told)
    }
}

/// The levers of a test bench.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    pub enabled: bool,
    /// Empty for none.
    pub token: String,
    /// How many requests are remembered; 0 for none.
    pub requests: usize,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("enabled", &self.enabled)
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub body_bytes: usize,
    pub parameters: usize,
    pub head_ms: u64,
    pub body_ms: u64,
    pub answer_ms: u64,
    pub connections: usize,
    pub queue: usize,
    pub batch: usize,
    pub readers: u32,
    pub nonces: usize,
    pub tombstones: i64,
    pub events: i64,
    pub shutdown_ms: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    pub ids: u64,
    /// Empty for none.
    pub file: PathBuf,
}

impl Seed {
    /// The seed of the id generators; `None` for random ids.
    #[must_use]
    pub fn ids(&self) -> Option<u64> {
        (self.ids != 0).then_some(self.ids)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// 16 decimal digits.
    pub id: String,
    pub name: String,
    pub keys: Vec<AccessKey>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    pub id: String,
    pub secret: String,
    #[serde(default)]
    pub security_token: Option<String>,
    #[serde(default)]
    pub disabled: bool,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessKey({})", self.id)
    }
}

/// How long things take, in milliseconds of the resource clock.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    pub snapshot_ms: u32,
    pub cut_ms: u32,
    pub copy_ms: u32,
    pub archive_ms: u32,
    pub export_ms: u32,
    pub image_ms: u32,
    pub image_copy_ms: u32,
    pub disk_ms: u32,
    pub attach_ms: u32,
    pub detach_ms: u32,
    pub reset_ms: u32,
    pub reinit_ms: u32,
    pub modify_disk_spec_ms: u32,
    pub modify_disk_spec_cooling_ms: u32,
    pub clone_disk_ms: u32,
    pub instance_start_ms: u32,
    pub instance_stop_ms: u32,
    pub first_snapshot_percent: u8,
    pub later_snapshot_percent: u8,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Of an account in a region; 0 for any number.
    pub snapshots: i64,
    pub snapshots_per_disk: i64,
    pub auto_snapshots_per_disk: i64,
    pub concurrent_snapshots: i64,
    pub concurrent_archives: i64,
    pub images: i64,
    pub images_per_family: i64,
    pub image_families: i64,
    pub concurrent_image_copies: i64,
    pub accounts_per_image: i64,
    pub shared_images: i64,
    pub disks_per_instance: i64,
    pub detaching_disks: i64,
    pub modifying_disks: i64,
    pub tags: i64,
    pub policies: i64,
    pub policies_per_disk: i64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct Fidelity {
    pub unknown_snapshot: Unknown,
    pub unknown_disk: Unknown,
    pub unknown_image: Unknown,
    pub unknown_snapshot_group: Unknown,
    pub unknown_policy: Unknown,
    pub default_region: String,
    pub strict_region: bool,
    pub require_region: bool,
    pub conflict_wait_ms: u64,
    pub allow_never_attached: bool,
    pub snapshot_service_open: bool,
    pub kms_authorized: bool,
    pub token_hours: i64,
    /// Whether actions answer the codes that they had before; see [`crate::api::older`].
    pub older_codes: bool,
}

/// What deleting an id that is not there answers; decision 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    Idempotent,
    Ignore,
    NotFound,
}

/// What the command line may set over every other source.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Flags {
    #[serde(skip)]
    pub config: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    #[serde(skip)]
    pub allow_default_key: bool,
}

/// A configuration that is refused, with the key's path and what is allowed there.
#[derive(Debug)]
pub struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration: {}", self.0)
    }
}

impl std::error::Error for Refused {}

impl Config {
    /// Reads all sources and checks the result.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown key or a bad value; the message names the key and what is allowed.
    pub fn load(flags: &Flags) -> Result<Self, Refused> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        match &flags.config {
            Some(file) if !file.is_file() => return Err(Refused(format!("{} is not a file", file.display()))),
            Some(file) => figment = figment.merge(Toml::file_exact(file)),
            None if Path::new(SYSTEM_FILE).is_file() => figment = figment.merge(Toml::file_exact(SYSTEM_FILE)),
            None => {}
        }
        let environment =
            Env::prefixed(PREFIX).filter(|key| !key.starts_with(TEST_PREFIX) && key != BINARY).split("__");
        let figment = figment.merge(environment).merge(Serialized::defaults(flags));
        let config: Self = figment.extract().map_err(|error| Refused(error.to_string()))?;
        config.validate(flags)?;
        Ok(config)
    }

    /// The defaults alone, for tests and tools.
    ///
    /// # Panics
    /// Never: the embedded file is checked by a test.
    #[must_use]
    pub fn embedded() -> Self {
        Figment::from(Toml::string(DEFAULTS)).extract().expect("the embedded config.toml is valid")
    }

    fn validate(&self, flags: &Flags) -> Result<(), Refused> {
        let refuse = |key: &str, allowed: &str| Err(Refused(format!("{key}: {allowed}")));
        let limits = &self.limits;
        let positive = [
            ("limits.body_bytes", limits.body_bytes),
            ("limits.parameters", limits.parameters),
            ("limits.connections", limits.connections),
            ("limits.queue", limits.queue),
            ("limits.batch", limits.batch),
            ("limits.nonces", limits.nonces),
            ("limits.readers", limits.readers as usize),
        ];
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return refuse(key, "a whole number above 0");
        }
        if limits.tombstones < 0 || limits.events < 0 {
            return refuse("limits.tombstones, limits.events", "0 or more");
        }
        if !RATES.contains(&self.clock.rate) {
            return refuse("clock.rate", "a number from 0.001 to 1000000");
        }
        let quotas = &self.quotas;
        let counts = [
            ("quotas.snapshots_per_disk", quotas.snapshots_per_disk),
            ("quotas.auto_snapshots_per_disk", quotas.auto_snapshots_per_disk),
            ("quotas.concurrent_snapshots", quotas.concurrent_snapshots),
            ("quotas.concurrent_archives", quotas.concurrent_archives),
            ("quotas.images", quotas.images),
            ("quotas.images_per_family", quotas.images_per_family),
            ("quotas.image_families", quotas.image_families),
            ("quotas.concurrent_image_copies", quotas.concurrent_image_copies),
            ("quotas.accounts_per_image", quotas.accounts_per_image),
            ("quotas.shared_images", quotas.shared_images),
            ("quotas.disks_per_instance", quotas.disks_per_instance),
            ("quotas.detaching_disks", quotas.detaching_disks),
            ("quotas.modifying_disks", quotas.modifying_disks),
            ("quotas.tags", quotas.tags),
            ("quotas.policies", quotas.policies),
            ("quotas.policies_per_disk", quotas.policies_per_disk),
            ("fidelity.token_hours", self.fidelity.token_hours),
        ];
        if let Some((key, _)) = counts.into_iter().find(|(_, value)| *value < 1) {
            return refuse(key, "a whole number above 0");
        }
        if quotas.snapshots < 0 {
            return refuse("quotas.snapshots", "0 or more");
        }
        if regions::find(&self.fidelity.default_region).is_none() {
            return refuse("fidelity.default_region", &format!("one of {}", regions::names().join(", ")));
        }
        if self.log.filter().is_none() {
            return refuse("log.level", "off, error, warn, info, debug, trace, or such of modules: info,sqlx=warn");
        }
        self.validate_accounts()?;
        self.tls.validate()?;
        kms_keys::validate(&self.kms_keys, &self.accounts)?;
        self.validate_addresses(flags)
    }

    fn validate_addresses(&self, flags: &Flags) -> Result<(), Refused> {
        match self.addresses().find(|(_, address)| !address.ip().is_loopback()) {
            Some((key, _)) if self.has_default_key() && !flags.allow_default_key => Err(Refused(format!(
                "{key}: an address that others can reach needs [[accounts]] of your own, or --allow-default-key"
            ))),
            _ => Ok(()),
        }
    }

    fn validate_accounts(&self) -> Result<(), Refused> {
        let refuse = |place: String, allowed: &str| Err(Refused(format!("{place}: {allowed}")));
        if self.accounts.is_empty() {
            return refuse("accounts".to_owned(), "at least one account");
        }
        let (mut ids, mut keys) = (Vec::new(), Vec::new());
        for (i, account) in self.accounts.iter().enumerate() {
            if account.id.len() != 16 || !account.id.bytes().all(|b| b.is_ascii_digit()) || ids.contains(&&account.id) {
                return refuse(format!("accounts[{i}].id"), "16 decimal digits, each account its own");
            }
            ids.push(&account.id);
            for (j, key) in account.keys.iter().enumerate() {
                if key.id.is_empty() || key.secret.is_empty() || keys.contains(&&key.id) {
                    return refuse(format!("accounts[{i}].keys[{j}]"), "an id of its own and a secret, neither empty");
                }
                keys.push(&key.id);
            }
        }
        Ok(())
    }

    /// Every address that is listened on, with its key.
    fn addresses(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        iter::once(("listen", self.listen)).chain(self.tls.listen.map(|address| ("tls.listen", address)))
    }

    /// Whether the levers are there: where only this machine can reach them, or a token keeps others out.
    #[must_use]
    pub fn has_levers(&self) -> bool {
        let is_private = self.addresses().all(|(_, address)| address.ip().is_loopback());
        self.admin.enabled && (is_private || !self.admin.token.is_empty())
    }

    /// Whether the key that everybody knows is accepted.
    #[must_use]
    pub fn has_default_key(&self) -> bool {
        let mut keys = self.accounts.iter().flat_map(|account| &account.keys);
        keys.any(|key| key.id == DEFAULT_KEY && key.secret == DEFAULT_SECRET)
    }
}
