//! `[[kms_keys]]`: keys of the key management service, none of whose calls is emulated.

use serde::Deserialize;

use super::{Account, Refused};

/// A key of the key management service, whose calls are not emulated; decision 35.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KmsKey {
    pub id: String,
    pub state: KmsKeyState,
    /// The account that has it; absent for a key that every account has.
    #[serde(default)]
    pub account: Option<String>,
    #[serde(default = "yes")]
    pub symmetric: bool,
    /// Whether it carries the tag that lets ECS use it.
    #[serde(default = "yes")]
    pub tagged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KmsKeyState {
    Enabled,
    Disabled,
    PendingDeletion,
}

const fn yes() -> bool {
    true
}

/// Refuses keys that are no keys, or of accounts that are none.
pub(super) fn validate(keys: &[KmsKey], accounts: &[Account]) -> Result<(), Refused> {
    for (i, key) in keys.iter().enumerate() {
        let is_known = |id: &String| accounts.iter().any(|account| account.id == *id);
        let is_again = keys[..i].iter().any(|other| other.id == key.id);
        if key.id.is_empty() || is_again || !key.account.as_ref().is_none_or(is_known) {
            let allowed = "an id of its own, not empty, and no account but one of [[accounts]]";
            return Err(Refused(format!("kms_keys[{i}]: {allowed}")));
        }
    }
    Ok(())
}
