//! What a test bench set the daemon to do: rules of faults, lags of reads, accounts in arrears, the log of requests; in memory, gone at a restart.

pub mod arrears;
pub mod lag;
pub mod requests;
pub mod rules;

use arrears::Arrears;
use lag::Lags;
use requests::RequestLog;
use rules::Rules;

/// All that was set; where nothing is, a call pays one look at a number.
pub struct Levers {
    pub rules: Rules,
    pub lags: Lags,
    pub arrears: Arrears,
    pub requests: RequestLog,
}

impl Levers {
    /// Nothing set; room for so many requests, 0 for none.
    #[must_use]
    pub fn new(requests: usize) -> Self {
        Self {
            rules: Rules::default(),
            lags: Lags::default(),
            arrears: Arrears::default(),
            requests: RequestLog::new(requests),
        }
    }
}
