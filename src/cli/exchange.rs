//! What came back from a running daemon, printed; knows neither calls nor levers.

use std::process::ExitCode;

/// Whether it was accepted, and the body.
pub type Outcome = Result<(bool, String), String>;

/// Prints what came back: the body on standard output, what kept it from coming on standard error.
pub fn report(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok((is_success, body)) => {
            println!("{body}");
            if is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            eprintln!("snapshotd: {why}");
            ExitCode::FAILURE
        }
    }
}
