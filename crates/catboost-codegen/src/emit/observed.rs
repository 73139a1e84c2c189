//! What the numbers mean that observers are told.

use std::fmt::{self, Formatter};

use catboost_model::ir::Trees;

use super::{Module, of};
use crate::{layout::LIGHT, names::Kind};

impl Module<'_> {
    pub(super) fn observed(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let layout = self.layout;
        writeln!(
            f,
            "/// The numeric features by their place in `Row::floats`; `None` for a place that no feature has."
        )?;
        let numeric: Vec<Option<String>> = layout
            .numbers
            .places
            .iter()
            .map(|place| place.map(|index| self.name(Kind::Float, index)))
            .collect();
        writeln!(f, "pub const NUMERIC: &[Option<&str>] = &{numeric:?};")?;
        writeln!(
            f,
            "/// The categorical features by their place in `Row::cats`; `None` for one whose unseen values are not known."
        )?;
        let categorical: Vec<Option<String>> = layout
            .categories
            .used
            .iter()
            .zip(&layout.categories.counted)
            .map(|(&index, &counted)| counted.then(|| self.name(Kind::Categorical, index)))
            .collect();
        writeln!(
            f,
            "pub const CATEGORICAL: &[Option<&str>] = &{categorical:?};"
        )?;
        writeln!(f, "/// The text features by their place in `Row::texts`.")?;
        let text: Vec<String> = layout
            .used_texts
            .iter()
            .map(|&index| self.name(Kind::Text, index))
            .collect();
        writeln!(f, "pub const TEXT: &[&str] = &{text:?};")?;
        writeln!(
            f,
            "/// A bit a leaf, counted over all the trees: whether less than {LIGHT} training rows' weight reached it. Empty if the"
        )?;
        writeln!(f, "/// model file has no weights.")?;
        writeln!(
            f,
            "pub static LIGHT_LEAVES: &[u64] = {};",
            of("U64S", &layout.light.bits)
        )?;
        writeln!(
            f,
            "/// What share of the training data's own leaves, by weight, `LIGHT_LEAVES` has."
        )?;
        writeln!(f, "pub const LIGHT_SHARE: f64 = {:?};", layout.light.share)?;
        writeln!(f, "/// How many trees, and so leaves a row.")?;
        let trees = match &self.model.trees {
            Trees::Oblivious(trees) => trees.len(),
            Trees::NonSymmetric(trees) => trees.len(),
        };
        writeln!(f, "pub const TREES: usize = {trees};\n")
    }

    /// The model's own name of a feature, or its place among the columns if it has none.
    fn name(&self, kind: Kind, index: usize) -> String {
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
