//! Neighbours on the same endpoint: who is calling (STS) and where a service is (location); never stored.

use serde::{Deserialize, Serialize};

use crate::api::action::{Action, Entry, read_in};
use crate::api::common::spelled;
use crate::faults::{Fault, fault};
use crate::regions;
use crate::store::tx::Tx;

const STS: &str = "2015-04-01";
const LOCATION: &str = "2015-06-12";

pub static ACTIONS: [Entry; 2] = [read_in::<GetCallerIdentity>(STS), read_in::<DescribeEndpoints>(LOCATION)];

/// Tells whose key signed the call.
#[derive(Debug, Deserialize)]
pub struct GetCallerIdentity {}

/// The account itself, since no users and roles are emulated.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Identity {
    account_id: String,
    arn: String,
    identity_type: &'static str,
    principal_id: String,
    user_id: String,
}

impl Action for GetCallerIdentity {
    const NAME: &'static str = "GetCallerIdentity";
    type Response = Identity;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Identity, Fault> {
        let account_id = tx.account_id().to_owned();
        Ok(Identity {
            arn: format!("acs:ram::{account_id}:root"),
            identity_type: "Account",
            principal_id: account_id.clone(),
            user_id: account_id.clone(),
            account_id,
        })
    }
}

/// The services that are served here, with the name that the location service gives each.
const SERVED: [(&str, &str); 3] =
    [("ecs", "com.aliyuncs.ecs"), ("sts", "com.aliyuncs.sts"), ("location", "com.aliyuncs.location")];
const TYPES: [&str; 2] = ["openAPI", "innerAPI"];

/// Tells where a service is in a region: here, by the name and protocol that it was called by.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeEndpoints {
    id: String,
    service_code: String,
    #[serde(rename = "Type")]
    kind: Option<String>,
    #[serde(skip)]
    host: String,
    #[serde(skip)]
    is_secure: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointList {
    success: bool,
    endpoints: Endpoints,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoints {
    endpoint: Vec<Endpoint>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    endpoint: String,
    id: String,
    namespace: &'static str,
    /// The vendor's spelling.
    serivce_code: &'static str,
    #[serde(rename = "Type")]
    kind: &'static str,
    protocols: Protocols,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Protocols {
    protocols: [&'static str; 1],
}

impl Action for DescribeEndpoints {
    const NAME: &'static str = "DescribeEndpoints";
    type Response = EndpointList;

    fn check(&self) -> Result<(), Fault> {
        if regions::find(&self.id).is_none() {
            return Err(fault("InvalidRegionId"));
        }
        let is_unknown = self.kind.is_some() && spelled(self.kind.as_deref(), &TYPES).is_none();
        if is_unknown { Err(Fault::invalid("Type")) } else { Ok(()) }
    }

    fn reached_at(&mut self, host: &str, is_secure: bool) {
        host.clone_into(&mut self.host);
        self.is_secure = is_secure;
    }

    /// A service that is not served here has no endpoint: nobody is sent to the real one.
    async fn run(&self, _tx: &mut Tx<'_>) -> Result<EndpointList, Fault> {
        let served = SERVED.iter().find(|(code, _)| code.eq_ignore_ascii_case(&self.service_code));
        let endpoint = served.map(|(code, namespace)| Endpoint {
            endpoint: self.host.clone(),
            id: self.id.clone(),
            namespace,
            serivce_code: code,
            kind: spelled(self.kind.as_deref(), &TYPES).unwrap_or(TYPES[0]),
            protocols: Protocols { protocols: [if self.is_secure { "HTTPS" } else { "HTTP" }] },
        });
        Ok(EndpointList { success: true, endpoints: Endpoints { endpoint: Vec::from_iter(endpoint) } })
    }
}
