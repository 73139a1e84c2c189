//! The operators' listener: `/metrics`, `/healthz`, `/readyz`. It has its own port, and requires no key.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{ALLOW, CONNECTION, HeaderValue};
use hyper::{Method, Request, StatusCode};

use super::ledger::MODEL;
use crate::serve::app::App;
use crate::serve::http::date;
use crate::serve::http::phase::{ConnectionState, Phase};
use crate::serve::http::reply::{self, Reply, ReplyBody, Shared};
use crate::serve::http::wire::is_stand_in;
use crate::serve::telemetry::scrape;

/// Maximum number of open connections of this listener.
pub(crate) const MAX_CONNECTIONS: usize = 64;

/// Time for which a connection gets the same page of metrics.
const SAME_PAGE: Duration = Duration::from_millis(100);

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Answers the requests of one connection.
pub(crate) struct Admin {
    pub(crate) app: Arc<App>,
    pub(crate) state: Arc<ConnectionState>,
    /// Last page of metrics that this connection got.
    pub(crate) page: Mutex<Option<(Instant, Bytes)>>,
}

impl hyper::service::Service<Request<Incoming>> for Admin {
    type Response = Reply;
    type Error = Infallible;
    type Future = Ready<Result<Reply, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut reply = self.answer(&request);
        if !request.body().is_end_stream() {
            self.state.unread_body.store(true, Relaxed);
        }
        if self.state.is_last_answer() {
            reply
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        date::write(reply.headers_mut());
        self.state.enter(Phase::Idle, Instant::now());
        ready(Ok(reply))
    }
}

impl Admin {
    /// Returns the page of metrics. Pipelined requests get the same page: writing one takes longer than requesting it,
    /// and probes would wait meanwhile.
    fn metrics(&self) -> Reply {
        let mut last = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        let page = match &*last {
            Some((written, page)) if written.elapsed() < SAME_PAGE => page.clone(),
            _ => {
                let page = Bytes::from(scrape::page(&self.app));
                *last = Some((Instant::now(), page.clone()));
                page
            }
        };
        let mut reply = reply::with_type(StatusCode::OK, METRICS, Vec::new());
        let shared = Shared::new(page, Arc::clone(&self.state));
        *reply.body_mut() = ReplyBody::Shared(Box::new(shared));
        reply
    }

    fn answer(&self, request: &Request<Incoming>) -> Reply {
        self.app.faults.at("admin");
        let path = request.uri().path();
        if let Some(refusal) = self.state.refusal().filter(|_| is_stand_in(path)) {
            self.state.unread_body.store(true, Relaxed);
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
            return reply::fail(status, refusal.message());
        }
        if !matches!(path, "/metrics" | "/healthz" | "/readyz") {
            return reply::fail(StatusCode::NOT_FOUND, "File not found");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refused = reply::fail(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed");
            refused
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match path {
            "/metrics" => self.metrics(),
            "/readyz" if !self.app.is_ready() => {
                reply::with_type(StatusCode::SERVICE_UNAVAILABLE, TEXT, b"not ready\n")
            }
            "/readyz" => {
                let mut reply = reply::with_type(StatusCode::OK, TEXT, b"ok\n");
                if let Ok(sha256) = HeaderValue::from_str(self.app.picker().sha256()) {
                    reply.headers_mut().insert(MODEL, sha256);
                }
                reply
            }
            _ => reply::with_type(StatusCode::OK, TEXT, b"ok\n"),
        }
    }
}
