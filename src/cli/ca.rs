//! `snapshotd ca`: prints the certificate that HTTPS clients have to trust; makes none.

use std::process::ExitCode;

use crate::config::Config;
use crate::wire::tls;

pub fn run(config: &Config) -> ExitCode {
    if config.tls.has_own_certificate() {
        eprintln!("snapshotd: tls.cert is {}: its own CA is the one to trust", config.tls.cert.display());
        return ExitCode::FAILURE;
    }
    match tls::ca_certificate(&config.data_dir) {
        Ok(certificate) => {
            print!("{certificate}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("snapshotd: {failure}");
            ExitCode::FAILURE
        }
    }
}
