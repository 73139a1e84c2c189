//! `ship`: brings the segments of `serve --record DIR` to where they are kept.
//!
//! A segment is sent as a whole, the oldest first, and deleted once the receiver has confirmed it. A receiver that cannot be reached,
//! or that fails, is tried again; a segment that it refuses for what is in it is put aside (`DIR/refused/`) and counted, and the
//! next one is sent.
//!
//! | module | receiver | a segment that is sent twice |
//! | --- | --- | --- |
//! | `clickhouse` | a table of ClickHouse, over HTTP | is stored once: its name is the deduplication token |
//! | `s3` | an object of S3 | is stored once: its name is the object's |
//! | `mongodb` | documents of a collection of MongoDB | is stored once: `_id` is the row's instance and seq |
//!
//! `ship` and the service share nothing but the folder: a segment is a file that the service closed and
//! renamed to `SECONDS-INSTANCE-NUMBER.ndjson`, with a row per line. Names sort by age. A receiver must store
//! a segment that is sent twice once, as a confirmation may be lost: this makes delivery at least once, and
//! storage exactly once.

mod clickhouse;
#[cfg(feature = "mongodb")]
mod mongodb;
mod s3;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use metrics::{counter, gauge};
use tokio::sync::watch;

use crate::admin::Ready;
use crate::retry::Backoff;
use crate::tls::TlsArgs;
use crate::{Stop, admin, log, stop};

/// Time between looks at a folder without segments.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Timeout of a whole request to a receiver.
const SENDING: Duration = Duration::from_secs(60);
/// Extension of a complete segment's name.
const COMPLETE: &str = "ndjson";
/// Name of the subfolder for segments that were refused.
const REFUSED: &str = "refused";

/// Arguments of `ship`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("receiver").required(true), after_help = "\
Passwords are in files or variables, never on the command line: --password-file for ClickHouse and MongoDB;
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION for S3.
Exit codes: 0 stopped as asked, with --once: all was sent; 1 with --once: a segment was refused or could not be sent;
64 an option cannot be read; 71 a port is taken; 78 the settings do not fit.")]
pub struct Args {
    /// Folder of `serve --record`
    #[arg(env = "PICK_REGNO_CONNECT_RECORDS", value_name = "DIR")]
    folder: PathBuf,
    /// ClickHouse's HTTP interface, such as http://host:8123
    #[arg(
        long,
        env = "PICK_REGNO_CONNECT_CLICKHOUSE",
        group = "receiver",
        value_name = "URL"
    )]
    clickhouse: Option<String>,
    /// Deployment of MongoDB, such as mongodb://host:27017
    #[cfg(feature = "mongodb")]
    #[arg(
        long,
        env = "PICK_REGNO_CONNECT_MONGODB",
        hide_env_values = true,
        group = "receiver",
        value_name = "URL"
    )]
    mongodb: Option<String>,
    /// Table of ClickHouse, or collection of MongoDB with its database
    #[arg(
        long,
        env = "PICK_REGNO_CONNECT_TABLE",
        default_value = "pick_regno.answers",
        value_name = "NAME"
    )]
    table: String,
    /// User of ClickHouse; of MongoDB, with --password-file
    #[arg(
        long,
        env = "PICK_REGNO_CONNECT_USER",
        default_value = "default",
        value_name = "NAME"
    )]
    user: String,
    /// File with that user's password; ClickHouse's is read for each segment, MongoDB's at each connection
    #[arg(long, env = "PICK_REGNO_CONNECT_PASSWORD_FILE", value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Bucket of S3 with a prefix, such as `https://s3.example.com/bucket/prefix`
    #[arg(
        long,
        env = "PICK_REGNO_CONNECT_S3",
        group = "receiver",
        value_name = "URL"
    )]
    s3: Option<String>,
    /// Send what is there, and exit
    #[arg(long)]
    once: bool,
    /// Address of /metrics, /healthz and /readyz
    #[arg(
        long,
        env = "PICK_REGNO_CONNECT_ADMIN",
        default_value = "127.0.0.1:9466",
        value_name = "ADDRESS"
    )]
    admin: SocketAddr,
    #[allow(missing_docs, reason = "the help would show it")]
    #[command(flatten)]
    tls: TlsArgs,
}

