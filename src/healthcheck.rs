//! `healthcheck`: asks a running server if it is ready for requests, like `curl -f …/readyz`, for images that hold
//! nothing but this program.

use std::fmt;
use std::io::{self, Read, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::arguments::{parse_address, parse_some_time};
use crate::messages::tell;

/// Number of bytes of an answer that are read: the first line is enough.
const MAX_ANSWER: usize = 64;

/// Hint for the case that another service answers.
const WHERE: &str = "does the service run, and is this the address of its --admin?";

/// Arguments of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 if the server is ready, 1 if it is not, or does not answer; 64 usage."
)]
pub struct Args {
    /// Address of the server's /readyz; where `serve` listens on all addresses, it is asked on loopback
    #[arg(
        long,
        env = "PICK_REGNO_ADMIN",
        default_value = "127.0.0.1:9464",
        value_parser = parse_address,
        value_name = "ADDRESS"
    )]
    admin: SocketAddr,

    /// Time for the whole answer
    #[arg(long, default_value = "2s", value_parser = parse_some_time, value_name = "TIME")]
    timeout: Duration,
}

/// Runs the command.
pub fn run(args: Args) -> ExitCode {
    let address = reachable(args.admin);
    match ask(address, args.timeout) {
        Ok(()) => {
            // The exit code says the same.
            let _ = writeln!(io::stdout(), "ready");
            ExitCode::SUCCESS
        }
        Err(why) => {
            tell(format_args!("pick-regno healthcheck: {address}: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// Reason why the server is not ready.
#[derive(Debug)]
enum NotReady {
    Status(String),
    NotHttp,
    Io(io::Error),
}

impl fmt::Display for NotReady {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotReady::Status(status) if status.starts_with("404") => {
                write!(formatter, "no /readyz there; {WHERE}")
            }
            NotReady::Status(status) => write!(formatter, "not ready: /readyz answers {status}"),
            NotReady::NotHttp => write!(formatter, "the answer is not HTTP; {WHERE}"),
            NotReady::Io(why)
                if matches!(
                    why.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                formatter.write_str("no answer in time")
            }
            NotReady::Io(why) => write!(formatter, "{why}; {WHERE}"),
        }
    }
}

impl From<io::Error> for NotReady {
    fn from(why: io::Error) -> NotReady {
        NotReady::Io(why)
    }
}

/// Replaces an unspecified address by loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask(address: SocketAddr, timeout: Duration) -> Result<(), NotReady> {
    let deadline = Instant::now() + timeout;
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(io::Error::from(io::ErrorKind::TimedOut)),
            false => Ok(left),
        }
    };
    let mut stream = TcpStream::connect_timeout(&address, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = [0; MAX_ANSWER];
    let mut len = 0;
    while len < MAX_ANSWER {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut answer[len..])? {
            0 => break,
            read => len += read,
        }
    }
    let line = answer[..len].split(|&byte| byte == b'\r').next();
    let status = line
        .and_then(|line| std::str::from_utf8(line).ok())
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .ok_or(NotReady::NotHttp)?;
    match status.starts_with("200 ") {
        true => Ok(()),
        false => Err(NotReady::Status(status.escape_default().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_asked_on_loopback() {
        for (listens, asked) in [
            ("0.0.0.0:9464", "127.0.0.1:9464"),
            ("[::]:1", "[::1]:1"),
            ("10.1.2.3:4", "10.1.2.3:4"),
        ] {
            let listens: SocketAddr = listens.parse().unwrap();
            assert_eq!(reachable(listens).to_string(), asked);
        }
    }
}
