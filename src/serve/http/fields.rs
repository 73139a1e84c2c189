//! Header fields that the service reads, found in one pass over a head. A lookup of each by name would hash all names,
//! and most requests have few fields.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, HeaderValue};

/// Header fields of a head.
pub(crate) struct Fields<'a> {
    all: &'a HeaderMap,
    pub(crate) api_key: Field<'a>,
    pub(crate) content_encoding: Field<'a>,
    pub(crate) content_type: Field<'a>,
    pub(crate) expect: Field<'a>,
    pub(crate) request_id: Field<'a>,
    pub(crate) traceparent: Field<'a>,
    /// True if the head states a body's length or framing.
    pub(crate) is_framed: bool,
    accepts: bool,
}

/// Header field, by its number of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    #[default]
    Absent,
    Once(&'a HeaderValue),
    /// Several lines; the first one.
    Often(&'a HeaderValue),
}

impl<'a> Fields<'a> {
    pub(crate) fn of(all: &'a HeaderMap) -> Fields<'a> {
        let mut fields = Fields {
            all,
            api_key: Field::Absent,
            content_encoding: Field::Absent,
            content_type: Field::Absent,
            expect: Field::Absent,
            request_id: Field::Absent,
            traceparent: Field::Absent,
            is_framed: false,
            accepts: false,
        };
        for (name, value) in all {
            match name.as_str() {
                "accept" => fields.accepts = true,
                "content-encoding" => fields.content_encoding.add(value),
                "content-length" | "transfer-encoding" => fields.is_framed = true,
                "content-type" => fields.content_type.add(value),
                "expect" => fields.expect.add(value),
                "traceparent" => fields.traceparent.add(value),
                "x-api-key" => fields.api_key.add(value),
                "x-request-id" => fields.request_id.add(value),
                _ => {}
            }
        }
        fields
    }

    /// Iterates over the lines of `Accept`.
    pub(crate) fn accept(&self) -> impl Iterator<Item = &'a HeaderValue> {
        let lines = self.accepts.then(|| self.all.get_all(ACCEPT));
        lines.into_iter().flatten()
    }
}

impl<'a> Field<'a> {
    fn add(&mut self, value: &'a HeaderValue) {
        *self = match *self {
            Field::Absent => Field::Once(value),
            Field::Once(first) | Field::Often(first) => Field::Often(first),
        };
    }

    /// Returns the first line.
    pub(crate) fn first(self) -> Option<&'a HeaderValue> {
        match self {
            Field::Absent => None,
            Field::Once(value) | Field::Often(value) => Some(value),
        }
    }

    /// Returns the line if there is exactly one.
    pub(crate) fn only(self) -> Option<&'a HeaderValue> {
        match self {
            Field::Once(value) => Some(value),
            Field::Absent | Field::Often(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_and_counted() {
        let mut all = HeaderMap::new();
        for (name, value) in [
            ("X-Request-Id", "first"),
            ("accept", "text/csv"),
            ("host", "a"),
            ("x-request-id", "second"),
            ("Content-Type", "application/json"),
            ("accept", "*/*"),
            ("transfer-encoding", "chunked"),
        ] {
            let name = hyper::header::HeaderName::from_bytes(name.as_bytes()).unwrap();
            all.append(name, HeaderValue::from_static(value));
        }
        let fields = Fields::of(&all);
        assert_eq!(fields.request_id.first().unwrap(), "first");
        assert_eq!(fields.request_id.only(), None);
        assert_eq!(fields.content_type.only().unwrap(), "application/json");
        assert_eq!(fields.content_type.first(), fields.content_type.only());
        assert_eq!(fields.expect, Field::Absent);
        assert_eq!(
            fields.accept().collect::<Vec<_>>(),
            ["text/csv", "*/*"].map(HeaderValue::from_static).each_ref()
        );
        assert!(fields.is_framed);

        let none = HeaderMap::new();
        let fields = Fields::of(&none);
        assert_eq!(fields.accept().count(), 0);
        assert!(!fields.is_framed);
    }
}
