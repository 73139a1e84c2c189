//! A build without TLS: the same names, of which none can ever come into being.

use std::convert::Infallible;
use std::net::TcpStream as Blocking;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::settings::{Failure, Files};
use crate::serve::reload::FromFiles;

const WITHOUT: &str = "this build has no TLS; build it with `--features tls`";

pub(in crate::serve) type TlsStream = TcpStream;

pub(in crate::serve) enum Tls {}

impl Tls {
    pub(in crate::serve) fn load(_: Files) -> Result<Tls, String> {
        Err(format!("--tls-cert: {WITHOUT}"))
    }

    pub(in crate::serve) fn files(&self) -> &FromFiles<Infallible> {
        match *self {}
    }

    pub(in crate::serve) fn not_after(&self) -> u64 {
        match *self {}
    }

    pub(in crate::serve) fn warnings(&self) -> Vec<String> {
        match *self {}
    }

    #[expect(
        clippy::unused_async,
        reason = "the same signature as the one that waits"
    )]
    pub(in crate::serve) async fn accept(
        &self,
        _: TcpStream,
        _: &Arc<Shard>,
    ) -> Result<(TlsStream, Option<Presented>), Failure> {
        match *self {}
    }

    pub(in crate::serve) fn outdated<T>(
        &self,
        _: Vec<T>,
        _: impl Fn(&T) -> Option<&Presented>,
    ) -> Vec<T> {
        match *self {}
    }
}

pub(in crate::serve) type Presented = Infallible;

pub(in crate::serve) type Client = Infallible;

pub(in crate::serve) fn client(_: &Path) -> Result<Client, String> {
    Err(WITHOUT.to_owned())
}

pub(in crate::serve) fn connect(client: &Client, _: &str, _: Blocking) -> Result<Blocking, String> {
    match *client {}
}
