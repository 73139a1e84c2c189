//! Loaded models explain rows with the bits of the plain version: with tables and without, alone and in blocks. `ZOO`
//! names another folder of models than `fixtures/models`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use catboost_apply::Explainer;
use catboost_model::{
    eval::{self, Row},
    explain,
    ir::{Model, Trees},
};

const ROWS: usize = 12;

/// Pseudo-random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// Values of a row.
struct Values {
    floats: Vec<f32>,
    cats: Vec<&'static str>,
    texts: Vec<&'static str>,
    embeddings: Vec<Vec<f32>>,
}

impl Values {
    /// Draws numbers at and beside borders, and values and words of the zoo.
    fn draw(model: &Model, random: &mut Random) -> Self {
        let cats = ["", "a", "b", "c", "Tver", "7", "-1", "u", "unseen"];
        let texts = [
            "one two three",
            "four one",
            "",
            "seven eight nine ten 14",
            "two",
        ];
        let floats = model.float_features.iter().map(|feature| {
            let border = match feature.borders.len() {
                0 => return 0.0,
                count => feature.borders[random.below(count)],
            };
            [border, border.next_up(), f32::NAN][random.below(3)]
        });
        let floats = floats.collect();
        let embeddings = model.embedding_features.iter().map(|feature| {
            let numbers = (0..feature.dimension).map(|_| random.below(400) as f32 / 100.0 - 2.0);
            numbers.collect()
        });
        let embeddings = embeddings.collect();
        Self {
            floats,
            cats: model
                .cat_features
                .iter()
                .map(|_| cats[random.below(cats.len())])
                .collect(),
            texts: model
                .text_features
                .iter()
                .map(|_| texts[random.below(texts.len())])
                .collect(),
            embeddings,
        }
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Values that the plain version explains.
fn plain(explainer: &explain::Explainer, row: &Row) -> Vec<f64> {
    explainer.explain(row).values.concat()
}

fn check(path: &Path) -> bool {
    let name = path.display();
    let file = fs::read(path).expect("the zoo has the file");
    let model = catboost_model::parse(&file).expect("the zoo's models are read");
    let reference = explain::Explainer::new(&model);
    let Ok(reference) = &reference else {
        let refused = Explainer::from_bytes(&file, false);
        assert!(refused.is_err(), "{name}");
        return false;
    };
    let mut random = Random(7);
    let values: Vec<Values> = (0..ROWS)
        .map(|_| Values::draw(&model, &mut random))
        .collect();
    let embeddings: Vec<Vec<&[f32]>> = values
        .iter()
        .map(|values| values.embeddings.iter().map(Vec::as_slice).collect())
        .collect();
    let rows: Vec<Row> = values
        .iter()
        .zip(&embeddings)
        .map(|(values, embeddings)| Row {
            floats: &values.floats,
            cats: &values.cats,
            texts: &values.texts,
            embeddings,
        })
        .collect();
    let expected: Vec<f64> = rows.iter().flat_map(|row| plain(reference, row)).collect();
    for tables in [false, true] {
        let explainer =
            Explainer::from_bytes(&file, tables).expect("the plain version explains it");
        assert_eq!(
            explainer.table_bytes() > 0,
            tables && explainer.uses_features() && matches!(model.trees, Trees::Oblivious(_)),
            "{name}"
        );
        assert_eq!(bits(explainer.base()), bits(reference.base()), "{name}");
        let mut block = vec![f64::NAN; explainer.len() * rows.len()];
        explainer
            .explain_block(&rows, &mut block)
            .expect("the rows are right");
        assert_eq!(bits(&block), bits(&expected), "{name}, tables: {tables}");
        let mut one = vec![f64::NAN; explainer.len()];
        explainer
            .explain(&rows[1], &mut one)
            .expect("the row is right");
        assert_eq!(
            bits(&one),
            bits(&expected[explainer.len()..][..explainer.len()]),
            "{name}"
        );
        let leaves = explainer.leaves(&rows[1]).expect("the row is right");
        assert_eq!(
            leaves,
            eval::leaves(&model, &rows[1], 0..model.tree_count()),
            "{name}"
        );
    }
    true
}

#[test]
fn loaded_models_explain_as_the_plain_version() {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let folder = env::var_os("ZOO").map_or_else(|| zoo.clone(), PathBuf::from);
    let files = fs::read_dir(&folder).expect("there is a zoo");
    let mut files: Vec<PathBuf> = files
        .map(|file| file.expect("it is listed").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "cbm"));
    // Tables of thousands of trees take long without optimization.
    files.retain(|path| !path.ends_with("walked_levels.cbm"));
    let explained = files.iter().filter(|path| check(path)).count();
    println!("{explained} of {} models are explained", files.len());
    assert!(
        folder != zoo || explained > 140,
        "{explained} of {}",
        files.len()
    );
}

/// Tests more rows than are looked up in the tables at a time.
#[test]
fn rows_of_a_long_block_are_explained_as_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let file = fs::read(folder.join("borders_254.cbm")).expect("the zoo has the file");
    let model = catboost_model::parse(&file).expect("the zoo's models are read");
    let explainer = Explainer::from_bytes(&file, true).expect("it has weights");
    let mut random = Random(8);
    let values: Vec<Values> = (0..300)
        .map(|_| Values::draw(&model, &mut random))
        .collect();
    let rows: Vec<Row> = values
        .iter()
        .map(|values| Row {
            floats: &values.floats,
            cats: &values.cats,
            ..Row::default()
        })
        .collect();
    let mut block = vec![f64::NAN; explainer.len() * rows.len()];
    explainer
        .explain_block(&rows, &mut block)
        .expect("the rows are right");
    for (row, of_block) in rows.iter().zip(block.chunks(explainer.len())) {
        let mut alone = vec![f64::NAN; explainer.len()];
        explainer
            .explain(row, &mut alone)
            .expect("the row is right");
        assert_eq!(bits(of_block), bits(&alone));
    }
}

