//! Requests to answers: which route, who may, what is wrong, and what the model says.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderMap, HeaderValue, LOCATION,
    RETRY_AFTER, TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, StatusCode, Uri, Version};

use super::App;
use super::head::Refusal;
use super::log::{Level, Value};
use super::metrics::{Shard, Shed};
use super::phase::{ConnectionState, Phase};
use super::reply::{self, Reply};
use super::wire::is_stand_in;
use crate::answer::{write_many, write_one};
use crate::pick_regno::pick_regno;
use crate::request::{Body, parse_body};

/// The header that carries a key.
const API_KEY: &str = "x-api-key";

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/`: whether the service answers.
    Root,
    /// `/reg/`: the model.
    Reg,
    /// `/reg`, which redirects to `/reg/`.
    RegWithoutSlash,
    /// `/openapi.json`.
    OpenApi,
    /// `/docs` and its files.
    Docs,
    /// Anything else.
    Unknown,
}

impl Route {
    pub(super) const ALL: [Route; 6] = [
        Route::Root,
        Route::Reg,
        Route::RegWithoutSlash,
        Route::OpenApi,
        Route::Docs,
        Route::Unknown,
    ];

    fn of(path: &str) -> Route {
        match path {
            "/reg/" => Route::Reg,
            "/" => Route::Root,
            "/reg" => Route::RegWithoutSlash,
            "/openapi.json" => Route::OpenApi,
            "/docs" | "/docs/page.css" | "/docs/page.js" => Route::Docs,
            _ => Route::Unknown,
        }
    }

    /// The value of the `route` label.
    pub(super) fn label(self) -> &'static str {
        match self {
            Route::Root => "/",
            Route::Reg => "/reg/",
            Route::RegWithoutSlash => "/reg",
            Route::OpenApi => "/openapi.json",
            Route::Docs => "/docs",
            Route::Unknown => "unknown",
        }
    }

    /// The value of `Allow`; empty if there is nothing at the route.
    fn allow(self) -> &'static str {
        match self {
            Route::Root | Route::OpenApi | Route::Docs => "GET, HEAD, OPTIONS",
            Route::Reg | Route::RegWithoutSlash => "OPTIONS, POST",
            Route::Unknown => "",
        }
    }

    fn allows(self, method: &Method) -> bool {
        self.allow()
            .split(", ")
            .any(|allowed| allowed == method.as_str())
    }

    /// Whether it is answered without a key.
    fn is_open(self) -> bool {
        matches!(self, Route::RegWithoutSlash | Route::OpenApi | Route::Docs)
    }
}

/// The values of the `method` label; any other method is counted as the last.
pub(super) const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "OPTIONS", "OTHER"];

pub(super) fn method_index(method: &Method) -> usize {
    METHODS
        .iter()
        .position(|&known| known == method.as_str())
        .unwrap_or(METHODS.len() - 1)
}

/// Answers the requests of one connection.
pub(super) struct Routes {
    pub(super) app: Arc<App>,
    pub(super) shard: Arc<Shard>,
    pub(super) state: Arc<ConnectionState>,
}

impl hyper::service::Service<Request<Incoming>> for Routes {
    type Response = Reply;
    type Error = Infallible;
    type Future = Exchange;

    fn call(&self, request: Request<Incoming>) -> Exchange {
        let started = Instant::now();
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let route = Route::of(path);
        let refusal = self.state.refusal().filter(|_| is_stand_in(path));
        let mut exchange = Exchange {
            app: Arc::clone(&self.app),
            shard: Arc::clone(&self.shard),
            state: Arc::clone(&self.state),
            started,
            route,
            method: head.method,
            step: Step::Done,
            counted: false,
        };
        let admitted = match refusal {
            None => exchange.admit(&head.headers, head.version, &head.uri, &body),
            Some(refusal) => Err(exchange.refuse(refusal)),
        };
        exchange.step = match admitted {
            Ok(()) => {
                self.state.enter(Phase::Body, started);
                let length = body.size_hint().exact();
                Step::Reading(Reading {
                    body,
                    gathered: Gathered::Nothing,
                    length,
                })
            }
            Err(reply) => {
                if !body.is_end_stream() {
                    self.state.unread_body.store(true, Relaxed);
                }
                Step::Answering(reply)
            }
        };
        exchange
    }
}

/// One request and its answer.
pub(super) struct Exchange {
    app: Arc<App>,
    shard: Arc<Shard>,
    state: Arc<ConnectionState>,
    started: Instant,
    route: Route,
    method: Method,
    step: Step,
    /// Whether it counts as in flight.
    counted: bool,
}

enum Step {
    Answering(Reply),
    Reading(Reading),
    Done,
}

struct Reading {
    body: Incoming,
    gathered: Gathered,
    length: Option<u64>,
}

/// What has arrived of a body. Most arrive in one piece, which is then used where it lies.
enum Gathered {
    Nothing,
    Piece(Bytes),
    Pieces(Vec<u8>),
}

impl Gathered {
    fn len(&self) -> u64 {
        self.bytes().len() as u64
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Gathered::Nothing => &[],
            Gathered::Piece(piece) => piece,
            Gathered::Pieces(pieces) => pieces,
        }
    }

    fn push(&mut self, piece: Bytes) {
        *self = match std::mem::replace(self, Gathered::Nothing) {
            Gathered::Nothing => Gathered::Piece(piece),
            Gathered::Piece(first) => Gathered::Pieces([&first[..], &piece[..]].concat()),
            Gathered::Pieces(mut pieces) => {
                pieces.extend_from_slice(&piece);
                Gathered::Pieces(pieces)
            }
        }
    }
}

impl Exchange {
    /// The answer to a request that never reached hyper.
    fn refuse(&self, refusal: Refusal) -> Reply {
        self.state.unread_body.store(true, Relaxed);
        self.shard.refused(refusal);
        if refusal == Refusal::HeadTimeout {
            self.shard.timed_out(Phase::Head);
        }
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
        reply::fail(status, refusal.message())
    }

    /// Decides from the head alone: `Ok` if the body is to be read for the model, else the answer.
    fn admit(
        &mut self,
        headers: &HeaderMap,
        version: Version,
        uri: &Uri,
        body: &Incoming,
    ) -> Result<(), Reply> {
        if self.method == Method::OPTIONS && self.route != Route::Unknown {
            let mut options = reply::empty(StatusCode::NO_CONTENT);
            options
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(self.route.allow()));
            return Err(options);
        }
        if !self.route.is_open() && !self.is_authorized(headers) {
            let mut unauthorized = reply::fail(StatusCode::UNAUTHORIZED, "Unauthorized");
            unauthorized.headers_mut().insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("ApiKey header=\"x-api-key\""),
            );
            return Err(unauthorized);
        }
        if self.route == Route::Unknown {
            return Err(reply::fail(StatusCode::NOT_FOUND, "File not found"));
        }
        if !self.route.allows(&self.method) {
            let mut refused = reply::fail(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed");
            refused
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(self.route.allow()));
            return Err(refused);
        }
        match self.route {
            Route::Root => Err(reply::json(
                StatusCode::OK,
                Bytes::from_static(b"{\"body\":\"ok\",\"status\":\"ok\"}\n"),
            )),
            Route::RegWithoutSlash => Err(moved(uri.query())),
            Route::OpenApi | Route::Docs => Err(self.app.docs.at(uri.path())),
            Route::Reg | Route::Unknown => self.admit_body(headers, version, body),
        }
    }

    /// Decides whether the body of a request to the model is one that can be read.
    fn admit_body(
        &mut self,
        headers: &HeaderMap,
        version: Version,
        body: &Incoming,
    ) -> Result<(), Reply> {
        if !headers.get(CONTENT_TYPE).is_some_and(is_json) {
            return Err(reply::fail(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Unsupported media type: send Content-Type: application/json",
            ));
        }
        if let Some(expect) = headers.get(EXPECT)
            && !expect.as_bytes().eq_ignore_ascii_case(b"100-continue")
        {
            return Err(reply::fail(
                StatusCode::BAD_REQUEST,
                "Bad request: Expect can only be 100-continue",
            ));
        }
        let is_framed =
            headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
        if !is_framed && version == Version::HTTP_11 {
            return Err(reply::fail(
                StatusCode::LENGTH_REQUIRED,
                "Length required: send Content-Length or Transfer-Encoding: chunked",
            ));
        }
        if body.size_hint().lower() > self.app.config.max_body {
            return Err(self.too_large());
        }
        if self.app.in_flight.fetch_add(1, Relaxed) >= self.app.config.max_in_flight {
            self.app.in_flight.fetch_sub(1, Relaxed);
            self.shard.shed(Shed::InFlight);
            let mut shed = reply::fail(
                StatusCode::SERVICE_UNAVAILABLE,
                "Service unavailable: too many requests at once; try again",
            );
            shed.headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return Err(shed);
        }
        self.counted = true;
        self.shard.in_flight.add(1);
        Ok(())
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        if self.app.config.keys.is_empty() {
            return true;
        }
        let mut given = headers.get_all(API_KEY).iter();
        match (given.next(), given.next()) {
            (Some(key), None) => self.app.config.keys.accepts(key.as_bytes()),
            _ => false,
        }
    }

    fn too_large(&self) -> Reply {
        reply::fail(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!(
                "Payload too large: the limit is {} bytes",
                self.app.config.max_body
            ),
        )
    }

    /// Reads the body to its end, and answers it.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Reply> {
        let Step::Reading(reading) = &mut self.step else {
            return Poll::Pending;
        };
        loop {
            let frame = match Pin::new(&mut reading.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending if self.state.overdue() == Some(Phase::Body) => {
                    self.shard.timed_out(Phase::Body);
                    self.state.unread_body.store(true, Relaxed);
                    return Poll::Ready(reply::fail(
                        StatusCode::REQUEST_TIMEOUT,
                        "Request timeout: the body did not arrive in time",
                    ));
                }
                Poll::Pending => return Poll::Pending,
            };
            match frame {
                None => break,
                Some(Ok(frame)) => {
                    let Ok(piece) = frame.into_data() else {
                        continue; // Trailers say nothing that is asked for.
                    };
                    if reading.gathered.len() + piece.len() as u64 > self.app.config.max_body {
                        self.state.unread_body.store(true, Relaxed);
                        return Poll::Ready(self.too_large());
                    }
                    reading.gathered.push(piece);
                    if reading.length == Some(reading.gathered.len()) {
                        break;
                    }
                }
                Some(Err(_)) => {
                    let message = match self.state.refusal() {
                        Some(refusal) => {
                            self.shard.refused(refusal);
                            refusal.message()
                        }
                        None => "Bad request: the body ended before its length",
                    };
                    self.state.unread_body.store(true, Relaxed);
                    return Poll::Ready(reply::fail(StatusCode::BAD_REQUEST, message));
                }
            }
        }
        let gathered = std::mem::replace(&mut reading.gathered, Gathered::Nothing);
        self.step = Step::Done;
        Poll::Ready(self.answer(gathered.bytes()))
    }

    /// What the model says; a panic on the way is contained here.
    fn answer(&self, body: &[u8]) -> Reply {
        let answered = std::panic::catch_unwind(AssertUnwindSafe(|| answer(body, &self.shard)));
        match answered {
            Ok(reply) => reply,
            Err(_) => {
                self.shard.panics.inc();
                self.app.log.line(
                    Level::Error,
                    "a request made the service panic",
                    &[("route", Value::Text(self.route.label()))],
                );
                reply::fail(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Internal server error: the fault is the service's, and has been noted",
                )
            }
        }
    }

    /// Counts the answer, and says how the connection goes on after it.
    fn finish(&mut self, mut reply: Reply) -> Reply {
        let now = Instant::now();
        self.step = Step::Done;
        self.shard.answered(
            self.route,
            &self.method,
            reply.status().as_u16(),
            now - self.started,
        );
        self.state.answered.fetch_add(1, Relaxed);
        self.state.enter(Phase::Idle, now);
        if self.state.draining.load(Relaxed) || self.state.unread_body.load(Relaxed) {
            reply
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }
}

impl Future for Exchange {
    type Output = Result<Reply, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let exchange = &mut *self;
        let reply = match std::mem::replace(&mut exchange.step, Step::Done) {
            Step::Answering(reply) => reply,
            step => {
                exchange.step = step;
                ready!(exchange.poll_body(cx))
            }
        };
        Poll::Ready(Ok(exchange.finish(reply)))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.counted {
            self.app.in_flight.fetch_sub(1, Relaxed);
            self.shard.in_flight.add(-1);
        }
        if !matches!(self.step, Step::Done) {
            self.shard.abandoned.inc();
        }
    }
}

/// Reads a JSON body and asks the model.
fn answer(body: &[u8], shard: &Shard) -> Reply {
    let mut out = Vec::new();
    match parse_body(body) {
        Ok(Body::One(request)) => {
            let answer = pick_regno(&request);
            shard.observations.answer(&answer);
            shard.rows.inc();
            out.reserve_exact(128);
            write_one(&answer, &mut out);
        }
        Ok(Body::Many(requests)) => {
            let answers: Vec<_> = requests.iter().map(pick_regno).collect();
            for answer in &answers {
                shard.observations.answer(answer);
            }
            shard.rows.add(answers.len() as u64);
            write_many(&answers, &mut out);
        }
        Err(invalid) => {
            return reply::fail(StatusCode::BAD_REQUEST, &format!("Bad request: {invalid}"));
        }
    }
    reply::json(StatusCode::OK, out)
}

/// `application/json`, `application/<anything>+json`, with or without parameters.
fn is_json(content_type: &HeaderValue) -> bool {
    let value = content_type.as_bytes();
    let essence = value
        .split(|&byte| byte == b';')
        .next()
        .unwrap_or(value)
        .trim_ascii();
    essence.eq_ignore_ascii_case(b"application/json")
        || (essence.len() > 17
            && essence[..12].eq_ignore_ascii_case(b"application/")
            && essence[essence.len() - 5..].eq_ignore_ascii_case(b"+json"))
}

/// The permanent redirect of `/reg`; 308 keeps method and body.
fn moved(query: Option<&str>) -> Reply {
    let mut reply = reply::fail(StatusCode::PERMANENT_REDIRECT, "Moved permanently: /reg/");
    let location = match query {
        None => Ok(HeaderValue::from_static("/reg/")),
        Some(query) => HeaderValue::from_str(&format!("/reg/?{query}")),
    };
    if let Ok(location) = location {
        reply.headers_mut().insert(LOCATION, location);
    }
    reply
}
