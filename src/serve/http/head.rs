//! Head of a request, checked strictly before hyper sees it.
//!
//! hyper is more lenient than front-end proxies: it ignores a `Content-Length` beside a `Transfer-Encoding`, and
//! accepts any number of `Host` lines, lines that end in a bare LF, and repeated lengths. Request smuggling relies on
//! parsers that disagree, so such a head is refused here with 400, and hyper only parses heads on which all parsers
//! agree. Grammar: RFC 9112, sections 2 to 6.

use crate::scan::position;
use crate::serve::telemetry::metrics::Label;

/// Maximum length of a request target in bytes; a longer one is answered 414.
pub(crate) const MAX_TARGET: usize = 4 * 1024;
/// Maximum number of header lines; more are answered 431.
pub(crate) const MAX_HEADERS: usize = 64;

/// Header that asks for another protocol on the connection.
const UPGRADE: &[u8] = b"upgrade";
/// First line of an HTTP/2 connection (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// Reason why a request was refused before it reached a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Refusal {
    RequestLine = 1,
    Version,
    Target,
    TargetTooLong,
    HeadTooLarge,
    BareLineFeed,
    FoldedHeader,
    HeaderName,
    HeaderValue,
    Host,
    ContentLength,
    TransferEncoding,
    LengthAndEncoding,
    Chunk,
    HeadTimeout,
    Http2,
}

impl Refusal {
    /// All refusals, in the order of their codes.
    pub(crate) const ALL: &[Refusal] = &[
        Refusal::RequestLine,
        Refusal::Version,
        Refusal::Target,
        Refusal::TargetTooLong,
        Refusal::HeadTooLarge,
        Refusal::BareLineFeed,
        Refusal::FoldedHeader,
        Refusal::HeaderName,
        Refusal::HeaderValue,
        Refusal::Host,
        Refusal::ContentLength,
        Refusal::TransferEncoding,
        Refusal::LengthAndEncoding,
        Refusal::Chunk,
        Refusal::HeadTimeout,
        Refusal::Http2,
    ];

    /// Refusal with this code (`self as u8`); `None` for 0, which stands for no refusal.
    pub(crate) fn from_code(code: u8) -> Option<Refusal> {
        Self::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }

    /// Status of the answer.
    pub(crate) fn status(self) -> u16 {
        match self {
            Refusal::TargetTooLong => 414,
            Refusal::HeadTooLarge => 431,
            Refusal::HeadTimeout => 408,
            _ => 400,
        }
    }

    /// Message for the answer's envelope.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Refusal::RequestLine => {
                "Bad request: the request line must be a method, a target and a version, one blank between them"
            }
            Refusal::Version => "Bad request: the version must be HTTP/1.1 or HTTP/1.0",
            Refusal::Target => {
                "Bad request: the request target must be a path of characters that URIs allow"
            }
            Refusal::TargetTooLong => "URI too long: the limit is 4096 bytes",
            Refusal::HeadTooLarge => {
                "Request header fields too large: the limits are 64 lines and the server's head size"
            }
            Refusal::BareLineFeed => {
                "Bad request: a line of the head ends in LF without CR, or has a CR within it"
            }
            Refusal::FoldedHeader => "Bad request: a header line begins with a blank (obs-fold)",
            Refusal::HeaderName => {
                "Bad request: a header line must be a name, a colon and a value, without a blank before the colon"
            }
            Refusal::HeaderValue => "Bad request: a header value holds a control character",
            Refusal::Host => "Bad request: HTTP/1.1 needs exactly one valid Host header",
            Refusal::ContentLength => {
                "Bad request: Content-Length must occur once and be a decimal number"
            }
            Refusal::TransferEncoding => {
                "Bad request: Transfer-Encoding must occur once, be `chunked`, and needs HTTP/1.1"
            }
            Refusal::LengthAndEncoding => {
                "Bad request: Content-Length and Transfer-Encoding exclude each other"
            }
            Refusal::Chunk => "Bad request: the chunked body is malformed",
            Refusal::HeadTimeout => "Request timeout: the head did not arrive in time",
            Refusal::Http2 => {
                "Bad request: this is HTTP/2 with prior knowledge, and HTTP/1.1 is spoken here; let the client, or the \
                 proxy before the service, use HTTP/1.1"
            }
        }
    }
}

