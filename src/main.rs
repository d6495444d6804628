//! The command line: what a person or a service manager types; every command's work is in the library.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use snapshotd::cli::{self, Arguments};

/// Takes SQLite's allocations as well; `cargo bench --bench throughput` takes a fifth less of the processor with it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::run(Arguments::parse())
}
