//! What the head of a request decides: who may, what is where, and whether its body can be read.

#![expect(
    clippy::result_large_err,
    reason = "the answer is moved once, and boxing it would cost an allocation"
)]

use std::sync::atomic::Ordering::Relaxed;

use hyper::body::{Body as _, Incoming};
use hyper::header::{ACCEPT_ENCODING, ALLOW, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Version};

use super::App;
use super::fields::Fields;
use super::ledger::{Desk, Ledger};
use super::media::{Content, Form};
use super::reply::{self, Reply};
use super::route::Route;
use crate::explanation::unexplained;
use crate::records::Format;

/// How a body is to be read and answered.
pub(super) enum Admitted {
    /// As a whole.
    Whole,
    /// Record by record.
    Batch(Format, Form),
}

/// A request that is decided upon.
pub(super) struct Admission<'a> {
    ledger: &'a mut Ledger,
    head: &'a Parts,
    fields: &'a Fields<'a>,
    body: &'a Incoming,
}

impl<'a> Admission<'a> {
    /// `fields` are those of `head`.
    pub(super) fn new(
        ledger: &'a mut Ledger,
        head: &'a Parts,
        fields: &'a Fields<'a>,
        body: &'a Incoming,
    ) -> Self {
        Admission {
            ledger,
            head,
            fields,
            body,
        }
    }

    /// Decides from the head alone: `Ok` if the body is to be read for the model, else the answer.
    pub(super) fn decide(mut self) -> Result<Admitted, Reply> {
        let (route, method) = (self.ledger.route, &self.head.method);
        if *method == Method::OPTIONS && route != Route::Unknown {
            let mut options = reply::empty(StatusCode::NO_CONTENT);
            options
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(route.allow()));
            return Err(options);
        }
        if !route.is_open() && !self.is_authorized() {
            let mut unauthorized = reply::fail(StatusCode::UNAUTHORIZED, "Unauthorized");
            unauthorized.headers_mut().insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("ApiKey header=\"x-api-key\""),
            );
            return Err(unauthorized);
        }
        if route == Route::Unknown {
            return Err(reply::fail(StatusCode::NOT_FOUND, "File not found"));
        }
        if !route.allows(method) {
            let mut refused = reply::fail(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed");
            refused
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(route.allow()));
            return Err(refused);
        }
        match route {
            Route::Root => Err(reply::json(
                StatusCode::OK,
                b"{\"body\":\"ok\",\"status\":\"ok\"}\n",
            )),
            Route::RegWithoutSlash => Err(moved(self.head.uri.query())),
            Route::OpenApi | Route::Docs => {
                let Desk { app, state, .. } = &*self.ledger.desk;
                Err(app.docs.at(self.head.uri.path(), state))
            }
            Route::Reg | Route::Batch | Route::Unknown => self.admit_body(),
        }
    }

    /// Decides whether the body of a request to the model is one that can be read.
    fn admit_body(&mut self) -> Result<Admitted, Reply> {
        let admitted = self.admit_type()?;
        self.ledger.explains = asks_for_explanations(self.head.uri.query())
            .map_err(|why| reply::fail(StatusCode::BAD_REQUEST, &format!("Bad request: {why}")))?;
        if let Some(expect) = self.fields.expect.first()
            && !expect.as_bytes().eq_ignore_ascii_case(b"100-continue")
        {
            return Err(reply::fail(
                StatusCode::BAD_REQUEST,
                "Bad request: Expect can only be 100-continue",
            ));
        }
        if !self.fields.is_framed && self.head.version == Version::HTTP_11 {
            return Err(reply::fail(
                StatusCode::LENGTH_REQUIRED,
                "Length required: send Content-Length or Transfer-Encoding: chunked",
            ));
        }
        let app = &self.ledger.desk.app;
        if matches!(admitted, Admitted::Whole)
            && self.body.size_hint().lower() > app.config.max_body
        {
            return Err(too_large(app));
        }
        if !self.ledger.begin_work() {
            return Err(shed("too many requests at once"));
        }
        let memory = match admitted {
            Admitted::Whole => self.body.size_hint().lower(),
            // It is counted as it grows.
            Admitted::Batch(..) => 0,
        };
        if !self.ledger.hold(memory) {
            return Err(no_memory());
        }
        Ok(admitted)
    }

    /// What the body is, and how its answer is written.
    fn admit_type(&self) -> Result<Admitted, Reply> {
        let fields = self.fields;
        let coding = fields.content_encoding.first().map(HeaderValue::as_bytes);
        if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            let mut refused = reply::fail(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Unsupported media type: send the body as it is, without Content-Encoding",
            );
            refused
                .headers_mut()
                .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            return Err(refused);
        }
        match Content::of(fields) {
            None => Err(reply::fail(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Unsupported media type: send Content-Type: application/json, application/x-ndjson or text/csv",
            )),
            Some(Content::Json) if Form::Json.is_accepted(fields) => Ok(Admitted::Whole),
            Some(Content::Json) => Err(reply::fail(
                StatusCode::NOT_ACCEPTABLE,
                "Not acceptable: a JSON body is answered as application/json",
            )),
            Some(Content::Batch(format)) => match Form::chosen(fields) {
                Some(form) => Ok(Admitted::Batch(format, form)),
                None => Err(reply::fail(
                    StatusCode::NOT_ACCEPTABLE,
                    "Not acceptable: a batch is answered as application/x-ndjson, text/csv or application/json",
                )),
            },
        }
    }

    fn is_authorized(&mut self) -> bool {
        let Desk {
            app,
            guesses,
            state,
            ..
        } = &*self.ledger.desk;
        let trust = || {
            if !state.trusted.load(Relaxed) {
                state.trusted.store(true, Relaxed);
            }
            true
        };
        if app.config.keys.is_empty() {
            return trust();
        }
        let Some(key) = self.fields.api_key.only() else {
            return false;
        };
        if app.config.keys.accepts(key.as_bytes()) {
            return trust();
        }
        guesses.add();
        if guesses.are_too_many() {
            state.draining.store(true, Relaxed);
        }
        self.ledger.guessed = true;
        false
    }
}

