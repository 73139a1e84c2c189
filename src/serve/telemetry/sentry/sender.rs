//! Sends one report after the other: an HTTP/1.1 request on a connection of its own, which suffices for so few
//! requests.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use super::dsn::Dsn;
use super::envelope::{Report, envelope};
use crate::serve::settings::tls;

/// Timeout to connect, to write, and to wait for each part of an answer.
const STEP: Duration = Duration::from_secs(5);
/// Timeout for a whole answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Maximum length of an answer's head in bytes; the body is ignored.
const MAX_HEAD: usize = 16 * 1024;
/// Pause if Sentry asks for one without a duration, and the longest that it can ask for.
const PAUSE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// DSN with the TLS client for its host.
pub(crate) struct Target {
    pub(super) dsn: Dsn,
    /// TLS client; `None` for plain HTTP.
    pub(super) client: Option<tls::Client>,
}

pub(super) struct Sender {
    target: Target,
    server_name: String,
    /// End of the pause that Sentry asked for.
    paused_until: Option<Instant>,
}

impl Sender {
    pub(super) fn new(target: Target) -> Sender {
        let server_name = std::fs::read_to_string("/proc/sys/kernel/hostname");
        Sender {
            target,
            server_name: server_name.unwrap_or_default().trim().to_owned(),
            paused_until: None,
        }
    }

    /// Sends a report. Returns true if it was accepted.
    pub(super) fn send(&mut self, report: &Report) -> bool {
        if self
            .paused_until
            .is_some_and(|until| Instant::now() < until)
        {
            return false;
        }
        let body = envelope(report, &self.server_name);
        let Ok(head) = self.post(&body) else {
            return false;
        };
        let Some(answer) = read_head(&head) else {
            return false;
        };
        self.paused_until = answer.pause.map(|pause| Instant::now() + pause);
        answer.is_success
    }

    /// Posts `body`. Returns the beginning of the answer, up to the end of its head.
    fn post(&self, body: &str) -> io::Result<Vec<u8>> {
        let dsn = &self.target.dsn;
        let stream = self.connect()?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(STEP))?;
        stream.set_write_timeout(Some(STEP))?;
        let host = match dsn.host.contains(':') {
            true => format!("[{}]", dsn.host),
            false => dsn.host.clone(),
        };
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: {host}:{}\r\nuser-agent: {CLIENT}\r\n\
             content-type: application/x-sentry-envelope\r\ncontent-length: {}\r\n\
             x-sentry-auth: Sentry sentry_version=7, sentry_client={CLIENT}, sentry_key={}\r\n\
             connection: close\r\n\r\n{body}",
            dsn.path,
            dsn.port,
            body.len(),
            dsn.key,
        );
        match &self.target.client {
            None => exchange(stream, &request),
            Some(client) => {
                let stream = tls::connect(client, &dsn.host, stream).map_err(io::Error::other)?;
                exchange(stream, &request)
            }
        }
    }

    /// Connects to the first of the host's addresses that accepts.
    fn connect(&self) -> io::Result<TcpStream> {
        let dsn = &self.target.dsn;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for addr in (dsn.host.as_str(), dsn.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&addr, STEP) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

const CLIENT: &str = concat!("pick-regno/", env!("CARGO_PKG_VERSION"));

fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<Vec<u8>> {
    let until = Instant::now() + ANSWER;
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut head = Vec::new();
    let mut part = [0; 2048];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let len = stream.read(&mut part)?;
        head.extend_from_slice(&part[..len]);
        if len == 0 || head.len() > MAX_HEAD || Instant::now() > until {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(head)
}

/// Relevant parts of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    is_success: bool,
    /// Time for which no reports are wanted.
    pause: Option<Duration>,
}

fn read_head(head: &[u8]) -> Option<Answer> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?;
    let headers = || {
        lines.clone().filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim()))
        })
    };
    let header =
        |wanted: &str| headers().find_map(|(name, value)| (name == wanted).then_some(value));
    // `60:error;transaction:key, 3600:…`: seconds, kinds of data (none means all), and more. Only errors are sent.
    let limits = header("x-sentry-rate-limits").unwrap_or("").split(',');
    let limit = limits
        .filter_map(|limit| {
            let mut parts = limit.trim().split(':');
            let seconds = parts.next()?;
            let kinds = parts.next().unwrap_or("");
            (kinds.is_empty() || kinds.split(';').any(|kind| kind == "error")).then_some(seconds)
        })
        .find_map(|seconds| seconds.parse().ok());
    let retry_after = || header("retry-after")?.parse().ok();
    let pause = match (limit, status) {
        (Some(seconds), _) => Some(Duration::from_secs(seconds)),
        (None, "429") => Some(retry_after().map_or(PAUSE.0, Duration::from_secs)),
        (None, _) => None,
    };
    Some(Answer {
        is_success: status.starts_with('2'),
        pause: pause.map(|pause| pause.min(PAUSE.1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_say_whether_and_when_more_is_wanted() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (head, is_success, pause) in [
            ("HTTP/1.1 200 OK\r\n\r\n", true, None),
            ("HTTP/1.0 202 Accepted\r\nA: b\r\n\r\n", true, None),
            (
                "HTTP/1.1 403 Forbidden\r\nRetry-After: 7\r\n\r\n",
                false,
                None,
            ),
            (
                "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\n\r\n",
                false,
                seconds(7),
            ),
            (
                "HTTP/1.1 429 Slow\r\nRetry-After: soon\r\n\r\n",
                false,
                seconds(60),
            ),
            ("HTTP/1.1 429 Slow\r\n\r\n", false, seconds(60)),
            (
                "HTTP/1.1 429 Slow\r\nretry-after: 99999999\r\n\r\n",
                false,
                seconds(3600),
            ),
            (
                "HTTP/1.1 200 OK\r\nX-Sentry-Rate-Limits: 9:transaction:key, 5:default;error:org\r\n\r\n",
                true,
                seconds(5),
            ),
            (
                "HTTP/1.1 200 OK\r\nX-Sentry-Rate-Limits: 9:transaction:key\r\n\r\n",
                true,
                None,
            ),
            (
                "HTTP/1.1 200 OK\r\nX-Sentry-Rate-Limits: 9::key\r\n\r\n",
                true,
                seconds(9),
            ),
        ] {
            let answer = Answer { is_success, pause };
            assert_eq!(read_head(head.as_bytes()), Some(answer), "{head}");
        }
        for head in ["", "HTTP/1.", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2"] {
            assert_eq!(read_head(head.as_bytes()), None, "{head}");
        }
    }
}