/// Place where segments are kept.
trait Receiver: Send {
    /// Sends a segment, and waits until the receiver has confirmed that it is stored.
    ///
    /// # Errors
    /// [`Failure::Refused`] if the same bytes would be refused again, else [`Failure::Again`].
    fn send(&mut self, segment: &Segment) -> Result<(), Failure>;
}

/// Reason why a segment was not taken, without its content or a password.
enum Failure {
    /// Refused for its content: it is put aside.
    Refused(String),
    /// Any other reason: it is sent again after a delay.
    Again(String),
}

/// A complete segment.
struct Segment {
    /// File name without the extension; unique, so that it identifies the segment at the receiver.
    name: String,
    /// Content of the file: JSON objects, a line each.
    bytes: Vec<u8>,
}

/// Runs the command until SIGTERM or SIGINT, or with `--once` until the folder is empty.
///
/// # Errors
/// If settings do not fit, the port is taken, a refused segment cannot be put aside, or with `--once` a
/// segment was refused or could not be sent.
pub async fn run(args: Args) -> Result<(), Stop> {
    let receiver = receiver(&args)?;
    let ready: Ready = Arc::new(AtomicBool::new(false));
    admin::start(args.admin, Arc::clone(&ready)).await?;
    for (name, help) in [
        (
            "pick_regno_connect_shipped_segments_total",
            "Segments that were confirmed and deleted.",
        ),
        (
            "pick_regno_connect_shipped_rows_total",
            "Rows of those segments.",
        ),
        (
            "pick_regno_connect_refused_segments_total",
            "Segments that were refused for what is in them, and put aside.",
        ),
        (
            "pick_regno_connect_ship_failures_total",
            "Attempts that failed, and are repeated.",
        ),
    ] {
        metrics::describe_counter!(name, help);
        counter!(name).increment(0);
    }
    let stop = stop::on_signals()?;
    let shipper = Shipper {
        folder: args.folder.clone(),
        receiver,
        ready,
        stop,
    };
    let once = args.once;
    let shipped = tokio::task::spawn_blocking(move || shipper.run(once));
    match shipped.await {
        Ok(ended) => ended,
        Err(why) => Err(Stop::system(format!("the shipper failed: {why}"))),
    }
}

/// Creates the receiver that the options choose. Nothing is sent yet.
///
/// # Errors
/// If an address, a name or a file does not do.
fn receiver(args: &Args) -> Result<Box<dyn Receiver>, Stop> {
    if let Some(url) = &args.clickhouse {
        let password = args.password_file.clone();
        let to = clickhouse::ClickHouse::new(url, &args.table, &args.user, password, &args.tls);
        return Ok(Box::new(to.map_err(Stop::config)?));
    }
    if let Some(url) = &args.s3 {
        return Ok(Box::new(s3::S3::new(url, &args.tls).map_err(Stop::config)?));
    }
    #[cfg(feature = "mongodb")]
    if let Some(url) = &args.mongodb {
        let password = args.password_file.clone();
        let to = mongodb::MongoDb::new(url, &args.table, &args.user, password, args.tls.ca());
        return Ok(Box::new(to.map_err(Stop::config)?));
    }
    Err(Stop::config("a receiver is needed, such as --clickhouse"))
}

/// Loop that sends segments, one at a time, on a thread that may block.
struct Shipper {
    folder: PathBuf,
    receiver: Box<dyn Receiver>,
    ready: Ready,
    stop: watch::Receiver<bool>,
}

impl Shipper {
    /// Sends segments until it is to stop. `once` ends it when there are no more, or at the first
    /// attempt that failed without a refusal.
    fn run(mut self, once: bool) -> Result<(), Stop> {
        let mut backoff = Backoff::default();
        let mut refused = false;
        while !self.is_stopping() {
            let segments = match segments(&self.folder) {
                Ok(segments) => segments,
                Err(why) => {
                    let why = format!("{}: {why}", self.folder.display());
                    if once {
                        return Err(Stop::config(why));
                    }
                    self.failed(&why, &mut backoff);
                    continue;
                }
            };
            gauge_waiting(&segments);
            let Some(oldest) = segments.first() else {
                self.ready.store(true, Relaxed);
                if once {
                    break;
                }
                self.wait(LOOK_EVERY);
                continue;
            };
            match self.ship(oldest) {
                Ok(()) => {
                    self.ready.store(true, Relaxed);
                    backoff.reset();
                }
                Err(Failure::Refused(why)) => {
                    refused = true;
                    self.put_aside(oldest, &why)?;
                }
                Err(Failure::Again(why)) if once => {
                    return Err(Stop { why, code: 1 });
                }
                Err(Failure::Again(why)) => self.failed(&why, &mut backoff),
            }
        }
        log::info("stopped", &[]);
        match once && refused {
            true => Err(Stop {
                why: "a segment was refused".to_owned(),
                code: 1,
            }),
            false => Ok(()),
        }
    }

