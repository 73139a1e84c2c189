//! Methods, as counts and log lines distinguish them.

use hyper::Method;

/// Values of the `method` label; any other method is counted as [`OTHER`].
pub(crate) const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "OPTIONS"];
/// Every other method.
pub(crate) const OTHER: &str = "OTHER";

/// Returns the value of the `method` label.
pub(crate) fn method_label(method: &Method) -> &'static str {
    label_of(method.as_str().as_bytes())
}

/// Returns the value of the `method` label for a method as it was sent.
pub(crate) fn label_of(method: &[u8]) -> &'static str {
    let known = METHODS.into_iter().find(|known| known.as_bytes() == method);
    known.unwrap_or(OTHER)
}
