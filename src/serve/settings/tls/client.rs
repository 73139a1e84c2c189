//! TLS client, for outgoing reports.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::pem::read_certificates;
use super::server::provider;

/// Configuration of the client, with the CAs that it trusts.
pub(crate) type Client = Arc<ClientConfig>;

/// Creates a client that trusts the CAs in the PEM file `ca`.
pub(crate) fn client(ca: &Path) -> Result<Client, String> {
    let mut roots = RootCertStore::empty();
    // A system's bundle may contain unusable CAs, which are skipped.
    let (used, _) = roots.add_parsable_certificates(read_certificates(ca)?);
    if used == 0 {
        return Err(format!("{}: no CA in it", ca.display()));
    }
    let config = ClientConfig::builder_with_provider(provider()?)
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Starts TLS on `stream` with the server named `host`. The handshake happens with the first write.
pub(crate) fn connect(
    client: &Client,
    host: &str,
    stream: TcpStream,
) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|why| why.to_string())?;
    let connection =
        ClientConnection::new(Arc::clone(client), name).map_err(|why| why.to_string())?;
    Ok(StreamOwned::new(connection, stream))
}
