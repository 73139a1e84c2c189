use super::*;
use crate::ir::{
    CatIdx, Ctr, CtrTable, CtrType, CtrValues, Feature, FloatFeature, FloatIdx, NanTreatment,
    ObliviousTree, Projection, Split, TableIdx, Text,
};

/// Model of two numeric features with a border at 0 each.
fn model(trees: Vec<ObliviousTree>) -> Model {
    let number = |flat_index| FloatFeature {
        feature: Feature {
            flat_index,
            name: String::new(),
            used: true,
        },
        has_nans: false,
        nan: NanTreatment::AsIs,
        borders: vec![0.0],
    };
    Model {
        info: std::collections::BTreeMap::new(),
        dimension: 1,
        scale: 1.0,
        bias: vec![0.0],
        float_features: vec![number(0), number(2)],
        cat_features: Vec::new(),
        text_features: Vec::new(),
        embedding_features: Vec::new(),
        one_hots: Vec::new(),
        ctrs: Vec::new(),
        ctr_tables: Vec::new(),
        text: Text::default(),
        embedding_calcers: Vec::new(),
        estimated: Vec::new(),
        splits: (0..2)
            .map(|feature| Split::Float {
                feature: FloatIdx(feature),
                border: 0,
            })
            .collect(),
        trees: Trees::Oblivious(trees),
    }
}

fn tree(values: [f64; 4], weights: [f64; 4]) -> ObliviousTree {
    ObliviousTree {
        splits: vec![SplitIdx(0), SplitIdx(1)],
        values: values.into(),
        weights: weights.into(),
    }
}

#[test]
fn values_are_the_shapley_values() {
    // Value 4 if both are above, else 0: the mean is 1, and both share the rest.
    let mut model = model(vec![tree([0.0, 0.0, 0.0, 4.0], [1.0; 4])]);
    model.bias = vec![0.5];
    let explainer = Explainer::new(&model).expect("it has weights");
    let explain = |a, b| {
        let row = Row {
            floats: &[a, b],
            ..Row::default()
        };
        explainer.explain(&row)
    };
    assert_eq!(explainer.base(), [1.5]);
    assert_eq!(explain(1.0, 1.0).values, [[1.5, 0.0, 1.5]]);
    assert_eq!(explain(-1.0, 1.0).values, [[-1.5, 0.0, 0.5]]);
    assert_eq!(explain(-1.0, -1.0).values, [[-0.5, 0.0, -0.5]]);
    assert_eq!(importance(&model), Ok(vec![50.0, 0.0, 50.0]));
}

/// The features of a combination share its contribution. Float splits in it get nothing.
#[test]
fn categories_of_a_combination_share() {
    let mut model = model(vec![tree([0.0, 0.0, 8.0, 8.0], [1.0; 4])]);
    let category = |flat_index| Feature {
        flat_index,
        name: String::new(),
        used: true,
    };
    model.cat_features = vec![category(1), category(3)];
    model.ctr_tables = vec![CtrTable {
        projection: Projection {
            cats: vec![CatIdx(0), CatIdx(1)],
            floats: vec![(FloatIdx(1), 0)],
            one_hots: Vec::new(),
        },
        ctr_type: CtrType::Counter,
        keys: Vec::new(),
        values: CtrValues::Counts {
            denominator: 1,
            counts: Vec::new(),
        },
    }];
    model.ctrs = vec![Ctr {
        table: TableIdx(0),
        target_border: 0,
        prior_num: 1.0,
        prior_denom: 1.0,
        shift: 0.0,
        scale: 1.0,
        borders: vec![0.25],
    }];
    model.splits[1] = Split::Ctr {
        feature: crate::ir::CtrIdx(0),
        border: 0,
    };
    let explainer = Explainer::new(&model).expect("it has weights");
    let row = Row {
        floats: &[0.0, 0.0],
        cats: &["a", "b"],
        ..Row::default()
    };
    assert_eq!(explainer.explain(&row).values, [[0.0, 2.0, 0.0, 2.0]]);
    let third = 100.0 / 3.0;
    assert_eq!(importance(&model), Ok(vec![0.0, third, third, third]));
}

#[test]
fn what_cannot_be_explained_is_refused_with_its_reason() {
    let refusal = |model: &Model| Explainer::new(model).expect_err("refused").to_string();
    let mut without = model(vec![tree([1.0; 4], [1.0; 4])]);
    without.scale = 0.5;
    assert!(refusal(&without).contains("scale is 0.5"));
    without.scale = 1.0;
    if let Trees::Oblivious(trees) = &mut without.trees {
        trees[0].weights.clear();
    }
    assert!(refusal(&without).contains("no leaf weights"));
    assert!(importance(&without).is_err());
    let light = model(vec![tree([1.0; 4], [1.0, 0.0, 1.0, 1.0])]);
    assert_eq!(
        refusal(&light),
        "leaf 1 of tree 0 has a value, but the weight 0: such a model cannot be explained without data"
    );
    let vast = model(vec![tree([1e300, 0.0, 0.0, 0.0], [1e10, 0.0, 0.0, 0.0])]);
    assert_eq!(
        refusal(&vast),
        "the mean of its values over the training rows is not finite"
    );
    for (weight, said) in [
        (-1.0, "-1.0"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (1e101, "1e101"),
    ] {
        let strange = model(vec![tree([1.0; 4], [1.0, 1.0, weight, 1.0])]);
        assert_eq!(
            refusal(&strange),
            format!("leaf 2 of tree 0 has the weight {said}: expected a number from 0 to 1e100")
        );
    }
    let empty = model(vec![tree([1.0, 0.0, 1.0, 1.0], [1.0, 0.0, 1.0, 1.0])]);
    assert!(Explainer::new(&empty).is_ok());
}

#[test]
fn trees_without_splits_leave_the_base() {
    let mut model = model(vec![ObliviousTree {
        splits: Vec::new(),
        values: vec![3.0],
        weights: vec![7.0],
    }]);
    let explainer = Explainer::new(&model).expect("it has weights");
    let row = Row {
        floats: &[0.0, 0.0],
        ..Row::default()
    };
    let explanation = explainer.explain(&row);
    assert_eq!(
        (explanation.base, explanation.values),
        (vec![3.0], vec![vec![0.0; 3]])
    );
    model.trees = Trees::Oblivious(Vec::new());
    assert_eq!(Explainer::new(&model).expect("no leaves").base(), [0.0]);
}
