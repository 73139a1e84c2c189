//! Clients' certificates: initial admission, and checks of open connections.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use tokio_rustls::rustls::server::{
    VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier,
};

use super::certificate::{List, Validity, now};
use super::pem::{read_certificates, read_items, read_roots};

/// Verifier of clients' certificates.
pub(super) struct Peers {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    /// Sentences about weak files.
    pub(super) warnings: Vec<String>,
}

impl Peers {
    /// Admits clients whose certificate is signed by a CA of the file `ca`, and is not revoked by a list of the file
    /// `crl`.
    ///
    /// # Errors
    /// If a file cannot be used. This includes a list that its CA has not signed, which would refuse everybody.
    pub(super) fn load(
        ca: &Path,
        crl: Option<&Path>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Peers, String> {
        let roots = read_roots(ca).map_err(|why| format!("--client-ca {why}"))?;
        let cas = read_certificates(ca).map_err(|why| format!("--client-ca {why}"))?;
        let mut warnings = Vec::new();
        for (at, ca_certificate) in cas.iter().enumerate() {
            let validity = Validity::read(ca_certificate);
            if let Some(fault) = validity.and_then(|validity| validity.fault(now())) {
                warnings.push(format!(
                    "--client-ca {}: certificate {} {fault}; clients that it signed are let in all the same",
                    ca.display(),
                    at + 1
                ));
            }
        }
        let algorithms = provider.signature_verification_algorithms;
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        if let Some(crl) = crl {
            let lists: Vec<CertificateRevocationListDer<'_>> =
                read_items(crl, "revocation list", "X509 CRL")
                    .map_err(|why| format!("--client-crl {why}"))?;
            let fault = |why: &str| Err(format!("--client-crl {}: {why}", crl.display()));
            let mut is_of_a_ca = false;
            for (at, list) in lists.iter().enumerate() {
                match List::read(list, &cas, &algorithms, now()) {
                    List::Signed { is_overdue } => {
                        is_of_a_ca = true;
                        if is_overdue {
                            warnings.push(format!(
                                "--client-crl {}: the next update of list {} is overdue",
                                crl.display(),
                                at + 1
                            ));
                        }
                    }
                    List::Foreign => {}
                    List::Forged => {
                        return fault(&format!(
                            "list {} names a CA of --client-ca, which has not signed it",
                            at + 1
                        ));
                    }
                    List::Malformed => return fault(&format!("list {} is malformed", at + 1)),
                }
            }
            if !is_of_a_ca {
                return fault("no list in it is of a CA of --client-ca, so nobody would be let in");
            }
            builder = builder.with_crls(lists);
        }
        let verifier = builder.build().map_err(|why| {
            let (option, file) = match (&why, crl) {
                (VerifierBuilderError::InvalidCrl(_), Some(crl)) => ("--client-crl", crl),
                _ => ("--client-ca", ca),
            };
            format!("{option} {}: {why}", file.display())
        })?;
        Ok(Peers { verifier, warnings })
    }
}

/// Certificate of the client of an open connection.
pub(crate) struct Presented {
    /// The client's own first, then those that signed it.
    chain: Vec<CertificateDer<'static>>,
    checked: Mutex<Checked>,
}

struct Checked {
    by: Arc<dyn ClientCertVerifier>,
    /// Time of the next check, in seconds since 1970.
    until: u64,
}

impl Presented {
    /// Creates it from `chain`, which `verifier` has admitted.
    pub(super) fn new(
        chain: &[CertificateDer<'_>],
        verifier: Arc<dyn ClientCertVerifier>,
    ) -> Presented {
        let chain: Vec<_> = chain.iter().map(|der| der.clone().into_owned()).collect();
        let until = next_end(&chain, now());
        Presented {
            chain,
            checked: Mutex::new(Checked {
                by: verifier,
                until,
            }),
        }
    }

    /// Returns true if `verifier` still admits it. Verifies signatures only after files were read again or a
    /// certificate expired.
    pub(super) fn is_good(&self, verifier: &Arc<dyn ClientCertVerifier>) -> bool {
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        if Arc::ptr_eq(&checked.by, verifier) && now <= checked.until {
            return true;
        }
        let Some((own, others)) = self.chain.split_first() else {
            return false;
        };
        let is_good = verifier
            .verify_client_cert(own, others, UnixTime::now())
            .is_ok();
        if is_good {
            *checked = Checked {
                by: Arc::clone(verifier),
                until: next_end(&self.chain, now),
            };
        }
        is_good
    }
}

/// Time at which the next certificate of `chain` expires.
fn next_end(chain: &[CertificateDer<'_>], now: u64) -> u64 {
    let ends = chain.iter().filter_map(|der| Validity::read(der));
    let ends = ends.map(|validity| validity.end);
    ends.filter(|&end| end >= now).min().unwrap_or(u64::MAX)
}
