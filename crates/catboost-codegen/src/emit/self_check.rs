//! Emits the self-check of a compiled model.

use std::fmt::{self, Write as _};

use catboost_runtime::emit::Emitter;

use super::Module;
use crate::self_check::ROWS;

impl Module<'_> {
    /// Emits `self_check` with its rows and the expected bits; nothing if it is left out. Numbers and bits
    /// are in the pools, strings in the source.
    pub(super) fn self_check(&self, f: &mut Emitter) -> fmt::Result {
        let Some(check) = self.check else {
            return Ok(());
        };
        let model = self.model;
        let (floats, dimension) = (model.float_features.len(), model.dimension);
        writeln!(
            f,
            "/// Computes a few rows, and compares them to the bit with what the plain interpreter made of them when the model was"
        )?;
        writeln!(
            f,
            "/// compiled.\n///\n/// # Errors\n/// The number of the first row that comes out otherwise."
        )?;
        writeln!(f, "pub fn self_check() -> Result<(), usize> {{")?;
        write!(f, "    static FLOATS: &[[f32; {floats}]] = ")?;
        f.rows(&check.floats, floats, ROWS);
        writeln!(f, ";")?;
        writeln!(
            f,
            "    static CATS: [[&str; {}]; {ROWS}] = {:?};",
            model.cat_features.len(),
            check.cats
        )?;
        writeln!(
            f,
            "    static TEXTS: [[&str; {}]; {ROWS}] = {:?};",
            model.text_features.len(),
            check.texts
        )?;
        write!(f, "    static BITS: &[[u64; {dimension}]] = ")?;
        f.rows(&check.bits, dimension, ROWS);
        writeln!(f, ";")?;
        let mut embeddings = String::new();
        for (index, (vectors, feature)) in check
            .embeddings
            .iter()
            .zip(&model.embedding_features)
            .enumerate()
        {
            let dimension = feature.dimension;
            write!(f, "    static EMBEDDING_{index}: &[[f32; {dimension}]] = ")?;
            f.rows(vectors, dimension, ROWS);
            writeln!(f, ";")?;
            embeddings += &format!("&EMBEDDING_{index}[row], ");
        }
        if !embeddings.is_empty() {
            embeddings = format!(", ({embeddings})");
        }
        writeln!(f, "    for row in 0..{ROWS} {{")?;
        writeln!(
            f,
            "        let features = Features::from_kinds(&FLOATS[row], &CATS[row], &TEXTS[row]{embeddings});"
        )?;
        writeln!(
            f,
            "        if raw(&features).map(f64::to_bits) != BITS[row] {{\n            return Err(row);\n        }}\n    }}"
        )?;
        writeln!(f, "    Ok(())\n}}\n")
    }
}
