//! One connection: a request out, its answer in.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Bytes of an answer's head.
const MAX_HEAD: usize = 16 * 1024;
/// Bytes of an answer's body.
const MAX_BODY: usize = 16 << 20;
/// Headers of an answer.
const MAX_HEADERS: usize = 64;
/// After so long without a request the service may have closed the connection, which is looked at before the next.
const IDLE: Duration = Duration::from_secs(1);

/// An open connection.
pub(super) struct Connection {
    stream: TcpStream,
    timeout: Duration,
    /// The bytes of the last answer, in a buffer that is used again.
    buffer: Vec<u8>,
    used: Instant,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
    /// Whether the service closes the connection after it.
    pub(super) closes: bool,
}

/// Why there is no whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// No connection could be made.
    Connect,
    /// The answer did not come in time.
    Timeout,
    /// The connection ended before the answer did.
    Closed,
    /// What came is not an HTTP/1.1 answer with a `Content-Length`.
    Malformed,
}

impl Failure {
    /// Its name in reports.
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
    /// Connects to the first of `addresses` that accepts; `timeout` is for each, and for each answer later.
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

    /// Whether a request can be sent: not if the service has closed the connection meanwhile.
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
        // Bytes that nobody asked for are no better than the end.
        peek().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a whole request, and waits for the whole answer.
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

    /// Reads some bytes to `at`.
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

/// What an answer's head says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Its own length.
    len: usize,
    /// The body's length.
    body: usize,
    closes: bool,
}

impl Head {
    /// `None` if it is not whole yet.
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
