//! Arrays and record batches have the raw values of their rows: `cargo test -p catboost-apply --features ndarray,arrow --test arrays`.
#![cfg(all(feature = "ndarray", feature = "arrow"))]

use std::{fs, path::PathBuf, sync::Arc};

use arrow_array::{
    ArrayRef, DictionaryArray, FixedSizeListArray, Float32Array, Float64Array, Int32Array,
    LargeStringArray, RecordBatch, StringArray, StringViewArray, types::Int32Type,
};
use arrow_schema::{DataType, Field};
use catboost_apply::{FeatureKind, Model, Row, RowError, Scratch};
use ndarray::{Array2, s};

/// Not a multiple of anything that blocks are cut into.
const ROWS: usize = 331;

fn zoo() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let files = fs::read_dir(folder).expect("there is a zoo");
    let mut files: Vec<PathBuf> = files
        .map(|file| file.expect("it is listed").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "cbm"));
    files.sort();
    files
}

fn number(row: usize, column: usize) -> f32 {
    match (row * 31 + column * 17) % 23 {
        0 => f32::NAN,
        draw => draw as f32 / 4.0 - 2.0,
    }
}

fn word(row: usize, column: usize) -> &'static str {
    const WORDS: [&str; 9] = [
        "",
        "a",
        "b",
        "c",
        "7",
        "-1",
        "one two three",
        "four one",
        "unseen",
    ];
    WORDS[(row * 5 + column) % WORDS.len()]
}

