//! The function by which a compiled model checks itself.

use std::fmt::{self, Formatter};

use super::Module;
use crate::{layout::Part, self_check::ROWS};

impl Module<'_> {
    pub(super) fn self_check(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let check = &self.layout.self_check;
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
        writeln!(
            f,
            "    static FLOATS: &[[f32; {floats}]] = {};",
            table_rows("F32S", &check.floats, floats)
        )?;
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
        writeln!(
            f,
            "    static BITS: &[[u64; {dimension}]] = {};",
            table_rows("U64S", &check.bits, dimension)
        )?;
        let mut embeddings = String::new();
        for (index, (part, feature)) in check
            .embeddings
            .iter()
            .zip(&model.embedding_features)
            .enumerate()
        {
            let dimension = feature.dimension;
            writeln!(
                f,
                "    static EMBEDDING_{index}: &[[f32; {dimension}]] = {};",
                table_rows("F32S", part, dimension)
            )?;
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

/// A part of a table as rows of `len` elements, as an expression.
fn table_rows(table: &str, part: &Part, len: usize) -> String {
    match len {
        0 => format!("&[[]; {ROWS}]"),
        len => format!("rows::<_, {len}>(&{table}, {}, {ROWS})", part.start),
    }
}
