//! Values of a row, and their conversion for each kind of feature.

use catboost_model::{eval::Row, text_number};

use super::json::Value;

/// Texts that CatBoost takes for a missing number.
#[rustfmt::skip]
const MISSING: [&str; 24] = [
    "", "-", "nan", "NaN", "NAN", "-nan", "-NaN", "NA", "Na", "na", "N/A", "n/a", "#NA", "#N/A",
    "#N/A N/A", "null", "NULL", "Null", "none", "None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
];

/// Kind of a feature.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Float,
    Cat,
    Text,
    /// Length of the embedding; `None` if the file does not state it, in which case no split uses the feature.
    Embedding(Option<usize>),
}

/// Values of a row, in the order of the model's features of each kind.
#[derive(Clone)]
pub(crate) struct Values {
    pub(super) floats: Vec<f32>,
    pub(super) cats: Vec<String>,
    pub(super) texts: Vec<String>,
    pub(super) embeddings: Vec<Vec<f32>>,
}

/// References to [`Values`], as the interpreter takes them.
pub(crate) struct Borrowed<'a> {
    cats: Vec<&'a str>,
    texts: Vec<&'a str>,
    embeddings: Vec<&'a [f32]>,
}

impl Values {
    pub(crate) fn borrowed(&self) -> Borrowed<'_> {
        Borrowed {
            cats: self.cats.iter().map(String::as_str).collect(),
            texts: self.texts.iter().map(String::as_str).collect(),
            embeddings: self.embeddings.iter().map(Vec::as_slice).collect(),
        }
    }

    pub(crate) fn row<'a>(&'a self, borrowed: &'a Borrowed<'a>) -> Row<'a> {
        Row {
            floats: &self.floats,
            cats: &borrowed.cats,
            texts: &borrowed.texts,
            embeddings: &borrowed.embeddings,
        }
    }

    /// Sets feature number `index` of its kind from JSON. An error says what was expected, what was found, and the
    /// remedy; it repeats no value.
    pub(super) fn set(
        &mut self,
        kind: Kind,
        index: usize,
        value: &Value<'_>,
    ) -> Result<(), String> {
        match kind {
            Kind::Float => {
                self.floats[index] = number(value).ok_or_else(|| {
                    let expected = "expected a number, true or false, null, or one of the strings `nan`, `inf`, `-inf`";
                    found(expected, value, "a number is written without quotes")
                })?;
            }
            Kind::Cat => self.cats[index] = category(value)?,
            Kind::Text => match value {
                Value::Text(text) => self.texts[index].clone_from(text),
                _ => {
                    return Err(found(
                        "expected a string",
                        value,
                        "CatBoost takes strings alone for texts: write \"\" for none",
                    ));
                }
            },
            Kind::Embedding(length) => {
                let list = match value {
                    Value::List(list) => list.iter().map(number).collect(),
                    _ => None,
                };
                self.embeddings[index] = embedding(list, length)?;
            }
        }
        Ok(())
    }

    /// Sets feature number `index` of its kind from a cell of CSV, with errors like those of [`Values::set`].
    pub(super) fn set_cell(&mut self, kind: Kind, index: usize, cell: &str) -> Result<(), String> {
        match kind {
            Kind::Float => {
                self.floats[index] = cell_number(cell).ok_or(
                    "expected a number with a decimal point, an empty value, or a word that CatBoost takes for a missing number, such as `nan`",
                )?;
            }
            Kind::Cat => cell.clone_into(&mut self.cats[index]),
            Kind::Text => cell.clone_into(&mut self.texts[index]),
            Kind::Embedding(length) => {
                let inner = cell
                    .strip_prefix('[')
                    .and_then(|cell| cell.strip_suffix(']'));
                let (numbers, separator) = inner.map_or((cell, ';'), |inner| (inner, ','));
                let numbers = numbers.split(separator);
                let numbers = numbers.map(|number| cell_number(number.trim_ascii()));
                self.embeddings[index] = embedding(numbers.collect(), length)?;
            }
        }
        Ok(())
    }
}

fn found(expected: &str, value: &Value<'_>, remedy: &str) -> String {
    let remedy = match value {
        Value::Object(_) => {
            "a row is one object from feature to value; pandas writes such rows with `to_json(…, orient=\"records\", lines=True)`"
        }
        _ => remedy,
    };
    format!("{expected}; found {value} ({remedy})")
}

/// Converts to f64 and then f32, as CatBoost's Python package does. Booleans are 1 or 0.
fn number(value: &Value<'_>) -> Option<f32> {
    match value {
        Value::Null => Some(f32::NAN),
        Value::Bool(value) => Some(f32::from(*value)),
        Value::Number(digits) => digits.parse::<f64>().ok().map(|value| value as f32),
        Value::Word(word) => Some(*word as f32),
        Value::Text(text) => match text.as_str() {
            "nan" => Some(f32::NAN),
            "inf" => Some(f32::INFINITY),
            "-inf" => Some(f32::NEG_INFINITY),
            _ => None,
        },
        Value::List(_) | Value::Object(_) => None,
    }
}

/// Reads a number in a cell: CatBoost's own rules for numbers in text and for missing ones, and the words of Python and
/// pandas for infinite numbers and booleans.
fn cell_number(cell: &str) -> Option<f32> {
    if let Some(value) = text_number(cell) {
        return Some(value as f32);
    }
    match cell {
        "inf" | "Infinity" => Some(f32::INFINITY),
        "-inf" | "-Infinity" => Some(f32::NEG_INFINITY),
        "True" | "true" | "TRUE" => Some(1.0),
        "False" | "false" | "FALSE" => Some(0.0),
        cell => MISSING.contains(&cell).then_some(f32::NAN),
    }
}

/// Returns the text that CatBoost hashes: a string, the digits of an integer, or `1` or `0` for a boolean (its Python
/// package takes booleans for integers, in columns of any type).
fn category(value: &Value<'_>) -> Result<String, String> {
    let remedy = match value {
        Value::Text(text) => return Ok(text.clone()),
        Value::Bool(value) => return Ok(u8::from(*value).to_string()),
        Value::Number(json) => {
            let digits = json.strip_prefix('-').unwrap_or(json);
            if digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Ok(if digits == "0" { digits } else { json }.to_owned());
            }
            "CatBoost takes no number with a point or an exponent for a category: write what the training data had, as a string"
        }
        _ => {
            "CatBoost takes none for a category: write what the training data had in its place, as a string"
        }
    };
    Err(found(
        "expected a string, a whole number, true or false",
        value,
        remedy,
    ))
}

fn embedding(list: Option<Vec<f32>>, length: Option<usize>) -> Result<Vec<f32>, String> {
    let list = list.ok_or_else(|| match length {
        Some(length) => format!("expected a list of {length} numbers"),
        None => "expected a list of numbers".to_owned(),
    })?;
    match length {
        Some(length) if length != list.len() => Err(format!(
            "expected a list of {length} numbers; found {}: the model was trained with embeddings of that length",
            list.len()
        )),
        _ => Ok(list),
    }
}
