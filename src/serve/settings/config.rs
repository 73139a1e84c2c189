//! Settings of `serve`: flags and `PICK_REGNO_*` variables from one definition, checked before anything is bound.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::keys::{KEYS_VARIABLE, Keys, KeysError};
use super::model::ModelArgs;
use super::reload::FromFiles;
use super::room::Room;
use super::tls::{Tls, TlsArgs};
use crate::arguments::{parse_address, parse_count, parse_duration, parse_share, parse_size};
use crate::picker::Picker;
use crate::recorder::{self, RecordArgs};
use crate::serve::http::phase::Deadlines;
use crate::serve::telemetry::log::Level;
use crate::serve::telemetry::sentry::{SentryArgs, Target};

/// Upper bound of `--workers`.
const MAX_WORKERS: usize = 256;
/// Upper bound of `--max-body`: the body is held in memory.
const MAX_BODY: u64 = 1 << 30;
/// Upper bound of `--max-body-memory`.
const MAX_BODY_MEMORY: u64 = 1 << 40;
/// Number of bytes of a batch's body that are processed together.
pub(crate) const PIECE: usize = 16 * 1024;

/// Number of bytes that a batch may hold besides its answers, whatever its length: the text that is read and the text
/// that is answered, which may each have grown to two maximal records; a piece of the body; and answers.
const fn batch_memory(max_line: u64) -> u64 {
    4 * max_line + 4 * PIECE as u64
}

/// Upper bound of `--max-line`: each batch may hold a line.
const MAX_LINE: u64 = 1 << 20;
/// Upper bound of `--max-head`; the lower bound follows.
const MAX_HEAD: u64 = 64 * 1024;
const MIN_HEAD: u64 = 1024;
/// Time for which the rest of a refused client's request is read and discarded.
const LINGER: Duration = Duration::from_secs(2);

/// Text below the options in the help.
const AFTER_HELP: &str = "\
TIME is a whole number and a unit: ms, s, m or h. SIZE is a whole number and a unit: B, KiB or MiB.
Each option can be given as the variable beside it; the command line counts more. Keys are never given on the command
line: PICK_REGNO_API_KEYS holds them, separated by commas, or the file of --api-keys-file does.
Exit codes: 0 stopped as asked; 64 an option cannot be read; 78 the settings do not fit together; 71 the system refused
something, such as a port that is taken.";

