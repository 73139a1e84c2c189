//! `model`: prints the model card of the compiled model.

use std::io::Write as _;
use std::process::ExitCode;

use crate::exit;
use crate::messages::tell;
use crate::model::CARD;

/// Arguments of the command.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0; 64 usage, 74 writing failed.")]
pub struct Args {}

/// Prints the model card, one line of JSON.
pub fn run(_args: Args) -> ExitCode {
    match writeln!(std::io::stdout(), "{CARD}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(format_args!(
                "pick-regno model: standard output: cannot write: {error}"
            ));
            ExitCode::from(exit::IO)
        }
    }
}
