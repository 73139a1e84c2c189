//! Framing of HTTP requests: `httparse`, with which hyper reads heads, must find the same boundaries, however the bytes
//! are split.

#![no_main]

use httparse::{EMPTY_HEADER, Status};
use pick_regno::serve::fuzzing::Framer;

/// Maximum length of a head, in bytes.
const MAX_HEAD: usize = 1024;
/// Maximum number of header lines in hyper.
const MAX_HEADERS: usize = 100;

/// Returns the bytes that pass, given pieces of `lengths`, and whether the rest is refused.
fn passed(bytes: &[u8], lengths: &[u8]) -> (Vec<u8>, bool, bool) {
    let mut framer = Framer::new(MAX_HEAD);
    let (mut all, mut held, mut rest, mut next) = (Vec::new(), Vec::new(), bytes, 0);
    while !rest.is_empty() {
        let piece = match lengths {
            [] => rest.len(),
            lengths => usize::from(lengths[next % lengths.len()]) + 1,
        };
        next += 1;
        let (now, later) = rest.split_at(piece.min(rest.len()));
        rest = later;
        held.extend_from_slice(now);
        let (len, is_refused) = framer.pass(&mut held);
        assert!(len <= held.len());
        all.extend(held.drain(..len));
        if is_refused {
            return (all, true, false);
        }
        // The held bytes are the beginning of a head or of a trailer.
        assert!(
            held.len() <= MAX_HEAD.max(8 * 1024),
            "{} bytes are kept",
            held.len()
        );
    }
    (all, false, framer.is_between_requests())
}

/// Returns true if `bytes` are whole requests according to `httparse`; the last may be incomplete.
fn is_whole(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let Status::Complete(len) = request.parse(bytes).expect("we passed this head") else {
            panic!("we passed a head that has no end");
        };
        assert!(len <= MAX_HEAD);
        hyper::Uri::try_from(request.path.unwrap_or("")).expect("we passed this target");
        hyper::Method::from_bytes(request.method.unwrap_or("").as_bytes()).expect("a method");
        let (mut length, mut is_chunked) = (None, false);
        for header in request.headers.iter() {
            hyper::header::HeaderName::from_bytes(header.name.as_bytes()).expect("a name");
            hyper::header::HeaderValue::from_bytes(header.value).expect("a value");
            if header.name.eq_ignore_ascii_case("content-length") {
                let text = std::str::from_utf8(header.value).expect("we passed this length");
                let before = length.replace(text.trim().parse::<u64>().expect("a number"));
                assert_eq!(before, None, "two lengths");
            }
            if header.name.eq_ignore_ascii_case("transfer-encoding") {
                assert!(!is_chunked && header.value.trim_ascii().eq_ignore_ascii_case(b"chunked"));
                is_chunked = true;
            }
        }
        assert!(!is_chunked || length.is_none(), "both ways to tell the end");
        bytes = &bytes[len..];
        if is_chunked {
            match chunks(bytes) {
                Some(len) => bytes = &bytes[len..],
                None => return false,
            }
        } else {
            let length = length.unwrap_or(0);
            if length > bytes.len() as u64 {
                return false;
            }
            bytes = &bytes[length as usize..];
        }
    }
    true
}

/// Length of a chunked body; `None` if it is incomplete.
fn chunks(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let Status::Complete((len, size)) =
            httparse::parse_chunk_size(&bytes[at..]).expect("we passed this chunk")
        else {
            return None;
        };
        at += len;
        if size == 0 {
            break;
        }
        let end = (at as u64).checked_add(size)?.checked_add(2)?;
        if end > bytes.len() as u64 {
            return None;
        }
        at = end as usize;
        assert_eq!(&bytes[at - 2..at], b"\r\n");
    }
    let mut trailers = [EMPTY_HEADER; MAX_HEADERS];
    match httparse::parse_headers(&bytes[at..], &mut trailers).expect("we passed these trailers") {
        Status::Complete((len, _)) => Some(at + len),
        Status::Partial => None,
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((lengths, text)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let (whole, is_refused, is_between) = passed(text, &[]);
    let is_whole = is_whole(&whole);
    if !is_refused {
        assert_eq!(is_whole, is_between, "where the last request ends");
    }
    for cut in [&lengths[..], &[0]] {
        let (pieces, is_refused_in_pieces, is_between_in_pieces) = passed(text, cut);
        // A refusal inside a body may pass more or less of the body, but never another request.
        assert_eq!(is_refused, is_refused_in_pieces, "cut into {cut:?}");
        assert_eq!(whole, pieces, "cut into {cut:?}");
        assert_eq!(is_between, is_between_in_pieces, "cut into {cut:?}");
    }
});
