//! Celery's message protocol, version 2, as far as one task needs it.
//!
//! Headers have the name of the task, its id and its times; the body is `[args, kwargs, embed]`. `argsrepr` and
//! `kwargsrepr` repeat the request, plates included: they are never read, and headers are never logged.
//!
//! | header | meaning |
//! | --- | --- |
//! | `task`, `id` | name and id of the task |
//! | `eta`, `expires` | times in ISO 8601, or AMQP timestamps; null or missing for none |
//! | `ignore_result` | true if nobody reads the result |
//! | `group`, `parent_id` | copied to the result |
//! | `compression` | present if the body is compressed, which is not supported |
//!
//! A result has the members that Celery's result backends read: `status`, `result`, `traceback`, `children`,
//! `task_id`, and where known `date_done`, `group_id`, `parent_id`.

use std::collections::HashMap;

use amqprs::{FieldTable, FieldValue};
use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Headers of a task.
#[derive(Debug, PartialEq)]
pub struct Task {
    /// Name, to be compared with `--task`.
    pub name: String,
    /// Id of this call, which identifies its result.
    pub id: String,
    pub group: Option<String>,
    pub parent: Option<String>,
    /// Time before which the task is not run.
    pub eta: Moment,
    /// Time from which on the task is not run.
    pub expires: Moment,
    pub ignore_result: bool,
    /// True if the body is compressed.
    pub compressed: bool,
}

/// Time in a header.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Moment {
    /// No time: the header is missing or null.
    Never,
    At(DateTime<Utc>),
    /// A value that is no time.
    Unreadable,
}

impl Task {
    /// Reads the task from `headers`; `None` for a plain message, which lacks `task` or `id` as a string.
    pub fn of(headers: &FieldTable) -> Option<Task> {
        let field = |name: &str| {
            let name = name.try_into().ok()?;
            headers.get(&name)
        };
        let text = |name: &str| match field(name)? {
            FieldValue::S(text) => Some(text.as_ref().clone()),
            _ => None,
        };
        Some(Task {
            name: text("task")?,
            id: text("id")?,
            group: text("group"),
            parent: text("parent_id"),
            eta: Moment::of(field("eta")),
            expires: Moment::of(field("expires")),
            ignore_result: matches!(field("ignore_result"), Some(FieldValue::t(true))),
            compressed: text("compression").is_some(),
        })
    }
}

impl Moment {
    /// Reads a header: a string, or an AMQP timestamp in seconds since 1970.
    fn of(field: Option<&FieldValue>) -> Moment {
        match field {
            None | Some(FieldValue::V) => Moment::Never,
            Some(FieldValue::S(text)) => Moment::read(text.as_ref()),
            Some(FieldValue::T(seconds)) => i64::try_from(*seconds)
                .ok()
                .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
                .map_or(Moment::Unreadable, Moment::At),
            Some(_) => Moment::Unreadable,
        }
    }

    /// Parses ISO 8601, as Python's `isoformat` writes it. Without an offset it is UTC.
    fn read(text: &str) -> Moment {
        let aware = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
        let naive = || {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|time| time.and_utc())
        };
        aware
            .or_else(|_| naive())
            .map_or(Moment::Unreadable, Moment::At)
    }

    /// Returns true if the time is now or past.
    pub fn has_come(self, now: DateTime<Utc>) -> bool {
        matches!(self, Moment::At(time) if time <= now)
    }
}

/// Third element of a body: actions after the task.
#[derive(Deserialize)]
struct Embed<'a> {
    #[serde(borrow, default)]
    callbacks: Option<&'a RawValue>,
    #[serde(borrow, default)]
    errbacks: Option<&'a RawValue>,
    #[serde(borrow, default)]
    chain: Option<&'a RawValue>,
    #[serde(borrow, default)]
    chord: Option<&'a RawValue>,
}

/// Reason why a body has no request.
#[derive(Debug, PartialEq)]
pub enum BodyFault {
    /// The body does not follow protocol 2: no proper answer is possible.
    Unreadable,
    /// The caller requested something that this worker does not support, or called the task incorrectly.
    Failure(Failure),
}

