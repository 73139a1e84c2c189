//! Properties of certificates and revocation lists, apart from their verification.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::crypto::WebPkiSupportedAlgorithms;
use x509_cert::Certificate;
use x509_cert::crl::CertificateList;
use x509_cert::der::{Decode as _, Encode as _, Header, Reader as _, SliceReader};
use x509_cert::spki::AlgorithmIdentifierOwned;

/// Validity period of a certificate, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) begin: u64,
    pub(super) end: u64,
}

impl Validity {
    /// Reads the validity period; `None` if the certificate is malformed.
    pub(super) fn read(der: &[u8]) -> Option<Validity> {
        let certificate = Certificate::from_der(der).ok()?;
        let validity = certificate.tbs_certificate().validity();
        Some(Validity {
            begin: validity.not_before.to_unix_duration().as_secs(),
            end: validity.not_after.to_unix_duration().as_secs(),
        })
    }

    /// Returns a sentence if the certificate is not valid at `now`.
    pub(super) fn fault(self, now: u64) -> Option<String> {
        if now > self.end {
            Some(format!("expired {} ago", roughly(now - self.end)))
        } else if now < self.begin {
            Some(format!("is valid only in {}", roughly(self.begin - now)))
        } else {
            None
        }
    }
}

/// Current time, in seconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.as_ref().map_or(0, Duration::as_secs)
}

fn roughly(seconds: u64) -> String {
    match seconds {
        0..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Relation of a revocation list to the CAs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum List {
    /// One of the CAs has signed it.
    Signed {
        /// True if its next update is overdue.
        is_overdue: bool,
    },
    /// It names one of the CAs, which has not signed it.
    Forged,
    /// It belongs to another CA, such as an intermediate one.
    Foreign,
    Malformed,
}

impl List {
    /// Checks the list `der` against the certificates `cas`.
    pub(super) fn read(
        der: &[u8],
        cas: &[impl AsRef<[u8]>],
        algorithms: &WebPkiSupportedAlgorithms,
        now: u64,
    ) -> List {
        let (Ok(list), Some(signed)) = (<CertificateList>::from_der(der), first_element(der))
        else {
            return List::Malformed;
        };
        let issuer = &list.tbs_cert_list.issuer;
        let cas = cas
            .iter()
            .filter_map(|ca| Certificate::from_der(ca.as_ref()).ok());
        let named: Vec<Certificate> = cas
            .filter(|ca| ca.tbs_certificate().subject() == issuer)
            .collect();
        if named.is_empty() {
            return List::Foreign;
        }
        let next = list.tbs_cert_list.next_update;
        match named
            .iter()
            .any(|ca| has_signed(ca, signed, &list, algorithms))
        {
            true => List::Signed {
                is_overdue: next.is_some_and(|next| next.to_unix_duration().as_secs() < now),
            },
            false => List::Forged,
        }
    }
}

fn has_signed(
    ca: &Certificate,
    message: &[u8],
    list: &CertificateList,
    algorithms: &WebPkiSupportedAlgorithms,
) -> bool {
    let key = ca.tbs_certificate().subject_public_key_info();
    let (Some(key_id), Some(signature_id)) = (
        identifier(&key.algorithm),
        identifier(&list.signature_algorithm),
    ) else {
        return false;
    };
    let fitting = algorithms.all.iter().filter(|algorithm| {
        algorithm.public_key_alg_id().as_ref() == key_id
            && algorithm.signature_alg_id().as_ref() == signature_id
    });
    let (key, signature) = (
        key.subject_public_key.raw_bytes(),
        list.signature.raw_bytes(),
    );
    let mut checks = fitting.map(|algorithm| algorithm.verify_signature(key, message, signature));
    checks.any(|checked| checked.is_ok())
}

/// Content of an algorithm's identifier.
fn identifier(algorithm: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let der = algorithm.to_der().ok()?;
    let mut reader = SliceReader::new(&der).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    reader.read_slice(header.length()).ok().map(<[u8]>::to_vec)
}

/// First element of a sequence, as it is encoded: the signed part of a list or certificate.
fn first_element(der: &[u8]) -> Option<&[u8]> {
    let mut reader = SliceReader::new(der).ok()?;
    Header::decode(&mut reader).ok()?;
    reader.tlv_bytes().ok()
}
