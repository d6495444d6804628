//! An action: its parameters as a type with one method `run`, and its line in the registry; never transport.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::App;
use crate::api::call;
use crate::api::older;
use crate::faults::Fault;
use crate::store::row_locks::RowLocks;
use crate::store::tx::Tx;
use crate::wire::credentials::Caller;
use crate::wire::params::Params;
use crate::wire::probe;
use crate::wire::render::Format;

/// The version of the ECS API.
pub const ECS: &str = "2014-05-26";

/// An ECS call: the fields are its parameters, `run` is what it does.
///
/// `RegionId` is no field: it is common to all calls and [`Tx::region`] tells it.
pub trait Action: DeserializeOwned + Send + Sync + 'static {
    const NAME: &'static str;

    /// Codes for parameters that are missing, by wire name; `MissingParameter` for all others.
    const MISSING: &'static [(&'static str, &'static str)] = &[];

    /// Codes for parameters that cannot be read, by wire name. For all others the documented code of the action,
    /// `Invalid<Name>.Malformed` or `Invalid<Name>.ValueNotSupported`, else `InvalidParameter`.
    const MALFORMED: &'static [(&'static str, &'static str)] = &[];

    /// The code for a region that does not exist.
    const UNKNOWN_REGION: &'static str = "InvalidRegionId.NotFound";

    type Response: Serialize + Send + 'static;

    /// Refuses values that are wrong whatever is stored.
    ///
    /// # Errors
    /// The documented code of the parameter.
    fn check(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// Learns the address by which the caller reached the daemon, `host:port`, and whether by HTTPS, before anything else.
    fn reached_at(&mut self, _host: &str, _is_secure: bool) {}

    /// The rows that the parameters name and the call must have for itself; taken before `run`, all or none.
    fn row_locks(&self) -> RowLocks {
        RowLocks::none()
    }

    /// Whether everything is to be checked and nothing changed.
    fn is_dry_run(&self) -> bool {
        false
    }

    /// Does it, in one transaction: checks first, then the effect.
    ///
    /// # Errors
    /// The documented codes; nothing is changed then.
    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Response, Fault>> + Send;
}

/// An action that takes a ClientToken: the same token and parameters give the same answer again.
pub trait Idempotent: Action<Response: DeserializeOwned> + Serialize {
    fn client_token(&self) -> Option<&str>;
}

/// A call whose caller is proven.
pub struct Call {
    pub params: Params,
    pub caller: Caller,
    pub format: Format,
    pub request_id: String,
    /// Host and port by which the caller reached the daemon, as far as it said.
    pub host: Option<String>,
    /// Whether it came by the HTTPS listener.
    pub is_secure: bool,
}

/// The rendered answer of a call.
pub type Serving = Pin<Box<dyn Future<Output = Result<Vec<u8>, Fault>> + Send>>;

/// How an action uses the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Read,
    Write,
    /// A write that takes a ClientToken.
    WriteOnce,
}

/// An action's line in the registry.
pub struct Entry {
    pub name: &'static str,
    pub version: &'static str,
    pub kind: Kind,
    parameters: fn() -> BTreeSet<String>,
    serve: fn(Arc<App>, Call) -> Serving,
}

impl Entry {
    /// The wire names of its own parameters, lists as `Tag.N.Key`.
    #[must_use]
    pub fn parameters(&self) -> BTreeSet<String> {
        (self.parameters)()
    }

    /// Does the call and renders its answer.
    #[must_use]
    pub fn serve(&self, app: Arc<App>, call: Call) -> Serving {
        (self.serve)(app, call)
    }
}

/// What an action answers, refusals in the spelling of its own table, the older one where that is asked for.
async fn spelled<A: Action>(
    in_older_codes: bool,
    serving: impl Future<Output = Result<Vec<u8>, Fault>>,
) -> Result<Vec<u8>, Fault> {
    let refusal = match serving.await {
        Ok(answer) => return Ok(answer),
        Err(refusal) => refusal.as_spelled_by(A::NAME),
    };
    Err(if in_older_codes { older::spelled(A::NAME, refusal) } else { refusal })
}

/// An action that changes nothing.
#[must_use]
pub const fn read<A: Action>() -> Entry {
    Entry {
        name: A::NAME,
        version: ECS,
        kind: Kind::Read,
        parameters: probe::names::<A>,
        serve: |app, call| Box::pin(spelled::<A>(app.config.fidelity.older_codes, call::read::<A>(app, call))),
    }
}

/// An action of another API on the same endpoint that changes nothing.
#[must_use]
pub const fn read_in<A: Action>(version: &'static str) -> Entry {
    Entry { version, ..read::<A>() }
}

/// An action that changes something.
#[must_use]
pub const fn write<A: Action>() -> Entry {
    Entry {
        name: A::NAME,
        version: ECS,
        kind: Kind::Write,
        parameters: probe::names::<A>,
        serve: |app, call| Box::pin(spelled::<A>(app.config.fidelity.older_codes, call::write::<A>(app, call))),
    }
}

/// An action that changes something once for each ClientToken.
#[must_use]
pub const fn write_once<A: Idempotent>() -> Entry {
    Entry {
        name: A::NAME,
        version: ECS,
        kind: Kind::WriteOnce,
        parameters: probe::names::<A>,
        serve: |app, call| Box::pin(spelled::<A>(app.config.fidelity.older_codes, call::write_once::<A>(app, call))),
    }
}
