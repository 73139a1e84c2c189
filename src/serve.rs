//! `serve`: answers requests over HTTP/1.1.
//!
//! | listener | route | method | answer |
//! | --- | --- | --- | --- |
//! | `--listen` | `/` | GET, HEAD | `{"body":"ok","status":"ok"}` |
//! | | `/reg/` | POST | what the model says of one object, or of each of an array |
//! | | `/reg` | POST | 308 to `/reg/` |
//! | | `/openapi.json` | GET, HEAD | what this table says, for programs |
//! | | `/docs` | GET, HEAD | the same for people, who can send a request from there |
//! | `--admin` | `/metrics` | GET, HEAD | counts, in Prometheus' text format |
//! | | `/healthz` | GET, HEAD | 200 while the process lives |
//! | | `/readyz` | GET, HEAD | 200 while requests should be sent to it |
//!
//! Life cycle of a server: [`Config`] is checked, [`Server::bind`] takes the ports, [`Server::run`] serves until it is
//! stopped, and then drains. Each worker is one thread with its own runtime and its own listening socket; workers share
//! only keys, the log and a few counters.
//!
//! On the way in: `accept` → `connection` → `wire` (bytes, checked by `framing` and `head`) → hyper → `routes`.

mod api;
mod app;
mod faults;
mod http;
mod self_check;
pub(crate) mod settings;
mod start_error;
mod telemetry;

/// Interface for the fuzz targets.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    pub use super::http::framing::Framer;
}

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use self::api::admin;
use self::api::docs::Docs;
use self::app::{Alone, App};
pub use self::faults::Faults;
use self::http::addresses::Addresses;
use self::http::connections::Connections;
pub use self::http::drain::Stopper;
use self::http::drain::{Signal, Stage};
use self::http::worker::{Role, Worker};
use self::http::{accept, descriptors, drain};
pub use self::settings::config::{Args, Config, ConfigError};
use self::settings::files;
use self::settings::keys::{KEYS_VARIABLE, secret};
pub use self::settings::keys::{Keys, KeysError};
pub use self::settings::model::ModelArgs;
pub use self::settings::tls::TlsArgs;
pub use self::start_error::StartError;
pub use self::telemetry::log::Level;
use self::telemetry::log::{Log, Value};
use self::telemetry::metrics::Shard;
use self::telemetry::request_log::RequestLog;
pub use self::telemetry::sentry::SentryArgs;
use self::telemetry::sentry::{DSN_VARIABLE, Sentry};
use self::telemetry::{panics, process, scrape};
use crate::exit;
use crate::memory::KeepBlocks;
use crate::messages::tell;
use crate::recorder::{Lost, Recorder};

/// Runs the command.
pub fn run(mut args: Args) -> ExitCode {
    let secrets = secret(KEYS_VARIABLE).and_then(|keys| Ok((keys, secret(DSN_VARIABLE)?)));
    let config = secrets
        .map_err(ConfigError::from)
        .and_then(|(api_keys, sentry_dsn)| {
            args.sentry.sentry_dsn = sentry_dsn;
            Config::new(&args, api_keys.as_deref())
        });
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            tell(format_args!("pick-regno serve: {error}"));
            return ExitCode::from(exit::CONFIG);
        }
    };
    if args.check_config {
        for warning in config.warnings() {
            tell(format_args!("pick-regno serve: warning: {warning}"));
        }
        // The exit code says the same.
        let _ = writeln!(io::stdout(), "the settings are right");
        return ExitCode::SUCCESS;
    }
    process::dump_no_memory();
    let served = Server::bind(config).and_then(|server| server.stop_on_signals().run());
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(format_args!("pick-regno serve: {error}"));
            ExitCode::from(exit::SYSTEM)
        }
    }
}

/// Adds the remedy, if there is one.
fn cannot_listen(flag: &str, addr: SocketAddr, why: io::Error) -> StartError {
    let remedy = match why.kind() {
        io::ErrorKind::AddrInUse => "; end the program that has it, or give another port",
        io::ErrorKind::AddrNotAvailable => {
            "; give an address of this machine, or 0.0.0.0 for all that it has"
        }
        io::ErrorKind::PermissionDenied => "; give a port from 1024 on",
        _ => "",
    };
    StartError {
        what: format!("{flag} {addr}: cannot listen"),
        why: io::Error::new(why.kind(), format!("{why}{remedy}")),
    }
}

/// Server that has bound its ports, and does not answer yet.
pub struct Server {
    app: Arc<App>,
    listeners: Vec<TcpListener>,
    admin: TcpListener,
    stopper: Stopper,
    signals: bool,
}

