//! A build without TLS: the same names, of which none can ever come into being.

use std::convert::Infallible;

use tokio::net::TcpStream;

use super::{Failure, Files};
use crate::serve::reload::FromFiles;

pub(in crate::serve) type TlsStream = TcpStream;

pub(in crate::serve) enum Tls {}

impl Tls {
    pub(in crate::serve) fn load(_: Files) -> Result<Tls, String> {
        Err("--tls-cert: this build has no TLS; build it with `--features tls`".to_owned())
    }

    pub(in crate::serve) fn files(&self) -> &FromFiles<Infallible> {
        match *self {}
    }

    pub(in crate::serve) fn not_after(&self) -> u64 {
        match *self {}
    }

    #[expect(
        clippy::unused_async,
        reason = "the same signature as the one that waits"
    )]
    pub(in crate::serve) async fn accept(&self, _: TcpStream) -> Result<TlsStream, Failure> {
        match *self {}
    }
}
