//! Blocks of rows from an Arrow `RecordBatch`.
//!
//! Columns are found and their types checked once per batch. Categorical columns become hashes and text
//! columns become references, a vector per column; numbers and embeddings stay where they are.

use arrow_array::{
    Array, ArrayRef, Float32Array, RecordBatch,
    cast::AsArray,
    types::{
        Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
        UInt32Type, UInt64Type,
    },
};
use arrow_schema::DataType;
use catboost_runtime::{
    block::{self, Scratch},
    compiled,
    hash::cat_hash,
    predict::{self, FeatureKind, RowError},
};
use smallvec::SmallVec;

use crate::{
    Model,
    schema::{Feature, Position},
};

impl Model {
    /// Computes the raw values of the rows of a record batch. Columns are found by the names of the features that trees
    /// depend on (the index for a feature without a name); other columns are ignored.
    ///
    /// | feature | types | null |
    /// | --- | --- | --- |
    /// | numeric | floating-point numbers and integers of 8 to 64 bits, rounded to f32 | missing value |
    /// | categorical | strings, dictionaries of strings, integers | refused |
    /// | text | strings | refused |
    /// | embedding | fixed-size lists of f32 | refused |
    ///
    /// Numbers are read in place; each value of a dictionary is hashed once. `raw` gets [`Model::dimension`]
    /// values per row, row by row.
    ///
    /// # Errors
    /// If a column is missing, has another type or a null that is refused, embeddings have another length than the feature,
    /// or `raw` does not have room for exactly the rows' raw values.
    /// `raw` is then unchanged.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use arrow_array::{ArrayRef, Float64Array, RecordBatch};
    /// use catboost_apply::Scratch;
    ///
    /// # use catboost_apply::Model;
    /// # let model = Model::from_bytes(
    /// #     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0,
    /// #     "feature_id": "age", "nan_value_treatment": "AsIs", "borders": [30.0]}]}, "scale_and_bias":
    /// #     [1, [0.5]], "oblivious_trees": [{"splits": [{"split_index": 0}], "leaf_values": [1, 2]}]}"#,
    /// # )?;
    /// let ages: ArrayRef = Arc::new(Float64Array::from(vec![Some(41.0), None]));
    /// let batch = RecordBatch::try_from_iter([("age", ages)])?;
    /// let mut raw = vec![0.0; batch.num_rows() * model.dimension()];
    /// model.raw_of_batch(&batch, &mut Scratch::default(), &mut raw)?;
    /// assert_eq!(raw, [2.5, 1.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn raw_of_batch(
        &self,
        batch: &RecordBatch,
        scratch: &mut Scratch,
        raw: &mut [f64],
    ) -> Result<(), RowError> {
        predict::check_room(batch.num_rows() * self.dimension(), raw.len())?;
        let rows = Rows::new(self, batch)?;
        let layout = self.layout();
        layout
            .model
            .raw_block(layout.blocks.as_ref(), &rows, scratch, raw);
        Ok(())
    }
}

/// Columns of a batch in the order of the layout.
struct Rows<'a> {
    len: usize,
    /// `None` for a place that fills up a block.
    numbers: Vec<Option<Numbers<'a>>>,
    /// Hashes of categorical values.
    cats: Vec<Vec<u32>>,
    texts: Vec<Vec<&'a str>>,
    embeddings: Vec<Embeddings<'a>>,
}

/// Defines `Numbers`, a column of one of the types that are read.
macro_rules! numbers {
    ($($name:ident $arrow:ident)*) => {
        enum Numbers<'a> {
            $($name(&'a arrow_array::PrimitiveArray<$arrow>),)*
        }

        impl<'a> Numbers<'a> {
            fn new(array: &'a ArrayRef) -> Option<Self> {
                match array.data_type() {
                    $(DataType::$name => Some(Self::$name(array.as_primitive()))),*,
                    _ => None,
                }
            }

            /// Reads the numbers from row `first` on.
            fn read<'v>(&self, first: usize, values: impl Iterator<Item = &'v mut f32>) {
                match self {
                    $(Self::$name(array) => {
                        let numbers = array.values()[first..].iter();
                        for (row, (value, &number)) in (first..).zip(values.zip(numbers)) {
                            *value = if array.is_null(row) { f32::NAN } else { number as f32 };
                        }
                    })*
                }
            }
        }
    };
}

numbers! {
    Float32 Float32Type
    Float64 Float64Type
    Int8 Int8Type
    Int16 Int16Type
    Int32 Int32Type
    Int64 Int64Type
    UInt8 UInt8Type
    UInt16 UInt16Type
    UInt32 UInt32Type
    UInt64 UInt64Type
}

/// Column of embeddings.
struct Embeddings<'a> {
    numbers: &'a Float32Array,
    dimension: usize,
}

