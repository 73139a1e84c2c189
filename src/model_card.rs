//! `model`: what is known about the compiled model.

use std::process::ExitCode;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: Args) -> ExitCode {
    ExitCode::SUCCESS
}
