//! A request becomes two probabilities.

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
pub fn pick_regno(_request: &Request<'_>) -> Answer {
    Answer {
        raw: 0.0,
        negative: 0.5,
        positive: 0.5,
    }
}
