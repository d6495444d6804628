//! `[tls]`: the listener for HTTPS and whose certificate it presents.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};

use super::Refused;

/// The listener for HTTPS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    #[serde(deserialize_with = "optional_address")]
    pub listen: Option<SocketAddr>,
    /// Empty, as `key` is then: a certificate of snapshotd's own making.
    pub cert: PathBuf,
    pub key: PathBuf,
    pub names: Vec<String>,
}

impl Tls {
    /// Whether certificate and key are the user's.
    #[must_use]
    pub fn has_own_certificate(&self) -> bool {
        !self.cert.as_os_str().is_empty()
    }

    pub(super) fn validate(&self) -> Result<(), Refused> {
        if self.cert.as_os_str().is_empty() == self.key.as_os_str().is_empty() {
            return Ok(());
        }
        Err(Refused("tls.cert, tls.key: two files, or neither".to_owned()))
    }
}

fn optional_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| de::Error::custom("expected ADDRESS:PORT, or nothing"))
}