impl<'a> Rows<'a> {
    fn new(model: &Model, batch: &'a RecordBatch) -> Result<Self, RowError> {
        let layout = model.layout();
        let column = |kind, index: usize| -> Result<(&'a ArrayRef, &Feature), RowError> {
            let position = Position {
                kind,
                index: index as u32,
            };
            let feature = model.schema().at(position);
            let feature = feature.expect("the layout has the model's features");
            let column = batch.column_by_name(&feature.label());
            Ok((column.ok_or_else(|| missing(feature))?, feature))
        };
        let numbers = layout.floats.iter().map(|index| {
            let Some(index) = *index else {
                return Ok(None);
            };
            let (array, feature) = column(FeatureKind::Numeric, index)?;
            Numbers::new(array)
                .map(Some)
                .ok_or_else(|| other_kind(feature))
        });
        let cats = layout.cats.iter().map(|&index| {
            let (array, feature) = column(FeatureKind::Categorical, index)?;
            hashes(array, feature)
        });
        let texts = layout.texts.iter().map(|&index| {
            let (array, feature) = column(FeatureKind::Text, index)?;
            without_nulls(array, feature)?;
            strings(array).ok_or_else(|| other_kind(feature))
        });
        let embeddings = layout.embeddings.iter().map(|&index| {
            let (array, feature) = column(FeatureKind::Embedding, index)?;
            embeddings(array, feature)
        });
        Ok(Self {
            len: batch.num_rows(),
            numbers: numbers.collect::<Result<_, _>>()?,
            cats: cats.collect::<Result<_, _>>()?,
            texts: texts.collect::<Result<_, _>>()?,
            embeddings: embeddings.collect::<Result<_, _>>()?,
        })
    }
}

impl block::Rows for Rows<'_> {
    fn len(&self) -> usize {
        self.len
    }

    fn with_row<R>(&self, row: usize, then: impl FnOnce(compiled::Row<'_>) -> R) -> R {
        let floats = self.numbers.iter().map(|numbers| {
            let mut value = 0.0;
            if let Some(numbers) = numbers {
                numbers.read(row, core::iter::once(&mut value));
            }
            value
        });
        let floats: SmallVec<[f32; 64]> = floats.collect();
        self.with_other_features(row, |row| {
            then(compiled::Row {
                floats: &floats,
                ..row
            })
        })
    }

    fn with_other_features<R>(&self, row: usize, then: impl FnOnce(compiled::Row<'_>) -> R) -> R {
        let cats: SmallVec<[u32; 32]> = self.cats.iter().map(|hashes| hashes[row]).collect();
        let texts: SmallVec<[&str; 8]> = self.texts.iter().map(|texts| texts[row]).collect();
        let embeddings = self.embeddings.iter().map(|of| {
            let Embeddings { numbers, dimension } = of;
            &numbers.values()[row * dimension..][..*dimension]
        });
        let embeddings: SmallVec<[&[f32]; 8]> = embeddings.collect();
        then(compiled::Row {
            floats: &[],
            cats: &cats,
            texts: &texts,
            embeddings: &embeddings,
        })
    }

    fn read_column(&self, input: usize, first: usize, values: &mut [f32]) -> bool {
        let numbers = self.numbers[input].as_ref();
        let numbers = numbers.expect("a column is made of a feature");
        numbers.read(first, values.iter_mut());
        true
    }
}

fn missing(feature: &Feature) -> RowError {
    let feature = feature.label();
    RowError::Missing { feature }
}

fn other_kind(feature: &Feature) -> RowError {
    RowError::Kind {
        feature: feature.label(),
        expected: feature.kind,
    }
}

fn without_nulls(array: &ArrayRef, feature: &Feature) -> Result<(), RowError> {
    match array.null_count() {
        0 => Ok(()),
        _ => Err(missing(feature)),
    }
}

/// Returns the strings of a column without nulls; `None` if it has another type.
fn strings(array: &ArrayRef) -> Option<Vec<&str>> {
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().flatten().collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().flatten().collect(),
        DataType::Utf8View => array.as_string_view().iter().flatten().collect(),
        _ => return None,
    })
}

/// Returns the hashes of a categorical column. CatBoost hashes the decimal digits of an integer.
fn hashes(array: &ArrayRef, feature: &Feature) -> Result<Vec<u32>, RowError> {
    without_nulls(array, feature)?;
    if let Some(dictionary) = array.as_any_dictionary_opt() {
        let values = strings(dictionary.values()).filter(|_| dictionary.values().null_count() == 0);
        let values = values.ok_or_else(|| other_kind(feature))?;
        let values: Vec<u32> = values.into_iter().map(cat_hash).collect();
        // Keys of no values cannot be normalized.
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let keys = dictionary.normalized_keys().into_iter();
        return Ok(keys.map(|key| values[key]).collect());
    }
    if let Some(strings) = strings(array) {
        return Ok(strings.into_iter().map(cat_hash).collect());
    }
    macro_rules! integers {
        ($($name:ident $arrow:ident)*) => {
            match array.data_type() {
                $(DataType::$name => {
                    let numbers = array.as_primitive::<$arrow>().values().iter();
                    Ok(numbers.map(|number| cat_hash(&number.to_string())).collect())
                })*
                _ => Err(other_kind(feature)),
            }
        };
    }
    integers! {
        Int8 Int8Type
        Int16 Int16Type
        Int32 Int32Type
        Int64 Int64Type
        UInt8 UInt8Type
        UInt16 UInt16Type
        UInt32 UInt32Type
        UInt64 UInt64Type
    }
}

fn embeddings<'a>(array: &'a ArrayRef, feature: &Feature) -> Result<Embeddings<'a>, RowError> {
    without_nulls(array, feature)?;
    let lists = array.as_fixed_size_list_opt();
    let numbers = lists.and_then(|lists| lists.values().as_primitive_opt::<Float32Type>());
    let (lists, numbers) = lists.zip(numbers).ok_or_else(|| other_kind(feature))?;
    let dimension = lists.value_length() as usize;
    if dimension != feature.dimension {
        let name = feature.label();
        return Err(predict::length_error(&name, feature.dimension, dimension));
    }
    if numbers.null_count() > 0 {
        return Err(missing(feature));
    }
    Ok(Embeddings { numbers, dimension })
}
