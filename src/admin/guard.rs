//! Who may move the levers: local programs, and whoever has the token; never a web page from elsewhere.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::Refusal;
use crate::App;

/// Lets a request through or refuses it: 401 without the token, 403 for a Host or an Origin that is not this daemon's.
pub async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match check(&app, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check(app: &App, headers: &HeaderMap) -> Result<(), Refusal> {
    let token = &app.config.admin.token;
    if !token.is_empty() {
        let given = text(headers, AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let is_right = given.is_some_and(|given| bool::from(given.as_bytes().ct_eq(token.as_bytes())));
        return if is_right { Ok(()) } else { Err(Refusal::unauthorized()) };
    }
    // A name that a page's own server resolves to this machine is not a name of this machine.
    if !text(headers, HOST).is_some_and(is_local) {
        return Err(Refusal::forbidden("the Host is not an address of this machine"));
    }
    let Some(origin) = text(headers, ORIGIN) else { return Ok(()) };
    let authority = origin.parse::<Uri>().ok().and_then(|uri| uri.authority().map(ToString::to_string));
    if authority.as_deref() == text(headers, HOST) {
        Ok(())
    } else {
        Err(Refusal::forbidden("the Origin is another one"))
    }
}

fn text(headers: &HeaderMap, name: axum::http::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a Host header names this machine by a loopback address or as localhost, with whatever port.
fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<axum::http::uri::Authority>() else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_and_localhost_are_local() {
        for local in ["localhost", "LOCALHOST:20140", "127.0.0.1:80", "127.9.9.9", "[::1]:20140"] {
            assert!(is_local(local), "{local}");
        }
        for other in ["", "example.com", "localhost.example.com", "10.0.0.1", "127.0.0.1.nip.io", "[::2]", "a b"] {
            assert!(!is_local(other), "{other}");
        }
    }
}
