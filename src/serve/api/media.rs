//! Media types: what a body is, and what form of answer a client accepts (RFC 9110, sections 8.3 and 12.5.1).

use hyper::header::HeaderValue;

use crate::records::Format;
use crate::serve::http::fields::Fields;

/// What a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// One object or an array, answered as a whole.
    Json,
    /// Records, answered as they come.
    Batch(Format),
}

/// How a batch's answers are written. In the order in which they are chosen where a client has no preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON object a line.
    Ndjson,
    /// A line a record: probabilities, or an error.
    Csv,
    /// An array in the envelope.
    Json,
}

const FORMS: [Form; 3] = [Form::Ndjson, Form::Csv, Form::Json];

impl Content {
    /// What `Content-Type` says; `None` if it says nothing that can be read.
    pub(crate) fn of(fields: &Fields<'_>) -> Option<Content> {
        let value = fields.content_type.first()?.as_bytes();
        if value == b"application/json" {
            return Some(Content::Json);
        }
        let essence = value.split(|&byte| byte == b';').next()?.trim_ascii();
        let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
        if is("application/json") {
            Some(Content::Json)
        } else if Form::Ndjson.names().iter().any(|name| is(name)) {
            Some(Content::Batch(Format::Ndjson))
        } else if is("text/csv") {
            Some(Content::Batch(Format::Csv))
        } else {
            // `application/<anything>+json`
            let structured = essence.len() > 17
                && essence[..12].eq_ignore_ascii_case(b"application/")
                && essence[essence.len() - 5..].eq_ignore_ascii_case(b"+json");
            structured.then_some(Content::Json)
        }
    }
}

impl Form {
    /// The names that `Accept` may have for it; the first is the one that answers have.
    fn names(self) -> &'static [&'static str] {
        match self {
            Form::Ndjson => &[
                "application/x-ndjson",
                "application/ndjson",
                "application/jsonl",
            ],
            Form::Csv => &["text/csv"],
            Form::Json => &["application/json"],
        }
    }

    pub(crate) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Form::Ndjson => "application/x-ndjson",
            Form::Csv => "text/csv; charset=utf-8; header=present",
            Form::Json => "application/json",
        })
    }

    /// The form that a client likes best; `None` if it accepts none of them.
    pub(crate) fn chosen(fields: &Fields<'_>) -> Option<Form> {
        let best = FORMS
            .into_iter()
            .rev()
            .max_by_key(|form| form.quality(fields))?;
        (best.quality(fields) > 0).then_some(best)
    }

    /// Whether a client accepts it at all.
    pub(crate) fn is_accepted(self, fields: &Fields<'_>) -> bool {
        self.quality(fields) > 0
    }

    /// How much a client likes it, in thousandths: what the range that names it most exactly says. A client that does
    /// not say what it accepts accepts everything; an empty list says nothing.
    fn quality(self, fields: &Fields<'_>) -> u16 {
        let (mut said, mut found) = (false, (0, 0));
        for value in fields.accept() {
            let ranges = value.as_bytes().split(|&byte| byte == b',');
            for range in ranges.filter(|range| !range.trim_ascii().is_empty()) {
                said = true;
                if let Some((exactness, quality)) = self.matched(range)
                    && exactness > found.0
                {
                    found = (exactness, quality);
                }
            }
        }
        if said { found.1 } else { 1000 }
    }

    /// How exactly a range of `Accept` names it, from 1, and its quality.
    fn matched(self, range: &[u8]) -> Option<(u8, u16)> {
        let mut parts = range.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next()?;
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        let kind = self.names()[0].split_inclusive('/').next().unwrap_or("");
        let exactness = if self.names().iter().any(|name| is(name.as_bytes())) {
            3
        } else if is([kind.as_bytes(), b"*"].concat().as_slice()) {
            2
        } else if is(b"*/*") || is(b"*") {
            // Java's HttpURLConnection sends the short one.
            1
        } else {
            return None;
        };
        let quality = parts.find_map(|part| match part {
            [b'q' | b'Q', b'=', value @ ..] => Some(thousandths(value)),
            _ => None,
        });
        Some((exactness, quality.unwrap_or(1000)))
    }
}

/// `0`, `0.5`, `1.000`; what is none of these is 0: it is not accepted by mistake.
fn thousandths(text: &[u8]) -> u16 {
    let value = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<f32>().ok());
    match value {
        Some(value) if (0.0..=1.0).contains(&value) => (value * 1000.0).round() as u16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;
    use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName};

    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn content_types_are_read_without_their_parameters() {
        let of = |value: &str| Content::of(&Fields::of(&headers(CONTENT_TYPE, &[value])));
        for json in [
            "application/json",
            "Application/JSON ; charset=utf-8",
            "application/a+json",
        ] {
            assert_eq!(of(json), Some(Content::Json), "{json}");
        }
        for lines in [
            "application/x-ndjson",
            "APPLICATION/NDJSON;a=b",
            "application/jsonl",
        ] {
            assert_eq!(of(lines), Some(Content::Batch(Format::Ndjson)), "{lines}");
        }
        assert_eq!(
            of("text/csv; header=present"),
            Some(Content::Batch(Format::Csv))
        );
        for other in [
            "",
            "text/plain",
            "application/jsonx",
            "application/+json",
            "text/csvx",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(Content::of(&Fields::of(&HeaderMap::new())), None);
    }

    #[test]
    fn the_form_is_what_the_client_likes_best() {
        let chosen = |values: &[&str]| Form::chosen(&Fields::of(&headers(ACCEPT, values)));
        assert_eq!(chosen(&[]), Some(Form::Ndjson));
        for (accept, form) in [
            ("*/*", Some(Form::Ndjson)),
            ("application/*", Some(Form::Ndjson)),
            ("text/*", Some(Form::Csv)),
            ("text/csv", Some(Form::Csv)),
            ("TEXT/CSV;q=0.9", Some(Form::Csv)),
            ("application/json", Some(Form::Json)),
            ("application/json, */*;q=0.1", Some(Form::Json)),
            ("text/csv;q=0.5, application/json;q=0.8", Some(Form::Json)),
            ("*/*, application/x-ndjson;q=0", Some(Form::Csv)),
            (
                "application/*;q=0.2, text/csv; header=present; q=0.3",
                Some(Form::Csv),
            ),
            ("text/html, application/xhtml+xml", None),
            ("*/*;q=0", None),
            ("text/csv;q=2", None),
            ("", Some(Form::Ndjson)),
            (" , ,", Some(Form::Ndjson)),
            (";q=0", None),
            ("*", Some(Form::Ndjson)),
            (
                "text/html, image/gif, *; q=.2, */*; q=.2",
                Some(Form::Ndjson),
            ),
            ("*;q=0", None),
        ] {
            assert_eq!(chosen(&[accept]), form, "{accept:?}");
        }
        assert_eq!(chosen(&["text/html", "text/csv"]), Some(Form::Csv));
        assert_eq!(chosen(&["", "text/csv"]), Some(Form::Csv));
        let takes_json = |value| Form::Json.is_accepted(&Fields::of(&headers(ACCEPT, &[value])));
        assert!(takes_json("text/html, */*;q=0.8"));
        assert!(!takes_json("text/html"));
    }
}