/// Arguments of the command.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Address to answer requests on; port 0 takes any free one
    #[arg(
        long,
        env = "PICK_REGNO_LISTEN",
        default_value = "127.0.0.1:5000",
        value_parser = parse_address,
        value_name = "ADDRESS",
        help_heading = "Addresses"
    )]
    pub listen: SocketAddr,
    /// Address of /metrics, /healthz and /readyz
    #[arg(
        long,
        env = "PICK_REGNO_ADMIN",
        default_value = "127.0.0.1:9464",
        value_parser = parse_address,
        value_name = "ADDRESS",
        help_heading = "Addresses"
    )]
    pub admin: SocketAddr,

    /// File with API keys, one a line; read again when it is rewritten. More keys, separated by commas, can be in
    /// PICK_REGNO_API_KEYS. Without any key, and without --client-ca, only loopback addresses are served
    #[arg(
        long,
        env = "PICK_REGNO_API_KEYS_FILE",
        value_name = "FILE",
        help_heading = "Access"
    )]
    pub api_keys_file: Option<PathBuf>,
    #[allow(missing_docs, reason = "the help would show it")]
    #[command(flatten)]
    pub tls: TlsArgs,

    #[allow(missing_docs, reason = "the help would show it")]
    #[command(flatten)]
    pub model: ModelArgs,

    /// Threads that answer requests [default: the number of cores]
    #[arg(
        long,
        env = "PICK_REGNO_WORKERS",
        value_parser = parse_count,
        value_name = "COUNT",
        help_heading = "Limits"
    )]
    pub workers: Option<usize>,
    /// Connections open at once, as far as the limit of open files has room for them; for one more, those make room whose
    /// clients have shown no key, and have an answer or kept them waiting for half a second, else the one that has waited
    /// for a request the longest, and beyond that they wait in the kernel's queue [default: 10000, fewer in a container
    /// whose memory has no room for as many]
    #[arg(
        long,
        env = "PICK_REGNO_MAX_CONNECTIONS",
        value_parser = parse_count,
        value_name = "COUNT",
        help_heading = "Limits"
    )]
    pub max_connections: Option<usize>,
    /// Connections that one client address (of IPv6, a network of 64 bits) may have open; one more is closed at once. Where
    /// clients connect themselves this keeps one from having all; behind a proxy all have its address [default: no limit]
    #[arg(
        long,
        env = "PICK_REGNO_MAX_CONNECTIONS_PER_ADDRESS",
        value_parser = parse_count,
        value_name = "COUNT",
        help_heading = "Limits"
    )]
    pub max_connections_per_address: Option<usize>,
    /// Requests being read or answered at once; more are answered 503
    #[arg(
        long,
        env = "PICK_REGNO_MAX_IN_FLIGHT",
        default_value_t = 4_096,
        value_parser = parse_count,
        value_name = "COUNT",
        help_heading = "Limits"
    )]
    pub max_in_flight: usize,
    /// Bytes of a request's body; more is answered 413
    #[arg(long, env = "PICK_REGNO_MAX_BODY", default_value = "2MiB", value_parser = parse_size, value_name = "SIZE", help_heading = "Limits")]
    pub max_body: u64,
    /// Memory for bodies over all connections: those longer than 16 KiB, answers that wait for their client, and what
    /// batches hold, which may be half of it; a body for which there is no room is answered 503 [default: 64MiB, or a
    /// quarter of a container's memory if that is less]
    #[arg(long, env = "PICK_REGNO_MAX_BODY_MEMORY", value_parser = parse_size, value_name = "SIZE", help_heading = "Limits")]
    pub max_body_memory: Option<u64>,
    /// Bytes of one line (of CSV: one record) of a streamed batch, whose length has no limit; a longer one is answered
    /// with an error of its own
    #[arg(long, env = "PICK_REGNO_MAX_LINE", default_value = "64KiB", value_parser = parse_size, value_name = "SIZE", help_heading = "Limits")]
    pub max_line: u64,
    /// Bytes of a request's line and headers; more is answered 431
    #[arg(long, env = "PICK_REGNO_MAX_HEAD", default_value = "16KiB", value_parser = parse_size, value_name = "SIZE", help_heading = "Limits")]
    pub max_head: u64,

    /// Time for a request's line and headers to arrive
    #[arg(long, env = "PICK_REGNO_HEADER_TIMEOUT", default_value = "10s", value_parser = parse_duration, value_name = "TIME", help_heading = "Deadlines")]
    pub header_timeout: Duration,
    /// Time for a body to arrive; in a batch, for each record, or 1 KiB of it
    #[arg(long, env = "PICK_REGNO_BODY_TIMEOUT", default_value = "10s", value_parser = parse_duration, value_name = "TIME", help_heading = "Deadlines")]
    pub body_timeout: Duration,
    /// Time for a client to take what is written to it; of the answer to a batch, any of it
    #[arg(long, env = "PICK_REGNO_WRITE_TIMEOUT", default_value = "10s", value_parser = parse_duration, value_name = "TIME", help_heading = "Deadlines")]
    pub write_timeout: Duration,
    /// Time that a connection may be open without a request
    #[arg(long, env = "PICK_REGNO_IDLE_TIMEOUT", default_value = "75s", value_parser = parse_duration, value_name = "TIME", help_heading = "Deadlines")]
    pub idle_timeout: Duration,
    /// Age at which a connection ends: its next answer is its last, and one without a request on its way is closed; 0s for
    /// no such end
    #[arg(long, env = "PICK_REGNO_MAX_CONNECTION_AGE", default_value = "0s", value_parser = parse_duration, value_name = "TIME", help_heading = "Deadlines")]
    pub max_connection_age: Duration,
    /// Time between SIGTERM and the moment when no more connections are accepted; /readyz answers 503 meanwhile
    #[arg(long, env = "PICK_REGNO_DRAIN_DELAY", default_value = "0s", value_parser = parse_duration, value_name = "TIME", help_heading = "Deadlines")]
    pub drain_delay: Duration,
    /// Time for the requests on their way to be answered after that
    #[arg(long, env = "PICK_REGNO_DRAIN_TIMEOUT", default_value = "10s", value_parser = parse_duration, value_name = "TIME", help_heading = "Deadlines")]
    pub drain_timeout: Duration,

    /// Least important log lines that are written
    #[arg(
        long,
        env = "PICK_REGNO_LOG_LEVEL",
        default_value = "info",
        value_enum,
        value_name = "LEVEL",
        help_heading = "Log"
    )]
    pub log_level: Level,
    /// Share of the requests that went well that are logged, 0 to 1; refusals and faults always are
    #[arg(
        long,
        env = "PICK_REGNO_LOG_SAMPLE",
        default_value_t = 0.01,
        value_parser = parse_share,
        value_name = "SHARE",
        help_heading = "Log"
    )]
    pub log_sample: f64,

    #[allow(missing_docs, reason = "the help would show it")]
    #[command(flatten)]
    pub record: RecordArgs,

    #[allow(missing_docs, reason = "the help would show it")]
    #[command(flatten)]
    pub sentry: SentryArgs,

    /// Check the settings, say whether they are right, and exit
    #[arg(long)]
    pub check_config: bool,
}

