//! Listening sockets, and an accept loop that survives every error.

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

/// Length of the kernel's queue of connections to be accepted, which it caps at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// Kernel buffer per client that does not read, in bytes; by default it grows to 4 MiB.
const SEND_BUFFER: usize = 64 * 1024;
/// Interval between log lines about failures of accept.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// Back-off after a failure of accept that is not the connection's own: initial and maximum.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

/// Binds and listens with `count` sockets of this process, among which the kernel distributes connections.
///
/// The first is bound before it shares its port, so that no other process holds the port: two processes that share
/// their ports would each get some of the other's requests. If two start at once, one cannot bind or cannot listen.
pub(crate) fn listen(addr: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let first = bind(addr, false)?;
    first.listen(BACKLOG)?;
    // Port 0 has been replaced by a real one.
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
    // A restart must not wait for connections of the previous process in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    // Connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// Slot of a connection, among those of the server and those of its address.
pub(crate) struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_address: Admitted,
}

/// Listener, with the slots that its connections take.
pub(crate) struct Acceptor {
    listener: tokio::net::TcpListener,
    places: Arc<Semaphore>,
    /// Connections that share the slots, of this listener and others.
    tables: Arc<[Arc<Connections>]>,
    shard: Arc<Shard>,
    addresses: Arc<Addresses>,
    /// Connection without a slot.
    waiting: Option<(TcpStream, Admitted)>,
    /// Time at which a failure was last logged.
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

    /// Returns the next connection, with its slot. Cancel-safe: nothing is lost if the future is dropped.
    ///
    /// If there is no slot, connections that have waited for their clients make room ([`make_room`]). One client waits
    /// here, others in the kernel's queue, where they cost nothing. Never fails: an error of one connection is skipped;
    /// any other, such as exhausted file descriptors, is counted, logged and waited out.
    pub(crate) async fn next(&mut self, log: &Log) -> (TcpStream, Place) {
        if self.waiting.is_none() {
            self.waiting = Some(self.accept(log).await);
        }
        let place = loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                break place;
            }
            self.shard.evicted.add(make_room(&self.tables));
            // Connections that are busy now may be idle soon.
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
                    // Answers are written whole: Nagle's algorithm would only delay them.
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

/// Makes the kernel refuse new connections to `listeners`, all of which share a port, in the order in which they were
/// bound. Connections that it has completed, or is about to complete, can still be accepted. Closing the listeners
/// would reset these, and clients that have sent a request could not know whether it was processed. Dropping SYN
/// packets (with a socket filter) would make clients wait for a second.
///
/// A listener that is bound to a network interface accepts only what arrives through it; these are bound to an
/// interface that does not exist. Linux 5.7 and later allow this for any process. Among several listeners, the kernel
/// may choose one that is bound already while another is not, and would drop the SYN. So all connections are directed
/// to the last listener first, which is bound last.
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
    // SAFETY: the descriptor is open while the listener lives. Pointer and length are those of a value of the option's
    // type, and everything it points to outlives the call.
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
