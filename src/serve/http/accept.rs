//! Listening sockets, and an accept loop that outlives everything.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::addresses::{Addresses, Admitted};
use super::connections::{Connections, SWEEP_EVERY, make_room};
use crate::serve::telemetry::log::{Level, Log, Value};
use crate::serve::telemetry::metrics::Shard;

/// Connections that wait in the kernel to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// Bytes that the kernel may hold for a client that does not read; left alone it takes up to 4 MiB each.
const SEND_BUFFER: usize = 64 * 1024;
/// Time between two log lines about failures of accept.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// The wait after a failure of accept that is not the connection's own, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

/// Binds and listens with `count` sockets of this process, among which the kernel spreads connections.
///
/// The first is bound before it shares its port, so that it gets the port from nobody: two processes that share their ports
/// would each get some of the other's requests. Of two that start at once, one cannot bind or cannot listen.
pub(crate) fn listen(addr: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let first = bind(addr, false)?;
    first.listen(BACKLOG)?;
    // Port 0 has become one.
    let addr = first.local_addr()?;
    let addr = addr.as_socket().expect("it was bound to one");
    let mut sockets = vec![first];
    if count > 1 {
        sockets[0].set_reuse_port(true)?;
        for _ in 1..count {
            let socket = bind(addr, true)?;
            socket.listen(BACKLOG)?;
            sockets.push(socket);
        }
    }
    Ok(sockets.into_iter().map(TcpListener::from).collect())
}

fn bind(addr: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(addr),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for connections of the process before it to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    // Connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// A connection's place among those of the server, and among those of its address.
pub(crate) struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_address: Admitted,
}

/// A listener, and the places that its connections take.
pub(crate) struct Acceptor {
    listener: tokio::net::TcpListener,
    places: Arc<Semaphore>,
    /// The connections that have these places, this listener's and others'.
    tables: Arc<[Arc<Connections>]>,
    shard: Arc<Shard>,
    addresses: Arc<Addresses>,
    /// A connection without a place.
    waiting: Option<(TcpStream, Admitted)>,
    /// When a failure was last told.
    told: Option<Instant>,
}

impl Acceptor {
    pub(crate) fn new(
        listener: tokio::net::TcpListener,
        places: Arc<Semaphore>,
        addresses: Arc<Addresses>,
        tables: Arc<[Arc<Connections>]>,
        shard: Arc<Shard>,
    ) -> Acceptor {
        Acceptor {
            listener,
            places,
            addresses,
            tables,
            shard,
            waiting: None,
            told: None,
        }
    }

    /// The next connection, with its place among those that may be open. Nothing is lost if the future is dropped.
    ///
    /// If there is no place, connections that have waited for their clients make room ([`make_room`]); clients beyond the
    /// one that waits here wait in the kernel's queue, and cost nothing. Never fails: an error of one connection is
    /// passed over, and any other, such as no file descriptor being left, is counted, told and waited out.
    pub(crate) async fn next(&mut self, log: &Log) -> (TcpStream, Place) {
        if self.waiting.is_none() {
            self.waiting = Some(self.accept(log).await);
        }
        let place = loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                break place;
            }
            self.shard.evicted.add(make_room(&self.tables));
            // Whoever is busy now may be idle soon.
            let freed = Arc::clone(&self.places).acquire_owned();
            if let Ok(Ok(place)) = tokio::time::timeout(SWEEP_EVERY, freed).await {
                break place;
            }
        };
        let (stream, of_address) = self.waiting.take().expect("put there above");
        self.shard.accepted.inc();
        let place = Place {
            _of_all: place,
            _of_address: of_address,
        };
        (stream, place)
    }

    async fn accept(&mut self, log: &Log) -> (TcpStream, Admitted) {
        let mut wait = BACK_OFF.0;
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    let Some(admitted) = self.addresses.admit(address.ip()) else {
                        self.shard.evicted.inc();
                        continue;
                    };
                    // Answers are written whole; waiting to join small packets would only delay them.
                    let _ = stream.set_nodelay(true);
                    return (stream, admitted);
                }
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    self.shard.accept_errors.inc();
                    if self.told.is_none_or(|told| told.elapsed() > TOLD_EVERY) {
                        self.told = Some(Instant::now());
                        let why = Value::Text(&error.to_string());
                        log.line(Level::Error, "cannot accept connections", &[("why", why)]);
                    }
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(BACK_OFF.1);
                }
            }
        }
    }
}

/// Makes the kernel refuse whoever begins to connect from now on to `listeners`, all that share a port, in the order in which they were
/// bound; connections that it has completed, or is about to, can still be accepted. Closing the listeners would reset these, and their
/// clients, who may have sent a request already, could not know whether it was worked on. Dropping what begins a connection (a socket
/// filter can) would have clients wait for a second.
///
/// A listener that belongs to a network interface is found by what comes through that interface alone; these then belong to one that
/// there is not. Linux 5.7 and later let any process do that. Of several, the kernel may choose one that belongs nowhere while another does
/// not yet, and drops what begins a connection then; so all go to the last before, which is taken away last.
pub(crate) fn refuse_newcomers(listeners: &[TcpListener]) -> io::Result<()> {
    let nowhere = libc::c_int::MAX;
    if let [first, _, ..] = listeners {
        let last = listeners.len() as u32 - 1;
        // Classic BPF: return a number.
        let mut choose_last = libc::sock_filter {
            code: 0x06,
            jt: 0,
            jf: 0,
            k: last,
        };
        let program = libc::sock_fprog {
            len: 1,
            filter: &raw mut choose_last,
        };
        set(first, libc::SO_ATTACH_REUSEPORT_CBPF, &program)?;
    }
    listeners
        .iter()
        .try_for_each(|listener| set(listener, libc::SO_BINDTOIFINDEX, &nowhere))
}

fn set<T>(listener: &TcpListener, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as the listener lives; pointer and length are those of a value of the option's type, and what
    // it points at lives as long as the call.
    let set = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const *value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    match set {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
