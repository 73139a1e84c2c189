//! `model`: what is known about the compiled model.

use std::io::Write as _;
use std::process::ExitCode;

use crate::model::CARD;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints the model card, one line of JSON.
pub fn run(_args: Args) -> ExitCode {
    match writeln!(std::io::stdout(), "{CARD}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pick-regno: the model card could not be written: {error}");
            ExitCode::FAILURE
        }
    }
}
