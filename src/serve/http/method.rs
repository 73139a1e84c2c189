//! Methods, as far as counts and log lines tell them apart.

use hyper::Method;

/// The values of the `method` label; any other method is counted as [`OTHER`].
pub(crate) const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "OPTIONS"];
/// Every other method.
pub(crate) const OTHER: &str = "OTHER";

/// The value of the `method` label.
pub(crate) fn method_label(method: &Method) -> &'static str {
    label_of(method.as_str().as_bytes())
}

/// The value of the `method` label for a method as it was sent.
pub(crate) fn label_of(method: &[u8]) -> &'static str {
    let known = METHODS.into_iter().find(|known| known.as_bytes() == method);
    known.unwrap_or(OTHER)
}
