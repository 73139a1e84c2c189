//! Listening sockets, and an accept loop that outlives everything.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::metrics::Shard;

/// Connections that wait in the kernel to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// Bytes that the kernel may hold for a client that does not read; left alone it takes up to 4 MiB each.
const SEND_BUFFER: usize = 64 * 1024;
/// The wait after a failure of accept that is not the connection's own, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

/// Binds and listens. With `shared`, several sockets of this process can listen on the same port, and the kernel
/// spreads connections among them.
pub(super) fn listen(addr: SocketAddr, shared: bool) -> io::Result<TcpListener> {
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
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Makes the kernel pass over whoever begins to connect from now on; connections that it has completed, or is about to,
/// can still be accepted. Closing the listener would reset these, and their clients, who may have sent a request already,
/// could not know whether it was worked on. Whoever is passed over tries again after a second and is then refused.
pub(super) fn close_to_newcomers(listener: &tokio::net::TcpListener) -> io::Result<()> {
    // Classic BPF over the segment: its byte 13 holds the flags, of which 2 is SYN. 0 drops it, all ones keep all of it.
    const DROP_SYN: [SockFilter; 4] = [
        SockFilter::new(0x30, 0, 0, 13),       // load the byte
        SockFilter::new(0x45, 0, 1, 2),        // skip the next line unless SYN is set
        SockFilter::new(0x06, 0, 0, 0),        // return 0
        SockFilter::new(0x06, 0, 0, u32::MAX), // return all ones
    ];
    SockRef::from(listener).attach_filter(&DROP_SYN)
}

/// The next connection, with its place among those that may be open.
///
/// The place is taken before `accept` is called, so that more clients than there are places wait in the kernel's queue
/// and cost nothing here. Never fails: an error of one connection is passed over, and any other, such as no file
/// descriptor being left, is counted and waited out.
pub(super) async fn accept(
    listener: &tokio::net::TcpListener,
    places: &Arc<Semaphore>,
    shard: &Shard,
) -> (TcpStream, OwnedSemaphorePermit) {
    let place = match Arc::clone(places).acquire_owned().await {
        Ok(place) => place,
        // The semaphore is never closed; if it were, no connection could be accepted any more.
        Err(_) => std::future::pending().await,
    };
    let mut wait = BACK_OFF.0;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are written whole; waiting to join small packets would only delay them.
                let _ = stream.set_nodelay(true);
                shard.accepted.inc();
                return (stream, place);
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(_) => {
                shard.accept_errors.inc();
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(BACK_OFF.1);
            }
        }
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
