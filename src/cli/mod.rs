//! The commands of `snapshotd`: their arguments and which function does each; no work of their own.

mod actions;
mod backup;
mod ca;
mod call;
mod check;
mod exchange;
mod lever;
mod notify;
mod serve;
mod state_lever;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Config, Flags, LogFormat};
use crate::store::Failure;

/// The database is there and cannot be used: to try again is no help.
const DATABASE_REFUSED: u8 = 2;

/// A local Alibaba Cloud ECS block-storage control plane.
#[derive(Debug, Parser)]
#[command(name = "snapshotd", version, about)]
pub struct Arguments {
    #[command(flatten)]
    flags: CommonFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct CommonFlags {
    /// A configuration file [default: /etc/snapshotd/config.toml when it exists]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT", global = true)]
    listen: Option<SocketAddr>,
    /// The folder of the database
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// Accept the shipped key testid on an address that others can reach
    #[arg(long, global = true)]
    allow_default_key: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API (the default)
    Serve,
    /// Check configuration and the whole database without serving: 0 fine, 1 refused, 2 the database is not
    Check,
    /// Copy the database into a new file, also while a daemon serves it
    Backup { file: PathBuf },
    /// Put a backup in the place of the database; no daemon may serve it
    Restore {
        file: PathBuf,
        /// In the place of a database that is there
        #[arg(long)]
        replace: bool,
    },
    /// List the actions that are implemented
    Actions,
    /// Print the certificate of the local CA that HTTPS clients have to trust
    Ca,
    #[command(flatten)]
    Lever(lever::Lever),
    /// Sign and send one call to a running daemon and print the answer
    Call(call::Arguments),
}

/// Does what was asked for.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    let Arguments { flags, command } = arguments;
    let CommonFlags { config, listen, data_dir, allow_default_key } = flags;
    let flags = Flags { config, listen, data_dir, allow_default_key };
    if let Some(Command::Actions) = command {
        return actions::run();
    }
    let config = match Config::load(&flags) {
        Ok(config) => config,
        Err(refused) => {
            eprintln!("snapshotd: {refused}");
            return ExitCode::FAILURE;
        }
    };
    match command {
        Some(Command::Ca) => ca::run(&config),
        Some(Command::Check) => on_one_thread(check::run(config)),
        Some(Command::Backup { file }) => on_one_thread(backup::back_up(config, file)),
        Some(Command::Restore { file, replace }) => on_one_thread(backup::put_back(config, file, replace)),
        Some(Command::Lever(lever)) => on_one_thread(lever::run(config, lever)),
        Some(Command::Call(arguments)) => on_one_thread(call::run(config, arguments)),
        Some(Command::Serve | Command::Actions) | None => {
            start_log(&config);
            serve::run(config)
        }
    }
}

/// Says why a store cannot be had.
fn refuse_store(failure: &Failure) -> ExitCode {
    eprintln!("snapshotd: {failure}");
    match failure {
        Failure::Damaged(_) | Failure::Foreign(_) => ExitCode::from(DATABASE_REFUSED),
        _ => ExitCode::FAILURE,
    }
}

fn on_one_thread(work: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            eprintln!("snapshotd: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The log goes to standard error; standard output has the one line that programs read.
fn start_log(config: &Config) {
    let log = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(std::io::stderr);
    let filter = config.log.filter().unwrap_or_default();
    match config.log.format {
        LogFormat::Json => log.json().finish().with(filter).init(),
        LogFormat::Text => log.with_ansi(false).finish().with(filter).init(),
    }
}
