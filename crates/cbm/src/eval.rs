//! `eval`: predictions for the rows of a file.

use std::{
    io::{self, Write},
    ops::Range,
    path::Path,
};

use catboost_apply::Scratch;
use catboost_model::{
    eval::{self, Row},
    ir::Model,
    output::{Ensembles, Label, Output},
};
use clap::{Args, ValueEnum};

use crate::print::{Cell, Format, each_block, each_row, list};

/// Prediction. CatBoost's own names are understood too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Raw values (`RawFormulaVal`); "-inf" for classes that the training data lacked.
    #[value(alias = "RawFormulaVal")]
    Raw,
    /// A probability per class; two for models with one raw value.
    #[value(alias = "Probability")]
    Probability,
    /// The logarithm of each probability.
    #[value(alias = "LogProbability")]
    LogProbability,
    /// The predicted class; with several labels, all that are predicted.
    #[value(alias = "Class")]
    Class,
    /// e to the power of the raw value: Poisson, Tweedie.
    #[value(alias = "Exponent")]
    Exponent,
    /// Mean and variance (`RMSEWithUncertainty`).
    #[value(alias = "RMSEWithUncertainty")]
    MeanAndVariance,
    /// Raw values of each virtual ensemble (`VirtEnsembles`).
    #[value(alias = "VirtEnsembles")]
    VirtualEnsembles,
    /// Uncertainty over virtual ensembles (`TotalUncertainty`).
    #[value(alias = "TotalUncertainty")]
    TotalUncertainty,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Probability => "probability",
            Self::LogProbability => "log-probability",
            Self::Class => "class",
            Self::Exponent => "exponent",
            Self::MeanAndVariance => "mean-and-variance",
            Self::VirtualEnsembles => "virtual-ensembles",
            Self::TotalUncertainty => "total-uncertainty",
        }
    }

    fn is_of_ensembles(self) -> bool {
        matches!(self, Self::VirtualEnsembles | Self::TotalUncertainty)
    }
}

#[derive(Args)]
pub(crate) struct Options {
    /// Prediction to compute.
    #[arg(long = "type", value_enum, default_value = "raw", value_name = "TYPE")]
    kind: Kind,
    /// Trees to use, counted from 0: A..B without B, A.. or ..B. The bias belongs to tree 0. All by default.
    #[arg(long, value_name = "A..B", default_value = "..")]
    trees: String,
    /// Answers after every N trees: an array of arrays (CSV: a record per stage).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    staged: Option<u32>,
    /// Number of virtual ensembles.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    ensembles: u32,
    /// Prints CSV with a header.
    #[arg(long)]
    csv: bool,
    /// Computes with the plain interpreter: slow, and the reference for the engine that is used otherwise. Virtual ensembles always
    /// are.
    #[arg(long)]
    interpreter: bool,
}

pub(crate) fn eval(model: &Model, rows: &Path, options: &Options) -> Result<(), String> {
    let trees = trees(&options.trees, model)?;
    if options.kind.is_of_ensembles() {
        return ensembles(model, rows, options, &trees);
    }
    let output = Output::of(model);
    let output = match (output, options.kind) {
        (Ok(output), _) => Some(output),
        // The sums of the trees need no metadata about classes.
        (Err(error), Kind::Raw) => {
            let _ = writeln!(
                io::stderr(),
                "cbm: warning: {error}; CatBoost refuses to predict with this model. What is printed are the sums of its trees: \
                 values of classes that the training data lacked are left out"
            );
            None
        }
        (Err(error), _) => return Err(error.to_string()),
    };
    check(model, output.as_ref(), options.kind)?;
    let convert = |raw: &[f64]| converted(output.as_ref(), options.kind, raw);
    let whole = trees == (0..model.tree_count()) && options.staged.is_none();
    let engine = (!options.interpreter).then(|| catboost_apply::Model::new(model));
    let stages = |row: &Row, period: usize| match &engine {
        Some(engine) => engine
            .stages(row, trees.clone(), period)
            .expect("rows are read as the model's"),
        None => eval::stages(model, row, trees.clone(), period),
    };
    let answer = |row: &Row| -> Vec<Vec<Cell>> {
        let Some(period) = options.staged else {
            // A model without trees has no stage, but a bias.
            if trees.is_empty() {
                return vec![convert(&eval::raw_of_trees(model, row, trees.clone()))];
            }
            return vec![convert(&stages(row, trees.len())[0])];
        };
        let stages = stages(row, period as usize);
        let ends = trees.clone().step_by(period as usize);
        let ends = ends.map(|start| trees.end.min(start.saturating_add(period as usize)));
        let stages = ends.zip(stages).map(|(end, raw)| {
            let mut cells = vec![Cell::Index(end as u32)];
            cells.extend(convert(&raw));
            cells
        });
        stages.collect()
    };
    let staged = options.staged.is_some();
    let json = |records: &[Vec<Cell>]| {
        if !staged {
            return list(&records[0]);
        }
        let stages: Vec<String> = records.iter().map(|cells| list(&cells[1..])).collect();
        format!("[{}]", stages.join(","))
    };
    let format = if options.csv {
        let columns = header(output.as_ref(), options.kind, model.dimension);
        let stage = staged.then(|| "trees".to_owned());
        Format::Csv(stage.into_iter().chain(columns).collect())
    } else {
        Format::Json(&json)
    };
    let Some(engine) = engine.as_ref().filter(|_| whole) else {
        return each_row(model, rows, &format, answer);
    };
    let (mut scratch, mut raw) = (Scratch::default(), Vec::new());
    each_block(model, rows, &format, |rows| {
        raw.resize(rows.len() * model.dimension, 0.0);
        let done = engine.raw_block(rows, &mut scratch, &mut raw);
        done.expect("rows are read as the model's");
        let values = |row: usize| &raw[row * model.dimension..][..model.dimension];
        let all = (0..rows.len()).map(|row| vec![convert(values(row))]);
        all.collect()
    })
}

