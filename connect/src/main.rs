//! `pick-regno-connect`: the model at a queue, and recorded rows on their way to a database.
//!
//! | command | what it does |
//! | --- | --- |
//! | `work amqp://…` | takes requests from a RabbitMQ queue, answers them with the model that is compiled in |
//! | `ship DIR` | brings the segments of `serve --record` to ClickHouse, S3 or MongoDB |
//!
//! No client of a queue or a database is in the service itself. Bodies, headers and plates are never logged.

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

/// Settings do not fit together: as `sysexits.h` has it.
const CONFIG: u8 = 78;
/// The system refused something, such as a port.
const SYSTEM: u8 = 71;

fn main() -> ExitCode {
    let cli = Cli::parse();
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

/// Why a command cannot go on: a sentence, and an exit code.
struct Stop {
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
