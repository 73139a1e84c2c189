//! Clients' certificates: which are let in, and which of those that were let in still would be.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use tokio_rustls::rustls::server::{
    VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier,
};

use super::certificate::{List, Validity, now};
use super::pem::{read_certificates, read_items, read_roots};

/// What looks at the certificates of clients.
pub(super) struct Peers {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    /// Sentences about files that are used and should not be.
    pub(super) warnings: Vec<String>,
}

impl Peers {
    /// Lets those in whom one of the file `ca` has signed, and none whom a list of the file `crl` revokes.
    ///
    /// # Errors
    /// If a file cannot be used. A list that its CA has not signed is one: with it nobody could be let in.
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

/// The certificate that the client of an open connection has shown.
pub(crate) struct Presented {
    /// Its own first, then those that signed it.
    chain: Vec<CertificateDer<'static>>,
    checked: Mutex<Checked>,
}

struct Checked {
    by: Arc<dyn ClientCertVerifier>,
    /// When it is to be looked at again, in seconds since 1970.
    until: u64,
}

impl Presented {
    /// `chain`, which `verifier` has let in.
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

    /// Whether `verifier` still lets it in. Costs signatures only after files were read again or a certificate expired.
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

/// When the first of `chain` expires that has not yet.
fn next_end(chain: &[CertificateDer<'_>], now: u64) -> u64 {
    let ends = chain.iter().filter_map(|der| Validity::read(der));
    let ends = ends.map(|validity| validity.end);
    ends.filter(|&end| end >= now).min().unwrap_or(u64::MAX)
}
