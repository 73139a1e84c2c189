//! Three implementations agree to the bit: CatBoost's Python package, whose answers are the fixtures, the compiled
//! model, and the plain interpreter. Also shows that such a comparison can fail.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use catboost_model::eval;
use catboost_model::ir::{CtrValues, Model, Trees};
use pick_regno::features::{Texts, features};
use pick_regno::model;
use pick_regno::pick_regno::pick_regno;
use pick_regno::request::parse_object;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::support::{Running, serve};

const FIXTURES: [(&str, usize); 2] = [
    ("fixtures/test_data.expected.ndjson", 100),
    ("fixtures/cases.ndjson", 1000),
];

/// Request with Python's answer, in its own digits.
#[derive(serde::Deserialize)]
struct Case<'a> {
    #[serde(borrow)]
    request: &'a RawValue,
    raw: f64,
    #[serde(borrow)]
    negative: &'a RawValue,
    #[serde(borrow)]
    positive: &'a RawValue,
}

impl Case<'_> {
    /// Returns the probabilities as JSON.
    fn probabilities(&self) -> String {
        format!(
            "{{\"negative\":{},\"positive\":{}}}",
            self.negative, self.positive
        )
    }
}

fn cases(text: &str) -> Vec<Case<'_>> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Calls `check` with every file of fixtures.
fn for_each_fixture(mut check: impl FnMut(&str, &[Case<'_>])) {
    for (name, count) in FIXTURES {
        let text = fs::read_to_string(name).unwrap();
        let cases = cases(&text);
        assert_eq!(cases.len(), count, "{name}");
        check(name, &cases);
    }
}

#[test]
fn the_library_answers_as_python_did() {
    for_each_fixture(|name, cases| {
        for (case, line) in cases.iter().zip(1..) {
            let request = parse_object(case.request.get().as_bytes())
                .unwrap_or_else(|invalid| panic!("{name}, line {line}: {invalid}"));
            let answer = pick_regno(&request);
            let bits = [answer.raw, answer.negative, answer.positive].map(f64::to_bits);
            let number = |text: &RawValue| text.get().parse().unwrap();
            let expected = [case.raw, number(case.negative), number(case.positive)];
            assert_eq!(bits, expected.map(f64::to_bits), "{name}, line {line}");
        }
    });
}

#[test]
fn the_service_answers_as_python_did_byte_for_byte() {
    let server = serve(&[]);
    for_each_fixture(|name, cases| assert_answers(&server, name, cases));
}

/// Sends every case by itself, then all of them together.
fn assert_answers(server: &Running, name: &str, cases: &[Case<'_>]) {
    let mut client = server.connect();
    for (case, line) in cases.iter().zip(1..) {
        let answer = client.post(case.request.get());
        let expected = format!("{{\"body\":{},\"status\":\"ok\"}}\n", case.probabilities());
        assert_eq!(
            (answer.status, answer.text()),
            (200, expected),
            "{name}, line {line}"
        );
    }
    let joined = |texts: Vec<String>| texts.join(",");
    let requests = joined(cases.iter().map(|case| case.request.to_string()).collect());
    let answers = joined(cases.iter().map(Case::probabilities).collect());
    let answer = client.post(&format!("[{requests}]"));
    let expected = format!("{{\"body\":[{answers}],\"status\":\"ok\"}}\n");
    assert_eq!((answer.status, answer.text()), (200, expected), "{name}");
}

#[test]
fn the_interpreter_answers_as_the_compiled_model_does() {
    let model = our_model();
    for_each_fixture(|name, cases| {
        for (case, line) in cases.iter().zip(1..) {
            let compiled = compiled(case).to_bits();
            let interpreted = interpreted(&model, case).to_bits();
            assert_eq!(
                (compiled, interpreted),
                (case.raw.to_bits(), case.raw.to_bits()),
                "{name}, line {line}"
            );
        }
    });
}

/// The compiled model has a fast path for texts of single characters. The characters of plates are mixed with others
/// that rule it out, and some texts are too long for it.
#[test]
fn texts_that_no_plate_has_come_out_as_the_interpreter_has_them() {
    const WORDS: [&str; 20] = [
        "А", "В", "Е", "Х", "0", "1", "2", "7", "9", "D", "x", "Ж", "\0", "\u{7ff}", "\u{800}",
        "漢", "🚗", "АВ", "", " ",
    ];
    let model = our_model();
    let text = fs::read_to_string(FIXTURES[0].0).unwrap();
    let request = parse_object(cases(&text)[0].request.get().as_bytes()).unwrap();
    let mut texts = Texts::default();
    let (floats, cats, _) = features(&request, &mut texts).to_kinds();
    let mut state = 1_u64;
    let mut roll = |sides: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % sides
    };
    let mut raws = BTreeSet::new();
    for round in 0..4000 {
        // Half of the texts have only letters of plates.
        let kinds = if roll(2) == 0 { 10 } else { WORDS.len() };
        let most = if round % 50 == 0 { 200 } else { 12 };
        let odd = [(); 2].map(|()| {
            let words: Vec<&str> = (0..roll(most)).map(|_| WORDS[roll(kinds)]).collect();
            words.join(" ")
        });
        let texts = [odd[0].as_str(), odd[1].as_str()];
        let row = eval::Row {
            floats: &floats,
            cats: &cats,
            texts: &texts,
            embeddings: &[],
        };
        let interpreted = eval::raw(&model, &row)[0].to_bits();
        let [raw] = model::raw(&model::Features::from_kinds(&floats, &cats, &texts));
        assert_eq!(raw.to_bits(), interpreted, "{texts:?}");
        raws.insert(interpreted);
    }
    assert!(raws.len() > 1000, "the texts make a difference");
}

/// Reads the compiled model's file for the interpreter.
fn our_model() -> Model {
    let card: Value = serde_json::from_str(model::CARD).unwrap();
    let file = Path::new("model").join(card["file"].as_str().unwrap());
    catboost_model::load(&file).unwrap()
}

fn compiled(case: &Case<'_>) -> f64 {
    let request = parse_object(case.request.get().as_bytes()).unwrap();
    model::raw(&features(&request, &mut Texts::default()))[0]
}

fn interpreted(model: &Model, case: &Case<'_>) -> f64 {
    let request = parse_object(case.request.get().as_bytes()).unwrap();
    let mut texts = Texts::default();
    let (floats, cats, texts) = features(&request, &mut texts).to_kinds();
    let row = eval::Row {
        floats: &floats,
        cats: &cats,
        texts: &texts,
        embeddings: &[],
    };
    eval::raw(model, &row)[0]
}

/// Number of the 100 plain cases that differ after `damage`.
fn differing(damage: impl FnOnce(&mut Model)) -> usize {
    let mut model = our_model();
    damage(&mut model);
    let text = fs::read_to_string(FIXTURES[0].0).unwrap();
    let cases = cases(&text);
    let differs = |case: &&Case<'_>| interpreted(&model, case).to_bits() != case.raw.to_bits();
    cases.iter().filter(differs).count()
}

#[test]
fn a_damaged_model_is_found_out() {
    assert_eq!(differing(|_| {}), 0);

    let border = differing(|model| {
        let hour = model
            .float_features
            .iter_mut()
            .find(|float| float.feature.name == "hour")
            .unwrap();
        hour.borders[0] += 1.0;
    });
    assert!(border > 0, "a border");

    let leaf = differing(|model| {
        let Trees::Oblivious(trees) = &mut model.trees else {
            panic!("the trees are oblivious");
        };
        // The leaf of the first tree with the most training rows.
        let weights = trees[0].weights.iter().zip(0..);
        let (_, most) = weights.max_by(|a, b| a.0.total_cmp(b.0)).unwrap();
        let value: &mut f64 = &mut trees[0].values[most];
        *value *= 1.0 + 1e-6;
    });
    assert!(leaf > 0, "a leaf");

    let count = differing(|model| {
        let CtrValues::Classes { counts, .. } = &mut model.ctr_tables[0].values else {
            panic!("the first table counts classes");
        };
        counts[0] = 0;
    });
    assert!(count > 0, "a count of a CTR");

    let entry = differing(|model| {
        let entries = &mut model.text.dictionaries[0].tokens.entries;
        entries.pop().unwrap();
    });
    assert!(entry > 0, "an entry of a dictionary");
}
