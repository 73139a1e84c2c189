//! Loaded models.
//!
//! A [`Model`] is an `Arc` of its description ([`Schema`]) and its tables ([`Layout`]). Rows are checked
//! here, against the description; evaluation itself does not check, and cannot fail.

use std::{
    borrow::Cow,
    cell::Cell,
    collections::BTreeMap,
    fmt::{self, Formatter},
    io::Read,
    ops::Range,
    path::Path,
    sync::Arc,
};

use catboost_model::{
    ir,
    output::{self, Output},
};
use catboost_runtime::{
    block,
    compiled::{self, Scratch},
    explain::Leaves,
    predict::{self, FeatureKind, Label, Predict, Row, RowError},
};
use sha2::{Digest, Sha256};

use crate::{
    Error,
    input::Input,
    layout::{self, Layout, Room},
    rows::in_places,
    schema::{Feature, Position, Schema},
};

/// CatBoost model, ready to predict. Clones are cheap and share the tables. All methods take `&self` and may be called
/// from any thread.
///
/// [`Predict`] turns raw values into predictions, and serves functions that take compiled models as well.
///
/// ```
/// use catboost_apply::{Label, Model, Predict, Row};
///
/// let model = Model::from_bytes(
///     br#"{"model_info": {"params": {"loss_function": {"type": "Logloss"}}},
///     "features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0,
///     "feature_id": "age", "nan_value_treatment": "AsIs", "borders": [30.0]}]},
///     "scale_and_bias": [1, [0.0]],
///     "oblivious_trees": [{"splits": [{"split_index": 0}], "leaf_values": [0, 2]}]}"#,
/// )?;
/// let raw = model.raw(&Row { floats: &[7.0], ..Row::default() })?;
/// assert_eq!(model.probability(&raw), Some(vec![0.5, 0.5]));
/// assert_eq!((model.classes(), model.class(&raw)), (vec![Label::Int(0), Label::Int(1)], Some(vec![0])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Model(Arc<Inner>);

struct Inner {
    schema: Schema,
    layout: Layout,
}

/// Bytes of required tables per byte of the file. Tables that only save time may take as much again.
const TABLES_PER_BYTE: usize = 6;
/// Bytes of tables for a file of any length.
const TABLES_OF_ANY_FILE: usize = 256 << 10;

thread_local! {
    /// Scratch memory of evaluation, reused from row to row.
    static SCRATCH: Cell<Scratch> = Cell::default();
}

