//! A request becomes two probabilities.

use catboost_runtime::compiled::Observer;
use catboost_runtime::math::sigmoid;

use crate::features::{Texts, features};
use crate::model::{self, Features};
use crate::request::Request;

/// What the model says of one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The model's sum, before the sigmoid.
    pub raw: f64,
    /// How likely the network's reading is the wrong one to keep: `1 - positive`.
    pub negative: f64,
    /// How likely the network's reading is the one to keep: `1 / (1 + exp(-raw))`.
    pub positive: f64,
}

/// Is told what a request becomes on its way, and what the model meets. `()` is told nothing and costs nothing.
pub trait Watcher: Observer {
    /// The model's inputs.
    fn features(&mut self, features: &Features<'_>);

    /// The answer.
    fn answer(&mut self, _: &Answer) {}
}

impl Watcher for () {
    fn features(&mut self, _: &Features<'_>) {}
}

/// Answers one request. Whatever was wrong with it, [`crate::request`] has said already: this cannot fail.
#[must_use]
pub fn pick_regno(request: &Request<'_>) -> Answer {
    pick_regno_watched(request, &mut ())
}

/// [`pick_regno`]; `watcher` is told what is met on the way, by places in [`model::NUMERIC`], [`model::CATEGORICAL`] and
/// [`model::TEXT`].
pub fn pick_regno_watched(request: &Request<'_>, watcher: &mut impl Watcher) -> Answer {
    let mut texts = Texts::default();
    let features = features(request, &mut texts);
    watcher.features(&features);
    let [raw] = model::raw_observed(&features, watcher);
    let positive = sigmoid(raw);
    let answer = Answer {
        raw,
        negative: 1.0 - positive,
        positive,
    };
    watcher.answer(&answer);
    answer
}