/// JSON of a model of one non-symmetric tree that asks so many features on its longest way.
fn chain(features: usize) -> String {
    let number = |index| {
        format!(
            r#"{{"feature_index": {index}, "flat_feature_index": {index}, "feature_id": "f{index}", "nan_value_treatment": "AsIs",
            "borders": [0.5]}}"#
        )
    };
    let floats: Vec<String> = (0..features).map(number).collect();
    let mut tree = r#"{"value": 9, "weight": 1}"#.to_owned();
    for index in 0..features {
        tree = format!(
            r#"{{"split": {{"split_index": {index}, "split_type": "FloatFeature", "float_feature_index": {index}, "border": 0.5}},
            "left": {{"value": {index}, "weight": {}}}, "right": {tree}}}"#,
            index + 2
        );
    }
    format!(
        r#"{{"features_info": {{"float_features": [{}]}}, "scale_and_bias": [1, [0]], "trees": [{tree}]}}"#,
        floats.join(",")
    )
}

#[test]
fn ways_of_more_than_sixteen_features_are_refused() {
    let longest = chain(16);
    let explainer = Explainer::from_bytes(longest.as_bytes(), false).expect("16 are explained");
    let model = catboost_model::parse(longest.as_bytes()).expect("it is a model");
    let reference = explain::Explainer::new(&model).expect("it has weights");
    for floats in [[1.0; 16], [0.0; 16]] {
        let row = Row {
            floats: &floats,
            ..Row::default()
        };
        let mut values = vec![f64::NAN; explainer.len()];
        explainer
            .explain(&row, &mut values)
            .expect("the row is right");
        assert_eq!(bits(&values), bits(&plain(&reference, &row)));
    }
    let longer = Explainer::from_bytes(chain(17).as_bytes(), false);
    let refused = longer.err().expect("17 are refused").to_string();
    assert!(refused.contains("more than 16 features"), "{refused}");
}

#[test]
fn what_cannot_be_explained_says_why() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    for (name, reason) in [
        ("depth_16.cbm", "no leaf weights"),
        ("scaled.cbm", "scale is 0.3"),
    ] {
        let error = match Explainer::load(folder.join(name), true) {
            Ok(_) => panic!("{name} is explained"),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(name) && error.contains(reason), "{error}");
    }
}