impl Server {
    /// Binds the ports. Connections that arrive before [`Server::run`] wait in the kernel.
    pub fn bind(mut config: Config) -> Result<Server, StartError> {
        process::started();
        let bind = |flag: &str, addr, count| {
            accept::listen(addr, count).map_err(|why| cannot_listen(flag, addr, why))
        };
        let listeners = bind("--listen", config.listen, config.workers)?;
        let admin = bind("--admin", config.admin, 1)?.remove(0);
        let log = Log::to_stderr(config.log_level);
        descriptors::suffice_for(&mut config, &log)?;
        let sentry = config.sentry.take().map(Sentry::start);
        let sentry = sentry.transpose().map_err(|why| StartError {
            what: "cannot start a thread".to_owned(),
            why,
        })?;
        let shards: Vec<Arc<Shard>> = listeners.iter().map(|_| Arc::default()).collect();
        scrape::expect_events(&shards[0]);
        let recorder = config.record.as_ref().map(Recorder::start);
        let recorder = recorder.transpose().map_err(|why| StartError {
            what: "--record: cannot record".to_owned(),
            why,
        })?;
        Ok(Server {
            app: Arc::new(App {
                registry: scrape::registry(),
                shards,
                observations: listeners.iter().map(|_| Arc::default()).collect(),
                docs: Docs::new(&config),
                config,
                log,
                sentry,
                recorder,
                faults: Faults::default(),
                panics: AtomicU64::new(0),
                models: Mutex::default(),
                in_flight: Alone(AtomicUsize::new(0)),
                ready: AtomicBool::new(false),
            }),
            listeners,
            admin,
            stopper: Stopper::new(),
            signals: false,
        })
    }

    /// Handles signals: the first SIGTERM or SIGINT drains the server and the second ends it; SIGHUP reads keys and
    /// certificates again.
    pub fn stop_on_signals(mut self) -> Server {
        self.signals = true;
        self
    }

    /// Injects faults, for tests. No setting does this.
    #[doc(hidden)]
    pub fn with_faults(mut self, faults: Faults) -> Server {
        if let Some(app) = Arc::get_mut(&mut self.app) {
            app.faults = faults;
        }
        self
    }

    /// Address of the service.
    pub fn addr(&self) -> SocketAddr {
        local_addr(&self.listeners[0])
    }

    /// Address of `/metrics`, `/healthz` and `/readyz`.
    pub fn admin_addr(&self) -> SocketAddr {
        local_addr(&self.admin)
    }