fn vector(row: usize, column: usize, dimension: usize) -> Vec<f32> {
    let numbers = (0..dimension).map(|at| ((row + at * 7 + column) % 40) as f32 / 10.0 - 2.0);
    numbers.collect()
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// A model's rows, one by one.
fn expected(model: &Model, rows: usize) -> Vec<f64> {
    let count = |kind| model.features().iter().filter(|f| f.kind == kind).count();
    let dimensions: Vec<usize> = {
        let mut found: Vec<_> = model.features().iter().collect();
        found.retain(|feature| feature.kind == FeatureKind::Embedding);
        found.iter().map(|feature| feature.dimension).collect()
    };
    let rows = (0..rows).map(|row| {
        let floats: Vec<f32> = (0..count(FeatureKind::Numeric))
            .map(|column| number(row, column))
            .collect();
        let cats: Vec<&str> = (0..count(FeatureKind::Categorical))
            .map(|column| word(row, column))
            .collect();
        let texts: Vec<&str> = (0..count(FeatureKind::Text))
            .map(|column| word(row + 1, column))
            .collect();
        let embeddings: Vec<Vec<f32>> = dimensions
            .iter()
            .enumerate()
            .map(|(column, &dimension)| vector(row, column, dimension))
            .collect();
        let embeddings: Vec<&[f32]> = embeddings.iter().map(Vec::as_slice).collect();
        let row = Row {
            floats: &floats,
            cats: &cats,
            texts: &texts,
            embeddings: &embeddings,
        };
        model.raw(&row).expect("the row has the model's features")
    });
    rows.collect::<Vec<_>>().concat()
}

#[test]
fn an_array_has_the_raw_values_of_its_rows() {
    let mut scratch = Scratch::default();
    let mut count = 0;
    for path in zoo() {
        let model = Model::load(&path).expect("the zoo's models are read");
        let columns = model.features().len();
        let mut raw = vec![f64::NAN; ROWS * model.dimension()];
        let of_numbers = |feature: &catboost_apply::Feature| feature.kind == FeatureKind::Numeric;
        let rows = Array2::from_shape_fn((ROWS, columns), |(row, column)| number(row, column));
        if !model.features().iter().all(of_numbers) {
            let refused = model.raw_of_array(rows.view(), &mut scratch, &mut raw);
            assert!(matches!(refused, Err(RowError::Count { .. })), "{path:?}");
            continue;
        }
        let columns_first = rows.t().as_standard_layout().into_owned();
        for view in [rows.view(), columns_first.t()] {
            raw.fill(f64::NAN);
            let done = model.raw_of_array(view, &mut scratch, &mut raw);
            assert_eq!(done, Ok(()));
            assert_eq!(bits(&raw), bits(&expected(&model, ROWS)), "{path:?}");
        }
        let few = model.raw_of_array(rows.slice(s![..3, ..]), &mut scratch, &mut raw);
        assert!(matches!(few, Err(RowError::Dimension { .. })), "{path:?}");
        count += 1;
    }
    assert!(count > 20, "{count}");
}

/// The columns of a batch. Their types differ from feature to feature.
fn columns(model: &Model) -> Vec<(String, ArrayRef)> {
    let mut of_kind = [0; 4];
    let columns = model.features().iter().filter_map(|feature| {
        let at = &mut of_kind[feature.kind as usize];
        let column = *at;
        *at += 1;
        let words = |shift: usize| (0..ROWS).map(move |row| word(row + shift, column));
        let array: ArrayRef = match (feature.kind, column % 3) {
            (FeatureKind::Numeric, 0) => {
                let nan_is_null = |value: f32| (!value.is_nan()).then_some(value);
                let numbers = (0..ROWS).map(|row| nan_is_null(number(row, column)));
                Arc::new(Float32Array::from_iter(numbers))
            }
            (FeatureKind::Numeric, 1) => {
                let numbers = (0..ROWS).map(|row| f64::from(number(row, column)));
                Arc::new(Float64Array::from_iter_values(numbers))
            }
            (FeatureKind::Numeric, _) => {
                let numbers = (0..ROWS).map(|row| number(row, column));
                Arc::new(Float32Array::from_iter_values(numbers))
            }
            (FeatureKind::Categorical, 0) => {
                Arc::new(words(0).collect::<DictionaryArray<Int32Type>>())
            }
            (FeatureKind::Categorical, 1) => Arc::new(StringViewArray::from_iter_values(words(0))),
            (FeatureKind::Categorical, _) => Arc::new(LargeStringArray::from_iter_values(words(0))),
            (FeatureKind::Text, _) => Arc::new(StringArray::from_iter_values(words(1))),
            (FeatureKind::Embedding, _) if feature.dimension == 0 => return None,
            (FeatureKind::Embedding, _) => {
                let numbers = (0..ROWS).flat_map(|row| vector(row, column, feature.dimension));
                let numbers = Arc::new(Float32Array::from_iter_values(numbers));
                let field = Arc::new(Field::new("item", DataType::Float32, false));
                let size = feature.dimension as i32;
                Arc::new(FixedSizeListArray::new(field, size, numbers, None))
            }
            kind => panic!("{kind:?} is new"),
        };
        let name = match feature.name.as_str() {
            "" => feature.index.to_string(),
            name => name.to_owned(),
        };
        Some((name, array))
    });
    columns.collect()
}

#[test]
fn a_batch_has_the_raw_values_of_its_rows() {
    let mut scratch = Scratch::default();
    let mut count = 0;
    for path in zoo() {
        let model = Model::load(&path).expect("the zoo's models are read");
        let columns = columns(&model);
        // A batch finds columns by their names.
        let mut names: Vec<&String> = columns.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        if columns.is_empty() || names.len() < columns.len() {
            continue;
        }
        let batch = RecordBatch::try_from_iter(columns.into_iter().rev()).expect("columns");
        let mut raw = vec![f64::NAN; ROWS * model.dimension()];
        let done = model.raw_of_batch(&batch, &mut scratch, &mut raw);
        assert_eq!(done, Ok(()), "{path:?}");
        let all = expected(&model, ROWS);
        assert_eq!(bits(&raw), bits(&all), "{path:?}");
        let (first, len, dimension) = (40, 90, model.dimension());
        let mut raw = vec![f64::NAN; len * dimension];
        let part = batch.slice(first, len);
        let done = model.raw_of_batch(&part, &mut scratch, &mut raw);
        assert_eq!(done, Ok(()), "{path:?}");
        let part = &all[first * dimension..][..len * dimension];
        assert_eq!(bits(&raw), bits(part), "{path:?}");
        count += 1;
    }
    assert!(count > 130, "{count}");
}

#[test]
fn what_a_batch_lacks_is_named() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../../fixtures/models/ctr_combinations.cbm");
    let model = Model::load(path).expect("the zoo's models are read");
    let mut raw = vec![0.0; ROWS];
    let mut refused = |columns: Vec<(String, ArrayRef)>| {
        let batch = RecordBatch::try_from_iter(columns).expect("columns");
        model.raw_of_batch(&batch, &mut Scratch::default(), &mut raw)
    };
    let used = |kind| {
        let mut features = model.features().iter();
        let found = features.find(|feature| feature.kind == kind && feature.used);
        match found.expect("the model has both kinds") {
            feature if feature.name.is_empty() => feature.index.to_string(),
            feature => feature.name.clone(),
        }
    };
    let number = used(FeatureKind::Numeric);
    let category = used(FeatureKind::Categorical);
    let replaced = |name: &str, array: ArrayRef| {
        let mut columns = columns(&model);
        let column = columns.iter_mut().find(|(other, _)| other == name);
        column.expect("it is there").1 = array;
        columns
    };
    let mut without = columns(&model);
    without.retain(|(name, _)| *name != number);
    assert_eq!(
        refused(without),
        Err(RowError::Missing {
            feature: number.clone()
        })
    );
    let words: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..ROWS).map(|row| word(row, 0)),
    ));
    assert_eq!(
        refused(replaced(&number, words)),
        Err(RowError::Kind {
            feature: number,
            expected: FeatureKind::Numeric
        })
    );
    let holes: ArrayRef = Arc::new(StringArray::from_iter((0..ROWS).map(|_| None::<&str>)));
    assert_eq!(
        refused(replaced(&category, holes)),
        Err(RowError::Missing {
            feature: category.clone()
        })
    );
    let numbers: ArrayRef = Arc::new(Float32Array::from_iter_values(
        (0..ROWS).map(|row| row as f32),
    ));
    assert_eq!(
        refused(replaced(&category, numbers)),
        Err(RowError::Kind {
            feature: category.clone(),
            expected: FeatureKind::Categorical
        })
    );
    // An integer is its decimal digits.
    let integers: ArrayRef = Arc::new(Int32Array::from_iter_values(
        (0..ROWS).map(|row| row as i32 % 9 - 1),
    ));
    let digits: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..ROWS).map(|row| (row as i32 % 9 - 1).to_string()),
    ));
    let [integers, digits] = [integers, digits].map(|array| {
        let batch = RecordBatch::try_from_iter(replaced(&category, array)).expect("columns");
        let mut raw = vec![0.0; ROWS];
        let done = model.raw_of_batch(&batch, &mut Scratch::default(), &mut raw);
        assert_eq!(done, Ok(()));
        bits(&raw)
    });
    assert_eq!(integers, digits);
}
