//! Emits names and tables that give meaning to the numbers that observers receive.
//!
//! An observer receives indices of `compiled::Row` and leaves. `NUMERIC`, `CATEGORICAL` and `TEXT` name the
//! features at these indices, by name or by flat index. `LIGHT_LEAVES`, `LIGHT_SHARE` and `TREES` tell how
//! much evidence leaves have.

use std::fmt::{self, Write as _};

use catboost_model::ir::Trees;
use catboost_runtime::emit::{Emit as _, Emitter};

use super::Module;
use crate::{light::LIGHT, names::Kind};

impl Module<'_> {
    /// Emits the constants. A categorical feature is named only if a CTR counts by it alone: only then are
    /// its unseen values reported.
    pub(super) fn observed(&self, f: &mut Emitter) -> fmt::Result {
        let layout = self.layout;
        writeln!(
            f,
            "/// The numeric features by their place in `Row::floats`; `None` for a place that no feature has."
        )?;
        let numeric: Vec<Option<String>> = layout
            .floats
            .iter()
            .map(|place| place.map(|index| self.name(Kind::Float, index)))
            .collect();
        writeln!(f, "pub const NUMERIC: &[Option<&str>] = &{numeric:?};")?;
        writeln!(
            f,
            "/// The categorical features by their place in `Row::cats`; `None` for one whose unseen values are not known."
        )?;
        let categorical: Vec<Option<String>> = layout
            .cats
            .iter()
            .zip(&layout.counted)
            .map(|(&index, &counted)| counted.then(|| self.name(Kind::Categorical, index)))
            .collect();
        writeln!(
            f,
            "pub const CATEGORICAL: &[Option<&str>] = &{categorical:?};"
        )?;
        writeln!(f, "/// The text features by their place in `Row::texts`.")?;
        let text: Vec<String> = layout
            .texts
            .iter()
            .map(|&index| self.name(Kind::Text, index))
            .collect();
        writeln!(f, "pub const TEXT: &[&str] = &{text:?};")?;
        writeln!(
            f,
            "/// A bit a leaf, counted over all the trees: whether less than {LIGHT} training rows' weight reached it. Empty if the"
        )?;
        writeln!(f, "/// model file has no weights.")?;
        write!(f, "pub static LIGHT_LEAVES: &[u64] = ")?;
        u64::emit_slice(&self.light.bits, f);
        writeln!(f, ";")?;
        writeln!(
            f,
            "/// Share of the training data's own leaves, by weight, that `LIGHT_LEAVES` has."
        )?;
        writeln!(f, "pub const LIGHT_SHARE: f64 = {:?};", self.light.share)?;
        writeln!(f, "/// Number of trees, and so of leaves per row.")?;
        let trees = match &self.model.trees {
            Trees::Oblivious(trees) => trees.len(),
            Trees::NonSymmetric(trees) => trees.len(),
        };
        writeln!(f, "pub const TREES: usize = {trees};\n")
    }

    /// Name of a feature, or its index among the columns if it has none.
    pub(super) fn name(&self, kind: Kind, index: usize) -> String {
        let mut fields = self.fields.iter();
        let field = fields
            .find(|field| field.kind == kind && field.index == index)
            .expect("every feature has a field");
        match field.name.as_str() {
            "" => field.flat_index.to_string(),
            name => name.to_owned(),
        }
    }
}