    /// Returns a handle that stops the server from another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Checks the compiled model, then answers requests until the server is stopped.
    pub fn run(self) -> Result<(), StartError> {
        self_check::pass(crate::model::self_check)?;
        panics::watch(&self.app);
        let (addr, admin_addr) = (self.addr(), self.admin_addr());
        let (stage, stages) = watch::channel(Stage::Serving);
        let places = Arc::new(Semaphore::new(self.app.config.max_connections));
        let tables: Arc<[Arc<Connections>]> =
            self.listeners.iter().map(|_| Arc::default()).collect();
        let addresses = Arc::new(Addresses::new(self.app.config.max_connections_per_address));
        let mut threads = Vec::new();
        let listeners: io::Result<Vec<_>> =
            self.listeners.iter().map(TcpListener::try_clone).collect();
        let listeners = listeners.map_err(|why| StartError {
            what: "cannot share a listener".to_owned(),
            why,
        })?;
        for (index, listener) in self.listeners.into_iter().enumerate() {
            let worker = Worker {
                app: Arc::clone(&self.app),
                shard: Arc::clone(&self.app.shards[index]),
                observations: Arc::clone(&self.app.observations[index]),
                requests: Arc::new(RequestLog::new(self.app.config.log_sample)),
                role: Role::Service,
                places: Arc::clone(&places),
                addresses: Arc::clone(&addresses),
                connections: Arc::clone(&tables[index]),
                tables: Arc::clone(&tables),
                stage: stages.clone(),
            };
            let runtime = runtime()?;
            let thread = std::thread::Builder::new()
                .name("worker".to_owned())
                .spawn(move || {
                    let _keep = KeepBlocks::on_this_thread();
                    panics::watch(&worker.app);
                    runtime.block_on(serve(worker, listener))
                });
            threads.push(thread.map_err(|why| StartError {
                what: "cannot start a thread".to_owned(),
                why,
            })?);
        }
        let connections = Arc::<Connections>::default();
        let admin = Worker {
            app: Arc::clone(&self.app),
            shard: Arc::default(),
            observations: Arc::default(),
            requests: Arc::new(RequestLog::new(0.0)),
            role: Role::Admin,
            places: Arc::new(Semaphore::new(admin::MAX_CONNECTIONS)),
            addresses: Arc::new(Addresses::new(None)),
            tables: Arc::new([Arc::clone(&connections)]),
            connections,
            stage: stages,
        };
        let control = runtime()?;
        let (reread, rereads) = sync_channel(1);
        let open = Arc::clone(&tables);
        let watch = move |app: &Weak<App>| files::watch(app, &rereads, &open);
        beside(&self.app, "files", watch)?;
        let (reread_model, rereads) = sync_channel(1);
        if self.app.config.model.is_some() {
            let watch = move |app: &Weak<App>| files::watch_model(app, &rereads);
            beside(&self.app, "model", watch)?;
        }
        beside(&self.app, "metrics", scrape::hand_over)?;
        let signals = {
            let _inside = control.enter();
            let app = Arc::clone(&self.app);
            let stopper = self.stopper.clone();
            let on_signal = move |signal: Signal| {
                let name = [("signal", Value::Text(signal.name()))];
                if signal == Signal::Hangup {
                    app.log.line(Level::Info, "reading files again", &name);
                    for reread in [&reread, &reread_model] {
                        // There is no thread for a model that is compiled in.
                        let _ = reread.try_send(());
                    }
                } else {
                    app.log.line(Level::Info, "asked to stop", &name);
                    stopper.stop();
                }
            };
            let signals = self.signals.then(|| drain::on_signals(on_signal));
            signals.transpose().map_err(|why| StartError {
                what: "cannot listen for signals".to_owned(),
                why,
            })?
        };
        let ended = control.block_on(async {
            let admin = tokio::spawn(serve(admin, self.admin));
            let signals = signals.map(tokio::spawn);
            self.app.ready.store(true, Relaxed);
            files::warn(&self.app, self.app.config.warnings());
            if let Some(recorder) = &self.app.recorder
                && recorder.lost(Lost::Killed) > 0
            {
                self.app.log.line(
                    Level::Warn,
                    "a process that recorded here was killed; the rows in its memory are lost",
                    &[("rows", Value::Number(recorder.lost(Lost::Killed)))],
                );
            }
            self.app.log.line(
                Level::Info,
                "serving",
                &[
                    ("asks_for", Value::Text(self.app.config.asks_for())),
                    ("address", Value::Text(&addr.to_string())),
                    ("admin", Value::Text(&admin_addr.to_string())),
                    ("workers", Value::Number(threads.len() as u64)),
                    ("version", Value::Text(env!("CARGO_PKG_VERSION"))),
                    ("model", Value::Text(self.app.picker().sha256())),
                ],
            );
            drain::stop_in_stages(&self.app, &self.stopper, &stage, &threads, listeners).await;
            let _ = stage.send(Stage::Aborting);
            if let Some(signals) = signals {
                signals.abort();
            }
            admin.await
        });
        let mut whole = ended.is_ok_and(|ended| ended.is_ok());
        for thread in threads {
            whole &= thread.join().is_ok_and(|ended| ended.is_ok());
        }
        if let Some(recorder) = &self.app.recorder {
            recorder.finish(Duration::from_secs(5));
            let lost = Lost::ALL.map(|why| recorder.lost(why)).iter().sum();
            self.app.log.line(
                Level::Info,
                "recording ended",
                &[
                    ("rows", Value::Number(recorder.given())),
                    ("written", Value::Number(recorder.written())),
                    ("lost", Value::Number(lost)),
                ],
            );
        }
        self.app.log.line(Level::Info, "stopped", &[]);
        self.app.log.flush(Duration::from_millis(500));
        if let Some(sentry) = &self.app.sentry {
            sentry.flush(Duration::from_secs(2));
        }
        if whole {
            Ok(())
        } else {
            Err(StartError {
                what: "a worker ended early".to_owned(),
                why: io::Error::other("see the lines above"),
            })
        }
    }
}

/// Starts a thread beside the workers.
fn beside(
    app: &Arc<App>,
    name: &str,
    task: impl FnOnce(&Weak<App>) + Send + 'static,
) -> Result<(), StartError> {
    let app = Arc::downgrade(app);
    let thread = std::thread::Builder::new().name(name.to_owned());
    let work = move || {
        if let Some(app) = app.upgrade() {
            panics::watch(&app);
        }
        task(&app);
    };
    let started = thread.spawn(work).map(drop);
    started.map_err(|why| StartError {
        what: "cannot start a thread".to_owned(),
        why,
    })
}

async fn serve(worker: Worker, listener: TcpListener) -> io::Result<()> {
    worker
        .run(tokio::net::TcpListener::from_std(listener)?)
        .await;
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime, StartError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|why| StartError {
            what: "cannot start a runtime".to_owned(),
            why,
        })
}

fn local_addr(listener: &TcpListener) -> SocketAddr {
    listener
        .local_addr()
        .expect("a socket that listens has an address")
}
