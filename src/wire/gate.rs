//! The gateway's checks between a request and an action, in their fixed order; never knows what an action does.

use super::credentials::Caller;
use super::request::{Received, authorization};
use super::signature_v1;
use super::signature_v3::{self, Authorization, Signed};
use crate::App;
use crate::api::action::Entry;
use crate::api::registry;
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};

/// How far a client's clock may be off, either way: the window of the vendor's gateway.
const SKEW_MS: i64 = 15 * 60 * 1_000;
/// Honest about an action that the vendor has (decision 19).
const NOT_EMULATED: &str = " snapshotd does not emulate this action.";

/// How a request says who sent it.
enum Scheme<'a> {
    V1,
    V3(&'a str),
    /// Bearer tokens, foreign signature types and anonymous calls, all of which are refused.
    Unsupported,
}

/// The scheme goes by `Authorization`: v1 requests of every SDK carry `x-acs-action` and `x-acs-version` as well.
fn scheme(request: &Received) -> Scheme<'_> {
    let params = &request.params;
    if let Some(value) = authorization(&request.headers).filter(|value| value.starts_with(signature_v3::FAMILY)) {
        return Scheme::V3(value);
    }
    let is_foreign = params.get("SignatureType").is_some() || params.get("BearerToken").is_some();
    let is_bearer =
        ["x-acs-bearer-token", "x-acs-zero-trust-idtoken"].iter().any(|name| request.header(name).is_some());
    let is_anonymous = params.get("AccessKeyId").is_none() && request.header("x-acs-signature-nonce").is_some();
    if is_foreign || is_bearer || is_anonymous { Scheme::Unsupported } else { Scheme::V1 }
}

/// What a request claims to call: `None` for what it does not say.
pub(super) struct Claim<'a> {
    pub(super) action: Option<&'a str>,
    version: Option<&'a str>,
    scheme: Scheme<'a>,
}

impl<'a> Claim<'a> {
    pub(super) fn of(request: &'a Received) -> Self {
        let scheme = scheme(request);
        let named = |header, parameter| match scheme {
            // The headers of a v1 request are not signed.
            Scheme::V1 => request.params.get(parameter),
            _ => request.header(header).or_else(|| request.params.get(parameter)),
        };
        Self { action: named("x-acs-action", "Action"), version: named("x-acs-version", "Version"), scheme }
    }

    /// Version, action, key, time, nonce, signature: the order of decision 3; the format was checked before.
    ///
    /// A nonce is used up only by a valid signature, so that nobody else can burn it.
    pub(super) fn admit(&self, app: &App, request: &Received) -> Result<(&'static Entry, Caller), Fault> {
        let version = self.version.ok_or_else(|| Fault::missing("Version"))?;
        if !registry::has_version(version) {
            return Err(fault("InvalidVersion"));
        }
        let action = self.action.ok_or_else(|| Fault::missing("Action"))?;
        let entry = registry::find(version, action).ok_or_else(|| {
            let why = if registry::is_not_emulated(version, action) { NOT_EMULATED } else { "" };
            fault("InvalidAction.NotFound").with(why)
        })?;
        let proof = Proof::of(&self.scheme, request)?;
        let key = app.credentials.find(proof.key_id, proof.token)?;
        check_time(app, proof.time()?)?;
        let nonce = proof.nonce()?;
        if app.nonces.contains(proof.key_id, nonce) {
            return Err(fault("SignatureNonceUsed"));
        }
        proof.check_signature(key.secret(), request)?;
        if !app.nonces.record(proof.key_id, nonce) {
            return Err(fault("SignatureNonceUsed"));
        }
        Ok((entry, key.caller().clone()))
    }
}

/// What a request offers to prove its sender.
struct Proof<'a> {
    key_id: &'a str,
    token: Option<&'a str>,
    time: Option<&'a str>,
    nonce: Option<&'a str>,
    /// `None` for v1, whose signature is among the parameters.
    authorization: Option<Authorization<'a>>,
}

