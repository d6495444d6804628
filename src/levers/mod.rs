//! What a test bench set the daemon to do: rules of faults, lags of reads, accounts in arrears and dropped ones, the log of requests; in
//! memory, gone at a restart.

pub mod arrears;
pub mod dropped;
pub mod lag;
pub mod requests;
pub mod rules;

use arrears::Arrears;
use dropped::Dropped;
use lag::Lags;
use requests::RequestLog;
use rules::Rules;

/// All that was set; where nothing is, a call pays one look at a number.
pub struct Levers {
    pub rules: Rules,
    pub lags: Lags,
    pub arrears: Arrears,
    pub dropped: Dropped,
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
            dropped: Dropped::default(),
            requests: RequestLog::new(requests),
        }
    }
}
