//! Whether a model gives what is served, the probabilities of two classes: any other could be built around, and its answers
//! would mean nothing.

use catboost_model::{ir::Model, output::Output};

/// What is wrong with the model's output, and what to do about it; `None` if it is one raw score for two classes. A model
/// that says neither loss nor classes is taken at its word by whoever builds it.
pub fn unfit(model: &Model) -> Option<String> {
    let output = match Output::of(model) {
        Ok(output) => output,
        Err(error) => return Some(error.to_string()),
    };
    let silent = output.loss.is_empty() && output.classes.is_empty();
    if model.dimension == 1 && (silent || output.classes.len() == 2) {
        return None;
    }
    let loss = match output.loss.as_str() {
        "" => String::new(),
        loss => format!(" of the loss {loss}"),
    };
    Some(format!(
        "the model does not tell two classes apart: it has {} raw value(s) a row and {} class(es){loss}; train a \
         CatBoostClassifier on two classes (model/train.py)",
        model.dimension,
        output.classes.len()
    ))
}
