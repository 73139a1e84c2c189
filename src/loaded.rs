//! A model that was loaded from a file at run time.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use catboost_apply::{Error, Explainer, FeatureKind, Model, Predict, Row};
use serde_json::json;
use smallvec::SmallVec;

use crate::derived::{Observed, index};
use crate::exit;
use crate::explanation::{Explanation, field};
use crate::features::{Texts, features};
use crate::model::Features;
use crate::pick_regno::{Answer, Blocks, Watcher};
use crate::request::{Field, Request};
use crate::{inputs, output};

/// Bytes that a model file may have.
const MAX_FILE: u64 = 1 << 30;

/// A model that takes the inputs which are derived, and tells two classes apart.
pub struct Loaded {
    engine: Model,
    /// Or why the model cannot be explained.
    explainer: Result<Explainer, String>,
    /// Indices of the model's features among the derived inputs of their kind.
    numeric: Vec<usize>,
    categorical: Vec<usize>,
    text: Vec<usize>,
    /// Features that an observer counts, by index among the derived inputs of their kind.
    observed: Observed,
    /// The field that each column is derived from.
    fields: Vec<Field>,
    card: String,
}

/// Why a file cannot be used as a model: a sentence that names it.
#[derive(Debug)]
pub enum Unusable {
    /// It cannot be read.
    Unreadable(String),
    /// It is not a model, or not one that takes what is derived.
    Unfit(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Unusable::Unreadable(why) | Unusable::Unfit(why)) = self;
        formatter.write_str(why)
    }
}

impl std::error::Error for Unusable {}

impl Unusable {
    /// The exit code of a command that was given the file.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Unusable::Unreadable(_) => exit::NO_INPUT,
            Unusable::Unfit(_) => exit::DATA,
        }
    }
}

impl Loaded {
    /// Loads a `.cbm` or a JSON export.
    ///
    /// # Errors
    /// If the file cannot be read, is not a model that is supported, takes other inputs than are derived, or does not tell two
    /// classes apart.
    pub fn load(path: &Path) -> Result<Loaded, Unusable> {
        let bytes = read(path).map_err(|why| {
            Unusable::Unreadable(format!(
                "{}: {why}; name a model file that this user can read",
                path.display()
            ))
        })?;
        let loaded = Loaded::from_bytes(&bytes, path);
        loaded.map_err(|why| Unusable::Unfit(format!("{}: {why}", path.display())))
    }

    fn from_bytes(bytes: &[u8], path: &Path) -> Result<Loaded, String> {
        if bytes.len() as u64 > MAX_FILE {
            return Err(format!("a model can have at most {MAX_FILE} bytes"));
        }
        let explainer = match Explainer::from_bytes(bytes, false) {
            Ok(explainer) => Ok(explainer),
            Err(Error::Explain(_, why)) => Err(why.to_string()),
            Err(why) => return Err(why.to_string()),
        };
        let engine = match &explainer {
            Ok(explainer) => explainer.model().clone(),
            Err(_) => Model::from_bytes(bytes).map_err(|why| why.to_string())?,
        };
        let taken = engine.features().iter().map(|feature| {
            let name = inputs::name(&feature.name, feature.index as usize);
            (feature.kind.name(), name)
        });
        let taken: Vec<(&str, String)> = taken.collect();
        if let Some(fault) = inputs::mismatch(&taken).or_else(|| engine.output_error()) {
            return Err(fault);
        }
        let (dimension, classes) = (engine.dimension(), engine.classes().len());
        if let Some(fault) = output::unfit(dimension, classes, engine.loss().unwrap_or_default()) {
            return Err(fault);
        }
        let indices = |kind| {
            let features = engine.features_of(kind).into_iter();
            let indices = features.map(|feature| index(kind, &feature.name));
            indices
                .collect::<Option<Vec<usize>>>()
                .ok_or("its features have no names")
        };
        let observed = |kind| -> Vec<Option<usize>> {
            let features = engine.observed(kind).into_iter();
            features
                .map(|feature| index(kind, &feature?.name))
                .collect()
        };
        Ok(Loaded {
            numeric: indices(FeatureKind::Numeric)?,
            categorical: indices(FeatureKind::Categorical)?,
            text: indices(FeatureKind::Text)?,
            observed: Observed {
                numeric: observed(FeatureKind::Numeric),
                categorical: observed(FeatureKind::Categorical),
                text: observed(FeatureKind::Text),
            },
            fields: engine
                .features()
                .iter()
                .map(|feature| field(&feature.name))
                .collect(),
            card: card(&engine, path),
            explainer,
            engine,
        })
    }

