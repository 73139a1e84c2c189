use super::*;

fn read(head: &str) -> Result<Head, Refusal> {
    read_head(head.as_bytes(), 8192)
}

#[test]
fn a_plain_head_is_complete() {
    let head = "POST /reg/?a=%20 HTTP/1.1\r\nHost: a:5000\r\nContent-Length: 12\r\n\r\n";
    assert_eq!(
        read(head),
        Ok(Head::Complete {
            len: head.len(),
            body: BodyFraming::Length(12),
            length_at: Some(head.len() - 6),
            upgrade: false,
        })
    );
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\nhost:\r\n\r\nrest";
    assert_eq!(
        read(chunked),
        Ok(Head::Complete {
            len: chunked.len() - 4,
            body: BodyFraming::Chunked,
            length_at: None,
            upgrade: false,
        })
    );
}

#[test]
fn every_prefix_of_a_head_is_partial() {
    let head = "\r\nGET / HTTP/1.1\r\nHost: a\r\nX-Y: \tz \r\n\r\n";
    for end in 0..head.len() {
        assert_eq!(read(&head[..end]), Ok(Head::Partial), "first {end} bytes");
    }
    assert!(matches!(read(head), Ok(Head::Complete { .. })));
}

#[test]
fn what_parsers_read_differently_is_refused() {
    let cases = [
        ("GET  / HTTP/1.1\r\n", Refusal::RequestLine),
        ("GET /\r\n", Refusal::RequestLine),
        ("G(T / HTTP/1.1\r\n", Refusal::RequestLine),
        ("GET / HTTP/2.0\r\n", Refusal::Version),
        ("GET / http/1.1\r\n", Refusal::Version),
        ("CONNECT / HTTP/1.1\r\n", Refusal::Target),
        ("GET a HTTP/1.1\r\n", Refusal::Target),
        ("GET http:///docs HTTP/1.1\r\n", Refusal::Target),
        ("GET http://a@/docs HTTP/1.1\r\n", Refusal::Target),
        ("GET https://a::1/ HTTP/1.1\r\n", Refusal::Target),
        ("GET http://a%zz/ HTTP/1.1\r\n", Refusal::Target),
        ("PRI * HTTP/2.0\r\n", Refusal::Http2),
        ("GET /\u{7f} HTTP/1.1\r\n", Refusal::Target),
        ("GET / HTTP/1.1\n", Refusal::BareLineFeed),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n",
            Refusal::FoldedHeader,
        ),
        ("GET / HTTP/1.1\r\nHost : a\r\n", Refusal::HeaderName),
        ("GET / HTTP/1.1\r\nHost\r\n", Refusal::HeaderName),
        ("GET / HTTP/1.1\r\n: a\r\n", Refusal::HeaderName),
        ("GET / HTTP/1.1\r\nA: b\0\r\n", Refusal::HeaderValue),
        ("GET / HTTP/1.1\r\nA: b\rc\r\n", Refusal::BareLineFeed),
        ("GET / HTTP/1.1\r\nA: b\r\r\n", Refusal::BareLineFeed),
        ("GET / HTTP/1.1\r\nA:\r b\r\n", Refusal::BareLineFeed),
        ("GET / HTTP/1.1\r\nA: b\u{c}\r\n", Refusal::HeaderValue),
        (
            "GET / HTTP/1.1\r\nContent-Length: \u{c}1\r\n",
            Refusal::HeaderValue,
        ),
        ("GET / HTTP/1.1\r\n\r\n", Refusal::Host),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            Refusal::Host,
        ),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Refusal::Host),
        (
            "GET / HTTP/1.1\r\nContent-Length: +1\r\n",
            Refusal::ContentLength,
        ),
        (
            "GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n",
            Refusal::ContentLength,
        ),
        (
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
            Refusal::ContentLength,
        ),
        (
            "GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n",
            Refusal::TransferEncoding,
        ),
        (
            "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n",
            Refusal::TransferEncoding,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            Refusal::LengthAndEncoding,
        ),
    ];
    for (head, refusal) in cases {
        assert_eq!(read(head), Err(refusal), "{head:?}");
    }
}

#[test]
fn sizes_are_bounded() {
    let target = format!("GET /{} HTTP/1.1\r\n", "a".repeat(MAX_TARGET));
    assert_eq!(read(&target), Err(Refusal::TargetTooLong));
    assert_eq!(read(&target[..MAX_TARGET + 4]), Ok(Head::Partial));
    let endless = "a".repeat(MAX_TARGET + 100);
    assert_eq!(read(&endless), Err(Refusal::TargetTooLong));
    let value = format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(8192));
    assert_eq!(read(&value), Err(Refusal::HeadTooLarge));
    let lines = format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(MAX_HEADERS + 1));
    assert_eq!(read(&lines), Err(Refusal::HeadTooLarge));
}

#[test]
fn codes_and_refusals_are_each_others_inverse() {
    assert_eq!(Refusal::from_code(0), None);
    for &refusal in Refusal::ALL {
        assert_eq!(Refusal::from_code(refusal as u8), Some(refusal));
    }
}
