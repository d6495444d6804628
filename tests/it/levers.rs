//! The levers of a test bench: faults, locks, lag and the log of requests, through the router and through the socket.

mod cli;
mod clock;
mod described;
mod endings;
mod faults;
mod lag;
mod locks;
mod requests;

use crate::support::TestApp;

impl TestApp {
    /// Makes a rule of faults stand; its id.
    pub async fn rule(&self, body: &str) -> u64 {
        let (status, rule) = self.lever("POST", "/faults", body).await;
        assert_eq!(status, 201, "{rule}");
        rule["id"].as_u64().expect("an id")
    }
}