impl Model {
    /// Loads a model file, a `.cbm` or a JSON export. The first bytes decide which. The file is read as a
    /// whole; its bytes are dropped before the tables are computed.
    ///
    /// # Errors
    /// If the file cannot be read, is not a model, has unsupported content, or its tables would take many
    /// times the memory of the file. The error's text begins with the path.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let mut file = Vec::new();
        let model = catboost_model::load_into(path, &mut file);
        model
            .map_err(Error::of_model)
            .and_then(|model| Self::of_file(&model, Cow::Owned(file)))
            .map_err(|error| error.at(path))
    }

    /// Loads a model from the bytes of its file, which are not kept.
    ///
    /// # Errors
    /// As [`Model::load`].
    ///
    /// ```
    /// use catboost_apply::{Model, Row};
    ///
    /// let model = Model::from_bytes(
    ///     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0, "feature_id": "age",
    ///     "nan_value_treatment": "AsIs", "borders": [30.0]}]}, "scale_and_bias": [1, [0.5]],
    ///     "oblivious_trees": [{"splits": [{"split_index": 0}], "leaf_values": [1, 2], "leaf_weights": [3, 1]}]}"#,
    /// )?;
    /// let row = Row { floats: &[41.0], ..Row::default() };
    /// assert_eq!(model.raw(&row)?, [2.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_bytes(file: &[u8]) -> Result<Self, Error> {
        let model = catboost_model::parse(file).map_err(Error::of_model)?;
        Self::of_file(&model, Cow::Borrowed(file))
    }

    /// Loads a model from a reader, which is read to its end. The head of a `.cbm` is checked before the rest
    /// is read.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn from_reader(reader: impl Read) -> Result<Self, Error> {
        let mut file = Vec::new();
        let model = catboost_model::read(reader, &mut file).map_err(Error::of_model)?;
        Self::of_file(&model, Cow::Owned(file))
    }

    pub(crate) fn of_file(model: &ir::Model, file: Cow<'_, [u8]>) -> Result<Self, Error> {
        let room = Room::new(TABLES_PER_BYTE * file.len() + TABLES_OF_ANY_FILE);
        let hash = Sha256::digest(&file);
        // A large model's file and tables need not be in memory at once.
        drop(file);
        let layout = layout::lay_out_in(model, room);
        let layout = layout.map_err(|error| Error::TooLarge(None, error.to_string()))?;
        let sha256 = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self::with_layout(model, layout, sha256))
    }

    /// Prepares a model that was already read. [`Model::sha256`] is empty, since there is no file to compute
    /// it from. The memory of the tables is not limited: use [`Model::from_bytes`] for files of others.
    #[must_use]
    pub fn new(model: &ir::Model) -> Self {
        Self::with_layout(model, layout::lay_out(model), String::new())
    }

    fn with_layout(model: &ir::Model, layout: Layout, sha256: String) -> Self {
        Self(Arc::new(Inner {
            schema: Schema::new(model, sha256),
            layout,
        }))
    }

    /// Features, in the order of the training data's columns.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.schema().features
    }

    /// Returns the position of the feature with this name. A feature without a name of its own is named by its index
    /// among all columns.
    ///
    /// # Errors
    /// If the model has no such feature, or several features share the name.
    pub fn position(&self, name: &str) -> Result<Position, RowError> {
        self.schema().named(name).map(Feature::position)
    }

    /// Features of a kind, in the order in which a [`Row`] has them.
    #[must_use]
    pub fn features_of(&self, kind: FeatureKind) -> Vec<&Feature> {
        let at = |index| self.schema().at(Position { kind, index });
        (0..).map_while(at).collect()
    }

    /// Features of a kind, in the order in which an observer of [`Model::raw_observed`] numbers them. `None`
    /// is a number that pads a block of numeric features.
    #[must_use]
    pub fn observed(&self, kind: FeatureKind) -> Vec<Option<&Feature>> {
        let layout = self.layout();
        let indices: Vec<Option<usize>> = match kind {
            FeatureKind::Numeric => layout.floats.clone(),
            FeatureKind::Categorical => layout.cats.iter().copied().map(Some).collect(),
            FeatureKind::Text => layout.texts.iter().copied().map(Some).collect(),
            _ => layout.embeddings.iter().copied().map(Some).collect(),
        };
        let feature = |index| {
            let index = index as u32;
            self.schema().at(Position { kind, index })
        };
        indices.into_iter().map(|index| feature(index?)).collect()
    }

    /// Number of raw values per row: 1, one per class or target, or 2 for `RMSEWithUncertainty`.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.schema().dimension
    }

    /// SHA-256 of the model file, in lower-case hexadecimal; empty for [`Model::new`].
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.schema().sha256
    }

    /// Metadata in the file, as CatBoost's `get_metadata()` returns it: key → text, often JSON.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.schema().metadata
    }

    /// Loss of the training, by CatBoost's name without parameters; `None` if the file does not say.
    #[must_use]
    pub fn loss(&self) -> Option<&str> {
        let loss = &self.output()?.loss;
        (!loss.is_empty()).then_some(loss)
    }

    /// Reason why the model has raw values only: its metadata about classes is inconsistent. `None` if the
    /// metadata is consistent, even if the model's loss has no predictions. [`Model::loss`] is `None` as well
    /// if there is a reason.
    #[must_use]
    pub fn output_error(&self) -> Option<String> {
        let output = self.schema().output.as_ref();
        output.err().map(ToString::to_string)
    }

    /// Creates an input row whose values are set one by one. It can be reused for any number of rows.
    #[must_use]
    pub fn input(&self) -> Input {
        Input::new(self.clone())
    }

    /// Returns the raw values of a row. See [`Predict::raw`].
    ///
    /// # Errors
    /// As [`Model::raw_into`].
    pub fn raw(&self, row: &Row<'_>) -> Result<Vec<f64>, RowError> {
        Predict::raw(self, row)
    }

    /// Computes the raw values of a row: CatBoost's `RawFormulaVal`, except that classes which the training
    /// data lacked have no value. `raw[d]` is the sum of the trees' leaf values of dimension `d`, times the
    /// scale, plus the bias.
    ///
    /// Allocates nothing once the thread has evaluated a row, unless a text is long or has an unusual
    /// tokenizer, the model searches the neighbors of an embedding, a calcer has more than 16 classes, or the
    /// model uses more features than fit on the stack (64 numeric, 32 categorical, 8 texts or 8 embeddings).
    ///
    /// # Errors
    /// If the row has another number of features of a kind than the model, an embedding another length than
    /// its feature, or `raw` another length than [`Model::dimension`]. `raw` is then unchanged.
    pub fn raw_into(&self, row: &Row<'_>, raw: &mut [f64]) -> Result<(), RowError> {
        self.raw_observed(row, raw, &mut ())
    }

    /// Computes the raw values after every `period` of some trees: CatBoost's `staged_predict`. One stage of
    /// all of them is CatBoost's `predict` with `ntree_start` and `ntree_end`. The bias belongs to the first
    /// tree.
    ///
    /// Each stage has [`Model::dimension`] values; the last one ends with the range, even within a period.
    /// All trees of the model are evaluated, whatever the range.
    ///
    /// # Errors
    /// As [`Model::raw_into`].
    ///
    /// # Panics
    /// If `trees` is out of the range of the model's trees, or `period` is 0.
    ///
    /// ```
    /// use catboost_apply::Row;
    ///
    /// # use catboost_apply::Model;
    /// # let model = Model::from_bytes(
    /// #     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0,
    /// #     "feature_id": "age", "nan_value_treatment": "AsIs", "borders": [30.0]}]}, "scale_and_bias":
    /// #     [1, [0.5]], "oblivious_trees": [{"splits": [{"split_index": 0}], "leaf_values": [1, 2]},
    /// #     {"splits": [{"split_index": 0}], "leaf_values": [10, 20]}]}"#,
    /// # )?;
    /// let row = Row { floats: &[41.0], ..Row::default() };
    /// assert_eq!(model.stages(&row, 0..2, 1)?, [[2.5], [22.5]]);
    /// assert_eq!(model.stages(&row, 1..2, 1)?, [[20.0]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stages(
        &self,
        row: &Row<'_>,
        trees: Range<usize>,
        period: usize,
    ) -> Result<Vec<Vec<f64>>, RowError> {
        let mut leaves = Leaves::default();
        let mut raw = vec![0.0; self.dimension()];
        self.push_leaves(row, &mut leaves, &mut raw)?;
        Ok(self.layout().model.stages(&leaves, trees, period))
    }

    /// [`Model::raw_into`], which also reports to `observer` what the evaluation meets: unseen categorical
    /// values, unknown words, and the leaf of each tree. [`Model::observed`] names the features by the
    /// numbers that an observer receives.
    ///
    /// # Errors
    /// As [`Model::raw_into`].
    pub fn raw_observed(
        &self,
        row: &Row<'_>,
        raw: &mut [f64],
        observer: &mut impl compiled::Observer,
    ) -> Result<(), RowError> {
        self.check_counts(row)?;
        in_places(self.layout(), row, |row| self.evaluate(row, raw, observer))
    }

    /// Appends the leaves of a row to `leaves`, and writes its raw values to `raw`.
    ///
    /// # Errors
    /// As [`Model::raw_into`], but for the length of `raw`.
    ///
    /// # Panics
    /// If the length of `raw` is not the model's dimension.
    pub(crate) fn push_leaves(
        &self,
        row: &Row<'_>,
        leaves: &mut Leaves,
        raw: &mut [f64],
    ) -> Result<(), RowError> {
        self.check(row)?;
        let layout = self.layout();
        in_places(layout, row, |row| leaves.push(&layout.model, row, raw));
        Ok(())
    }

    fn check_counts(&self, row: &Row<'_>) -> Result<(), RowError> {
        let schema = self.schema();
        for (kind, found) in [
            (FeatureKind::Numeric, row.floats.len()),
            (FeatureKind::Categorical, row.cats.len()),
            (FeatureKind::Text, row.texts.len()),
            (FeatureKind::Embedding, row.embeddings.len()),
        ] {
            predict::check_count(kind, schema.count(kind), found)?;
        }
        Ok(())
    }

    pub(crate) fn check(&self, row: &Row<'_>) -> Result<(), RowError> {
        self.check_counts(row)?;
        let layout = self.layout();
        let embeddings = layout.embeddings.iter();
        self.check_lengths(embeddings.map(|&index| row.embeddings[index]))
    }

    /// Checks the lengths of the embeddings that the layout uses.
    fn check_lengths<'a>(
        &self,
        embeddings: impl Iterator<Item = &'a [f32]>,
    ) -> Result<(), RowError> {
        for (&index, embedding) in self.layout().embeddings.iter().zip(embeddings) {
            let position = Position {
                kind: FeatureKind::Embedding,
                index: index as u32,
            };
            let feature = self.schema().at(position);
            let feature = feature.expect("the layout has the model's features");
            if embedding.len() != feature.dimension {
                let name = feature.label();
                let error = predict::length_error(&name, feature.dimension, embedding.len());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Evaluates a row whose features are in the order of the layout, with its number of features.
    pub(crate) fn evaluate(
        &self,
        row: compiled::Row<'_>,
        raw: &mut [f64],
        observer: &mut impl compiled::Observer,
    ) -> Result<(), RowError> {
        let (schema, layout) = (self.schema(), self.layout());
        if raw.len() != schema.dimension {
            return Err(RowError::Dimension {
                expected: schema.dimension,
                found: raw.len(),
            });
        }
        self.check_lengths(row.embeddings.iter().copied())?;
        // The scratch of a thread that ends may be gone.
        let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
        layout.model.raw_observed(row, &mut scratch, raw, observer);
        let _ = SCRATCH.try_with(|kept| kept.set(scratch));
        Ok(())
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.0.schema
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.0.layout
    }

    fn output(&self) -> Option<&Output> {
        self.schema().output.as_ref().ok()
    }

    /// Returns the output if the number of raw values fits it.
    fn output_of(&self, raw: &[f64]) -> Option<&Output> {
        self.output().filter(|_| raw.len() == self.dimension())
    }

    /// Returns the output of a model that classifies.
    fn classifier(&self, raw: &[f64]) -> Option<&Output> {
        self.output_of(raw)
            .filter(|output| !output.classes.is_empty())
    }

    /// Returns the output of a model that does not classify.
    fn regressor(&self, raw: &[f64]) -> Option<&Output> {
        self.output_of(raw)
            .filter(|output| output.classes.is_empty())
    }
}

impl Predict for Model {
    fn dimension(&self) -> usize {
        self.dimension()
    }

    fn sha256(&self) -> &str {
        self.sha256()
    }

    fn features(&self) -> Vec<predict::Feature<'_>> {
        let features = self.schema().features.iter();
        let shown = features.map(|feature| {
            let &Feature {
                ref name,
                index,
                kind,
                used,
                ..
            } = feature;
            predict::Feature::new(name, index, kind, used)
        });
        shown.collect()
    }

    fn raw_into(&self, row: &Row<'_>, raw: &mut [f64]) -> Result<(), RowError> {
        self.raw_into(row, raw)
    }

    fn raw_block(
        &self,
        rows: &[Row<'_>],
        scratch: &mut block::Scratch,
        raw: &mut [f64],
    ) -> Result<(), RowError> {
        self.raw_block(rows, scratch, raw)
    }

    fn stages(
        &self,
        row: &Row<'_>,
        trees: Range<usize>,
        period: usize,
    ) -> Result<Vec<Vec<f64>>, RowError> {
        self.stages(row, trees, period)
    }

    fn classes(&self) -> Vec<Label<'_>> {
        let classes = self.output().map_or(&[][..], |output| &output.classes);
        let label = |class| match class {
            &output::Label::Bool(label) => Label::Bool(label),
            &output::Label::Int(label) => Label::Int(label),
            &output::Label::Float(label) => Label::Float(label),
            output::Label::Text(label) => Label::Text(label),
        };
        classes.iter().map(label).collect()
    }

    fn probability(&self, raw: &[f64]) -> Option<Vec<f64>> {
        Some(self.classifier(raw)?.probability(raw))
    }

    fn class(&self, raw: &[f64]) -> Option<Vec<usize>> {
        Some(self.classifier(raw)?.class(raw))
    }

    fn exponent(&self, raw: &[f64]) -> Option<f64> {
        let output = self.regressor(raw)?;
        (raw.len() == 1).then(|| output.exponent(raw))
    }

    fn mean_and_variance(&self, raw: &[f64]) -> Option<(f64, f64)> {
        let output = self.regressor(raw)?;
        let has_both = output.loss == "RMSEWithUncertainty";
        output.mean_and_variance(raw).filter(|_| has_both)
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("sha256", &self.sha256())
            .field("features", &self.features().len())
            .field("shape", &self.layout().model.shape)
            .finish()
    }
}