impl<'a> Proof<'a> {
    fn of(scheme: &Scheme<'a>, request: &'a Received) -> Result<Self, Fault> {
        match scheme {
            Scheme::Unsupported => Err(fault("UnsupportedSignatureType")),
            Scheme::V3(value) => Self::v3(value, request),
            Scheme::V1 => Self::v1(request),
        }
    }

    fn v1(request: &'a Received) -> Result<Self, Fault> {
        let params = &request.params;
        let key_id = params.get("AccessKeyId").ok_or_else(|| match authorization(&request.headers) {
            Some(_) => fault("IncompleteSignature"),
            None => Fault::missing("AccessKeyId"),
        })?;
        Ok(Self {
            key_id,
            token: params.get("SecurityToken"),
            // The documents spell it both ways, and libcloud sends the second.
            time: params.get("Timestamp").or_else(|| params.get("TimeStamp")),
            nonce: params.get("SignatureNonce"),
            authorization: None,
        })
    }

    fn v3(value: &'a str, request: &'a Received) -> Result<Self, Fault> {
        let authorization = Authorization::parse(value).ok_or_else(|| fault("IncompleteSignature"))?;
        if authorization.algorithm != signature_v3::ALGORITHM {
            return Err(fault("InvalidSignatureMethod"));
        }
        Ok(Self {
            key_id: authorization.credential,
            token: request.header("x-acs-security-token").or_else(|| request.params.get("SecurityToken")),
            time: request.header("x-acs-date"),
            nonce: request.header("x-acs-signature-nonce"),
            authorization: Some(authorization),
        })
    }

    fn time(&self) -> Result<&'a str, Fault> {
        let name = if self.authorization.is_some() { "x-acs-date" } else { "Timestamp" };
        self.time.ok_or_else(|| Fault::missing(name))
    }

    fn nonce(&self) -> Result<&'a str, Fault> {
        let name = if self.authorization.is_some() { "x-acs-signature-nonce" } else { "SignatureNonce" };
        self.nonce.ok_or_else(|| Fault::missing(name))
    }

    fn check_signature(&self, secret: &str, request: &Received) -> Result<(), Fault> {
        let Some(authorization) = self.authorization else { return check_v1(secret, request) };
        let method = request.method.as_str();
        // The one path that gets here.
        let path = "/";
        let signed = Signed { method, path, query: request.query(), headers: &request.headers, body: &request.body };
        let canonical = signature_v3::canonical_request(&signed, authorization.signed_headers);
        let text = signature_v3::string_to_sign(&canonical);
        let matches = signature_v3::verify(secret, &text, authorization.signature);
        if matches { Ok(()) } else { Err(fault("SignatureDoesNotMatch").with(text)) }
    }
}

fn check_v1(secret: &str, request: &Received) -> Result<(), Fault> {
    let get = |name: &str| request.params.get(name).ok_or_else(|| Fault::missing(name));
    if get("SignatureMethod")? != "HMAC-SHA1" {
        return Err(fault("InvalidSignatureMethod"));
    }
    if get("SignatureVersion")? != "1.0" {
        return Err(Fault::invalid("SignatureVersion"));
    }
    let signature = get("Signature")?;
    let text = signature_v1::string_to_sign(request.method.as_str(), request.params.pairs());
    let matches = signature_v1::verify(secret, &text, signature);
    // Old SDKs compare the text behind the colon with their own to tell a wrong secret from a mistake in signing.
    if matches { Ok(()) } else { Err(fault("SignatureDoesNotMatch").with(text)) }
}

fn check_time(app: &App, text: &str) -> Result<(), Fault> {
    const LENGTH: usize = "yyyy-MM-ddTHH:mm:ssZ".len();
    let sent = Timestamp::parse(text).filter(|_| text.len() == LENGTH);
    let sent = sent.ok_or_else(|| fault("InvalidTimeStamp.Format"))?;
    if app.clock.wall_now().since(sent).abs() > SKEW_MS {
        return Err(fault("InvalidTimeStamp.Expired"));
    }
    Ok(())
}
