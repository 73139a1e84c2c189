//! A request becomes two probabilities.

use catboost_runtime::compiled::Observer;
use catboost_runtime::math::sigmoid;

use crate::features::{Texts, features};
use crate::model;
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

/// Answers one request. Whatever was wrong with it, [`crate::request`] has said already: this cannot fail.
#[must_use]
pub fn pick_regno(request: &Request<'_>) -> Answer {
    pick_regno_observed(request, &mut ())
}

/// [`pick_regno`]; `observer` is told what the model met on the way, by places in [`model::CATEGORICAL`] and
/// [`model::TEXT`].
pub fn pick_regno_observed(request: &Request<'_>, observer: &mut impl Observer) -> Answer {
    let mut texts = Texts::default();
    let [raw] = model::raw_observed(&features(request, &mut texts), observer);
    let positive = sigmoid(raw);
    Answer {
        raw,
        negative: 1.0 - positive,
        positive,
    }
}