    /// SHA-256 of the file, in lower-case hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        self.engine.sha256()
    }

    /// The model card: JSON.
    #[must_use]
    pub fn card(&self) -> &str {
        &self.card
    }

    /// The features that an observer is told of.
    #[must_use]
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Why answers cannot be explained; `None` if they can.
    #[must_use]
    pub fn unexplained(&self) -> Option<&str> {
        self.explainer.as_ref().err().map(String::as_str)
    }

    /// Answers one request; `watcher` is told what is met on the way.
    pub fn pick(&self, request: &Request<'_>, watcher: &mut impl Watcher) -> Answer {
        let mut texts = Texts::default();
        let features = features(request, &mut texts);
        self.with_row(&features, |row| self.answer(&features, row, watcher))
    }

    /// Answers requests in order, in the memory of `blocks`; `watcher` is told what is met on the way, except for leaves.
    pub fn pick_all<'a, 'b>(
        &self,
        requests: impl Iterator<Item = &'a Request<'a>>,
        watcher: &mut impl Watcher,
        blocks: &'b mut Blocks,
    ) -> &'b [Answer] {
        blocks.answer_with(requests, watcher, |features, scratch, raw, observer| {
            let (mut floats, mut cats, mut texts) = (Vec::new(), Vec::new(), Vec::new());
            for features in features {
                let (numeric, categorical, text) = features.to_kinds();
                floats.extend(self.numeric.iter().map(|&index| numeric[index]));
                cats.extend(self.categorical.iter().map(|&index| categorical[index]));
                texts.extend(self.text.iter().map(|&index| text[index]));
            }
            let rows = (0..features.len()).map(|row| Row {
                floats: part(&floats, row, self.numeric.len()),
                cats: part(&cats, row, self.categorical.len()),
                texts: part(&texts, row, self.text.len()),
                embeddings: &[],
            });
            let rows: Vec<Row<'_>> = rows.collect();
            let raw = raw.as_flattened_mut();
            let evaluated = match observer {
                Some(observer) => self
                    .engine
                    .raw_block_observed(&rows, scratch, raw, observer),
                None => self.engine.raw_block(&rows, scratch, raw),
            };
            evaluated.expect("the model takes the inputs that are derived");
        })
    }

    /// Answers one request and explains the answer; `watcher` is told what is met on the way.
    ///
    /// # Panics
    /// If answers cannot be explained.
    pub fn pick_explained(
        &self,
        request: &Request<'_>,
        watcher: &mut impl Watcher,
    ) -> (Answer, Explanation) {
        let explainer = self.explainer.as_ref();
        let explainer = explainer.expect("the caller has asked whether it can be explained");
        let mut texts = Texts::default();
        let features = features(request, &mut texts);
        self.with_row(&features, |row| {
            let mut values = vec![0.0; explainer.len()];
            let explained = explainer.explain(row, &mut values);
            explained.expect("the model takes the inputs that are derived");
            let base = explainer.base().first().copied().unwrap_or_default();
            let contributions = self.fields.iter().copied().zip(values);
            (
                self.answer(&features, row, watcher),
                Explanation::new(base, contributions),
            )
        })
    }

    fn answer<W: Watcher>(
        &self,
        features: &Features<'_>,
        row: &Row<'_>,
        watcher: &mut W,
    ) -> Answer {
        watcher.features(features);
        let mut raw = [0.0];
        let evaluated = if W::LISTENS {
            self.engine.raw_observed(row, &mut raw, watcher)
        } else {
            self.engine.raw_into(row, &mut raw)
        };
        evaluated.expect("the model takes the inputs that are derived");
        let answer = Answer::new(raw[0]);
        watcher.answer(&answer);
        answer
    }

    /// Puts the derived inputs in the order of the model.
    fn with_row<T>(&self, features: &Features<'_>, then: impl FnOnce(&Row<'_>) -> T) -> T {
        let (numeric, categorical, text) = features.to_kinds();
        let floats = self.numeric.iter().map(|&index| numeric[index]);
        let floats: SmallVec<[f32; 64]> = floats.collect();
        let cats = self.categorical.iter().map(|&index| categorical[index]);
        let cats: SmallVec<[&str; 8]> = cats.collect();
        let texts = self.text.iter().map(|&index| text[index]);
        let texts: SmallVec<[&str; 4]> = texts.collect();
        then(&Row {
            floats: &floats,
            cats: &cats,
            texts: &texts,
            embeddings: &[],
        })
    }
}

/// Returns the values of row `row`, of which each row has `count`.
fn part<T>(values: &[T], row: usize, count: usize) -> &[T] {
    &values[row * count..][..count]
}

/// Reads a file; no more than tells that it is too long.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn card(model: &Model, path: &Path) -> String {
    let features = model.features().iter().map(|feature| {
        let kind = match feature.kind {
            FeatureKind::Numeric => "float",
            kind => kind.name(),
        };
        json!({"flat_index": feature.index, "name": feature.name, "kind": kind, "used": feature.used})
    });
    let file = path.file_name().map(|name| name.to_string_lossy());
    json!({
        "file": file,
        "sha256": model.sha256(),
        "dimension": model.dimension(),
        "loss": model.loss(),
        "features": features.collect::<Vec<_>>(),
        "trained": model.metadata().get("train_finish_time"),
    })
    .to_string()
}
