//! `snapshotd backup` and `snapshotd restore`: what they came to, in words; the work is the store's.

use std::path::PathBuf;
use std::process::ExitCode;

use super::refuse_store;
use crate::config::Config;
use crate::store::backup;

pub async fn back_up(config: Config, file: PathBuf) -> ExitCode {
    match backup::back_up(&config, &file).await {
        Ok(bytes) => {
            println!("{}: {bytes} bytes, checked", file.display());
            ExitCode::SUCCESS
        }
        Err(failure) => refuse_store(&failure),
    }
}

pub async fn put_back(config: Config, file: PathBuf, replace: bool) -> ExitCode {
    match backup::put_back(&config, &file, replace).await {
        Ok(()) => {
            println!("{} is the database in {} now", file.display(), config.data_dir.display());
            ExitCode::SUCCESS
        }
        Err(failure) => refuse_store(&failure),
    }
}
