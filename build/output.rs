//! Check that a model gives what is served, the probabilities of two classes: the answers of any other would mean nothing.

/// Describes what is wrong with the output of a model with so many raw values a row and so many classes, and what to do about it; `None` if
/// it is one raw score for two classes. A model that says neither loss nor classes is taken at its word.
pub fn unfit(dimension: usize, classes: usize, loss: &str) -> Option<String> {
    let silent = loss.is_empty() && classes == 0;
    if dimension == 1 && (silent || classes == 2) {
        return None;
    }
    let loss = match loss {
        "" => String::new(),
        loss => format!(" of the loss {loss}"),
    };
    Some(format!(
        "the model does not tell two classes apart: it has {dimension} raw value(s) a row and {classes} class(es){loss}; train a \
         CatBoostClassifier on two classes (model/train.py)"
    ))
}
