//! What the service does as a whole, over real sockets.

mod http;
mod keys;
mod limits;
mod openapi;
mod raw_bytes;
mod shutdown;
mod support;
