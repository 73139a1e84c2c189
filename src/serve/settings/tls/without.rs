//! Build without TLS: the same names, as uninhabited types.

use std::convert::Infallible;
use std::net::TcpStream as Blocking;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::settings::{Failure, Files};
use crate::serve::settings::reload::FromFiles;
use crate::serve::telemetry::metrics::Shard;

const WITHOUT: &str = "this build has no TLS; build it with `--features tls`";

pub(crate) type TlsStream = TcpStream;

pub(crate) enum Tls {}

impl Tls {
    pub(crate) fn load(_: Files) -> Result<Tls, String> {
        Err(format!("--tls-cert: {WITHOUT}"))
    }

    pub(crate) fn files(&self) -> &FromFiles<Infallible> {
        match *self {}
    }

    pub(crate) fn not_after(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        match *self {}
    }

    #[expect(
        clippy::unused_async,
        reason = "the same signature as the one that waits"
    )]
    pub(crate) async fn accept(
        &self,
        _: TcpStream,
        _: &Arc<Shard>,
    ) -> Result<(TlsStream, Option<Presented>), Failure> {
        match *self {}
    }

    pub(crate) fn outdated<T>(&self, _: Vec<T>, _: impl Fn(&T) -> Option<&Presented>) -> Vec<T> {
        match *self {}
    }
}

pub(crate) type Presented = Infallible;

pub(crate) type Client = Infallible;

pub(crate) fn client(_: &Path) -> Result<Client, String> {
    Err(WITHOUT.to_owned())
}

pub(crate) fn connect(client: &Client, _: &str, _: Blocking) -> Result<Blocking, String> {
    match *client {}
}
