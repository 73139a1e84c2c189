//! Self-description of the service: `/openapi.json`, and `/docs`, a page that shows it and sends requests.
//!
//! Neither requires a key: they contain what the README does, nothing of a client's and no keys, and a browser cannot
//! send a header when it opens a page. Requests that the page sends need a key like any others.

mod patterns;

use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

use crate::request::MAX_ELEMENTS;
use crate::serve::http::head::{MAX_HEADERS, MAX_TARGET};
use crate::serve::http::phase::ConnectionState;
use crate::serve::http::reply::{self, JSON, Reply, ReplyBody, Shared};
use crate::serve::settings::config::Config;
use crate::serve::telemetry::log::push_json_string;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const CSS: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");
const JAVASCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");

/// The page loads its own two files and talks to its own server. It runs nothing else, cannot be framed, and makes no
/// markup from text.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
);

/// OpenAPI document, with placeholders `{{name}}` for this server's limits.
const OPENAPI: &str = include_str!("docs/openapi.json");

/// Documents, ready to be sent.
pub(crate) struct Docs {
    openapi: Bytes,
}

impl Docs {
    /// Fills in the placeholders from `config`.
    pub(crate) fn new(config: &Config) -> Docs {
        let mut openapi = OPENAPI.replace("{{version}}", env!("CARGO_PKG_VERSION"));
        for (name, value) in [
            ("max_body", config.max_body),
            ("max_body_memory", config.max_body_memory),
            ("max_line", config.max_line as u64),
            ("max_elements", MAX_ELEMENTS as u64),
            ("max_head", config.max_head as u64),
            ("max_headers", MAX_HEADERS as u64),
            ("max_target", MAX_TARGET as u64),
            ("max_in_flight", config.max_in_flight as u64),
            ("header_timeout", config.deadlines.head.as_millis() as u64),
            ("body_timeout", config.deadlines.body.as_millis() as u64),
        ] {
            // A placeholder alone in quotes becomes a number, within a text its digits.
            openapi = openapi
                .replace(&format!("\"{{{{{name}}}}}\""), &value.to_string())
                .replace(&format!("{{{{{name}}}}}"), &value.to_string());
        }
        for (name, pattern) in [
            ("number", patterns::number()),
            ("scores", patterns::scores()),
            ("time", patterns::time()),
        ] {
            let mut quoted = String::new();
            push_json_string(&pattern, &mut quoted);
            openapi = openapi.replace(&format!("\"{{{{{name}_pattern}}}}\""), &quoted);
        }
        let needed = match (config.keys.is_empty(), config.asks_for_certificates) {
            (false, false) => "[{ \"key\": [] }]",
            (true, true) => "[{ \"certificate\": [] }]",
            (false, true) => "[{ \"key\": [], \"certificate\": [] }]",
            (true, false) => "[]",
        };
        openapi = openapi.replace("\"{{security}}\"", needed);
        Docs {
            openapi: openapi.into(),
        }
    }

    /// Returns the document at `path`, one of those that `routes` directs here.
    pub(crate) fn at(&self, path: &str, state: &Arc<ConnectionState>) -> Reply {
        let (content_type, body) = match path {
            "/openapi.json" => (JSON, self.openapi.clone()),
            "/docs/page.css" => (CSS, include_str!("docs/page.css").into()),
            "/docs/page.js" => (JAVASCRIPT, include_str!("docs/page.js").into()),
            _ => (HTML, include_str!("docs/page.html").into()),
        };
        let mut reply = reply::with_type(StatusCode::OK, content_type, Vec::new());
        let shared = Shared::new(body, Arc::clone(state));
        *reply.body_mut() = ReplyBody::Shared(Box::new(shared));
        let headers = reply.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        // A new version must not be shown with the old version's files.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        reply
    }
}
