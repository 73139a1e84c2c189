//! What is read from a certificate beside its use.

use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// The end of a certificate's validity, in seconds since 1970; `None` if it is malformed.
pub(super) fn not_after(der: &[u8]) -> Option<u64> {
    let certificate = Certificate::from_der(der).ok()?;
    let not_after = certificate.tbs_certificate().validity().not_after;
    Some(not_after.to_unix_duration().as_secs())
}
