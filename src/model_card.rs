//! `model`: prints the model card.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::exit;
use crate::messages::tell;
use crate::picker::Picker;

/// Arguments of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0; 64 usage, 65 not a model that can be served, 66 no such file, 74 writing failed."
)]
pub struct Args {
    /// Tell of the model of this file, a .cbm or a JSON export, instead of the compiled one
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

/// Prints the model card, one line of JSON.
pub fn run(args: Args) -> ExitCode {
    let picker = match Picker::load(args.model.as_deref()) {
        Ok(picker) => picker,
        Err(why) => {
            tell(format_args!("pick-regno model: --model {why}"));
            return ExitCode::from(why.exit_code());
        }
    };
    match writeln!(std::io::stdout(), "{}", picker.card()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(format_args!(
                "pick-regno model: standard output: cannot write: {error}"
            ));
            ExitCode::from(exit::IO)
        }
    }
}
