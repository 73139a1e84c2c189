//! Account of one request: opened when its head has arrived, closed when its answer is ready, or, if the answer is
//! streamed, when it has been sent. Counts and logs each request once.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use hyper::Method;
use hyper::body::Body as _;
use hyper::header::{CONNECTION, HeaderName, HeaderValue};

use super::broken::{Broken, OUR_FAULT};
use super::route::Route;
use crate::pick_regno::Answer;
use crate::picker::Picker;
use crate::recorder::Source;
use crate::serve::app::App;
use crate::serve::http::date;
use crate::serve::http::fields::Fields;
use crate::serve::http::guesses::Guesses;
use crate::serve::http::method::method_label;
use crate::serve::http::phase::{ConnectionState, Phase};
use crate::serve::http::reply::{self, Reason, Reply};
use crate::serve::telemetry::log::Level;
use crate::serve::telemetry::metrics::{Label, Shard};
use crate::serve::telemetry::observe::Observations;
use crate::serve::telemetry::request_log::{Ended, RequestLog};
use crate::serve::telemetry::sentry::Fault;
use crate::serve::telemetry::trace::Ids;

/// Maximum length of a short body in bytes. Short bodies are not counted among the held ones: `--max-in-flight` bounds
/// them well enough, and long ones cannot shut out the requests for one plate that most clients send. If its request is
/// refused, a short body is discarded, so that the connection can continue.
pub(crate) const SHORT_BODY: u64 = 16 * 1024;

/// SHA-256 of the model that answered, where models come from a file.
pub(crate) const MODEL: HeaderName = HeaderName::from_static("x-model-sha256");

/// State that the requests of one connection share.
pub(crate) struct Desk {
    pub(crate) app: Arc<App>,
    pub(crate) shard: Arc<Shard>,
    pub(crate) observations: Arc<Observations>,
    pub(crate) requests: Arc<RequestLog>,
    pub(crate) state: Arc<ConnectionState>,
    pub(crate) guesses: Guesses,
}

/// Reason why requests are refused before work is done on them.
#[derive(Clone, Copy)]
pub(crate) enum Shed {
    /// The limit of requests in flight has been reached.
    InFlight,
    /// The held bodies leave no room for another long one.
    BodyMemory,
}

impl Shed {
    pub(crate) const ALL: &[Shed] = &[Shed::InFlight, Shed::BodyMemory];
}

/// Value of the `reason` label.
impl Label for Shed {
    fn label(self) -> &'static str {
        match self {
            Shed::InFlight => "in_flight",
            Shed::BodyMemory => "body_memory",
        }
    }
}

/// Account of one request. If it is dropped before it is closed, the client has gone away.
pub(crate) struct Ledger {
    pub(crate) desk: Arc<Desk>,
    pub(crate) started: Instant,
    pub(crate) route: Route,
    pub(crate) method: Method,
    ids: Ids,
    /// Bytes of the request's body that were read.
    pub(crate) received: u64,
    /// Bytes of the answer's body.
    pub(crate) sent: u64,
    /// Rows that the model answered.
    pub(crate) rows: u64,
    /// The model that answers it: one from its head to its end.
    pub(crate) picker: Picker,
    /// True if answers are explained.
    pub(crate) explains: bool,
    /// True if the request had a wrong key.
    pub(crate) guessed: bool,
    /// Bytes that are counted as held for the request.
    held: u64,
    in_flight: bool,
    closed: bool,
}

impl Ledger {
    pub(crate) fn open(
        desk: Arc<Desk>,
        route: Route,
        method: Method,
        fields: &Fields<'_>,
    ) -> Ledger {
        let ids = desk.requests.ids.ids(fields);
        Ledger {
            desk,
            started: Instant::now(),
            route,
            method,
            ids,
            received: 0,
            sent: 0,
            rows: 0,
            picker: Picker::Compiled,
            explains: false,
            guessed: false,
            held: 0,
            in_flight: false,
            closed: false,
        }
    }

    /// Counts the request as in flight. Returns false if too many are, and it is to be shed.
    pub(crate) fn begin_work(&mut self) -> bool {
        let app = &self.desk.app;
        if app.in_flight.fetch_add(1, Relaxed) >= app.config.max_in_flight {
            app.in_flight.fetch_sub(1, Relaxed);
            self.desk.shard.shed(Shed::InFlight);
            return false;
        }
        self.in_flight = true;
        true
    }

    /// Counts `bytes` of memory as held for the request's body, replacing the previous count. Returns false if that
    /// would exceed the limit over all connections, and the request is to be shed.
    pub(crate) fn hold(&mut self, bytes: u64) -> bool {
        if bytes <= SHORT_BODY.max(self.held) {
            return true;
        }
        let has_room = self.hold_now(bytes, self.desk.app.config.max_body_memory);
        if !has_room {
            self.desk.shard.shed(Shed::BodyMemory);
        }
        has_room
    }

    /// Like [`Ledger::hold`], but the count may decrease, the limit over all connections is `most`, and the caller
    /// counts what it sheds.
    pub(crate) fn hold_now(&mut self, bytes: u64, most: u64) -> bool {
        let bytes = if bytes > SHORT_BODY { bytes } else { 0 };
        let Desk { app, shard, .. } = &*self.desk;
        let has_room = app.reserve(shard, bytes as i64 - self.held as i64, most);
        if has_room {
            self.held = bytes;
        }
        has_room
    }

