//! `cbm`: looks at CatBoost models, converts them to JSON, computes what they predict, and compares them.

#![forbid(unsafe_code)]

mod bench;
mod diff;
mod eval;
mod explain;
mod inspect;
mod print;
mod readback;
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
    ///
    /// Of a .cbm that cannot be loaded, it says what the file's head has, and why it cannot be loaded.
    Inspect {
        /// The model.
        model: PathBuf,
        /// Says instead how much each feature matters, in percent: CatBoost's PredictionValuesChange.
        #[arg(long)]
        importance: bool,
    },
    /// Writes a model as JSON to standard output: CatBoost's own schema, with texts and embeddings added.
    ///
    /// The file can be read, compared line by line, and used wherever a .cbm is, by this tool and its crates. CatBoost itself reads it as
    /// the same model, but for the last bits of numbers, which it rounds in its own JSON too, if there are trees, and no text, no embedding, no
    /// CTRs of several targets or several binarizations of the target, no sums of targets that are not whole, and no infinite border. Where
    /// it would read another model or fail, a warning on standard error says so.
    ToJson {
        /// The model.
        model: PathBuf,
    },
    /// Computes what a model predicts for rows, one JSON array a line.
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
        #[command(flatten)]
        options: eval::Options,
    },
    /// Says why: SHAP values of rows, one JSON object a line.
    ///
    /// {"base":…,"values":{"feature":…}}: the raw value of the mean training row, and what each feature adds to it for this
    /// row; together they are the row's raw value, up to rounding. An array of such objects if the model has several raw
    /// values. The numbers are CatBoost's; where CatBoost attributes a split to a feature that the split does not ask (texts
    /// or embeddings beside categorical features), this tool names the right one. Rows are read as by eval.
    #[command(
        after_help = "Example:\n  echo '{\"age\": 37, \"city\": \"Tver\"}' | cbm explain model.cbm - --top 3"
    )]
    Explain {
        /// The model.
        model: PathBuf,
        /// The rows, as JSON or CSV; - for standard input.
        rows: PathBuf,
        /// Prints the N features that add or take most, the greatest first. All, in the order of columns, by default.
        #[arg(long, value_name = "N")]
        top: Option<usize>,
        /// Prints CSV with a header.
        #[arg(long, conflicts_with = "top")]
        csv: bool,
    },
    /// Says which leaf of each tree rows come to, one JSON array a line.
    ///
    /// The numbers are those of CatBoost's calc_leaf_indexes. Rows are read as by eval.
    Leaves {
        /// The model.
        model: PathBuf,
        /// The rows, as JSON or CSV; - for standard input.
        rows: PathBuf,
        /// Trees to ask, counted from 0: A..B without B, A.. or ..B. All by default.
        #[arg(long, value_name = "A..B", default_value = "..")]
        trees: String,
        /// Prints CSV with a header.
        #[arg(long)]
        csv: bool,
    },
    /// Measures how long a model takes to load, and to answer a row: alone, and in blocks.
    ///
    /// The least of all rounds counts. Rows are read as by eval, before anything is measured. With --json:
    /// {"load_ms":…,"one_row_ns":…,"block_row_ns":…}.
    Bench {
        /// The model.
        model: PathBuf,
        /// The rows, as JSON or CSV; - for standard input.
        rows: PathBuf,
        #[command(flatten)]
        options: bench::Options,
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
        Command::Inspect { model, importance } => (inspect(&model, importance), 1),
        Command::ToJson { model } => (to_json(&model), 1),
        Command::Eval {
            model,
            rows,
            options,
        } => (with(&model, |model| eval::eval(model, &rows, &options)), 1),
        Command::Explain {
            model,
            rows,
            top,
            csv,
        } => (
            with(&model, |parsed| {
                explain::explain(parsed, &model, &rows, top, csv)
            }),
            1,
        ),
        Command::Leaves {
            model,
            rows,
            trees,
            csv,
        } => (
            with(&model, |model| eval::leaves(model, &rows, &trees, csv)),
            1,
        ),
        Command::Bench {
            model,
            rows,
            options,
        } => (
            bench::bench(&model, &rows, &options).map(|()| ExitCode::SUCCESS),
            1,
        ),
        Command::Diff { old, new } => (diff(&old, &new), 2),
    };
    result.unwrap_or_else(|error| {
        // Not `eprintln!`, which panics if nobody reads.
        let _ = writeln!(io::stderr(), "cbm: {error}");
        ExitCode::from(failure)
    })
}

fn inspect(path: &Path, importance: bool) -> Result<ExitCode, String> {
    let model = match catboost_model::load(path) {
        Ok(model) => model,
        Err(error) => {
            // Its head tells something of most models that cannot be loaded.
            if let (false, Ok(head)) = (importance, catboost_model::head(path)) {
                print(&inspect::describe_head(&head))?;
            }
            return Err(format!("{}: {error}", path.display()));
        }
    };
    if importance {
        let importances = explain::importances(&model);
        return print(&importances.map_err(|error| format!("{}: {error}", path.display()))?);
    }
    print(&inspect::describe(&model))
}

fn to_json(path: &Path) -> Result<ExitCode, String> {
    let model = load(path)?;
    if let Some(obstacle) = readback::obstacle(&model) {
        let _ = writeln!(
            io::stderr(),
            "cbm: warning: {}: {obstacle}. cbm and the crates read it as it is; give CatBoost the .cbm",
            path.display()
        );
    }
    print(&catboost_model::to_json(&model))
}

/// Processes the rows of a file.
fn with(
    path: &Path,
    answer: impl FnOnce(&Model) -> Result<(), String>,
) -> Result<ExitCode, String> {
    answer(&load(path)?).map(|()| ExitCode::SUCCESS)
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

/// Ignores a reader that closes the output early.
fn written(result: io::Result<()>) -> Result<(), String> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("standard output: {error}"))
        }
        _ => Ok(()),
    }
}
