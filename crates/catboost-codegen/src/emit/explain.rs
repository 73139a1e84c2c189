//! Emits explanations: SHAP values.
//!
//! | item | content |
//! | --- | --- |
//! | `UNEXPLAINED` | reason why the model cannot be explained, or `None` |
//! | `BASE`, `COLUMNS` | raw value of the mean training row per explained dimension; names of the columns |
//! | `EXPLANATION_BYTES` | size of the tables of all leaves |
//! | `explain` | writes the contributions of a row, dimension by dimension, and returns its raw values |

use std::fmt::{self, Write as _};

use catboost_runtime::{
    emit::{Emit as _, Emitter},
    explain::Explain,
    storage::Owned,
};

use super::Module;

/// Tables of explanations, or the reason why the model cannot be explained.
pub(crate) type Explaining = Result<Explain<Owned>, String>;

impl Module<'_> {
    /// Emits constants and `explain`. They exist for a model that cannot be explained, too, with no
    /// dimensions and no columns.
    pub(super) fn explain(&self, f: &mut Emitter, explaining: &Explaining) -> fmt::Result {
        let (base, count, why) = match explaining {
            Ok(explain) => (&explain.base[..], explain.features, None),
            Err(why) => (&[][..], 0, Some(why)),
        };
        let dimensions = base.len();
        let base = base
            .iter()
            .map(|base| format!("f64::from_bits({:#x})", base.to_bits()));
        let base: Vec<String> = base.collect();
        writeln!(
            f,
            "/// Why rows cannot be explained; `None` if they can.\npub const UNEXPLAINED: Option<&str> = {why:?};\n"
        )?;
        writeln!(
            f,
            "/// The raw value of the mean training row, of each dimension that is explained.\npub const BASE: [f64; {dimensions}] = [{}];\n",
            base.join(", ")
        )?;
        let mut names = vec![String::new(); count];
        for field in self.fields {
            if let Some(name) = names.get_mut(field.flat_index as usize) {
                *name = match field.name.as_str() {
                    "" => field.flat_index.to_string(),
                    name => name.to_owned(),
                };
            }
        }
        writeln!(
            f,
            "/// The columns of the training data, in the order of an explanation's values.\npub const COLUMNS: [&str; {count}] = {names:?};\n"
        )?;
        let bytes = explaining
            .as_ref()
            .map_or(0, |explain| size_of_val(&*explain.tables));
        writeln!(
            f,
            "/// Bytes of the tables of all leaves; 0 if explanations are computed for each row.\npub const EXPLANATION_BYTES: usize = {bytes};\n"
        )?;
        let lifetime = self.lifetime();
        let raw = self.model.dimension;
        writeln!(
            f,
            "/// The values of a row: what each of [`COLUMNS`] adds to [`BASE`], for each dimension. CatBoost's `ShapValues`.
pub type Explanation = [[f64; {count}]; {dimensions}];

/// Explains a row in `explanation`. Returns its [`raw`] values.
pub fn explain(features: &Features{lifetime}, explanation: &mut Explanation) -> [f64; {raw}] {{
    let mut leaves = ::catboost_runtime::explain::Leaves::with_capacity(TREES);
    let mut raw = [0.0; {raw}];
    in_places(features, |row| leaves.push(&tables::MODEL, row, &mut raw));
    tables::EXPLAIN.explain(tables::MODEL.trees.values(), &leaves, explanation.as_flattened_mut());
    raw
}}
"
        )
    }

    /// Emits the static `EXPLAIN`, inside the module `tables`.
    pub(super) fn explain_tables(&self, f: &mut Emitter, explaining: &Explaining) -> fmt::Result {
        write!(
            f,
            "    #[allow(unused_imports)]\n    use ::catboost_runtime::explain::{{Explain, Node, Term, Tree}};\n\n    pub static EXPLAIN: Explain<Static> = "
        )?;
        match explaining {
            Ok(explain) => explain.emit(f),
            Err(_) => Explain::<Owned>::nothing().emit(f),
        }
        writeln!(f, ";\n")
    }
}
