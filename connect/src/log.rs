//! Log lines: one JSON object per line on stderr, like the service's.
//!
//! A line has `time` (UTC, RFC 3339, milliseconds), `level` (`info`, `warn` or `error`), `message` and the
//! fields of the event, all of them strings. No field may hold a body, a header, a plate or a password.

use std::io::Write as _;

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};

/// Writes a line about normal operation.
pub fn info(message: &str, fields: &[(&str, &str)]) {
    line("info", message, fields);
}

/// Writes a line that an operator should look at.
pub fn warn(message: &str, fields: &[(&str, &str)]) {
    line("warn", message, fields);
}

/// Writes a line about a failure.
pub fn error(message: &str, fields: &[(&str, &str)]) {
    line("error", message, fields);
}

/// Writes a line. It blocks while stderr takes nothing, and ignores errors.
fn line(level: &str, message: &str, fields: &[(&str, &str)]) {
    let mut object = Map::new();
    let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let fixed = [("time", &*time), ("level", level), ("message", message)];
    for (name, value) in fixed.iter().chain(fields) {
        object.insert((*name).to_owned(), Value::from(*value));
    }
    // If nobody reads it, nobody misses it.
    let _ = writeln!(std::io::stderr(), "{}", Value::Object(object));
}
