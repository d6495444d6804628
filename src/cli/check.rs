//! `snapshotd check`: looks at configuration and the whole database; takes no lock, changes nothing.

use std::process::ExitCode;

use super::DATABASE_REFUSED;
use crate::config::Config;
use crate::store::Store;
use crate::store::soundness::Checked;

pub async fn run(config: Config) -> ExitCode {
    println!("configuration: fine, {} account(s)", config.accounts.len());
    match Store::check(&config).await {
        Ok(Checked::Absent) => {
            println!("database: none yet in {}; the first start makes it", config.data_dir.display());
        }
        Ok(Checked::Fine { pending: 0 }) => println!("database: fine"),
        Ok(Checked::Fine { pending }) => println!("database: fine, {pending} migration(s) run at the next start"),
        Err(failure) => {
            eprintln!("snapshotd: {failure}");
            return ExitCode::from(DATABASE_REFUSED);
        }
    }
    ExitCode::SUCCESS
}
