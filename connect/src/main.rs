//! `pick-regno-connect`: the model at a queue, and recorded rows on their way to a database.
//!
//! | command | what it does |
//! | --- | --- |
//! | `work amqp://…` | takes requests from a RabbitMQ queue, answers them with the model that is compiled in |
//! | `ship DIR` | brings the segments of `serve --record` to ClickHouse, S3 or MongoDB |
//!
//! No client of a queue or a database is in the service itself. Bodies, headers and plates are never logged.
//!
//! | exit code | reason |
//! | --- | --- |
//! | 0 | stopped as asked; with `ship --once`, all segments were sent |
//! | 1 | with `ship --once`, a segment was refused or could not be sent; a second signal |
//! | 64 | an option cannot be read |
//! | 71 | the system refused something, such as a port |
//! | 78 | the settings do not fit together |
//!
//! One thread does all input and output, but `ship` reads and sends segments on a thread of its own. Each
//! command logs to stderr (`log`), counts in `/metrics` (`admin`) and stops at a signal (`stop`).

#![forbid(unsafe_code)]

mod admin;
mod log;
mod retry;
mod ship;
mod stop;
mod tls;
mod work;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Connects pick-regno's model to RabbitMQ and Celery, and its records to ClickHouse, S3 and MongoDB.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer the requests of a RabbitMQ queue, plain or Celery's.
    Work(Box<work::Args>),
    /// Bring recorded rows to ClickHouse, S3 or MongoDB (a build with the feature `mongodb`).
    Ship(Box<ship::Args>),
}

/// Exit code of settings that do not fit together: `EX_CONFIG` of `sysexits.h`.
const CONFIG: u8 = 78;
/// Exit code for something that the system refused, such as a port: `EX_OSERR` of `sysexits.h`.
const SYSTEM: u8 = 71;

/// Exit code of options that cannot be read: `EX_USAGE` of `sysexits.h`.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version arrive here as well, as successes. If even they cannot be printed, nothing can be reported.
            let _ = error.print();
            return match error.use_stderr() {
                true => ExitCode::from(USAGE),
                false => ExitCode::SUCCESS,
            };
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(why) => {
            log::error("cannot start a runtime", &[("why", &why.to_string())]);
            return ExitCode::from(SYSTEM);
        }
    };
    let ended = match cli.command {
        Command::Work(args) => runtime.block_on(work::run(*args)),
        Command::Ship(args) => runtime.block_on(ship::run(*args)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            log::error(&stop.why, &[]);
            ExitCode::from(stop.code)
        }
    }
}

/// Reason why a command cannot go on. `main` logs it as an error, without fields, and exits with the code.
struct Stop {
    /// Sentence, which repeats no password.
    why: String,
    code: u8,
}

impl Stop {
    fn config(why: impl Into<String>) -> Stop {
        Stop {
            why: why.into(),
            code: CONFIG,
        }
    }

    fn system(why: impl Into<String>) -> Stop {
        Stop {
            why: why.into(),
            code: SYSTEM,
        }
    }
}
