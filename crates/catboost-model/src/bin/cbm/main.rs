//! `cbm`: looks at CatBoost models, converts them, and computes what they predict.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use catboost_model::ir::Model;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes a model as JSON: CatBoost's own schema, with texts and embeddings added.
    ToJson {
        /// A model: .cbm or JSON.
        model: PathBuf,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::ToJson { model } => to_json(&model),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cbm: {error}");
            ExitCode::FAILURE
        }
    }
}

fn to_json(path: &Path) -> Result<ExitCode, String> {
    let json = catboost_model::to_json(&load(path)?);
    print(&json).map(|()| ExitCode::SUCCESS)
}

fn load(path: &Path) -> Result<Model, String> {
    catboost_model::load(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes to standard output. If nobody reads it to its end, that is nobody's fault.
fn print(text: &str) -> Result<(), String> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("standard output: {error}"))
        }
        _ => Ok(()),
    }
}
