//! Media types: the type of a body, and the form of answer that a client accepts (RFC 9110, sections 8.3 and 12.5.1).

use hyper::header::HeaderValue;

use crate::records::Format;
use crate::serve::http::fields::Fields;

/// Type of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// One object or an array, answered as a whole.
    Json,
    /// Records, answered one by one.
    Batch(Format),
}

/// Form of a batch's answers, in the order of preference if the client has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON object per line.
    Ndjson,
    /// One line per record: probabilities, or an error.
    Csv,
    /// An array in the envelope.
    Json,
}

const FORMS: [Form; 3] = [Form::Ndjson, Form::Csv, Form::Json];

impl Content {
    /// Reads `Content-Type`; `None` if it is missing or not supported.
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
    /// Names of the form in `Accept`; the first is the `Content-Type` of answers.
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

    /// Returns the form that a client prefers; `None` if it accepts none of them.
    pub(crate) fn chosen(fields: &Fields<'_>) -> Option<Form> {
        let best = FORMS
            .into_iter()
            .rev()
            .max_by_key(|form| form.quality(fields))?;
        (best.quality(fields) > 0).then_some(best)
    }

    /// Returns true if the client accepts this form.
    pub(crate) fn is_accepted(self, fields: &Fields<'_>) -> bool {
        self.quality(fields) > 0
    }

    /// Returns the client's preference for this form in thousandths, from the most specific matching range. A client
    /// without `Accept` accepts everything, and an empty list counts as missing.
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

    /// Returns the specificity of a range of `Accept` that matches this form, from 1, and its quality.
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

/// Parses `0`, `0.5`, `1.000`; anything else is 0, so that it is not accepted by mistake.
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