/// Value of the `reason` label.
impl Label for Refusal {
    fn label(self) -> &'static str {
        match self {
            Refusal::RequestLine => "request_line",
            Refusal::Version => "version",
            Refusal::Target => "target",
            Refusal::TargetTooLong => "target_too_long",
            Refusal::HeadTooLarge => "head_too_large",
            Refusal::BareLineFeed => "bare_line_feed",
            Refusal::FoldedHeader => "folded_header",
            Refusal::HeaderName => "header_name",
            Refusal::HeaderValue => "header_value",
            Refusal::Host => "host",
            Refusal::ContentLength => "content_length",
            Refusal::TransferEncoding => "transfer_encoding",
            Refusal::LengthAndEncoding => "length_and_encoding",
            Refusal::Chunk => "chunk",
            Refusal::HeadTimeout => "head_timeout",
            Refusal::Http2 => "http2",
        }
    }
}

/// Framing of the bytes after a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    Length(u64),
    Chunked,
}

/// Contents of a run of bytes that should begin with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// Valid so far, but incomplete.
    Partial,
    /// A whole head of `len` bytes.
    Complete {
        len: usize,
        body: BodyFraming,
        /// Offset of the digits of `Content-Length`, if present.
        length_at: Option<usize>,
        /// True if the head has a line `Upgrade`, which [`ignore_upgrade`] must rename.
        upgrade: bool,
    },
}

/// Reads the head at the beginning of `bytes`, which may have at most `max` bytes.
pub(crate) fn read_head(bytes: &[u8], max: usize) -> Result<Head, Refusal> {
    let mut lines = Lines { bytes, at: 0, max };
    // RFC 9112, 2.2: a server should ignore empty lines before the request line.
    let request_line = loop {
        match lines.next()? {
            None => {
                // Incomplete line: a target that is too long already has an answer of its own.
                return if bytes.len() - lines.at > MAX_TARGET + 32 {
                    Err(Refusal::TargetTooLong)
                } else {
                    Ok(Head::Partial)
                };
            }
            Some(b"") => continue,
            Some(line) => break line,
        }
    };
    let is_http_11 = read_request_line(request_line)?;

    let (mut hosts, mut headers) = (0, 0);
    let mut length = None;
    let mut length_at = None;
    let mut chunked = false;
    let mut upgrade = false;
    loop {
        let Some(line) = lines.next()? else {
            return Ok(Head::Partial);
        };
        if line.is_empty() {
            break;
        }
        headers += 1;
        if headers > MAX_HEADERS {
            return Err(Refusal::HeadTooLarge);
        }
        let (name, value) = read_header(line)?;
        // The names have different lengths, so that most headers cost one comparison of two numbers.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                hosts += 1;
                if !is_all(value, &HOST) {
                    return Err(Refusal::Host);
                }
            }
            7 if name.eq_ignore_ascii_case(UPGRADE) => upgrade = true,
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if length.is_some() {
                    return Err(Refusal::ContentLength);
                }
                length = Some(read_decimal(value).ok_or(Refusal::ContentLength)?);
                length_at = Some(value.as_ptr().addr() - bytes.as_ptr().addr());
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if chunked || !is_http_11 || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::TransferEncoding);
                }
                chunked = true;
            }
            _ => {}
        }
    }
    if hosts > 1 || (is_http_11 && hosts == 0) {
        return Err(Refusal::Host);
    }
    if chunked && length.is_some() {
        return Err(Refusal::LengthAndEncoding);
    }
    let body = if chunked {
        BodyFraming::Chunked
    } else {
        BodyFraming::Length(length.unwrap_or(0))
    };
    Ok(Head::Complete {
        len: lines.at,
        body,
        length_at,
        upgrade,
    })
}

/// Renames each line `Upgrade` of a valid head. The service speaks only HTTP/1.1 and may ignore the header (RFC 9110,
/// section 7.8). hyper would give up the connection after the answer, without a flush and without the orderly close
/// that [`wire`](super::wire) provides.
pub(crate) fn ignore_upgrade(head: &mut [u8]) {
    for line in head.split_mut(|&byte| byte == b'\n') {
        if let Some((name, rest)) = line.split_at_mut_checked(UPGRADE.len())
            && name.eq_ignore_ascii_case(UPGRADE)
            && rest.starts_with(b":")
        {
            name.copy_from_slice(b"ignored");
        }
    }
}

