//! `work`: answers the requests of a RabbitMQ queue.
//!
//! | module | what it does |
//! | --- | --- |
//! | `address` | reads `amqp://…` |
//! | `session` | one connection: takes messages, publishes answers, acknowledges |
//! | `event` | what the broker and Redis say meanwhile; `callbacks` takes it from the client library |
//! | `message` | a message → what to do with it; `celery` reads and writes Celery's protocol |
//! | `model` | the model: compiled in, or of a file |
//! | `window` | which message may be acknowledged |
//! | `results` | results of Celery tasks in Redis |
//!
//! A message is acknowledged once the broker (or Redis) has confirmed its answer. So each message is answered at least once:
//! after a lost connection it comes again, and its answer may come twice.

mod address;
mod callbacks;
mod celery;
mod counts;
mod event;
mod message;
mod model;
mod results;
mod session;
mod window;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use amqprs::connection::Connection;
use metrics::Counter;
use tokio::sync::watch;
use tokio::time::timeout;

use self::address::Address;
use self::counts::Counts;
use self::message::Rules;
use self::model::Model;
use self::results::Results;
use self::session::{Bench, Ended};
use crate::retry::Backoff;
use crate::tls::TlsArgs;
use crate::{Stop, admin, log, stop};

/// Time to open a connection, or to close it.
const OPENING: Duration = Duration::from_secs(10);

/// Arguments of `work`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The queue is taken as it is; where it does not exist, it is declared durable, as Celery does. Set a dead-letter exchange and a
delivery limit with a policy: rejected messages are lost without one.
Exit codes: 0 stopped as asked; 64 an option cannot be read; 78 the settings do not fit; 71 a port is taken.")]
pub struct Args {
    /// Address of the broker: amqp://user:password@host:port/vhost, or amqps:// for TLS
    #[arg(
        env = "PICK_REGNO_CONNECT_BROKER",
        hide_env_values = true,
        value_name = "ADDRESS"
    )]
    broker: String,
    /// File with the broker's password, in place of the one in the address; read at each connection
    #[arg(long, env = "PICK_REGNO_CONNECT_PASSWORD_FILE", value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Queue that requests come from
    #[arg(
        long,
        env = "PICK_REGNO_CONNECT_QUEUE",
        default_value = "pick_regno",
        value_name = "NAME"
    )]
    queue: String,
    /// Model file to load, .cbm or JSON, with the inputs of the model that is compiled in; by default that one answers
    #[arg(long, env = "PICK_REGNO_CONNECT_MODEL", value_name = "FILE")]
    model: Option<PathBuf>,
    /// Name of the Celery task that is answered
    #[arg(
        long,
        env = "PICK_REGNO_CONNECT_TASK",
        default_value = "pick_regno",
        value_name = "NAME"
    )]
    task: String,
    /// Backend for results of Celery tasks: redis://host:port/database; by default to the client's own queue, Celery's rpc://
    #[arg(
        long,
        env = "PICK_REGNO_CONNECT_RESULTS",
        hide_env_values = true,
        value_name = "ADDRESS"
    )]
    results: Option<String>,
    /// Seconds that results are kept in Redis
    #[arg(long, env = "PICK_REGNO_CONNECT_RESULTS_EXPIRE", default_value_t = 86_400, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(1..))]
    results_expire: u32,
    /// Messages that the broker may deliver before their answers are confirmed
    #[arg(long, env = "PICK_REGNO_CONNECT_PREFETCH", default_value_t = 1_000, value_name = "COUNT",
          value_parser = clap::value_parser!(u16).range(1..))]
    prefetch: u16,
    /// Seconds between heartbeats
    #[arg(long, env = "PICK_REGNO_CONNECT_HEARTBEAT", default_value_t = 30, value_name = "SECONDS",
          value_parser = clap::value_parser!(u16).range(2..=600))]
    heartbeat: u16,
    /// Seconds after SIGTERM for the answers on their way to be confirmed
    #[arg(
        long,
        env = "PICK_REGNO_CONNECT_DRAIN_TIMEOUT",
        default_value_t = 10,
        value_name = "SECONDS"
    )]
    drain_timeout: u16,
    /// Address of /metrics, /healthz and /readyz
    #[arg(
        long,
        env = "PICK_REGNO_CONNECT_ADMIN",
        default_value = "127.0.0.1:9465",
        value_name = "ADDRESS"
    )]
    admin: SocketAddr,
    #[allow(missing_docs, reason = "the help would show it")]
    #[command(flatten)]
    tls: TlsArgs,
}

