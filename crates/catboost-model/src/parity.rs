//! Compares the plain interpreter with CatBoost's further answers for every model of the zoo (SHAP values, leaves,
//! uncertainty …), recorded by `fixtures/models/answers.py`. `ZOO` names another folder.

mod rows;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    eval::{self, Numbers, Row},
    explain::{Explainer, importance},
    ir::{Model, Split},
    output::{Ensembles, Output},
};
use rows::{Rows, numbers};

fn folder() -> PathBuf {
    env::var_os("ZOO").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models"),
        PathBuf::from,
    )
}

#[test]
fn answers_are_catboost_s() {
    let folder = folder();
    let text = fs::read_to_string(folder.join("answers.ndjson"))
        .expect("answers.py has been run for the folder");
    let mut total = Count::default();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("a line is JSON");
        let name = line["model"].as_str().expect("a line names its model");
        let count = compare(&folder, name, &line);
        println!("{name}: {count:?}");
        total.add(&count);
    }
    println!("all: {total:?}");
    // Each kind of attribution is compared in the zoo; a folder of one model has one of them.
    let enough = match env::var_os("ZOO") {
        None => total.shap > 1000 && total.shifted > 100,
        Some(_) => total.shap + total.shifted > 1000,
    };
    assert!(
        enough && total.leaves > 1000 && total.others > 1000,
        "{total:?}"
    );
    assert!(
        total.differences.is_empty(),
        "{}",
        total.differences.join("\n")
    );
}

/// Numbers of comparisons, and the differences.
#[derive(Debug, Default)]
struct Count {
    models: usize,
    shap: usize,
    /// SHAP values of models for which CatBoost attributes splits to the wrong features: compared after reproducing its
    /// mistake.
    shifted: usize,
    leaves: usize,
    others: usize,
    /// Models that CatBoost or this crate refuses to explain.
    unexplained: usize,
    differences: Vec<String>,
}

impl Count {
    fn add(&mut self, other: &Self) {
        self.models += 1;
        self.shap += other.shap;
        self.shifted += other.shifted;
        self.leaves += other.leaves;
        self.others += other.others;
        self.unexplained += other.unexplained;
        self.differences.extend_from_slice(&other.differences);
    }

    fn same(&mut self, what: impl Fn() -> String, found: &[f64], expected: &[f64]) -> usize {
        // JSON does not keep the sign of NaN.
        let bits = |value: &f64| if value.is_nan() { f64::NAN } else { *value }.to_bits();
        let bits = |list: &[f64]| list.iter().map(bits).collect::<Vec<_>>();
        if bits(found) != bits(expected) && self.differences.len() < 3 {
            let what = what();
            let text = format!("{what}: found {found:?}, CatBoost has {expected:?}");
            self.differences.push(text);
        }
        expected.len()
    }
}

fn compare(folder: &Path, name: &str, line: &Value) -> Count {
    let model =
        crate::load(&folder.join(format!("{name}.cbm"))).expect("the zoo's models are read");
    let rows = Rows::read(&model, &folder.join(format!("{name}.cases.ndjson")));
    let mut count = Count::default();
    let Some(trees) = line["trees"].as_u64() else {
        return count;
    };
    assert_eq!(trees as usize, model.tree_count(), "{name}");
    compare_shap(&mut count, name, &model, &rows, line);
    let output = Output::of(&model).expect("the zoo's models say what they are");
    if let (expected @ Value::Array(_), Ok(found)) = (&line["importance"], importance(&model)) {
        count.others += count.same(|| format!("{name}: importance"), &found, &numbers(expected));
    }
    for (place, &index) in rows.chosen(line).iter().enumerate() {
        rows.with(index, |row| {
            let what = |part: &str| format!("{name}, row {index}: {part}");
            let leaves = eval::leaves(&model, row, 0..model.tree_count());
            let leaves: Vec<f64> = leaves.into_iter().map(f64::from).collect();
            count.leaves +=
                count.same(|| what("leaves"), &leaves, &numbers(&line["leaves"][place]));
            let raw = eval::raw(&model, row);
            let types: [(&str, Vec<f64>); 6] = [
                ("RawFormulaVal", output.raw(&raw)),
                ("Probability", output.probability(&raw)),
                ("LogProbability", output.log_probability(&raw)),
                ("Exponent", vec![output.exponent(&raw)]),
                ("RMSEWithUncertainty", uncertain(&output, &raw)),
                ("Class", Vec::new()),
            ];
            for (kind, found) in types {
                let expected = &line["types"][kind];
                if kind != "Class" && !expected.is_null() {
                    count.others += count.same(|| what(kind), &found, &numbers(&expected[place]));
                }
            }
            for range in line["ranges"].as_array().expect("a list") {
                let ends = numbers(&range["trees"]);
                let raw = eval::raw_of_trees(&model, row, ends[0] as usize..ends[1] as usize);
                count.others += count.same(
                    || what("range"),
                    &output.raw(&raw),
                    &numbers(&range["raw"][place]),
                );
            }
            let period = line["stages"]["period"].as_u64().expect("a number") as usize;
            let stages = eval::stages(&model, row, 0..model.tree_count(), period);
            let expected = line["stages"]["raw"].as_array().expect("a list");
            assert!(
                expected.is_empty() || expected.len() == stages.len(),
                "{name}"
            );
            for (raw, expected) in stages.iter().zip(expected) {
                count.others += count.same(
                    || what("stage"),
                    &output.raw(raw),
                    &numbers(&expected[place]),
                );
            }
            compare_ensembles(&mut count, &model, row, line, place, &what);
        });
    }
    count
}

