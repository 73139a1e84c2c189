//! Identity of a request: its id, and its place in a distributed trace.
//!
//! `x-request-id` is kept if it is 1 to 128 characters of visible ASCII, else one is generated; every answer carries
//! it. `traceparent` (W3C Trace Context) is parsed strictly: anything that deviates from the recommendation counts as
//! absent. The service calls nobody to whom it could pass the trace, so it returns it with the answer: the same trace,
//! and the id of this service's own span, which is also in the log.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use super::metrics::Counter;
use crate::serve::http::fields::Fields;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Two hexadecimal digits of each byte.
static DIGITS: [[u8; 2]; 256] = digits();
/// Maximum length of a client's id, in characters.
const MAX_ID: usize = 128;

/// Generator of ids, one per worker.
#[derive(Default)]
pub(crate) struct IdSource {
    /// Keys from the process's own random numbers.
    keys: RandomState,
    made: Counter,
}

/// Ids of a request.
pub(crate) struct Ids {
    pub(crate) request_id: RequestId,
    pub(crate) trace: Option<Trace>,
    /// Random number from the trace's id, or from one that was generated here.
    pub(crate) random: u64,
}

/// Value of `x-request-id`.
#[derive(Debug)]
pub(crate) enum RequestId {
    /// The client's id.
    Kept(HeaderValue),
    /// Generated id in hexadecimal digits: it becomes a header once, when the answer is written.
    Made([u8; 32]),
}

/// Place of a request in a trace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// 32 lower-case hexadecimal digits.
    pub(crate) trace_id: String,
    /// Span of this service.
    pub(crate) span: u64,
    sampled: bool,
}

impl IdSource {
    /// Returns the ids of a request.
    pub(crate) fn ids(&self, fields: &Fields<'_>) -> Ids {
        let nth = self.made.value();
        self.made.inc();
        let own = self.keys.hash_one(nth);
        let trace = fields.traceparent.only();
        let trace = trace.and_then(|value| Trace::read(value, own));
        let given = fields.request_id.only();
        let request_id = match given.filter(|id| is_sane(id.as_bytes())) {
            Some(id) => RequestId::Kept(id.clone()),
            None => RequestId::made(own, self.keys.hash_one(!nth)),
        };
        let random = match &trace {
            // The last digits are the ones that must be random, by level 2 of the recommendation.
            Some(trace) => u64::from_str_radix(&trace.trace_id[16..], 16).unwrap_or(own) << 8,
            None => own,
        };
        Ids {
            request_id,
            trace,
            random,
        }
    }
}

impl RequestId {
    fn made(upper: u64, lower: u64) -> RequestId {
        let mut id = [0; 32];
        let (pairs, _) = id.as_chunks_mut();
        let bytes = u128::from(upper) << 64 | u128::from(lower);
        for (pair, byte) in pairs.iter_mut().zip(bytes.to_be_bytes()) {
            *pair = DIGITS[usize::from(byte)];
        }
        RequestId::Made(id)
    }

    pub(crate) fn as_str(&self) -> &str {
        let text = match self {
            RequestId::Kept(id) => id.to_str().ok(),
            RequestId::Made(id) => std::str::from_utf8(id).ok(),
        };
        text.expect("an id is visible ASCII")
    }

    fn to_header(&self) -> HeaderValue {
        match self {
            RequestId::Kept(id) => id.clone(),
            RequestId::Made(id) => {
                HeaderValue::from_bytes(id).expect("hexadecimal digits are visible ASCII")
            }
        }
    }
}

impl Ids {
    /// Adds the ids to an answer's headers.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(REQUEST_ID, self.request_id.to_header());
        if let Some(trace) = &self.trace {
            headers.insert(TRACEPARENT, trace.to_header());
        }
    }
}