/// Refuses predictions that CatBoost does not make.
fn check(model: &Model, output: Option<&Output>, kind: Kind) -> Result<(), String> {
    match kind {
        Kind::Class if output.is_some_and(|output| output.classes.is_empty()) => {
            Err("--type class: the model does not classify".to_owned())
        }
        Kind::MeanAndVariance if model.dimension != 2 => Err(format!(
            "--type mean-and-variance: the model has {} raw values a row, not mean and deviation",
            model.dimension
        )),
        _ => Ok(()),
    }
}

fn converted(output: Option<&Output>, kind: Kind, raw: &[f64]) -> Vec<Cell> {
    let Some(output) = output else {
        return Cell::numbers(raw);
    };
    match kind {
        Kind::Probability => Cell::numbers(&output.probability(raw)),
        Kind::LogProbability => Cell::numbers(&output.log_probability(raw)),
        Kind::Exponent => vec![Cell::Number(output.exponent(raw))],
        Kind::Class => {
            let places = output.class(raw).into_iter();
            places.map(|place| label(&output.classes[place])).collect()
        }
        Kind::MeanAndVariance => output
            .mean_and_variance(raw)
            .map_or_else(Vec::new, |(mean, variance)| {
                Cell::numbers(&[mean, variance])
            }),
        Kind::Raw | Kind::VirtualEnsembles | Kind::TotalUncertainty => {
            Cell::numbers(&output.raw(raw))
        }
    }
}

fn label(label: &Label) -> Cell {
    match label {
        Label::Bool(value) => Cell::Text(value.to_string()),
        Label::Int(value) => Cell::Text(value.to_string()),
        Label::Float(value) => Cell::Number(*value),
        Label::Text(text) => Cell::Text(text.clone()),
    }
}

/// Names of the columns of CSV.
fn header(output: Option<&Output>, kind: Kind, dimension: usize) -> Vec<String> {
    let name = kind.name();
    let count = match kind {
        Kind::Class => 1,
        Kind::Exponent => 1,
        Kind::MeanAndVariance => return vec!["mean".to_owned(), "variance".to_owned()],
        Kind::Probability | Kind::LogProbability if dimension == 1 => 2,
        _ => output.map_or(dimension, |output| output.dimension),
    };
    if count == 1 {
        return vec![name.to_owned()];
    }
    let classes = output.map_or(&[][..], |output| &output.classes);
    let column = |place: usize| match classes.get(place).filter(|_| classes.len() == count) {
        Some(class) => match label(class) {
            Cell::Text(text) => format!("{name} {text}"),
            cell => format!("{name} {}", cell.json()),
        },
        None => format!("{name} {place}"),
    };
    (0..count).map(column).collect()
}

fn ensembles(
    model: &Model,
    rows: &Path,
    options: &Options,
    trees: &Range<usize>,
) -> Result<(), String> {
    let name = options.kind.name();
    if trees.start > 0 || options.staged.is_some() {
        return Err(format!(
            "--type {name}: virtual ensembles begin with tree 0 and have no stages; leave --staged out and begin --trees with .."
        ));
    }
    let count = options.ensembles as usize;
    let ensembles = Ensembles::new(model, trees.end, count)
        .map_err(|error| format!("--type {name}: {error}; --ensembles sets their number"))?;
    let total = options.kind == Kind::TotalUncertainty;
    let answer = |row: &Row| -> Vec<Vec<Cell>> {
        if total {
            return vec![Cell::numbers(&ensembles.uncertainty(row))];
        }
        let values = ensembles.predict(row);
        values.iter().map(|values| Cell::numbers(values)).collect()
    };
    let json = |records: &[Vec<Cell>]| {
        if total {
            return list(&records[0]);
        }
        let all: Vec<String> = records.iter().map(|cells| list(cells)).collect();
        format!("[{}]", all.join(","))
    };
    if options.csv {
        return Err(format!("--type {name}: JSON only; leave --csv out"));
    }
    each_row(model, rows, &Format::Json(&json), answer)
}

/// Prints the leaf of each row in each tree.
pub(crate) fn leaves(model: &Model, rows: &Path, range: &str, csv: bool) -> Result<(), String> {
    let trees = trees(range, model)?;
    let answer = |row: &Row| {
        let leaves = eval::leaves(model, row, trees.clone()).into_iter();
        vec![leaves.map(Cell::Index).collect()]
    };
    let json = |records: &[Vec<Cell>]| list(&records[0]);
    let format = if csv {
        Format::Csv(trees.clone().map(|tree| format!("tree {tree}")).collect())
    } else {
        Format::Json(&json)
    };
    each_row(model, rows, &format, answer)
}

/// Parses `A..B`; either may be missing.
fn trees(text: &str, model: &Model) -> Result<Range<usize>, String> {
    let count = model.tree_count();
    let end = |text: &str, missing: usize| match text.trim() {
        "" => Some(missing),
        number => number.parse().ok(),
    };
    let range = text
        .split_once("..")
        .and_then(|(first, last)| Some(end(first, 0)?..end(last, count)?));
    let all = range.as_ref().is_some_and(|range| *range == (0..count));
    range
        .filter(|range| all || (range.start < range.end && range.end <= count))
        .ok_or_else(|| {
            format!("--trees {text}: expected A..B with A below B, and B at most {count}, the number of the model's trees")
        })
}
