//! Decisions on the head of a request: authorization, route, and whether the body can be read.

#![expect(
    clippy::result_large_err,
    reason = "the answer is moved once, and boxing it would cost an allocation"
)]

use std::sync::atomic::Ordering::Relaxed;

use hyper::body::{Body as _, Incoming};
use hyper::header::{ACCEPT_ENCODING, ALLOW, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Version};

use super::bodies::too_large;
use super::broken::no_memory;
use super::infer::about;
use super::ledger::{Desk, Ledger};
use super::media::{Content, Form};
use super::route::Route;
use crate::records::Format;
use crate::serve::http::fields::Fields;
use crate::serve::http::reply::{self, Reply};

/// Decision about a request.
pub(crate) enum Decision {
    /// Answer it, without its body.
    Answer(Reply),
    /// Read the whole body, for the model.
    ReadWhole,
    /// Read and answer the body record by record.
    ReadRecords(Format, Form),
}

/// Request under decision.
pub(crate) struct Admission<'a> {
    ledger: &'a mut Ledger,
    head: &'a Parts,
    fields: &'a Fields<'a>,
    body: &'a Incoming,
}

impl<'a> Admission<'a> {
    /// Creates a decision. `fields` are those of `head`.
    pub(crate) fn new(
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

    /// Decides on the head alone.
    pub(crate) fn decide(mut self) -> Decision {
        let (route, method) = (self.ledger.route, &self.head.method);
        if *method == Method::OPTIONS && route != Route::Unknown {
            let mut options = reply::empty(StatusCode::NO_CONTENT);
            options
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(route.allow()));
            return Decision::Answer(options);
        }
        if !route.is_open() && !self.is_authorized() {
            let mut unauthorized = reply::fail(StatusCode::UNAUTHORIZED, "Unauthorized");
            unauthorized.headers_mut().insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("ApiKey header=\"x-api-key\""),
            );
            return Decision::Answer(unauthorized);
        }
        if route == Route::Unknown {
            return Decision::Answer(reply::fail(StatusCode::NOT_FOUND, "File not found"));
        }
        if !route.allows(method) {
            let mut refused = reply::fail(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed");
            refused
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(route.allow()));
            return Decision::Answer(refused);
        }
        match route {
            Route::Root => Decision::Answer(reply::json(
                StatusCode::OK,
                b"{\"body\":\"ok\",\"status\":\"ok\"}\n",
            )),
            Route::RegWithoutSlash => Decision::Answer(moved(self.head.uri.query())),
            Route::OpenApi | Route::Docs => {
                let Desk { app, state, .. } = &*self.ledger.desk;
                Decision::Answer(app.docs.at(self.head.uri.path(), state))
            }
            Route::V2 | Route::V2Live | Route::V2Ready | Route::V2Model | Route::V2ModelReady => {
                let app = &self.ledger.desk.app;
                Decision::Answer(about(route, &app.picker(), app.is_ready()))
            }
            Route::Reg | Route::Batch | Route::V2Infer | Route::Unknown => {
                self.admit_body().unwrap_or_else(Decision::Answer)
            }
        }
    }

    /// Decides how the body of a request to the model is read. `Err` has the refusal.
    fn admit_body(&mut self) -> Result<Decision, Reply> {
        let decision = self.admit_type()?;
        self.ledger.picker = self.ledger.desk.app.picker();
        let unexplained = self.ledger.picker.unexplained();
        self.ledger.explains = asks_for_explanations(self.head.uri.query(), unexplained)
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
        if matches!(decision, Decision::ReadWhole)
            && self.body.size_hint().lower() > app.config.max_body
        {
            return Err(too_large(app.config.max_body));
        }
        if !self.ledger.begin_work() {
            return Err(reply::busy(
                "Service unavailable: too many requests at once; try again",
            ));
        }
        let memory = match decision {
            Decision::ReadWhole => self.body.size_hint().lower(),
            // A batch is counted as it grows.
            _ => 0,
        };
        if !self.ledger.hold(memory) {
            return Err(no_memory());
        }
        Ok(decision)
    }

    /// Determines the type of the body, and the form of its answer.
    fn admit_type(&self) -> Result<Decision, Reply> {
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
        if self.ledger.route == Route::V2Infer {
            return admit_tensors(self.head);
        }
        match Content::of(fields) {
            None => Err(reply::fail(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Unsupported media type: send Content-Type: application/json, application/x-ndjson or text/csv",
            )),
            Some(Content::Json) if Form::Json.is_accepted(fields) => Ok(Decision::ReadWhole),
            Some(Content::Json) => Err(reply::fail(
                StatusCode::NOT_ACCEPTABLE,
                "Not acceptable: a JSON body is answered as application/json",
            )),
            Some(Content::Batch(format)) => match Form::chosen(fields) {
                Some(form) => Ok(Decision::ReadRecords(format, form)),
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

/// Tensors are JSON, whatever `Content-Type` says: clients of the protocol say nothing, or that the body is bytes.
fn admit_tensors(head: &Parts) -> Result<Decision, Reply> {
    match head.headers.contains_key("inference-header-content-length") {
        false => Ok(Decision::ReadWhole),
        true => Err(reply::fail(
            StatusCode::BAD_REQUEST,
            "Bad request: binary tensors are not read; send them as JSON (binary_data=False)",
        )),
    }
}

/// Returns true if the query has `explain=1`. Other parameters are ignored.
fn asks_for_explanations(query: Option<&str>, unexplained: Option<&str>) -> Result<bool, String> {
    let mut parameters = query.unwrap_or_default().split('&');
    let explain = parameters.find_map(|parameter| parameter.strip_prefix("explain="));
    match (explain, unexplained) {
        (None | Some("0"), _) => Ok(false),
        (Some("1"), None) => Ok(true),
        (Some("1"), Some(why)) => Err(format!("explain: this model cannot be explained: {why}")),
        (Some(_), _) => Err("explain: expected 1 or 0".to_owned()),
    }
}

/// Permanent redirect of `/reg`; 308 keeps method and body.
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
            assert_eq!(asks_for_explanations(query, None), expected, "{query:?}");
        }
    }
}
