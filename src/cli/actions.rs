//! `snapshotd actions`: the registry as a list; reads no configuration and no database.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::api::action::Kind;
use crate::api::registry;

pub fn run() -> ExitCode {
    let mut entries: Vec<_> = registry::all().collect();
    entries.sort_by_key(|entry| (entry.version, entry.name));
    let mut out = io::stdout().lock();
    for entry in entries {
        let kind = match entry.kind {
            Kind::Read => "reads",
            Kind::Write => "writes",
            Kind::WriteOnce => "writes once for each ClientToken",
        };
        let parameters = entry.parameters().into_iter().collect::<Vec<_>>().join(" ");
        if writeln!(out, "{} {} ({kind}): {parameters}", entry.version, entry.name).is_err() {
            // The reader of a pipe is gone.
            return ExitCode::SUCCESS;
        }
    }
    ExitCode::SUCCESS
}
