//! Tests of the service as a whole, over real sockets.

#![allow(
    clippy::unwrap_used,
    reason = "in a test, a panic is how a failure is told"
)]

mod access;
mod build_output;
#[cfg(feature = "tls")]
mod certificates;
mod cli;
mod cli_serve;
mod contract;
mod customer;
mod descriptors;
mod documents;
mod envelope;
mod explain;
#[cfg(feature = "tls")]
mod handshakes;
mod hostile;
mod http;
mod infer;
mod inputs;
mod keys;
mod limits;
mod lingering;
mod logs;
mod metrics;
mod model_file;
mod openapi;
#[cfg(feature = "tls")]
mod outdated;
mod panics;
mod parity;
mod places;
mod program;
mod raw_bytes;
mod record;
mod sentry;
mod shutdown;
mod stream;
mod support;
#[cfg(feature = "tls")]
mod tls;
