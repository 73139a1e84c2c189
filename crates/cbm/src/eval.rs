//! What a model predicts for rows in a file.

use std::{
    io::{self, Write},
    path::Path,
};

use catboost_model::{eval::raw, ir::Model, output::Output};

use crate::{
    rows::{Rows, Values},
    written,
};

/// Prints the raw values of each row, as CatBoost's `RawFormulaVal` has them: minus infinity for classes that the training
/// data lacked. (A model whose description of its classes cannot be read has none of these.) Ends at the first row that is wrong; what was printed before it is right.
pub(crate) fn eval(model: &Model, rows: &Path) -> Result<(), String> {
    let rows = Rows::open(rows, model)?;
    let output = Output::of(model).ok();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut result = Ok(());
    for row in rows {
        match row {
            Ok(row) => {
                if writeln!(out, "{}", answer(model, output.as_ref(), &row)).is_err() {
                    break;
                }
            }
            Err(what) => result = Err(what),
        }
    }
    written(out.flush())?;
    result
}

/// A row's raw values as JSON.
fn answer(model: &Model, output: Option<&Output>, row: &Values) -> String {
    let mut raw = raw(model, &row.row(&row.borrowed()));
    if let Some(output) = output {
        raw = output.raw(&raw);
    }
    let json: Vec<String> = raw.iter().map(json).collect();
    format!("[{}]", json.join(","))
}

/// The fewest digits that read back to the same bits; what JSON has no number for, as a string.
fn json(value: &f64) -> String {
    if value.is_finite() {
        format!("{value:?}")
    } else {
        format!("\"{value}\"").to_lowercase()
    }
}