/// Runs the command until SIGTERM or SIGINT. A lost connection is opened again, after delays of [`Backoff`];
/// Redis must be reached before the first.
///
/// # Errors
/// If settings do not fit, the model cannot be loaded, or the port is taken. A broker that cannot be reached
/// is no error.
pub async fn run(args: Args) -> Result<(), Stop> {
    let address = Address::read(&args.broker).map_err(Stop::config)?;
    // A file that cannot be used is told at once, not at each attempt.
    address
        .arguments(args.heartbeat, args.password_file.as_deref(), &args.tls)
        .map_err(Stop::config)?;
    let model = match &args.model {
        None => Model::Compiled,
        Some(file) => Model::load(file)
            .map_err(|why| Stop::config(format!("--model {}: {why}", file.display())))?,
    };
    let ready = Arc::new(AtomicBool::new(false));
    admin::start(args.admin, Arc::clone(&ready)).await?;
    let mut stopping = stop::on_signals()?;
    let counts = Counts::new();
    let keep = Duration::from_secs(args.results_expire.into());
    let results = match &args.results {
        None => None,
        Some(url) => match connect_results(url, keep, &counts.result_retries, &mut stopping).await?
        {
            Some(results) => Some(results),
            None => return Ok(()),
        },
    };
    let rules = Rules {
        task: args.task.clone(),
        results_in_redis: results.is_some(),
        model,
    };
    log::info("model", &[("sha256", rules.model.sha256())]);
    let bench = Bench {
        queue: &args.queue,
        prefetch: args.prefetch,
        rules: &rules,
        results: results.as_ref(),
        counts: &counts,
        drain: Duration::from_secs(args.drain_timeout.into()),
    };
    let mut backoff = Backoff::default();
    while !*stopping.borrow_and_update() {
        let why = match connect(&address, &args).await {
            Err(why) => why,
            Ok(connection) => {
                counts.connections.increment(1);
                counts.connected.set(1.0);
                ready.store(true, Relaxed);
                log::info(
                    "connected",
                    &[("broker", &address.server()), ("queue", &args.queue)],
                );
                backoff.reset();
                let ended = session::work(&connection, &bench, &mut stopping).await;
                ready.store(false, Relaxed);
                counts.connected.set(0.0);
                counts.blocked.set(0.0);
                // What was published before goes out first; a broker that is gone is not waited for.
                let _ = timeout(OPENING, connection.close()).await;
                match ended {
                    Ok(Ended::Stopped) => break,
                    Ok(Ended::Lost(why)) | Err(why) => why,
                }
            }
        };
        let wait = backoff.next();
        log::warn(
            "not connected",
            &[
                ("broker", &address.server()),
                ("why", &why),
                ("again_in_ms", &wait.as_millis().to_string()),
            ],
        );
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopping.changed() => {}
        }
    }
    log::info("stopped", &[]);
    Ok(())
}

/// Opens a connection to the broker, within [`OPENING`]. Passwords and certificates are read again.
async fn connect(address: &Address, args: &Args) -> Result<Connection, String> {
    let arguments = address.arguments(args.heartbeat, args.password_file.as_deref(), &args.tls)?;
    match timeout(OPENING, Connection::open(&arguments)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(why)) => Err(why.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

/// Connects to Redis, again and again; `None` if it is to stop before that.
async fn connect_results(
    url: &str,
    keep: Duration,
    retries: &Counter,
    stop: &mut watch::Receiver<bool>,
) -> Result<Option<Results>, Stop> {
    Results::check(url).map_err(Stop::config)?;
    let mut backoff = Backoff::default();
    loop {
        let why = match Results::connect(url, keep, retries).await {
            Ok(results) => return Ok(Some(results)),
            Err(why) => why,
        };
        log::warn("Redis cannot be reached", &[("why", &why)]);
        tokio::select! {
            () = tokio::time::sleep(backoff.next()) => {}
            _ = stop.changed() => return Ok(None),
        }
    }
}
