//! The command line: dispatches commands, and maps errors to exit codes.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
#[cfg(not(sanitized))]
use pick_regno::memory::Allocator;
use pick_regno::{check, exit, explain, healthcheck, load, model_card, score, serve};

// Its free lists would hide a use after free from a sanitizer.
#[cfg(not(sanitized))]
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Picks between two readings of a licence plate, with a CatBoost model that is compiled in.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[expect(clippy::large_enum_variant, reason = "one is made, once")]
enum Command {
    /// Answer requests over HTTP.
    Serve(serve::Args),
    /// Answer a file of requests: NDJSON or CSV in, NDJSON out.
    Score(score::Args),
    /// Draw what each field of a request adds to its answer.
    Explain(explain::Args),
    /// Compare recorded answers with the model's, to the bit.
    Check(check::Args),
    /// Send requests to a running service, check every answer, and say how long they took.
    Load(load::Args),
    /// Ask a running service whether it is ready.
    Healthcheck(healthcheck::Args),
    /// Print what is known about the compiled model, as JSON.
    Model(model_card::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version arrive here as well, as successes. If even they cannot be printed, nothing can be
            // reported.
            let _ = error.print();
            return match error.use_stderr() {
                true => ExitCode::from(exit::USAGE),
                false => ExitCode::SUCCESS,
            };
        }
    };
    match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Score(args) => score::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Check(args) => check::run(args),
        Command::Load(args) => load::run(args),
        Command::Healthcheck(args) => healthcheck::run(args),
        Command::Model(args) => model_card::run(args),
    }
}
