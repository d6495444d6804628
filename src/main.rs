//! The command line: what a person or a service manager types; every command's work is in the library.

use std::process::ExitCode;

use clap::Parser;
use snapshotd::cli::{self, Arguments};

fn main() -> ExitCode {
    cli::run(Arguments::parse())
}
