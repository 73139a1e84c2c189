//! Connection to the service: sends a request, receives its answer.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Upper bound on an answer's head, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Upper bound on an answer's body, in bytes.
const MAX_BODY: usize = 16 << 20;
/// Upper bound on an answer's headers.
const MAX_HEADERS: usize = 64;
/// Idle time after which the service may have closed the connection; then it is checked before the next request.
const IDLE: Duration = Duration::from_secs(1);

/// Open connection.
pub(super) struct Connection {
    stream: TcpStream,
    timeout: Duration,
    /// Bytes of the last answer, in a reused buffer.
    buffer: Vec<u8>,
    used: Instant,
}

/// Complete answer.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
    /// True if the service closes the connection after the answer.
    pub(super) closes: bool,
}

/// Reason why there is no complete answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// No connection could be opened.
    Connect,
    /// The answer did not arrive in time.
    Timeout,
    /// The connection ended before the answer did.
    Closed,
    /// The answer is not HTTP/1.1 with a `Content-Length`.
    Malformed,
}

impl Failure {
    /// Name in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Failure::Connect => "connect",
            Failure::Timeout => "timeout",
            Failure::Closed => "closed",
            Failure::Malformed => "malformed",
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::Timeout,
            _ => Failure::Closed,
        }
    }
}

impl Connection {
    /// Connects to the first of `addresses` that accepts. `timeout` applies to each address, and later to each answer.
    pub(super) fn open(addresses: &[SocketAddr], timeout: Duration) -> Result<Connection, Failure> {
        let stream = addresses
            .iter()
            .find_map(|address| TcpStream::connect_timeout(address, timeout).ok())
            .ok_or(Failure::Connect)?;
        let set_up = || {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(timeout))?;
            stream.set_write_timeout(Some(timeout))
        };
        set_up().map_err(|_| Failure::Connect)?;
        Ok(Connection {
            stream,
            timeout,
            buffer: vec![0; MAX_HEAD],
            used: Instant::now(),
        })
    }

    /// Returns true unless the service has closed the connection.
    pub(super) fn is_open(&self) -> bool {
        if self.used.elapsed() < IDLE {
            return true;
        }
        let peek = || {
            self.stream.set_nonblocking(true)?;
            let peeked = self.stream.peek(&mut [0]);
            self.stream.set_nonblocking(false)?;
            peeked
        };
        // Unsolicited bytes are as bad as the end of the connection.
        peek().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request, and waits for the complete answer.
    pub(super) fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, Failure> {
        let deadline = Instant::now() + self.timeout;
        self.stream.write_all(request)?;
        let mut len = 0;
        let head = loop {
            len += self.read(len, deadline)?;
            match Head::parse(&self.buffer[..len])? {
                Some(head) => break head,
                None if len == self.buffer.len() => return Err(Failure::Malformed),
                None => {}
            }
        };
        let whole = head.len + head.body;
        if self.buffer.len() < whole {
            self.buffer.resize(whole, 0);
        }
        while len < whole {
            len += self.read(len, deadline)?;
        }
        if len > whole {
            return Err(Failure::Malformed);
        }
        self.used = Instant::now();
        Ok(Answer {
            status: head.status,
            body: &self.buffer[head.len..whole],
            closes: head.closes,
        })
    }

    /// Reads some bytes to offset `at` of the buffer.
    fn read(&mut self, at: usize, deadline: Instant) -> Result<usize, Failure> {
        if Instant::now() > deadline {
            return Err(Failure::Timeout);
        }
        match self.stream.read(&mut self.buffer[at..])? {
            0 => Err(Failure::Closed),
            len => Ok(len),
        }
    }
}

/// Head of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Length of the head.
    len: usize,
    /// Length of the body.
    body: usize,
    closes: bool,
}

impl Head {
    /// Parses a head; `None` if it is incomplete.
    fn parse(bytes: &[u8]) -> Result<Option<Head>, Failure> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let len = match response.parse(bytes) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Failure::Malformed),
        };
        let mut head = Head {
            status: response.code.unwrap_or(0),
            len,
            body: 0,
            closes: response.version == Some(0),
        };
        let mut has_length = matches!(head.status, 204 | 304);
        for header in response.headers {
            let value = std::str::from_utf8(header.value).unwrap_or("").trim();
            if header.name.eq_ignore_ascii_case("content-length") {
                let length = value.parse().ok().filter(|&length| length <= MAX_BODY);
                head.body = length.ok_or(Failure::Malformed)?;
                has_length = true;
            } else if header.name.eq_ignore_ascii_case("connection") {
                head.closes |= value.eq_ignore_ascii_case("close");
            }
        }
        match has_length {
            true => Ok(Some(head)),
            false => Err(Failure::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let head =
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 7\r\nConnection: close\r\n\r\n";
        assert_eq!(
            Head::parse(head),
            Ok(Some(Head {
                status: 503,
                len: head.len(),
                body: 7,
                closes: true
            }))
        );
        for len in 0..head.len() {
            assert_eq!(Head::parse(&head[..len]), Ok(None));
        }
        for bad in [
            &b"SSH-2.0-x\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        ] {
            assert_eq!(Head::parse(bad), Err(Failure::Malformed));
        }
    }
}
