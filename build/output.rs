//! Checks that a model's output is that of the service, the probabilities of two classes. Any other model could be
//! compiled, but its answers would be meaningless.

use catboost_model::{ir::Model, output::Output};

/// Describes the fault of the model's output, with the remedy; `None` if it is one raw value for two classes. A model
/// without metadata about loss and classes is accepted: whoever builds it is responsible.
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