fn uncertain(output: &Output, raw: &[f64]) -> Vec<f64> {
    let both = output.mean_and_variance(raw);
    both.map_or_else(Vec::new, |(mean, variance)| vec![mean, variance])
}

fn compare_ensembles(
    count: &mut Count,
    model: &Model,
    row: &Row,
    line: &Value,
    place: usize,
    what: &impl Fn(&str) -> String,
) {
    let members = line["ensembles"].as_u64().expect("a number") as usize;
    let ensembles = Ensembles::new(model, model.tree_count(), members);
    let expected = &line["VirtEnsembles"];
    let Ok(ensembles) = ensembles else {
        assert!(expected.is_null(), "{}: {ensembles:?}", what("ensembles"));
        return;
    };
    assert!(
        !expected.is_null(),
        "{}: CatBoost refuses",
        what("ensembles")
    );
    let found = ensembles.predict(row).concat();
    count.others += count.same(|| what("ensembles"), &found, &numbers(&expected[place]));
    let found = ensembles.uncertainty(row);
    let expected = numbers(&line["TotalUncertainty"][place]);
    count.others += count.same(|| what("uncertainty"), &found, &expected);
}

fn compare_shap(count: &mut Count, name: &str, model: &Model, rows: &Rows, line: &Value) {
    let Value::Array(expected) = &line["shap"] else {
        count.unexplained += 1;
        return;
    };
    let explainer = match Explainer::new(model) {
        Ok(explainer) => explainer,
        Err(error) => {
            println!("{name}: {error}");
            count.unexplained += 1;
            return;
        }
    };
    let mistaken = shifted(model);
    let mistaken = mistaken
        .as_ref()
        .map(|model| Explainer::new(model).expect("its trees are the same"));
    for (&index, expected) in rows.chosen(line).iter().zip(expected) {
        rows.with(index, |row| {
            let explanation = match &mistaken {
                None => explainer.explain(row),
                Some(mistaken) => {
                    let answers = Numbers::compute(model, row);
                    mistaken.explain_answers(|split| answers.answer(model, row, split))
                }
            };
            assert_eq!(
                explanation.values.len(),
                expected.as_array().map_or(0, Vec::len)
            );
            for (nth, mut values) in explanation.values.into_iter().enumerate() {
                values.push(explanation.base[nth]);
                let what = || format!("{name}, row {index}: SHAP values of dimension {nth}");
                let compared = count.same(what, &values, &numbers(&expected[nth]));
                *(if mistaken.is_some() {
                    &mut count.shifted
                } else {
                    &mut count.shap
                }) += compared;
            }
        });
    }
}

/// Returns the model as CatBoost's SHAP values see it: it numbers the splits of estimated features last, while trees
/// refer to splits in the order of [`Model::splits`]. `None` if that makes no difference.
fn shifted(model: &Model) -> Option<Model> {
    let is_estimated = |split: &&Split| matches!(split, Split::Estimated { .. });
    let (estimated, others): (Vec<Split>, Vec<Split>) = model.splits.iter().partition(is_estimated);
    let splits = [others, estimated].concat();
    (splits != model.splits).then(|| Model {
        splits,
        ..model.clone()
    })
}
