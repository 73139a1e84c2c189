//! The model that answers: the one that is compiled in, or one that was loaded from a file.
//!
//! A loaded model may have fewer features than the program derives from a request, in another order. They are
//! matched by kind and name when the model is loaded, so that answering only copies values to their
//! positions.

use std::path::Path;

use catboost_apply::{FeatureKind, Row};
use catboost_runtime::math::sigmoid;
use pick_regno::features::{Texts, features};
use pick_regno::model;
use pick_regno::pick_regno::{Answer, pick_regno};
use pick_regno::request::Request;
use serde::Deserialize;

/// Model that answers requests.
pub enum Model {
    /// The model of the program.
    Compiled,
    /// A model of a file, with the same inputs.
    Loaded(Loaded),
}

/// A loaded model, and where its features are among those that are derived from a request.
pub struct Loaded {
    model: catboost_apply::Model,
    /// For each numeric feature of the model, its index among the derived numbers; likewise for the other
    /// kinds.
    floats: Vec<usize>,
    cats: Vec<usize>,
    texts: Vec<usize>,
}

/// The card of the model that is compiled in: its features, in the order in which they are derived.
#[derive(Deserialize)]
struct Card {
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    kind: String,
    name: String,
}

impl Model {
    /// Loads a file, `.cbm` or JSON.
    ///
    /// # Errors
    /// If it cannot be read, does not tell two classes apart, or takes inputs that are not derived from a request.
    pub fn load(file: &Path) -> Result<Model, String> {
        Loaded::new(catboost_apply::Model::load(file).map_err(|why| why.to_string())?)
            .map(Model::Loaded)
    }

    /// SHA-256 of the model's file, in lower-case hexadecimal.
    pub fn sha256(&self) -> &str {
        match self {
            Model::Compiled => model::SHA256,
            Model::Loaded(loaded) => loaded.model.sha256(),
        }
    }

    /// Answers a request: the raw value, and the probabilities of both classes. A loaded model has the bits
    /// that it would have if it were compiled in.
    pub fn answer(&self, request: &Request<'_>) -> Answer {
        match self {
            Model::Compiled => pick_regno(request),
            Model::Loaded(loaded) => loaded.answer(request),
        }
    }
}

impl Loaded {
    /// Matches the model's features with those that are derived from a request.
    ///
    /// # Errors
    /// If it has several raw values, a known loss other than Logloss and CrossEntropy, or a feature that is
    /// not derived.
    fn new(model: catboost_apply::Model) -> Result<Loaded, String> {
        if model.dimension() != 1
            || !matches!(model.loss(), None | Some("Logloss" | "CrossEntropy"))
        {
            return Err(format!(
                "the model does not tell two classes apart: it has {} raw value(s) a row and the loss {}; train a classifier \
                 of two classes (model/train.py)",
                model.dimension(),
                model.loss().unwrap_or("unknown"),
            ));
        }
        let card: Card = serde_json::from_str(model::CARD).expect("the build wrote the card");
        let places = |kind: FeatureKind, derived: &str| {
            let derived: Vec<_> = card
                .features
                .iter()
                .filter(|feature| feature.kind == derived)
                .collect();
            let taken = model
                .features()
                .iter()
                .filter(|feature| feature.kind == kind);
            taken
                .map(|feature| {
                    let place = derived.iter().position(|known| known.name == feature.name);
                    place.ok_or_else(|| {
                        format!(
                            "nothing derives the model's {kind:?} feature `{}`; train it with the features of \
                             model/pick_regno.py",
                            feature.name
                        )
                    })
                })
                .collect::<Result<Vec<_>, String>>()
        };
        let floats = places(FeatureKind::Numeric, "float")?;
        let cats = places(FeatureKind::Categorical, "categorical")?;
        let texts = places(FeatureKind::Text, "text")?;
        places(FeatureKind::Embedding, "embedding")?;
        Ok(Loaded {
            floats,
            cats,
            texts,
            model,
        })
    }

    fn answer(&self, request: &Request<'_>) -> Answer {
        let mut texts = Texts::default();
        let features = features(request, &mut texts);
        let (floats, cats, texts) = features.to_kinds();
        let floats: Vec<_> = self.floats.iter().map(|place| floats[*place]).collect();
        let cats: Vec<_> = self.cats.iter().map(|place| cats[*place]).collect();
        let texts: Vec<_> = self.texts.iter().map(|place| texts[*place]).collect();
        let row = Row {
            floats: &floats,
            cats: &cats,
            texts: &texts,
            embeddings: &[],
        };
        let mut raw = [0.0];
        self.model
            .raw_into(&row, &mut raw)
            .expect("the row has the features that were counted when the model was loaded");
        let [raw] = raw;
        let positive = sigmoid(raw);
        Answer {
            raw,
            negative: 1.0 - positive,
            positive,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use pick_regno::request::parse_object;
    use serde_json::Value;

    use super::*;

    fn top() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[test]
    fn the_loaded_model_answers_as_the_compiled_one() {
        let model = Model::load(&top().join("model/model.json")).unwrap();
        let cases = std::fs::read_to_string(top().join("fixtures/cases.ndjson")).unwrap();
        for (number, case) in cases.lines().enumerate() {
            let case: Value = serde_json::from_str(case).unwrap();
            let text = case["request"].to_string();
            let request = parse_object(text.as_bytes()).unwrap();
            let bits =
                |answer: Answer| [answer.raw, answer.negative, answer.positive].map(f64::to_bits);
            assert_eq!(
                bits(model.answer(&request)),
                bits(Model::Compiled.answer(&request)),
                "case {number}"
            );
        }
    }

    #[test]
    fn a_model_with_other_inputs_is_refused() {
        let fixtures = top().join("fixtures/models");
        let mut refused = 0;
        for entry in std::fs::read_dir(fixtures).unwrap() {
            let file = entry.unwrap().path();
            if file.extension().is_some_and(|is| is == "cbm") {
                let why = Model::load(&file).err().expect("it has other features");
                assert!(
                    why.contains("nothing derives") || why.contains("two classes"),
                    "{why}"
                );
                refused += 1;
            }
        }
        assert!(refused > 0);
        assert!(
            Model::load(Path::new("/nowhere"))
                .err()
                .unwrap()
                .contains("/nowhere")
        );
    }
}
