//! Compiled models explain rows as the plain version does and as CatBoost did: `fixtures/models/answers.py` recorded its SHAP values.

use std::{fs, path::Path};

use catboost_model::{
    eval,
    explain::Explainer,
    ir::{Model, Split},
};
use catboost_zoo::{Compiled, FOLDER, ZOO};
use serde_json::Value;

use super::{
    bits, cases,
    inputs::{Inputs, numbers},
    load, load_to_run,
};

/// Number of explanations that were compared.
#[derive(Debug, Default)]
struct Count {
    looked_up: usize,
    computed: usize,
    non_symmetric: usize,
    recorded: usize,
}

#[test]
fn compiled_models_explain_as_catboost() {
    let path = Path::new(FOLDER).join("answers.ndjson");
    let Ok(answers) = fs::read_to_string(&path) else {
        // Those of a hunt are made apart.
        assert!(!FOLDER.ends_with("fixtures/models"), "{}", path.display());
        return;
    };
    let answers: Vec<Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    let mut count = Count::default();
    for compiled in ZOO {
        let line = answers.iter().find(|line| line["model"] == compiled.name);
        compare(compiled, line.expect("answers.py has been run"), &mut count);
    }
    println!("{count:?}");
    if FOLDER.ends_with("fixtures/models") {
        assert!(
            count.looked_up > 300
                && count.computed > 300
                && count.non_symmetric > 30
                && count.recorded > 600,
            "{count:?}"
        );
    }
}

fn compare(compiled: &Compiled, line: &Value, count: &mut Count) {
    let name = compiled.name;
    let model = load(name);
    let explainer = Explainer::new(&model);
    assert_eq!(compiled.explain.is_some(), explainer.is_ok(), "{name}");
    let (Some(explain), Ok(explainer)) = (compiled.explain, explainer) else {
        return;
    };
    let inputs = Inputs::of(&model);
    let cases = cases(name);
    let rows = numbers(&line["rows"]);
    for (nth, row) in rows.iter().enumerate() {
        let values = inputs.read(&cases[*row as usize]["row"]);
        let found = values.with(explain);
        let plain = values.with(|row| explainer.explain(row));
        assert_eq!(bits(&found.base), bits(&plain.base), "{name}, row {row}");
        let (all, plain) = (found.values.concat(), plain.values.concat());
        assert_eq!(bits(&all), bits(&plain), "{name}, row {row}");
        count.looked_up += usize::from(found.table_bytes > 0);
        count.computed += usize::from(found.table_bytes == 0);
        count.non_symmetric += usize::from(is_non_symmetric(&model));
        let expected = &line["shap"][nth];
        if expected.is_null() || is_miscounted(&model) {
            continue;
        }
        let own = found.values.into_iter().zip(&found.base);
        let own = own.flat_map(|(values, &base)| values.into_iter().chain([base]));
        let own: Vec<f64> = own.collect();
        let lists = expected.as_array().expect("a list per dimension");
        let expected: Vec<f64> = lists.iter().flat_map(numbers).collect();
        assert_eq!(bits(&own), bits(&expected), "{name}, row {row}");
        count.recorded += 1;
    }
}

fn is_non_symmetric(model: &Model) -> bool {
    matches!(&model.trees, catboost_model::ir::Trees::NonSymmetric(_))
}

/// Returns true if CatBoost counts splits of a model towards other features than they test: [`Explainer`] documents the
/// difference.
fn is_miscounted(model: &Model) -> bool {
    let is_estimated = |split: &Split| matches!(split, Split::Estimated { .. });
    let first = model.splits.iter().position(is_estimated);
    first.is_some_and(|first| !model.splits[first..].iter().all(is_estimated))
}

/// Ranges and stages have the bits of the interpreter, through both doors.
#[test]
fn ranges_and_stages_are_those_of_the_interpreter() {
    for compiled in ZOO {
        let name = compiled.name;
        let model = load(name);
        let loaded = load_to_run(name);
        let inputs = Inputs::of(&model);
        let trees = model.tree_count();
        let case = &cases(name)[0];
        let values = inputs.read(&case["row"]);
        for (range, period) in [
            (0..trees, trees.max(1)),
            (0..trees, trees / 3 + 1),
            (trees / 2..trees, trees.max(1)),
            (trees / 2..trees, 1),
        ] {
            let plain = values.with(|row| eval::stages(&model, row, range.clone(), period));
            let both = values.with(|row| {
                [
                    compiled.model.stages(row, range.clone(), period),
                    loaded.stages(row, range.clone(), period),
                ]
            });
            for found in both {
                let found = found.expect("the row has the model's features").concat();
                assert_eq!(bits(&found), bits(&plain.concat()), "{name}, {range:?}");
            }
        }
    }
}