impl Trace {
    /// Parses `00-<trace id>-<parent id>-<flags>`. A later version may have more fields.
    fn read(value: &HeaderValue, span: u64) -> Option<Trace> {
        let text = value.to_str().ok()?;
        let (known, rest) = text.split_at_checked(55)?;
        let mut parts = known.split('-');
        let mut part = |len: usize| {
            let hex = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
            parts
                .next()
                .filter(|part| part.len() == len && part.bytes().all(hex))
        };
        let (version, trace_id, parent, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let ends = match version {
            "ff" => false,
            "00" => rest.is_empty(),
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        let is_zero = |id: &str| id.bytes().all(|digit| digit == b'0');
        if !ends || is_zero(trace_id) || is_zero(parent) {
            return None;
        }
        Some(Trace {
            trace_id: trace_id.to_owned(),
            // A span's id must not be 0.
            span: span.max(1),
            sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        })
    }

    fn to_header(&self) -> HeaderValue {
        let mut text = String::with_capacity(55);
        let _ = write!(
            text,
            "00-{}-{:016x}-{:02x}",
            self.trace_id,
            self.span,
            u8::from(self.sampled)
        );
        HeaderValue::try_from(text).expect("hexadecimal digits and dashes are visible ASCII")
    }
}

const fn digits() -> [[u8; 2]; 256] {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [digits[byte / 16], digits[byte % 16]];
        byte += 1;
    }
    pairs
}

fn is_sane(id: &[u8]) -> bool {
    (1..=MAX_ID).contains(&id.len()) && id.iter().all(|byte| (0x21..=0x7e).contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn ids(headers: &[(&HeaderName, &str)]) -> Ids {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        IdSource::default().ids(&Fields::of(&map))
    }

    #[test]
    fn sane_ids_are_kept_and_others_replaced() {
        let longest = "a".repeat(128);
        for id in ["a", "{\"id\": 1}".replace(' ', "").as_str(), &longest] {
            assert_eq!(ids(&[(&REQUEST_ID, id)]).request_id.as_str(), id);
        }
        let too_long = "a".repeat(129);
        for id in ["", "a b", "a\tb", "й", &too_long] {
            let made = ids(&[(&REQUEST_ID, id)]).request_id;
            assert_ne!(made.as_str(), id);
            assert_eq!(made.as_str().len(), 32, "{made:?}");
        }
        let twice = ids(&[(&REQUEST_ID, "a"), (&REQUEST_ID, "b")]).request_id;
        assert_eq!(twice.as_str().len(), 32);
    }

    #[test]
    fn made_ids_differ() {
        let source = IdSource::default();
        let mut made: Vec<String> = (0..1000)
            .map(|_| source.ids(&Fields::of(&HeaderMap::new())))
            .map(|ids| ids.request_id.as_str().to_owned())
            .collect();
        made.sort();
        made.dedup();
        assert_eq!(made.len(), 1000);
        let other = IdSource::default().ids(&Fields::of(&HeaderMap::new()));
        assert!(!made.contains(&other.request_id.as_str().to_owned()));
    }

    #[test]
    fn a_trace_goes_on_with_a_span_of_its_own() {
        let ids = ids(&[(&TRACEPARENT, TRACE)]);
        let mut answer = HeaderMap::new();
        ids.write(&mut answer);
        let answer = answer[TRACEPARENT].to_str().unwrap();
        let (trace, rest) = answer.split_at(36);
        assert_eq!(trace, &TRACE[..36]);
        assert_ne!(rest[..16], TRACE[36..52], "not the caller's span");
        assert_eq!(rest[16..], TRACE[52..], "the flags");
        assert_eq!(ids.random, 0x48eb_211c_8031_9c00);
    }

    #[test]
    fn what_is_not_exactly_a_traceparent_is_none() {
        let with = |from: &str, to: &str| TRACE.replacen(from, to, 1);
        for bad in [
            String::new(),
            TRACE.to_uppercase(),
            with("00-", "ff-"),
            with("00-", "0-"),
            with("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            with("b7ad6b7169203331", &"0".repeat(16)),
            with("b7ad", "b7ag"),
            with("-b7", "_b7"),
            with("-01", "-0"),
            format!("{TRACE}-00"),
            format!("{TRACE} "),
            format!(" {TRACE}"),
            format!("{}00", with("00-", "01-")),
            "0".repeat(54) + "й",
        ] {
            assert!(ids(&[(&TRACEPARENT, &bad)]).trace.is_none(), "{bad:?}");
        }
        let two = [(&TRACEPARENT, TRACE), (&TRACEPARENT, TRACE)];
        assert!(ids(&two).trace.is_none());
        for later in [with("00-", "01-"), with("00-", "cc-") + "-what-comes"] {
            assert!(ids(&[(&TRACEPARENT, &later)]).trace.is_some(), "{later}");
        }
    }
}
