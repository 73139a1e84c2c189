//! Sentry's format of a report: an envelope of one event, three lines of JSON.
//!
//! Format: <https://develop.sentry.dev/sdk/data-model/envelopes/> and <https://develop.sentry.dev/sdk/data-model/event-payloads/>.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// Something that should not have happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// A thread panicked at this place in the code.
    Panic { place: String },
    /// A request was answered with a status of 5xx.
    Status { status: u16, route: &'static str },
}

/// Fault on its way to be sent.
pub(super) struct Report {
    pub(super) fault: Fault,
    /// SHA-256 of the model that answered then.
    pub(super) model: String,
    /// Number of occurrences since the last report, including this one.
    pub(super) times: u64,
}

/// Returns the body of a request with `report`.
pub(super) fn envelope(report: &Report, server_name: &str) -> String {
    let id = event_id();
    let event = event(report, &id, server_name).to_string();
    let header = json!({"event_id": id});
    let item = json!({"type": "event", "length": event.len()});
    format!("{header}\n{item}\n{event}\n")
}

fn event(report: &Report, id: &str, server_name: &str) -> Value {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut event = json!({
        "event_id": id,
        "timestamp": now.as_secs_f64(),
        "platform": "other",
        "logger": "pick-regno",
        "release": concat!("pick-regno@", env!("CARGO_PKG_VERSION")),
        "server_name": server_name,
        "tags": {"model_sha256": report.model},
        "extra": {"times": report.times},
    });
    match &report.fault {
        Fault::Panic { place } => {
            event["level"] = "fatal".into();
            event["fingerprint"] = json!(["panic", place]);
            event["exception"] = json!({"values": [{
                "type": "panic",
                "value": format!("the service panicked at {place}"),
                "mechanism": {"type": "panic", "handled": false},
            }]});
        }
        Fault::Status { status, route } => {
            event["level"] = "error".into();
            event["fingerprint"] = json!(["status", status.to_string(), route]);
            event["transaction"] = (*route).into();
            event["message"] = json!({"formatted": format!("{route} answered {status}")});
            event["tags"]["status"] = status.to_string().into();
        }
    }
    event
}

/// Returns 32 unique hexadecimal digits, as random as the keys of the standard library's hash maps.
fn event_id() -> String {
    let half = || RandomState::new().hash_one(SystemTime::now());
    format!("{:016x}{:016x}", half(), half())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_says_where_its_event_ends() {
        let report = Report {
            fault: Fault::Status {
                status: 503,
                route: "/reg/",
            },
            model: "22c0".to_owned(),
            times: 7,
        };
        let text = envelope(&report, "host");
        let [header, item, event, ""] = text.split('\n').collect::<Vec<_>>()[..] else {
            panic!("{text}");
        };
        let read = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        assert_eq!(read(item)["length"], event.len());
        let event = read(event);
        assert_eq!(read(header)["event_id"], event["event_id"]);
        let id = event["event_id"].as_str().unwrap();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(event["message"]["formatted"], "/reg/ answered 503");
        assert_eq!(event["extra"]["times"], 7);
        assert_eq!(event["tags"]["model_sha256"], "22c0");
        assert_ne!(event_id(), event_id());
    }
}
