//! Baseline of the service's HTTP: the smallest hyper server that reads a request's body and answers with the same
//! number of bytes as the service, head and body, for any request. No routes, no keys, no limits, no deadlines, no
//! metrics.
//!
//! `cargo run --release --example floor -- 127.0.0.1:5001`

use std::convert::Infallible;
use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

const ANSWER: Bytes = Bytes::from_static(
    b"{\"body\":{\"negative\":0.9833415173975795,\"positive\":0.01665848260242052},\"status\":\"ok\"}\n",
);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ID: HeaderValue = HeaderValue::from_static("0123456789abcdef0123456789abcdef");

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    request.into_body().collect().await?;
    let mut response = Response::new(Full::new(ANSWER));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REQUEST_ID, ID);
    Ok(response)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<Infallible, Box<dyn std::error::Error>> {
    let listen = std::env::args().nth(1);
    let listen: SocketAddr = listen.as_deref().unwrap_or("127.0.0.1:5001").parse()?;
    let listener = TcpListener::bind(listen).await?;
    eprintln!("floor: listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)),
        );
    }
}
