//! Reads PEM files.

use std::path::Path;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};

use crate::serve::settings::reload::cannot_read;

/// Reads the certificates of a PEM file, at least one.
pub(super) fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    read_items(file, "certificate", "CERTIFICATE")
}

/// Reads the items of a PEM file with this label, at least one.
pub(super) fn read_items<T: PemObject>(
    file: &Path,
    what: &str,
    label: &str,
) -> Result<Vec<T>, String> {
    let items = T::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|why| format!("{}: {}", file.display(), pem_fault(&why)))?;
    if items.is_empty() {
        return Err(format!(
            "{}: no {what} in it: PEM is expected, {label}",
            file.display()
        ));
    }
    Ok(items)
}

/// Reads the certificates of a PEM file as trust anchors.
pub(super) fn read_roots(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for (at, certificate) in read_certificates(file)?.into_iter().enumerate() {
        roots
            .add(certificate)
            .map_err(|why| format!("{}: certificate {}: {why}", file.display(), at + 1))?;
    }
    Ok(roots)
}

pub(super) fn pem_fault(why: &pem::Error) -> String {
    match why {
        pem::Error::Io(why) => cannot_read(why),
        // Other errors may quote the file.
        _ => "what is in it is not PEM, or is encrypted".to_owned(),
    }
}
