//! One line a request: who asked for what, and how it ended. No body, no key, no plate, and no path as it was sent.
//!
//! Refusals (4xx and 503, `warn`) and faults (500, `error`) are all logged; of the rest (`info`) a share, `--log-sample`, chosen
//! by the trace's id where there is one, so that services that go by it choose the same requests.
//!
//! A worker gathers its lines and hands them over many at once: a wake-up of the writing thread for each would cost more
//! than the line.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::log::{Clock, Level, Log, push_json_string};
use super::routes::{METHODS, Route, method_index};
use super::trace::{IdSource, Ids};

/// Bytes of lines that are handed over at once.
const BLOCK: usize = 16 * 1024;

/// One worker's lines.
pub(super) struct RequestLog {
    pub(super) ids: IdSource,
    /// A request whose random number is below is logged; `None`: all are.
    share: Option<u64>,
    gathered: Mutex<Gathered>,
}

#[derive(Default)]
struct Gathered {
    text: String,
    lines: u64,
    clock: Clock,
}

/// What a line says.
pub(super) struct Ended<'a> {
    pub(super) ids: &'a Ids,
    pub(super) route: Route,
    pub(super) method: &'a hyper::Method,
    /// `None` if the client went away before it had all of an answer.
    pub(super) status: Option<u16>,
    pub(super) took: Duration,
    /// Bytes of the bodies.
    pub(super) received: u64,
    pub(super) sent: u64,
    /// Rows that the model answered.
    pub(super) rows: u64,
    /// Why it was refused; the sentence that the client got, which holds nothing that it sent.
    pub(super) reason: Option<&'a str>,
}

impl RequestLog {
    /// Logs `sample`, from 0 to 1, of what went well.
    pub(super) fn new(sample: f64) -> RequestLog {
        RequestLog {
            ids: IdSource::default(),
            share: (sample < 1.0).then_some((sample * 2_f64.powi(64)) as u64),
            gathered: Mutex::default(),
        }
    }

    /// Logs a request, if it is one of those that are.
    pub(super) fn ended(&self, log: &Log, request: &Ended<'_>) {
        let level = match request.status {
            Some(500) => Level::Error,
            Some(400..) | None => Level::Warn,
            Some(_) => Level::Info,
        };
        let chosen =
            level < Level::Info || self.share.is_none_or(|share| request.ids.random < share);
        if !chosen || !log.wants(level) {
            return;
        }
        let gathered = &mut *self.lock();
        request.write(level, &mut gathered.clock, &mut gathered.text);
        gathered.lines += 1;
        if gathered.text.len() >= BLOCK {
            gathered.hand_over(log);
        }
    }

    /// Hands over what has gathered.
    pub(super) fn flush(&self, log: &Log) {
        self.lock().hand_over(log);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Gathered> {
        // At worst half a line is in it.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    fn hand_over(&mut self, log: &Log) {
        if self.lines > 0 {
            log.queue(std::mem::take(&mut self.text), self.lines);
            self.lines = 0;
            self.text.reserve(BLOCK);
        }
    }
}

impl Ended<'_> {
    fn write(&self, level: Level, clock: &mut Clock, out: &mut String) {
        clock.begin_line(SystemTime::now(), level, "request", out);
        out.push_str(",\"request_id\":");
        push_json_string(self.ids.request_id.as_str(), out);
        if let Some(trace) = &self.ids.trace {
            let _ = write!(
                out,
                ",\"trace_id\":\"{}\",\"span_id\":\"{:016x}\"",
                trace.trace_id, trace.span
            );
        }
        let _ = write!(
            out,
            ",\"route\":\"{}\",\"method\":\"{}\"",
            self.route.label(),
            METHODS[method_index(self.method)],
        );
        if let Some(status) = self.status {
            let _ = write!(out, ",\"status\":{status}");
        }
        let _ = write!(
            out,
            ",\"duration_us\":{},\"bytes_in\":{},\"bytes_out\":{},\"rows\":{}",
            self.took.as_micros(),
            self.received,
            self.sent,
            self.rows
        );
        let gone = self.status.is_none().then_some("the client went away");
        if let Some(reason) = self.reason.or(gone) {
            out.push_str(",\"reason\":");
            push_json_string(reason, out);
        }
        out.push_str("}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::{HeaderMap, Method};

    fn logged(sample: f64, log: &Log, status: Option<u16>, times: u64) -> u64 {
        let requests = RequestLog::new(sample);
        for _ in 0..times {
            let ids = requests.ids.ids(&HeaderMap::new());
            requests.ended(log, &ended(&ids, status));
        }
        requests.lock().lines
    }

    fn ended(ids: &Ids, status: Option<u16>) -> Ended<'_> {
        Ended {
            ids,
            route: Route::Reg,
            method: &Method::POST,
            status,
            took: Duration::from_micros(1234),
            received: 7,
            sent: 8,
            rows: 1,
            reason: None,
        }
    }

    #[test]
    fn a_share_of_what_went_well_and_all_else_is_logged() {
        let log = Log::to_stderr(Level::Info);
        // A line has some 250 bytes, so 50 stay gathered.
        for (status, expected) in [(Some(200), 0), (Some(404), 50), (Some(500), 50), (None, 50)] {
            assert_eq!(logged(0.0, &log, status, 50), expected, "{status:?}");
            assert_eq!(logged(1.0, &log, status, 50), 50, "{status:?}");
        }
        let some: u64 = (0..100).map(|_| logged(0.25, &log, Some(200), 50)).sum();
        // 5000 draws: 20 standard deviations on either side.
        assert!((650..1850).contains(&some), "{some}");
        let errors_only = Log::to_stderr(Level::Error);
        for (status, expected) in [(Some(200), 0), (Some(503), 0), (Some(500), 50)] {
            assert_eq!(
                logged(1.0, &errors_only, status, 50),
                expected,
                "{status:?}"
            );
        }
    }

    #[test]
    fn a_line_says_what_there_is_to_say() {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "a\"b".parse().unwrap());
        let ids = IdSource::default().ids(&headers);
        let mut line = String::new();
        ended(&ids, Some(200)).write(Level::Info, &mut Clock::default(), &mut line);
        assert_eq!(
            line[line.find(",\"level\"").unwrap()..],
            *",\"level\":\"info\",\"message\":\"request\",\"request_id\":\"a\\\"b\",\"route\":\"/reg/\",\
              \"method\":\"POST\",\"status\":200,\"duration_us\":1234,\"bytes_in\":7,\"bytes_out\":8,\"rows\":1}\n"
        );
    }
}
