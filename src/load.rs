//! `load`: sends requests to a running service, checks every answer to the byte, and reports latencies.
//!
//! With `--rate` the load is *open*: every request has a due time, regardless of earlier answers, and its latency
//! counts from that time. A service that stalls for a second has a second's worth of late answers, as it would have
//! with real clients; a generator that waited for it would report one. Without `--rate` the load is *closed*: each
//! connection sends its next request after the answer to the last.
//!
//! Each connection is a thread with a blocking socket: nothing stands between a request's due time and its `write`.

mod connection;
mod ledger;
mod replay;
mod schedule;
mod target;

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use self::connection::Connection;
use self::ledger::{Ledger, Outcome, Report};
use self::replay::{Replay, ReplayError};
use self::schedule::Schedule;
use self::target::{Target, TargetError};
use crate::arguments::{parse_count_to, parse_some_time};
use crate::exit;
use crate::messages::tell;

/// Upper bound of `--connections`: each is a thread.
const MAX_CONNECTIONS: u16 = 10_000;
/// Upper bound of `--rate`, in requests per second.
const MAX_RATE: f64 = 10_000_000.0;
/// Stack of a thread in bytes: it holds little more than a call of `read`.
const STACK: usize = 128 * 1024;
/// Pause of a connection without a rate after a failure: an unreachable service should not be contacted a hundred
/// thousand times a second.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(10);

/// Arguments of the command.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every request that is sent is counted once: right (200, and the bytes that this program's own model answers), refused
(any other status), wrong (200 and other bytes), or failed (no whole answer).
Exit codes: 0 if some answers were right, none wrong and none failed, else 1; 64 usage, 65 not a file of requests,
66 no such input, 71 the system refused a thread, 78 URL or key cannot be used.")]
pub struct Args {
    /// File of requests to send, over and over: NDJSON or CSV, as for `score`
    #[arg(value_name = "FILE")]
    requests: PathBuf,

    /// URL of the service: http, a host, a port, a path
    #[arg(long, default_value = "http://127.0.0.1:5000/reg/", value_name = "URL")]
    url: String,

    /// Requests a second [default: as many as the connections can carry]
    #[arg(long, value_name = "NUMBER", value_parser = parse_rate)]
    rate: Option<f64>,

    /// Time for which requests are sent
    #[arg(long, default_value = "10s", value_parser = parse_some_time, value_name = "TIME")]
    duration: Duration,

    /// Connections, each with one request on its way at most
    #[arg(long, default_value_t = 16, value_name = "COUNT", value_parser = parse_count_to::<MAX_CONNECTIONS>)]
    connections: u16,

    /// Time for an answer, and for a connection to be made
    #[arg(long, default_value = "10s", value_parser = parse_some_time, value_name = "TIME")]
    timeout: Duration,

    /// File with API keys, one a line: the first is sent. Without it, the first in PICK_REGNO_API_KEYS
    #[arg(long, env = "PICK_REGNO_API_KEYS_FILE", value_name = "FILE")]
    api_keys_file: Option<PathBuf>,

    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Parses a rate: more than 0, at most [`MAX_RATE`].
fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= MAX_RATE => Ok(rate),
        _ => Err(format!("a rate is more than 0 and at most {MAX_RATE}")),
    }
}

/// Runs the command.
pub fn run(args: Args) -> ExitCode {
    match load(&args) {
        Ok(report) => {
            let text = match args.json {
                true => report.to_json(),
                false => report.to_string(),
            };
            // If nobody reads the report, nobody misses it.
            let _ = writeln!(std::io::stdout(), "{text}");
            match report.is_good() {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            }
        }
        Err(error) => {
            tell(format_args!("pick-regno load: {error}"));
            ExitCode::from(match error {
                Error::Target(_) => exit::CONFIG,
                Error::Replay(ReplayError::Open(_)) => exit::NO_INPUT,
                Error::Replay(_) => exit::DATA,
                Error::Thread(_) => exit::SYSTEM,
            })
        }
    }
}

/// Reason why nothing was sent.
#[derive(Debug)]
enum Error {
    Target(TargetError),
    Replay(ReplayError),
    Thread(std::io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Target(why) => why.fmt(formatter),
            Error::Replay(why) => why.fmt(formatter),
            Error::Thread(why) => write!(
                formatter,
                "cannot start a thread for each connection: {why}; try fewer --connections"
            ),
        }
    }
}

fn load(args: &Args) -> Result<Report, Error> {
    let key = target::key(args.api_keys_file.as_deref()).map_err(Error::Target)?;
    let target = Target::new(&args.url, key.as_deref()).map_err(Error::Target)?;
    let replay = Replay::read(&args.requests, &target).map_err(Error::Replay)?;
    schedule::sleep_precisely();
    let run = Arc::new(Run {
        schedule: Schedule::new(args.rate, args.duration),
        ledger: Ledger::new(),
        target,
        replay,
        timeout: args.timeout,
    });
    let threads: Result<Vec<_>, _> = (0..args.connections)
        .map(|_| {
            let run = Arc::clone(&run);
            thread::Builder::new()
                .name("connection".to_owned())
                .stack_size(STACK)
                .spawn(move || run.send_all())
        })
        .collect();
    let threads = threads.map_err(Error::Thread)?;
    run.schedule.start();
    for thread in threads {
        thread.join().expect("a thread that sends does not panic");
    }
    let ended = Instant::now();
    Ok(run.ledger.report(&run.schedule, args.connections, ended))
}

/// State that all connections share.
struct Run {
    schedule: Schedule,
    ledger: Ledger,
    target: Target,
    replay: Replay,
    timeout: Duration,
}

impl Run {
    /// Sends requests on one connection until there are no more. Reconnects when the connection has ended.
    fn send_all(&self) {
        let mut connection = None;
        while let Some(turn) = self.schedule.next() {
            let exchange = self.replay.exchange(turn.number);
            let sent = Instant::now();
            let outcome = self.send(&mut connection, &exchange.request, &exchange.answer);
            let ended = Instant::now();
            let failed = matches!(outcome, Outcome::Failed(_));
            self.ledger.note(outcome, turn.due, sent, ended);
            if failed && !self.schedule.is_open() {
                thread::sleep(PAUSE_AFTER_FAILURE);
            }
        }
    }

    fn send(
        &self,
        connection: &mut Option<Connection>,
        request: &[u8],
        expected: &[u8],
    ) -> Outcome {
        let mut open = match connection.take().filter(Connection::is_open) {
            Some(open) => open,
            None => match Connection::open(self.target.addresses(), self.timeout) {
                Ok(open) => open,
                Err(failure) => return Outcome::Failed(failure),
            },
        };
        match open.exchange(request) {
            Err(failure) => Outcome::Failed(failure),
            Ok(answer) => {
                let outcome = match answer.status {
                    200 if answer.body == expected => Outcome::Right,
                    200 => Outcome::Wrong,
                    status => Outcome::Refused(status),
                };
                if !answer.closes {
                    *connection = Some(open);
                }
                outcome
            }
        }
    }
}