/// Failure in Celery's form: an exception's type, its module and its message.
#[derive(Debug, PartialEq, Clone)]
pub struct Failure {
    /// Celery's state: `FAILURE` or `REVOKED`.
    pub status: &'static str,
    pub kind: &'static str,
    pub module: &'static str,
    pub message: String,
}

impl Failure {
    /// Failure with one of Python's built-in exceptions.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Failure {
        Failure {
            status: "FAILURE",
            kind,
            module: "builtins",
            message: message.into(),
        }
    }

    /// Failure of a task with another name than this worker's.
    pub fn not_registered(name: &str) -> Failure {
        Failure {
            kind: "NotRegistered",
            module: "celery.exceptions",
            ..Failure::new("", name)
        }
    }

    /// Failure of a task that expired.
    pub fn expired() -> Failure {
        Failure {
            status: "REVOKED",
            kind: "TaskRevokedError",
            module: "celery.exceptions",
            message: "expired".to_owned(),
        }
    }
}

/// Returns the only argument of a task's body: a request, or an array of requests. It is `args[0]`, or
/// `request` of `kwargs`. The JSON is not parsed further.
///
/// # Errors
/// [`BodyFault::Unreadable`] if the body is not `[args, kwargs, embed]`; a failure for other arguments, and
/// for callbacks, chains and chords.
pub fn argument(body: &[u8]) -> Result<&RawValue, BodyFault> {
    type Parts<'a> = (Vec<&'a RawValue>, HashMap<String, &'a RawValue>, Embed<'a>);
    let (args, kwargs, embed): Parts<'_> =
        serde_json::from_slice(body).map_err(|_| BodyFault::Unreadable)?;
    for (name, value) in [
        ("callbacks (link)", embed.callbacks),
        ("errbacks (link_error)", embed.errbacks),
        ("a chain", embed.chain),
        ("a chord", embed.chord),
    ] {
        if value.is_some_and(|value| !matches!(value.get(), "null" | "[]")) {
            return Err(BodyFault::Failure(Failure::new(
                "NotImplementedError",
                format!(
                    "{name} cannot follow this task: this worker answers and calls no other task; call the next one from the client"
                ),
            )));
        }
    }
    match (&args[..], kwargs.len(), kwargs.get("request")) {
        ([request], 0, _) => Ok(request),
        ([], 1, Some(request)) => Ok(request),
        _ => Err(BodyFault::Failure(Failure::new(
            "TypeError",
            "the task takes one argument: args=[request], a request or an array of requests",
        ))),
    }
}

/// Formats a result for `rpc://` and Redis; `result` is JSON. `done` is the time of `date_done`, which
/// results in Redis have.
pub fn success(task: &Task, result: &str, done: Option<DateTime<Utc>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(result.len() + 192);
    out.extend_from_slice(b"{\"status\":\"SUCCESS\",\"result\":");
    out.extend_from_slice(result.as_bytes());
    out.extend_from_slice(b",\"traceback\":null,\"children\":[]");
    finish(task, done, &mut out);
    out
}

/// Formats a failure in the same form.
pub fn failure(task: &Task, failure: &Failure, done: Option<DateTime<Utc>>) -> Vec<u8> {
    let result = json!({
        "exc_type": failure.kind,
        "exc_message": [failure.message],
        "exc_module": failure.module,
    });
    let mut out = format!(
        "{{\"status\":\"{}\",\"result\":{result},\"traceback\":null,\"children\":[]",
        failure.status
    )
    .into_bytes();
    finish(task, done, &mut out);
    out
}