/// Whether the query has `explain=1`. Other parameters are passed over.
fn asks_for_explanations(query: Option<&str>) -> Result<bool, String> {
    let mut parameters = query.unwrap_or_default().split('&');
    let explain = parameters.find_map(|parameter| parameter.strip_prefix("explain="));
    match (explain, unexplained()) {
        (None | Some("0"), _) => Ok(false),
        (Some("1"), None) => Ok(true),
        (Some("1"), Some(why)) => Err(format!("explain: this model cannot be explained: {why}")),
        (Some(_), _) => Err("explain: expected 1 or 0".to_owned()),
    }
}

/// The answer to a body for which there is no room beside the others.
pub(super) fn no_memory() -> Reply {
    shed("too many long bodies at once")
}

/// The answer to a request that could be answered at another time.
fn shed(why: &str) -> Reply {
    let mut reply = reply::fail(
        StatusCode::SERVICE_UNAVAILABLE,
        &format!("Service unavailable: {why}; try again"),
    );
    reply
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    reply
}

/// The answer to a body beyond the limit.
pub(super) fn too_large(app: &App) -> Reply {
    reply::fail(
        StatusCode::PAYLOAD_TOO_LARGE,
        &format!(
            "Payload too large: the limit is {} bytes",
            app.config.max_body
        ),
    )
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

#[cfg(test)]
mod tests {
    use super::asks_for_explanations;

    #[test]
    fn explanations_are_asked_for_by_1() {
        for (query, expected) in [
            (None, Ok(false)),
            (Some(""), Ok(false)),
            (Some("a=b&explanation=1"), Ok(false)),
            (Some("explain=0"), Ok(false)),
            (Some("explain=1"), Ok(true)),
            (Some("a&explain=1&b"), Ok(true)),
            (
                Some("explain=true"),
                Err("explain: expected 1 or 0".to_owned()),
            ),
        ] {
            assert_eq!(asks_for_explanations(query), expected, "{query:?}");
        }
    }
}
