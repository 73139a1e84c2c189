//! Request → two probabilities.

use catboost_runtime::compiled::Observer;
use catboost_runtime::math::sigmoid;

use crate::features::{Texts, features};
use crate::model::{self, Features};
use crate::request::Request;

/// Answer to one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// Sum of the trees, before the sigmoid.
    pub raw: f64,
    /// Probability that the network's reading is the wrong one to keep: `1 - positive`.
    pub negative: f64,
    /// Probability that the network's reading is the one to keep: `1 / (1 + exp(-raw))`.
    pub positive: f64,
}

/// Receives the stages of a request, and what the evaluation meets. `()` receives nothing and costs nothing.
pub trait Watcher: Observer {
    /// Called with the model's inputs.
    fn features(&mut self, features: &Features<'_>);

    /// Called with the answer.
    fn answer(&mut self, _: &Answer) {}
}

impl Watcher for () {
    fn features(&mut self, _: &Features<'_>) {}
}

/// Answers one request. Cannot fail: [`crate::request`] has checked the request.
#[must_use]
pub fn pick_regno(request: &Request<'_>) -> Answer {
    pick_regno_watched(request, &mut ())
}

/// [`pick_regno`], which also reports to `watcher` what the evaluation meets, by indices into [`model::NUMERIC`],
/// [`model::CATEGORICAL`] and [`model::TEXT`].
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