/// Appends the members that successes and failures share, and closes the object.
fn finish(task: &Task, done: Option<DateTime<Utc>>, out: &mut Vec<u8>) {
    let done = done.map(|done| done.to_rfc3339_opts(SecondsFormat::Micros, false));
    for (name, value) in [
        ("task_id", Some(&task.id)),
        ("date_done", done.as_ref()),
        ("group_id", task.group.as_ref()),
        ("parent_id", task.parent.as_ref()),
    ] {
        if let Some(value) = value {
            let text = Value::from(value.as_str()).to_string();
            out.extend_from_slice(format!(",\"{name}\":{text}").as_bytes());
        }
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING_AFTER: &str = r#"{"callbacks":null,"errbacks":null,"chain":null,"chord":null}"#;

    fn read(args: &str, kwargs: &str, embed: &str) -> Result<String, BodyFault> {
        let body = format!("[{args}, {kwargs}, {embed}]");
        argument(body.as_bytes()).map(|request| request.get().to_owned())
    }

    #[test]
    fn one_argument_is_taken_by_position_or_by_name() {
        for (args, kwargs) in [(r#"[{"a":1}]"#, "{}"), ("[]", r#"{"request":{"a":1}}"#)] {
            let found = read(args, kwargs, NOTHING_AFTER);
            assert_eq!(found, Ok(r#"{"a":1}"#.to_owned()));
        }
        assert!(read("[[1,2]]", "{}", "{}").is_ok());
    }

    #[test]
    fn what_is_not_supported_fails_with_a_reason() {
        for (args, kwargs, embed, kind, part) in [
            ("[]", "{}", "{}", "TypeError", "one argument"),
            ("[1,2]", "{}", "{}", "TypeError", "one argument"),
            ("[1]", r#"{"request":1}"#, "{}", "TypeError", "one argument"),
            ("[]", r#"{"other":1}"#, "{}", "TypeError", "one argument"),
            (
                "[1]",
                "{}",
                r#"{"chain":[{"task":"x"}]}"#,
                "NotImplementedError",
                "a chain",
            ),
            (
                "[1]",
                "{}",
                r#"{"chord":{"task":"x"}}"#,
                "NotImplementedError",
                "a chord",
            ),
            (
                "[1]",
                "{}",
                r#"{"callbacks":[{}]}"#,
                "NotImplementedError",
                "callbacks",
            ),
            (
                "[1]",
                "{}",
                r#"{"errbacks":[{}]}"#,
                "NotImplementedError",
                "errbacks",
            ),
        ] {
            let Err(BodyFault::Failure(failure)) = read(args, kwargs, embed) else {
                panic!("{args} {kwargs} {embed}");
            };
            assert_eq!(failure.kind, kind);
            assert!(failure.message.contains(part), "{}", failure.message);
        }
        for body in [
            "",
            "{}",
            "[]",
            "[[],{}]",
            "[1,2,3]",
            "[[],{},{},4]",
            "\u{0}",
        ] {
            assert_eq!(
                argument(body.as_bytes()).err(),
                Some(BodyFault::Unreadable),
                "{body}"
            );
        }
    }

    #[test]
    fn moments_are_read_as_python_writes_them() {
        let noon = DateTime::parse_from_rfc3339("2026-11-30T12:00:00Z")
            .unwrap()
            .to_utc();
        for text in [
            "2026-11-30T12:00:00+00:00",
            "2026-11-30T15:00:00.000000+03:00",
            "2026-11-30T12:00:00",
            "2026-11-30T12:00:00.000000",
            "2026-11-30T12:00:00Z",
        ] {
            assert_eq!(Moment::read(text), Moment::At(noon), "{text}");
        }
        assert_eq!(Moment::read("tomorrow"), Moment::Unreadable);
        assert!(Moment::At(noon).has_come(noon));
        assert!(!Moment::At(noon).has_come(noon - chrono::Duration::seconds(1)));
        assert!(!Moment::Never.has_come(noon));
    }

    #[test]
    fn results_are_what_celery_reads() {
        let task = Task {
            name: "pick_regno".to_owned(),
            id: "a\"b".to_owned(),
            group: Some("g".to_owned()),
            parent: None,
            eta: Moment::Never,
            expires: Moment::Never,
            ignore_result: false,
            compressed: false,
        };
        let read = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).unwrap();
        assert_eq!(
            read(success(&task, "{\"negative\":0.5}", None)),
            json!({"status": "SUCCESS", "result": {"negative": 0.5}, "traceback": null, "children": [],
                   "task_id": "a\"b", "group_id": "g"})
        );
        let failed = read(failure(
            &task,
            &Failure::expired(),
            Some(DateTime::UNIX_EPOCH),
        ));
        assert_eq!(failed["status"], "REVOKED");
        assert_eq!(failed["result"]["exc_message"], json!(["expired"]));
        assert_eq!(failed["date_done"], "1970-01-01T00:00:00.000000+00:00");
    }
}
