//! Worker: one thread, one runtime, one listening socket, and the connections that the kernel assigns to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::accept::{Acceptor, Place};
use super::addresses::Addresses;
use super::connection;
use super::connections::{Connections, SWEEP_EVERY};
use super::drain::Stage;
use super::guesses::Guesses;
use super::handshake::shake_hands;
use super::phase::{ConnectionState, Phase};
use crate::serve::api::admin::Admin;
use crate::serve::api::ledger::Desk;
use crate::serve::api::routes::Routes;
use crate::serve::app::App;
use crate::serve::telemetry::metrics::Shard;
use crate::serve::telemetry::observe::Observations;
use crate::serve::telemetry::request_log::RequestLog;

/// Time to wait for clients that began to connect before the server stopped accepting: a round trip or two.
const LAST_HANDSHAKES: Duration = Duration::from_millis(100);

/// Time for which a connection without a request is kept after that.
const FIRST_REQUESTS: Duration = Duration::from_secs(1);

/// Service that answers a listener's connections.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Service,
    Admin,
}

/// Listener with its connections.
pub(crate) struct Worker {
    pub(crate) app: Arc<App>,
    pub(crate) shard: Arc<Shard>,
    pub(crate) observations: Arc<Observations>,
    pub(crate) requests: Arc<RequestLog>,
    pub(crate) role: Role,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) addresses: Arc<Addresses>,
    /// Connections of this listener.
    pub(crate) connections: Arc<Connections>,
    /// Connections of all listeners that share the slots.
    pub(crate) tables: Arc<[Arc<Connections>]>,
    pub(crate) stage: watch::Receiver<Stage>,
}

impl Worker {
    /// Accepts and answers until the server is stopped, and then until the last connection has ended.
    pub(crate) async fn run(mut self, listener: TcpListener) {
        let connections = Arc::clone(&self.connections);
        let mut acceptor = Acceptor::new(
            listener,
            Arc::clone(&self.places),
            Arc::clone(&self.addresses),
            Arc::clone(&self.tables),
            Arc::clone(&self.shard),
        );
        // Operators want to observe a drain.
        let last_stage = match self.role {
            Role::Service => Stage::Closing,
            Role::Admin => Stage::Aborting,
        };
        let sweep = tokio::spawn(sweep(
            Arc::clone(&connections),
            Arc::clone(&self.app),
            Arc::clone(&self.requests),
        ));
        loop {
            tokio::select! {
                biased;
                changed = self.stage.changed() => {
                    let stage = *self.stage.borrow_and_update();
                    connections.wake_where(|state| {
                        state.draining.store(true, Relaxed);
                        false
                    });
                    if changed.is_err() || stage >= last_stage {
                        break;
                    }
                }
                (stream, place) = acceptor.next(&self.app.log) => self.start(stream, place),
            }
        }
        self.accept_backlog(&mut acceptor).await;
        drop(acceptor);
        // Clients that have connected and not sent anything are about to: their requests were accepted, too.
        connections.wake_where(|state| {
            state.closing.store(state.answered.load(Relaxed), Relaxed);
            true
        });
        let mut first_requests = std::pin::pin!(tokio::time::sleep(FIRST_REQUESTS));
        while !connections.is_empty() && *self.stage.borrow_and_update() < Stage::Aborting {
            tokio::select! {
                _ = self.stage.changed() => {}
                () = &mut first_requests, if !first_requests.is_elapsed() => {
                    connections.wake_where(|state| {
                        state.closing.store(true, Relaxed);
                        true
                    });
                }
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
        }
        sweep.abort();
        self.requests.flush(&self.app.log);
        if let Some(recorder) = &self.app.recorder {
            recorder.flush();
        }
    }

    /// Accepts the connections that the kernel has completed already, or completes within [`LAST_HANDSHAKES`].
    async fn accept_backlog(&self, acceptor: &mut Acceptor) {
        let end = tokio::time::sleep(LAST_HANDSHAKES);
        let mut end = std::pin::pin!(end);
        while *self.stage.borrow() < Stage::Aborting {
            tokio::select! {
                biased;
                (stream, place) = acceptor.next(&self.app.log) => self.start(stream, place),
                () = &mut end => break,
            }
        }
    }

    fn start(&self, stream: TcpStream, place: Place) {
        let begins_with = match (self.role, &self.app.config.tls) {
            (Role::Service, Some(_)) => Phase::Handshake,
            _ => Phase::Head,
        };
        let state = Arc::new(ConnectionState::new(begins_with));
        let stage = *self.stage.borrow();
        state.draining.store(stage >= Stage::Draining, Relaxed);
        let registered = self.connections.add(Arc::clone(&state));
        let app = Arc::clone(&self.app);
        let shard = Arc::clone(&self.shard);
        let observations = Arc::clone(&self.observations);
        let requests = Arc::clone(&self.requests);
        let role = self.role;
        let open = Open::new(Arc::clone(&shard));
        tokio::spawn(async move {
            match role {
                Role::Service => {
                    let routes = Routes(Arc::new(Desk {
                        app: Arc::clone(&app),
                        shard: Arc::clone(&shard),
                        observations,
                        requests,
                        state: Arc::clone(&state),
                        guesses: Guesses::default(),
                    }));
                    match &app.config.tls {
                        None => {
                            connection::serve(
                                stream,
                                Arc::clone(&app),
                                routes,
                                state,
                                Arc::clone(&shard),
                            )
                            .await;
                        }
                        // Boxed, so that connections without TLS do not have its size.
                        Some(tls) => {
                            Box::pin(async {
                                app.faults.at("handshake");
                                if let Some(stream) = shake_hands(tls, stream, &state, &shard).await
                                {
                                    if app.config.asks_for_certificates {
                                        state.trusted.store(true, Relaxed);
                                    }
                                    let shard = Arc::clone(&shard);
                                    let app = Arc::clone(&app);
                                    connection::serve(stream, app, routes, state, shard).await;
                                }
                            })
                            .await
                        }
                    }
                }
                Role::Admin => {
                    let admin = Admin {
                        app: Arc::clone(&app),
                        state: Arc::clone(&state),
                        page: Mutex::default(),
                    };
                    connection::serve(stream, app, admin, state, Arc::clone(&shard)).await;
                }
            }
            drop((open, registered, place));
        });
    }
}

/// Connection that is counted as open until it is dropped, also by a panic of its task.
struct Open(Arc<Shard>);

impl Open {
    fn new(shard: Arc<Shard>) -> Open {
        shard.connections.add(1);
        Open(shard)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.add(-1);
    }
}

/// Ends waits beyond their deadlines, and passes log lines on, while the worker runs.
async fn sweep(connections: Arc<Connections>, app: Arc<App>, requests: Arc<RequestLog>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = Instant::now();
    loop {
        ticks.tick().await;
        let now = Instant::now();
        // Without the sweep no wait would end. `panics` has counted and logged the panic.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            app.faults.at("sweep");
            connections.sweep(&app.config.deadlines, last, now);
            requests.flush(&app.log);
            if let Some(recorder) = &app.recorder {
                recorder.flush();
            }
        }));
        last = now;
    }
}
