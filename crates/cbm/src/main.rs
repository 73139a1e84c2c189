//! `cbm`: looks at CatBoost models, converts them to JSON, computes what they predict, and compares them.

mod diff;
mod eval;
mod inspect;
mod rows;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use catboost_model::ir::Model;
use clap::{Parser, Subcommand};

/// Looks at CatBoost models: what is in them, what they predict, what differs between two.
///
/// A model is a .cbm file or a JSON export; its first bytes tell which. What a model holds that is not supported ends
/// the command with «not supported: …» and exit code 1, never with a wrong answer.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Says what is in a model: features, trees, splits, CTRs, texts, embeddings, classes.
    Inspect {
        /// The model.
        model: PathBuf,
    },
    /// Writes a model as JSON to standard output: CatBoost's own schema, with texts and embeddings added.
    ///
    /// The file can be read, compared line by line, and used wherever a .cbm is. CatBoost itself reads it too if the model
    /// has neither texts nor embeddings, but rounds the last bits of numbers as it does with its own JSON.
    ToJson {
        /// The model.
        model: PathBuf,
    },
    /// Computes a model's raw values for rows, one JSON array a line.
    ///
    /// The rows are JSON objects, one a line, or a JSON array of objects, or CSV (separated by commas) with a header; gzipped or not. The first
    /// bytes of the file tell which. Keys and columns are features: by name, or by index among all columns where a feature
    /// has no name (or shares it). Every feature that the model uses must be there; others are passed over. In JSON: a numeric
    /// feature is a number, true or false (1 or 0), null, NaN, Infinity, or one of the strings nan, inf, -inf. A categorical
    /// feature is a string, a whole number, which stands for its digits, or true or false, which CatBoost hashes as 1 and 0. A text
    /// feature is a string. An embedding feature is a list of numbers. In CSV, an empty cell is a missing number,
    /// categories and texts are taken as they stand, and an embedding is 0.1;0.2 or [0.1, 0.2]. An object with the row under the key `row` is
    /// read like the row alone. Blank lines are passed over. Each number that comes out reads back to the same bits.
    #[command(
        after_help = "Example:\n  echo '{\"age\": 37, \"city\": \"Tver\"}' | cbm eval model.cbm -"
    )]
    Eval {
        /// The model.
        model: PathBuf,
        /// The rows, as JSON or CSV; - for standard input.
        rows: PathBuf,
    },
    /// Says what differs between two models. Exit code 0: nothing, 1: something, 2: a model cannot be read.
    Diff {
        /// A model.
        old: PathBuf,
        /// Another.
        new: PathBuf,
    },
}

fn main() -> ExitCode {
    let (result, failure) = match Cli::parse().command {
        Command::Inspect { model } => (inspect(&model), 1),
        Command::ToJson { model } => (to_json(&model), 1),
        Command::Eval { model, rows } => (eval(&model, &rows), 1),
        Command::Diff { old, new } => (diff(&old, &new), 2),
    };
    result.unwrap_or_else(|error| {
        // Not `eprintln!`, which panics where nobody reads.
        let _ = writeln!(io::stderr(), "cbm: {error}");
        ExitCode::from(failure)
    })
}

fn inspect(path: &Path) -> Result<ExitCode, String> {
    print(&inspect::describe(&load(path)?))
}

fn to_json(path: &Path) -> Result<ExitCode, String> {
    print(&catboost_model::to_json(&load(path)?))
}

fn eval(model: &Path, rows: &Path) -> Result<ExitCode, String> {
    let model = load(model)?;
    eval::eval(&model, rows).map(|()| ExitCode::SUCCESS)
}

fn diff(old: &Path, new: &Path) -> Result<ExitCode, String> {
    let differences = diff::differences(&load(old)?, &load(new)?);
    print(&differences)?;
    Ok(ExitCode::from(u8::from(!differences.is_empty())))
}

fn load(path: &Path) -> Result<Model, String> {
    catboost_model::load(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn print(text: &str) -> Result<ExitCode, String> {
    written(io::stdout().lock().write_all(text.as_bytes())).map(|()| ExitCode::SUCCESS)
}

/// If nobody reads the output to its end, that is no failure.
fn written(result: io::Result<()>) -> Result<(), String> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("standard output: {error}"))
        }
        _ => Ok(()),
    }
}
