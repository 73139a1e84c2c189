//! Emits the model as a value, for code that handles compiled and loaded models alike.
//!
//! `Model` implements `catboost_runtime::predict::Predict`. Rows are slices there, whose lengths are checked
//! before they become `Features`; evaluation is that of the generated functions.

use std::fmt::{self, Write as _};

use catboost_runtime::emit::Emitter;

use super::{Module, outputs::Classes};
use crate::names::{Field, Kind};

impl Module<'_> {
    /// Emits `FEATURES`, `Model` and its implementation.
    pub(super) fn predict(&self, f: &mut Emitter) -> fmt::Result {
        writeln!(
            f,
            "/// The features, in the order of the training data's columns.\npub const FEATURES: &[predict::Feature<'static>] = &["
        )?;
        for field in self.fields {
            let kind = match field.kind {
                Kind::Float => "Numeric",
                Kind::Categorical => "Categorical",
                Kind::Text => "Text",
                Kind::Embedding(_) => "Embedding",
            };
            writeln!(
                f,
                "    predict::Feature::new({:?}, {}, predict::FeatureKind::{kind}, {}),",
                field.name, field.flat_index, field.used
            )?;
        }
        write!(
            f,
            "];

/// The model as a value, for code that takes models that are loaded at run time as well.
#[derive(Clone, Copy, Debug, Default)]
pub struct Model;

impl predict::Predict for Model {{
    fn dimension(&self) -> usize {{
        DIMENSION
    }}

    fn sha256(&self) -> &str {{
        SHA256
    }}

    fn features(&self) -> predict::Vec<predict::Feature<'_>> {{
        FEATURES.to_vec()
    }}

    fn raw_into(&self, row: &predict::Row<'_>, values: &mut [f64]) -> Result<(), predict::RowError> {{
        let features = from_row(row)?;
        *predict::raw_array(values)? = raw(&features);
        Ok(())
    }}

    fn raw_block(
        &self,
        rows: &[predict::Row<'_>],
        scratch: &mut ::catboost_runtime::block::Scratch,
        raw: &mut [f64],
    ) -> Result<(), predict::RowError> {{
        predict::check_room(rows.len() * DIMENSION, raw.len())?;
        for row in rows {{
            from_row(row)?;
        }}
        tables::MODEL.raw_block(tables::BLOCKS.as_ref(), &PlainRows(rows), scratch, raw);
        Ok(())
    }}

    fn stages(
        &self,
        row: &predict::Row<'_>,
        trees: ::core::ops::Range<usize>,
        period: usize,
    ) -> Result<predict::Vec<predict::Vec<f64>>, predict::RowError> {{
        let mut leaves = ::catboost_runtime::explain::Leaves::default();
        in_places(&from_row(row)?, |row| leaves.push(&tables::MODEL, row, &mut [0.0; DIMENSION]));
        Ok(tables::MODEL.stages(&leaves, trees, period))
    }}
"
        )?;
        self.predictions(f)?;
        writeln!(f, "}}\n")?;
        let lifetime = if self.fields.iter().any(|field| field.kind != Kind::Float) {
            "<'a>"
        } else {
            ""
        };
        write!(
            f,
            "/// Rows that were checked.
struct PlainRows<'a>(&'a [predict::Row<'a>]);

impl ::catboost_runtime::block::Rows for PlainRows<'_> {{
    fn len(&self) -> usize {{
        self.0.len()
    }}

    fn with_row<R>(&self, row: usize, then: impl FnOnce(::catboost_runtime::compiled::Row<'_>) -> R) -> R {{
        let features = from_row(&self.0[row]);
        in_places(&features.expect(\"the row was checked\"), then)
    }}
}}

fn from_row<'a>(row: &predict::Row<'a>) -> Result<Features{lifetime}, predict::RowError> {{
    let floats = predict::array(predict::FeatureKind::Numeric, row.floats)?;
    let cats = predict::array(predict::FeatureKind::Categorical, row.cats)?;
    let texts = predict::array(predict::FeatureKind::Text, row.texts)?;
{}    Ok(features)
}}

",
            self.features_of_row()
        )
    }

    /// Returns the statements that convert `row` to `features`.
    fn features_of_row(&self) -> String {
        let mut embeddings: Vec<(&Field, usize)> = Vec::new();
        for field in self.fields {
            if let Kind::Embedding(dimension) = field.kind {
                embeddings.push((field, dimension));
            }
        }
        embeddings.sort_by_key(|(field, _)| field.index);
        let count = embeddings.len();
        let mut source = format!(
            "    let embeddings: &[&[f32]; {count}] = predict::array(predict::FeatureKind::Embedding, row.embeddings)?;\n"
        );
        let values = embeddings.iter().map(|(field, dimension)| {
            let index = field.index;
            match dimension {
                0 => format!("embeddings[{index}], "),
                _ => {
                    let name = self.name(field.kind, index);
                    format!("predict::embedding({name:?}, embeddings[{index}])?, ")
                }
            }
        });
        let values: String = values.collect();
        let tuple = match count {
            0 => String::new(),
            _ => format!(", ({values})"),
        };
        source +=
            &format!("    let features = Features::from_kinds(floats, cats, texts{tuple});\n");
        source
    }

    /// Emits the methods for predictions beside raw values.
    fn predictions(&self, f: &mut Emitter) -> fmt::Result {
        let Ok(outputs) = self.outputs else {
            return Ok(());
        };
        let method = |f: &mut Emitter, name: &str, value: &str, result: &str| {
            write!(
                f,
                "
    fn {name}(&self, raw: &[f64]) -> Option<{value}> {{
        let raw = raw.try_into().ok()?;
        Some({result})
    }}
"
            )
        };
        let class = match outputs.classes(self.model.dimension) {
            Classes::None => {
                return match outputs.regression(self.model.dimension) {
                    Some("exponent") => method(f, "exponent", "f64", "exponent(raw)"),
                    Some(name) => method(f, name, "(f64, f64)", &format!("{name}(raw)")),
                    None => Ok(()),
                };
            }
            Classes::One => "[class_index(raw)].to_vec()",
            Classes::Many => {
                "class(raw).iter().enumerate().filter(|(_, is)| **is).map(|(index, _)| index).collect()"
            }
        };
        write!(
            f,
            "
    fn classes(&self) -> predict::Vec<predict::Label<'_>> {{
        CLASSES.iter().map(|&label| label.into()).collect()
    }}
"
        )?;
        method(
            f,
            "probability",
            "predict::Vec<f64>",
            "probability(raw).to_vec()",
        )?;
        method(f, "class", "predict::Vec<usize>", class)
    }
}
