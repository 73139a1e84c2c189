//! What a model predicts for rows in a file.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

use catboost_model::{eval::raw, ir::Model, output::Output};

use crate::{rows::Inputs, written};

/// Prints the raw values of each row, as CatBoost's `RawFormulaVal` has them: minus infinity for classes that the training
/// data lacked. (A model whose description of its classes cannot be read has none of these.) Ends at the first row that is wrong; what was printed before it is right.
pub(crate) fn eval(model: &Model, rows: &Path) -> Result<(), String> {
    let (name, reader): (String, Box<dyn BufRead>) = if rows == Path::new("-") {
        ("standard input".to_owned(), Box::new(io::stdin().lock()))
    } else {
        let name = rows.display().to_string();
        let file = File::open(rows).map_err(|error| format!("{name}: {error}"))?;
        (name, Box::new(BufReader::new(file)))
    };
    let inputs = Inputs::of(model);
    let output = Output::of(model).ok();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut result = Ok(());
    for (number, line) in (1..).zip(reader.lines()) {
        let values = line
            .map_err(|error| error.to_string())
            .and_then(|line| values(model, output.as_ref(), &inputs, &line));
        match values {
            Ok(Some(values)) => {
                if writeln!(out, "{values}").is_err() {
                    break;
                }
            }
            Ok(None) => {}
            Err(what) => {
                result = Err(format!("{name}: line {number}: {what}"));
                break;
            }
        }
    }
    written(out.flush())?;
    result
}

/// A row's raw values as JSON; `None` for a blank line.
fn values(
    model: &Model,
    output: Option<&Output>,
    inputs: &Inputs,
    line: &str,
) -> Result<Option<String>, String> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let values = inputs.read(line)?;
    let mut raw = raw(model, &values.row(&values.borrowed()));
    if let Some(output) = output {
        raw = output.raw(&raw);
    }
    let json: Vec<String> = raw.iter().map(json).collect();
    Ok(Some(format!("[{}]", json.join(","))))
}

/// The fewest digits that read back to the same bits; what JSON has no number for, as a string.
fn json(value: &f64) -> String {
    if value.is_finite() {
        format!("{value:?}")
    } else {
        format!("\"{value}\"").to_lowercase()
    }
}