    /// Sends a segment, deletes it and counts its rows: lines that are not blank. A segment without rows is deleted at
    /// once.
    fn ship(&mut self, path: &Path) -> Result<(), Failure> {
        let here = |why: std::io::Error| Failure::Again(format!("{}: {why}", path.display()));
        let segment = Segment {
            name: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            bytes: std::fs::read(path).map_err(here)?,
        };
        let lines = segment.bytes.split(|&byte| byte == b'\n');
        let rows = lines.filter(|line| !line.trim_ascii().is_empty()).count();
        if rows > 0 {
            self.receiver.send(&segment)?;
        }
        std::fs::remove_file(path).map_err(here)?;
        counter!("pick_regno_connect_shipped_segments_total").increment(1);
        counter!("pick_regno_connect_shipped_rows_total").increment(rows as u64);
        Ok(())
    }

    /// Counts and logs a refused segment, and moves it to `DIR/refused/`, where nothing deletes it.
    fn put_aside(&self, path: &Path, why: &str) -> Result<(), Stop> {
        counter!("pick_regno_connect_refused_segments_total").increment(1);
        let name = path.file_name().unwrap_or_default();
        log::error(
            "a segment was refused, and put aside",
            &[("segment", &name.to_string_lossy()), ("why", why)],
        );
        let aside = self.folder.join(REFUSED);
        std::fs::create_dir_all(&aside)
            .and_then(|()| std::fs::rename(path, aside.join(name)))
            .map_err(|why| Stop::system(format!("{}: {why}", aside.display())))
    }

    /// Counts and logs a failed attempt, reports that the command is not ready, and waits.
    fn failed(&self, why: &str, backoff: &mut Backoff) {
        self.ready.store(false, Relaxed);
        counter!("pick_regno_connect_ship_failures_total").increment(1);
        let wait = backoff.next();
        log::warn(
            "cannot ship",
            &[("why", why), ("again_in_ms", &wait.as_millis().to_string())],
        );
        self.wait(wait);
    }

    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Sleeps for `wait`, or until the first signal, which is noticed within 20 ms.
    fn wait(&self, wait: Duration) {
        let end = std::time::Instant::now() + wait;
        while !self.is_stopping() && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Returns the complete segments of a folder, the oldest first: their names begin with seconds since 1970.
fn segments(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut segments = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == COMPLETE)
        {
            segments.push(path);
        }
    }
    segments.sort();
    Ok(segments)
}

/// Sets the gauges of segments that wait: their number, their bytes, and the age of the oldest in seconds.
fn gauge_waiting(segments: &[PathBuf]) {
    let data = segments.iter().filter_map(|path| path.metadata().ok());
    let bytes: u64 = data.map(|data| data.len()).sum();
    let written = segments
        .first()
        .and_then(|path| path.metadata().ok()?.modified().ok());
    let age = written.and_then(|written| SystemTime::now().duration_since(written).ok());
    gauge!("pick_regno_connect_waiting_segments").set(segments.len() as f64);
    gauge!("pick_regno_connect_waiting_bytes").set(bytes as f64);
    gauge!("pick_regno_connect_waiting_seconds").set(age.unwrap_or_default().as_secs_f64());
}

/// HTTP client that keeps connections. A status of 400 or more is no error, and [`SENDING`] limits each
/// request.
fn agent(tls: &TlsArgs, is_https: bool) -> Result<ureq::Agent, String> {
    let mut config = ureq::Agent::config_builder()
        .timeout_global(Some(SENDING))
        .http_status_as_error(false);
    if is_https {
        config = config.tls_config(tls.for_http()?);
    }
    Ok(config.build().into())
}
