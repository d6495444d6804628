//! The daemon's parts put together: what `main` and the tests build alike; does nothing by itself.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::admin;
use crate::api::call::Claims;
use crate::clock::Clock;
use crate::config::Config;
use crate::ids::RequestIds;
use crate::levers::Levers;
use crate::lifecycle;
use crate::store::accounts::StoredAccounts;
use crate::store::tx::Context;
use crate::store::{Failure, Store};
use crate::wire::credentials::Credentials;
use crate::wire::nonces::Nonces;

/// Everything that a call can reach.
pub struct App {
    pub config: Arc<Config>,
    pub clock: Arc<Clock>,
    pub store: Store,
    pub credentials: Credentials,
    pub nonces: Nonces,
    pub request_ids: RequestIds,
    pub claims: Claims,
    pub levers: Arc<Levers>,
    pub signals: admin::Signals,
    /// Whether all that fell due before the start has happened.
    pub is_ready: AtomicBool,
}

impl App {
    /// Opens the store of `config` with the clock that it names.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn open(config: Config) -> Result<Arc<Self>, Failure> {
        let clock = Clock::new(config.clock.running(), config.clock.start);
        Self::open_with_clock(config, clock).await
    }

    /// As [`App::open`], with a clock of the caller's own.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn open_with_clock(config: Config, clock: Clock) -> Result<Arc<Self>, Failure> {
        let (config, clock) = (Arc::new(config), Arc::new(clock));
        // Nobody can ask for what is remembered where the levers are off.
        let levers = Arc::new(Levers::new(if config.has_levers() { config.admin.requests } else { 0 }));
        let store = Store::open(&config, &clock, &levers, lifecycle::fire).await?;
        let credentials = Credentials::new(&config.accounts);
        match store.read(&Context::engine(), &StoredAccounts).await {
            Ok(accounts) => accounts.iter().for_each(|account| credentials.add(account)),
            Err(failure) => return Err(Failure::Database(sqlx::Error::Protocol(failure.to_string()))),
        }
        Ok(Arc::new(Self {
            credentials,
            nonces: Nonces::new(config.limits.nonces),
            request_ids: RequestIds::new(config.seed.ids()),
            claims: Claims::default(),
            levers,
            signals: admin::Signals::default(),
            is_ready: AtomicBool::new(false),
            config,
            clock,
            store,
        }))
    }
}
