//! What a test bench set the daemon to do: rules of faults, lags of reads, accounts in arrears and dropped ones, the log of requests; in
//! memory, gone at a restart.

pub mod accounts;
pub mod lag;
pub mod requests;
pub mod rules;

use accounts::Accounts;
use lag::Lags;
use requests::RequestLog;
use rules::Rules;

/// All that was set; where nothing is, a call pays one look at a number.
pub struct Levers {
    pub rules: Rules,
    pub lags: Lags,
    /// Those whose bills are left unpaid.
    pub arrears: Accounts,
    /// Those that were dropped while the daemon runs: a call that was admitted before finds its account gone when it is run.
    pub dropped: Accounts,
    pub requests: RequestLog,
}

impl Levers {
    /// Nothing set; room for so many requests, 0 for none.
    #[must_use]
    pub fn new(requests: usize) -> Self {
        Self {
            rules: Rules::default(),
            lags: Lags::default(),
            arrears: Accounts::default(),
            dropped: Accounts::default(),
            requests: RequestLog::new(requests),
        }
    }
}