/// Lines of a head, without CR LF.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    max: usize,
}

impl<'a> Lines<'a> {
    /// Returns the next line; `None` if it is incomplete.
    fn next(&mut self) -> Result<Option<&'a [u8]>, Refusal> {
        let rest = &self.bytes[self.at..];
        let Some(end) = position(rest, |byte| byte == b'\n') else {
            return if self.bytes.len() > self.max {
                Err(Refusal::HeadTooLarge)
            } else {
                Ok(None)
            };
        };
        if self.at + end >= self.max {
            return Err(Refusal::HeadTooLarge);
        }
        self.at += end + 1;
        match rest[..end].strip_suffix(b"\r") {
            Some(line) => Ok(Some(line)),
            None => Err(Refusal::BareLineFeed),
        }
    }
}

/// Checks `METHOD target HTTP/1.x`. Returns true for HTTP/1.1.
fn read_request_line(line: &[u8]) -> Result<bool, Refusal> {
    let mut parts = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::RequestLine);
    };
    if method.is_empty() || method.len() > 32 || !is_all(method, &TOKEN) {
        return Err(Refusal::RequestLine);
    }
    if target.len() > MAX_TARGET {
        return Err(Refusal::TargetTooLong);
    }
    if line == PREFACE {
        return Err(Refusal::Http2);
    }
    let is_path = target.starts_with(b"/");
    let is_asterisk = target == b"*" && method == b"OPTIONS";
    // There are no tunnels here, and hyper would turn the connection into one.
    let is_tunnel = method == b"CONNECT";
    let has_form = is_path || is_asterisk || is_absolute(target);
    if !has_form || is_tunnel || !is_all(target, &TARGET) {
        return Err(Refusal::Target);
    }
    match version {
        b"HTTP/1.1" => Ok(true),
        b"HTTP/1.0" => Ok(false),
        _ => Err(Refusal::Version),
    }
}

/// Returns true if this is an HTTP URL that hyper can parse. hyper answers others by itself, without an envelope, and
/// uncounted.
fn is_absolute(target: &[u8]) -> bool {
    let has_scheme = target.starts_with(b"http://") || target.starts_with(b"https://");
    has_scheme && hyper::Uri::try_from(target).is_ok()
}

/// Splits a header line into its name and its value, without the blanks around the value.
pub(crate) fn read_header(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Refusal::FoldedHeader);
    }
    let colon = line
        .iter()
        .position(|&byte| !TOKEN[usize::from(byte)])
        .filter(|&at| at > 0 && line[at] == b':')
        .ok_or(Refusal::HeaderName)?;
    let value = &line[colon + 1..];
    let is_control = |byte| ((byte < 0x20) & (byte != b'\t')) | (byte == 0x7f);
    if let Some(at) = position(value, is_control) {
        return Err(match value[at] {
            b'\r' => Refusal::BareLineFeed,
            _ => Refusal::HeaderValue,
        });
    }
    // The remaining blanks that this removes are spaces and tabs.
    Ok((&line[..colon], value.trim_ascii()))
}

/// Parses digits only: no sign, no blank, no list.
pub(crate) fn read_decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        text.iter()
            .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')),
    )
}

/// Returns true if all bytes of `text` are in a table.
fn is_all(text: &[u8], table: &[bool; 256]) -> bool {
    text.iter().all(|&byte| table[usize::from(byte)])
}

/// RFC 9110, 5.6.2: `tchar`.
static TOKEN: [bool; 256] = alphanumeric_and(b"!#$%&'*+-.^_`|~");
/// RFC 3986: characters of a path and a query.
static TARGET: [bool; 256] = alphanumeric_and(b"-._~!$&'()*+,;=:@/?%");
/// Characters of a host name or an address, and a port.
static HOST: [bool; 256] = alphanumeric_and(b"-._~:[]%");

const fn alphanumeric_and(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests;