/// Consistent settings.
pub struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) keys: Keys,
    /// The model of `--model`.
    pub(crate) model: Option<FromFiles<Picker>>,
    pub(crate) tls: Option<Tls>,
    /// True if clients must have certificates.
    pub(crate) asks_for_certificates: bool,
    pub(crate) sentry: Option<Target>,
    pub(crate) record: Option<recorder::Settings>,
    pub(crate) workers: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_address: Option<usize>,
    pub(crate) max_in_flight: usize,
    pub(crate) max_body: u64,
    pub(crate) max_body_memory: u64,
    pub(crate) max_line: usize,
    pub(crate) max_head: usize,
    pub(crate) deadlines: Deadlines,
    pub(crate) drain_delay: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) log_level: Level,
    pub(crate) log_sample: f64,
}

/// Error of inconsistent settings: a sentence that names the setting and the remedy.
#[derive(Debug)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl From<KeysError> for ConfigError {
    fn from(error: KeysError) -> ConfigError {
        ConfigError(error.to_string())
    }
}

impl Config {
    /// Memory limit of batches in bytes, below that of long bodies, so that slow batches cannot shut these out.
    pub(crate) fn max_batch_memory(&self) -> u64 {
        self.max_body_memory / 2
    }

    /// Limit in bytes of the answers that may wait for one client.
    pub(crate) fn max_answers(&self) -> u64 {
        self.max_body_memory / 4
    }

