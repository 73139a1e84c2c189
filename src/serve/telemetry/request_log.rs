//! Log line of each request: request, client, and result. No body, no key, no plate, and no path as it was sent.
//!
//! Faults (500, `error`) are always logged, and refusals (4xx and 503, and interrupted batches, `warn`) except for
//! floods of them. Of the rest (`info`) a share is logged, `--log-sample`, chosen by the trace's id if there is one, so
//! that services which follow it choose the same requests.
//!
//! A worker gathers its lines and passes them on in blocks: waking the writing thread for each would cost more than the
//! line.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::log::{Clock, Level, Log, push_json_string};
use super::metrics::{Label as _, Shard};
use super::trace::{IdSource, Ids};
use crate::serve::api::route::Route;
use crate::serve::http::method::method_label;

/// Size in bytes of a block that is passed on.
const BLOCK: usize = 16 * 1024;
/// Maximum number of refusals that a worker logs per second. A refusal costs its client next to nothing, and needs no
/// key: without a limit anybody could fill the log, and displace important lines.
const REFUSALS_A_SECOND: u64 = 100;

/// Lines of one worker.
pub(crate) struct RequestLog {
    pub(crate) ids: IdSource,
    /// Threshold: a request is logged if its random number is less; `None` logs all.
    share: Option<u64>,
    gathered: Mutex<Gathered>,
}

#[derive(Default)]
struct Gathered {
    text: String,
    lines: u64,
    clock: Clock,
    /// Last second in which a refusal was logged, by the system clock; `refusals` is their number.
    second: u64,
    refusals: u64,
    /// Refusals that were left out and not reported yet.
    left_out: u64,
}

/// Contents of a line.
pub(crate) struct Ended<'a> {
    pub(crate) ids: &'a Ids,
    pub(crate) route: Route,
    pub(crate) method: &'a hyper::Method,
    /// Status; `None` if the client went away before it had all of an answer.
    pub(crate) status: Option<u16>,
    pub(crate) took: Duration,
    /// Bytes of the bodies.
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// Rows that the model answered.
    pub(crate) rows: u64,
    /// Reason of a refusal: the sentence that the client got, which contains nothing that it sent.
    pub(crate) reason: Option<&'a str>,
}

impl RequestLog {
    /// Creates a log of a share `sample` of successful requests, from 0 to 1.
    pub(crate) fn new(sample: f64) -> RequestLog {
        RequestLog {
            ids: IdSource::default(),
            share: (sample < 1.0).then_some((sample * 2_f64.powi(64)) as u64),
            gathered: Mutex::default(),
        }
    }

    /// Logs a request, if it is chosen.
    pub(crate) fn ended(&self, log: &Log, shard: &Shard, level: Level, request: &Ended<'_>) {
        let chosen =
            level < Level::Info || self.share.is_none_or(|share| request.ids.random < share);
        if !chosen || !log.wants(level) {
            return;
        }
        let gathered = &mut *self.lock();
        let now = SystemTime::now();
        if level == Level::Warn && !gathered.has_room_for_refusal(now) {
            shard.refusals_unlogged.inc();
            return;
        }
        request.write(now, level, &mut gathered.clock, &mut gathered.text);
        gathered.lines += 1;
        if gathered.text.len() >= BLOCK {
            gathered.hand_over(log);
        }
    }

    /// Passes on the gathered lines.
    pub(crate) fn flush(&self, log: &Log) {
        let mut gathered = self.lock();
        gathered.tell_left_out();
        gathered.hand_over(log);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Gathered> {
        // At worst it contains half a line.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    /// Counts a refusal. Returns true if it is to be logged.
    fn has_room_for_refusal(&mut self, now: SystemTime) -> bool {
        let second = now
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        if second != self.second {
            self.second = second;
            self.refusals = 0;
        }
        self.refusals += 1;
        let has_room = self.refusals <= REFUSALS_A_SECOND;
        self.left_out += u64::from(!has_room);
        has_room
    }

    /// Logs how many refusals were left out since the last report.
    fn tell_left_out(&mut self) {
        if self.left_out > 0 {
            self.clock.begin_line(
                SystemTime::now(),
                Level::Warn,
                "refusals not logged: too many in one second",
                &mut self.text,
            );
            let _ = writeln!(self.text, ",\"requests\":{}}}", self.left_out);
            self.lines += 1;
            self.left_out = 0;
        }
    }

    fn hand_over(&mut self, log: &Log) {
        if self.lines > 0 {
            log.queue(std::mem::take(&mut self.text), self.lines);
            self.lines = 0;
            self.text.reserve(BLOCK);
        }
    }
}

impl Ended<'_> {
    fn write(&self, now: SystemTime, level: Level, clock: &mut Clock, out: &mut String) {
        clock.begin_line(now, level, "request", out);
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
            method_label(self.method),
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
    use crate::serve::http::fields::Fields;
    use hyper::{HeaderMap, Method};

    fn logged(sample: f64, log: &Log, level: Level, times: u64) -> u64 {
        let requests = RequestLog::new(sample);
        for _ in 0..times {
            let ids = requests.ids.ids(&Fields::of(&HeaderMap::new()));
            requests.ended(log, &Shard::default(), level, &ended(&ids, Some(200)));
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
        for (level, expected) in [(Level::Info, 0), (Level::Warn, 50), (Level::Error, 50)] {
            assert_eq!(logged(0.0, &log, level, 50), expected, "{level:?}");
            assert_eq!(logged(1.0, &log, level, 50), 50, "{level:?}");
        }
        let some: u64 = (0..100).map(|_| logged(0.25, &log, Level::Info, 50)).sum();
        // 5000 draws: 20 standard deviations on either side.
        assert!((650..1850).contains(&some), "{some}");
        let errors_only = Log::to_stderr(Level::Error);
        for (level, expected) in [(Level::Info, 0), (Level::Warn, 0), (Level::Error, 50)] {
            assert_eq!(logged(1.0, &errors_only, level, 50), expected, "{level:?}");
        }
    }

    #[test]
    fn of_many_refusals_in_a_second_some_are_logged_and_the_rest_counted() {
        let mut gathered = Gathered::default();
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let logged = |gathered: &mut Gathered, millis, times| {
            let room = (0..times).filter(|_| gathered.has_room_for_refusal(at(millis)));
            room.count()
        };
        assert_eq!(logged(&mut gathered, 5_000, 60), 60);
        assert_eq!(logged(&mut gathered, 5_999, 60), 40);
        assert_eq!(gathered.left_out, 20);
        assert_eq!(logged(&mut gathered, 6_000, 110), 100);
        gathered.tell_left_out();
        assert_eq!(gathered.lines, 1);
        assert!(
            gathered.text.ends_with(",\"requests\":30}\n"),
            "{}",
            gathered.text
        );
        gathered.tell_left_out();
        assert_eq!(gathered.lines, 1);
    }

    #[test]
    fn a_line_says_what_there_is_to_say() {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "a\"b".parse().unwrap());
        let ids = IdSource::default().ids(&Fields::of(&headers));
        let mut line = String::new();
        let now = SystemTime::now();
        ended(&ids, Some(200)).write(now, Level::Info, &mut Clock::default(), &mut line);
        assert_eq!(
            line[line.find(",\"level\"").unwrap()..],
            *",\"level\":\"info\",\"message\":\"request\",\"request_id\":\"a\\\"b\",\"route\":\"/reg/\",\
              \"method\":\"POST\",\"status\":200,\"duration_us\":1234,\"bytes_in\":7,\"bytes_out\":8,\"rows\":1}\n"
        );
    }
}
