//! Who calls: the configured access keys and the accounts behind them; never sees a request or a signature.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use subtle::ConstantTimeEq;

use crate::config::Account;
use crate::faults::{Fault, fault};

/// The account and key behind an authenticated call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account_id: Arc<str>,
    pub account_name: Arc<str>,
    pub access_key_id: Arc<str>,
}

/// All access keys, those of the configuration and those that came later.
pub struct Credentials {
    keys: RwLock<HashMap<Arc<str>, Arc<Key>>>,
}

/// One access key; without `Debug`, since it holds the secret.
pub struct Key {
    secret: Box<str>,
    security_token: Option<Box<str>>,
    disabled: bool,
    caller: Caller,
}

impl Key {
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl Credentials {
    #[must_use]
    pub fn new(accounts: &[Account]) -> Self {
        let credentials = Self { keys: RwLock::default() };
        for account in accounts {
            credentials.add(account);
        }
        credentials
    }

    /// Accepts the keys of one more account.
    pub fn add(&self, account: &Account) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let (account_id, account_name): (Arc<str>, Arc<str>) =
            (account.id.as_str().into(), account.name.as_str().into());
        for key in &account.keys {
            let access_key_id: Arc<str> = key.id.as_str().into();
            let caller = Caller {
                account_id: Arc::clone(&account_id),
                account_name: Arc::clone(&account_name),
                access_key_id: Arc::clone(&access_key_id),
            };
            let security_token = key.security_token.as_deref().map(Box::from);
            let key = Key { secret: key.secret.as_str().into(), security_token, disabled: key.disabled, caller };
            keys.insert(access_key_id, Arc::new(key));
        }
    }

    /// Accepts the keys of an account no longer.
    pub fn remove(&self, account_id: &str) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, key| *key.caller.account_id != *account_id);
    }

    /// Whether a key of this id is there.
    #[must_use]
    pub fn has(&self, access_key_id: &str) -> bool {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).contains_key(access_key_id)
    }

    /// The key called `id`, if it may be used with this STS token.
    ///
    /// # Errors
    /// An unknown or disabled key, a token that is missing, and one that does not belong to the key.
    pub fn find(&self, id: &str, token: Option<&str>) -> Result<Arc<Key>, Fault> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.get(id).map(Arc::clone).ok_or_else(|| fault("InvalidAccessKeyId.NotFound"))?;
        if key.disabled {
            return Err(fault("InvalidAccessKeyId.Inactive"));
        }
        match (key.security_token.as_deref(), token) {
            (None, None) => Ok(key),
            (None, Some(_)) => Err(fault("InvalidSecurityToken.Malformed")),
            (Some(_), None) => Err(fault("MissingSecurityToken")),
            (Some(wanted), Some(sent)) if wanted.as_bytes().ct_eq(sent.as_bytes()).into() => Ok(key),
            (Some(_), _) => Err(fault("InvalidSecurityToken.MismatchWithAccessKey")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AccessKey;

    fn credentials() -> Credentials {
        let key = |id: &str, security_token: Option<&str>, disabled| AccessKey {
            id: id.to_owned(),
            secret: format!("secret of {id}"),
            security_token: security_token.map(str::to_owned),
            disabled,
        };
        let keys = vec![key("plain", None, false), key("sts", Some("token"), false), key("off", None, true)];
        Credentials::new(&[Account { id: "1000000000000001".to_owned(), name: "one".to_owned(), keys }])
    }

    #[test]
    fn a_key_leads_to_its_account() {
        let credentials = credentials();
        let key = credentials.find("plain", None).ok().unwrap();
        assert_eq!(key.secret(), "secret of plain");
        let Caller { account_id, account_name, access_key_id } = key.caller();
        assert_eq!([&**account_id, account_name, access_key_id], ["1000000000000001", "one", "plain"]);
        assert!(credentials.find("sts", Some("token")).is_ok());
    }

    #[test]
    fn each_refusal_has_its_own_code() {
        let credentials = credentials();
        let code = |id, token| credentials.find(id, token).err().unwrap().code().to_owned();
        assert_eq!(code("PLAIN", None), "InvalidAccessKeyId.NotFound");
        assert_eq!(code("off", None), "InvalidAccessKeyId.Inactive");
        assert_eq!(code("plain", Some("token")), "InvalidSecurityToken.Malformed");
        assert_eq!(code("sts", None), "MissingSecurityToken");
        assert_eq!(code("sts", Some("toke")), "InvalidSecurityToken.MismatchWithAccessKey");
    }
}