    /// Checks `args`. `api_keys` is the text of `PICK_REGNO_API_KEYS`.
    pub fn new(args: &Args, api_keys: Option<&str>) -> Result<Config, ConfigError> {
        // Field by field, so that the compiler reports a setting which nothing reads.
        let Args {
            listen,
            admin,
            api_keys_file,
            tls,
            model,
            workers,
            max_connections,
            max_connections_per_address,
            max_in_flight,
            max_body,
            max_body_memory,
            max_line,
            max_head,
            header_timeout,
            body_timeout,
            write_timeout,
            idle_timeout,
            max_connection_age,
            drain_delay,
            drain_timeout,
            log_level,
            log_sample,
            record,
            sentry,
            // Handled by the caller.
            check_config: _,
        } = args.clone();
        let room = Room::here();
        let max_connections = max_connections.unwrap_or(room.connections);
        let max_body_memory = max_body_memory.unwrap_or(room.body_memory);
        let keys = Keys::load(api_keys, api_keys_file.as_deref())?;
        let files = tls.files().map_err(ConfigError)?;
        let asks_for_certificates = tls.client_ca.is_some();
        if keys.is_empty() && !asks_for_certificates && !listen.ip().is_loopback() {
            return Err(ConfigError(format!(
                "--listen {listen}: without an API key only loopback addresses are served; set {KEYS_VARIABLE}, --api-keys-file or --client-ca"
            )));
        }
        let served_by_tls = files.map(Tls::load).transpose().map_err(ConfigError)?;
        if admin == listen && admin.port() != 0 {
            return Err(ConfigError(format!(
                "--admin {admin}: must differ from --listen"
            )));
        }
        let workers = match workers {
            Some(workers) => workers,
            None => std::thread::available_parallelism()
                .map_or(1, usize::from)
                .min(MAX_WORKERS),
        };
        let in_range = |flag: &str, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(ConfigError(format!(
                    "{flag} {value}: must be {least} to {most}"
                )))
            }
        };
        in_range("--workers", workers as u64, 1, MAX_WORKERS as u64)?;
        in_range("--max-connections", max_connections as u64, 1, 1_000_000)?;
        if let Some(count) = max_connections_per_address {
            in_range("--max-connections-per-address", count as u64, 1, 1_000_000)?;
        }
        in_range("--max-in-flight", max_in_flight as u64, 1, 1_000_000)?;
        in_range("--max-body", max_body, 1, MAX_BODY)?;
        in_range("--max-body-memory", max_body_memory, 1, MAX_BODY_MEMORY)?;
        in_range("--max-line", max_line, 1, MAX_LINE)?;
        in_range("--max-head", max_head, MIN_HEAD, MAX_HEAD)?;
        for (flag, value, needed) in [
            ("--max-body", max_body, max_body),
            ("--max-line", max_line, 2 * batch_memory(max_line)),
        ] {
            if needed > max_body_memory {
                return Err(ConfigError(format!(
                    "--max-body-memory {max_body_memory}: must be {needed} or more, so that {flag} {value} can be used at all"
                )));
            }
        }
        if !(0.0..=1.0).contains(&log_sample) {
            return Err(ConfigError(format!(
                "--log-sample {log_sample}: must be 0 to 1, such as 0.01 for one request in a hundred"
            )));
        }
        for (flag, limit) in [
            ("--handshake-timeout", tls.handshake_timeout),
            ("--header-timeout", header_timeout),
            ("--body-timeout", body_timeout),
            ("--write-timeout", write_timeout),
            ("--idle-timeout", idle_timeout),
        ] {
            if limit.is_zero() {
                return Err(ConfigError(format!(
                    "{flag}: must be more than 0; a client that never goes on would be waited for"
                )));
            }
        }
        Ok(Config {
            listen,
            admin,
            keys,
            model: model.load().map_err(ConfigError)?,
            tls: served_by_tls,
            asks_for_certificates,
            sentry: sentry.target().map_err(ConfigError)?,
            record: record.settings().map_err(ConfigError)?,
            workers,
            max_connections,
            max_connections_per_address,
            max_in_flight,
            max_body,
            max_body_memory,
            max_line: max_line as usize,
            max_head: max_head as usize,
            deadlines: Deadlines {
                handshake: tls.handshake_timeout,
                head: header_timeout,
                body: body_timeout,
                write: write_timeout,
                idle: idle_timeout,
                linger: LINGER,
                age: (!max_connection_age.is_zero()).then_some(max_connection_age),
                expelled: drain_timeout,
            },
            drain_delay,
            drain_timeout,
            log_level,
            log_sample,
        })
    }

    /// Credentials that a client needs.
    pub(crate) fn asks_for(&self) -> &'static str {
        match (!self.keys.is_empty(), self.asks_for_certificates) {
            (true, true) => "API key and client certificate",
            (true, false) => "API key",
            (false, true) => "client certificate",
            (false, false) => "nothing",
        }
    }

    /// Sentences about settings that are valid but weak.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let of_tls = self.tls.as_ref().map(Tls::warnings);
        [self.keys.warnings(), of_tls.unwrap_or_default()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn config(flags: &[&str], keys: Option<&str>) -> Result<Config, String> {
        let line = [&["serve"], flags].concat();
        let args = Line::try_parse_from(line)
            .map_err(|why| why.to_string())?
            .args;
        Config::new(&args, keys).map_err(|why| why.to_string())
    }

    #[test]
    fn defaults_fit_together() {
        let config = config(&[], None).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:5000");
        assert_eq!(config.max_body, 2 << 20);
        assert_eq!(config.deadlines.idle, Duration::from_secs(75));
    }

    #[test]
    fn other_than_loopback_needs_a_key() {
        let error = config(&["--listen", "0.0.0.0:5000"], None).err().unwrap();
        assert_eq!(
            error,
            "--listen 0.0.0.0:5000: without an API key only loopback addresses are served; \
             set PICK_REGNO_API_KEYS, --api-keys-file or --client-ca"
        );
        assert!(config(&["--listen", "0.0.0.0:5000"], Some("k")).is_ok());
        assert!(config(&["--listen", "[::1]:5000"], None).is_ok());
    }

    #[test]
    fn values_out_of_range_are_named() {
        for (flags, part) in [
            (["--max-body", "2GiB"], "a size is a whole number"),
            (
                ["--max-body", "2000MiB"],
                "--max-body 2097152000: must be 1 to",
            ),
            (["--max-head", "10"], "--max-head 10: must be 1024 to"),
            (["--workers", "0"], "--workers 0: must be 1 to 256"),
            (
                ["--idle-timeout", "0s"],
                "--idle-timeout: must be more than 0",
            ),
            (
                ["--idle-timeout", "10"],
                "a duration is a whole number and a unit",
            ),
            (
                ["--idle-timeout", "-1s"],
                "a duration is a whole number and a unit",
            ),
            (["--idle-timeout", "200h"], "at most a week"),
            (["--admin", "127.0.0.1:5000"], "must differ from --listen"),
            (["--tls-cert", "a.pem"], "--tls-cert: needs --tls-key"),
            (["--tls-key", "a.pem"], "--tls-key: needs --tls-cert"),
            (
                ["--client-ca", "a.pem"],
                "--client-ca: client certificates need TLS",
            ),
            (
                ["--api-keys-file", "/nonexistent/keys"],
                "/nonexistent/keys: No such file",
            ),
        ] {
            let flags: Vec<String> = vec![flags[0].into(), flags[1].into()];
            let joined = format!("{}={}", flags[0], flags[1]);
            let error = config(&[&joined], None).err().unwrap();
            assert!(error.contains(part), "{joined}: {error}");
        }
    }
}
