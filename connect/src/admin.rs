//! Listener of `/metrics`, `/healthz` and `/readyz`.
//!
//! | route | answer to GET and HEAD |
//! | --- | --- |
//! | `/metrics` | 200, the metrics as Prometheus reads them |
//! | `/healthz` | 200 `ok`, as long as the process serves |
//! | `/readyz` | 200 `ready` or 503 `not connected` |
//! | any other | 404 |
//!
//! Another method gets 405 with `Allow`. There is no TLS and no authentication: the default address is of the loopback
//! interface.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::{Stop, log};

/// Maximum number of open connections. Further ones wait in the kernel's queue.
const CONNECTIONS: usize = 32;
/// Timeout of a request's head, and between requests.
const HEAD: Duration = Duration::from_secs(10);

/// True if work can be done: `work` is connected to the broker, or `ship` has had no failure since its last
/// success. False at the start.
pub type Ready = Arc<AtomicBool>;

/// Installs the recorder of metrics and listens on `address`. `/readyz` reports `ready`.
///
/// # Errors
/// If the port cannot be bound, or a recorder of metrics is installed already.
pub async fn start(address: SocketAddr, ready: Ready) -> Result<(), Stop> {
    let page = PrometheusBuilder::new()
        .install_recorder()
        .map_err(|why| Stop::system(format!("cannot count: {why}")))?;
    let listener = TcpListener::bind(address).await.map_err(|why| {
        Stop::system(format!(
            "--admin {address}: cannot listen: {why}; give another address"
        ))
    })?;
    if let Ok(address) = listener.local_addr() {
        log::info("admin listens", &[("address", &address.to_string())]);
    }
    tokio::spawn(serve(listener, page, ready));
    Ok(())
}

/// Accepts connections until the process ends, each in a task of its own.
async fn serve(listener: TcpListener, page: PrometheusHandle, ready: Ready) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Usually out of file descriptors: others must close theirs first.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (page, ready) = (page.clone(), Arc::clone(&ready));
        tokio::spawn(async move {
            let answer = service_fn(|request: Request<Incoming>| {
                let reply = reply(&request, &page, &ready);
                async move { Ok::<_, Infallible>(reply) }
            });
            // A client may break off.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), answer)
                .await;
            drop(place);
        });
    }
}

fn reply<B>(
    request: &Request<B>,
    page: &PrometheusHandle,
    ready: &AtomicBool,
) -> Response<Full<Bytes>> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, page.render()),
        (&Method::GET | &Method::HEAD, "/healthz") => (StatusCode::OK, "ok\n".to_owned()),
        (&Method::GET | &Method::HEAD, "/readyz") => match ready.load(Relaxed) {
            true => (StatusCode::OK, "ready\n".to_owned()),
            false => (
                StatusCode::SERVICE_UNAVAILABLE,
                "not connected\n".to_owned(),
            ),
        },
        (_, "/metrics" | "/healthz" | "/readyz") => {
            (StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n".to_owned())
        }
        _ => (StatusCode::NOT_FOUND, "not found\n".to_owned()),
    };
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = HeaderValue::from_static("GET, HEAD");
        reply.headers_mut().insert(ALLOW, allowed);
    }
    reply
}