    /// Returns true if the answers are recorded.
    pub(crate) fn is_recorded(&self) -> bool {
        let recorder = self.desk.app.recorder.as_ref();
        recorder.is_some_and(|recorder| recorder.chooses(self.ids.random))
    }

    /// Records the answers to `text`, if they are to be recorded. `row` is the index of the first answer within the
    /// request.
    pub(crate) fn record(&self, source: Source, row: u64, text: &[u8], answers: &[Answer]) {
        if let Some(recorder) = &self.desk.app.recorder
            && self.is_recorded()
        {
            let request_id = self.ids.request_id.as_str();
            recorder.record(source, request_id, self.picker.sha256(), row, text, answers);
        }
    }

    /// Names the model in an answer of it, if it came from a file.
    pub(crate) fn name_model(&self, reply: &mut Reply) {
        if let Picker::Loaded(loaded) = &self.picker
            && let Ok(sha256) = HeaderValue::from_str(loaded.sha256())
        {
            reply.headers_mut().insert(MODEL, sha256);
        }
    }

    /// Adds the headers that every answer has: ids, and whether the connection continues.
    pub(crate) fn address(&self, reply: &mut Reply) {
        let state = &self.desk.state;
        self.ids.write(reply.headers_mut());
        date::write(reply.headers_mut());
        if state.is_last_answer() {
            reply
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// Closes the account with the complete answer.
    pub(crate) fn close_with(mut self, mut reply: Reply) -> Reply {
        let reason = reply.extensions_mut().remove::<Reason>();
        if let Some(Reason(sentence)) = &reason
            && self.route.is_v2()
        {
            reply::tell_as_v2(sentence, &mut reply);
        }
        self.sent = reply.body().size_hint().exact().unwrap_or(0);
        self.close(
            reply.status().as_u16(),
            reason.as_ref().map(|Reason(sentence)| &**sentence),
        );
        self.address(&mut reply);
        reply
    }

    /// Closes the account: the answer is ready, or has been sent as far as it will be. `reason` explains a failure.
    pub(crate) fn close(&mut self, status: u16, reason: Option<&str>) {
        let level = match status {
            500 => Level::Error,
            400.. => Level::Warn,
            _ => Level::Info,
        };
        let now = Instant::now();
        self.count(status, now);
        self.end(level, Some(status), now, reason);
    }

    /// Closes the account of an answer that was interrupted. Its status, 200, was sent long before and does not show
    /// it.
    pub(crate) fn cut(&mut self, broken: Broken) {
        self.desk.shard.cut(broken);
        // The client may still be sending, and should read the reason.
        self.desk.state.unread_body.store(true, Relaxed);
        match broken {
            Broken::OurFault => self.close_flawed(broken.message()),
            Broken::TooLate | Broken::Framing(_) | Broken::Incomplete | Broken::NoMemory => {
                let now = Instant::now();
                self.count(200, now);
                self.end(Level::Warn, Some(200), now, Some(broken.message()));
            }
        }
    }

    /// Closes the account of an answer that was sent with status 200, though the service failed at part of it. It is
    /// counted as 500, so that monitoring sees it.
    pub(crate) fn close_flawed(&mut self, reason: &str) {
        let now = Instant::now();
        self.count(500, now);
        self.end(Level::Error, Some(200), now, Some(reason));
    }

    fn count(&self, status: u16, now: Instant) {
        let Desk { shard, state, .. } = &*self.desk;
        shard.answered(
            self.route,
            method_label(&self.method),
            status,
            now - self.started,
        );
        state.answered.store(true, Relaxed);
        state.enter(Phase::Idle, now);
    }

    fn end(&mut self, level: Level, status: Option<u16>, now: Instant, reason: Option<&str>) {
        self.closed = true;
        let app = &self.desk.app;
        // A 500 results from a panic, which is reported by itself.
        if let (Some(status @ 501..), Some(sentry)) = (status, &app.sentry) {
            let route = self.route.label();
            sentry.report(Fault::Status { status, route }, self.picker.sha256());
        }
        self.desk.requests.ended(
            &app.log,
            &self.desk.shard,
            level,
            &Ended {
                ids: &self.ids,
                route: self.route,
                method: &self.method,
                status,
                took: now - self.started,
                received: self.received,
                sent: self.sent,
                rows: self.rows,
                reason,
            },
        );
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if self.held > 0 {
            self.desk.shard.held_bytes.add(-(self.held as i64));
        }
        if self.in_flight {
            self.desk.app.in_flight.fetch_sub(1, Relaxed);
        }
        if self.closed {
            return;
        }
        let now = Instant::now();
        if std::thread::panicking() || self.desk.state.broken.load(Relaxed) {
            self.count(500, now);
            self.end(Level::Error, Some(500), now, Some(OUR_FAULT));
        } else {
            self.desk.shard.abandoned.inc();
            self.end(Level::Warn, None, now, None);
        }
    }
}
