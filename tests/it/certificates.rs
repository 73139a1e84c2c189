//! Certificates that are generated for a test: a CA, and certificates that it signs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use graviola::hashing::Sha256;
use graviola::signing::ecdsa::{P256, SigningKey};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, PKCS_ECDSA_P256_SHA256, PublicKeyData,
    RevokedCertParams, SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// ECDSA P-256 key; its private half is PKCS #8.
struct Key {
    public: Vec<u8>,
    private: Vec<u8>,
}

impl Key {
    fn new() -> Key {
        let key = SigningKey::<P256>::generate().unwrap();
        let mut buffer = [0; 512];
        let private = key.to_pkcs8_der(&mut buffer).unwrap().to_vec();
        // The point ends what says that it is one of P-256.
        let public = key.to_spki_der(&mut buffer).unwrap();
        let public = public[public.len() - 65..].to_vec();
        Key { public, private }
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let key = SigningKey::<P256>::from_pkcs8_der(&self.private).unwrap();
        let mut signature = [0; 128];
        Ok(key
            .sign_asn1::<Sha256>(&[message], &mut signature)
            .unwrap()
            .to_vec())
    }
}

/// Certificate with its key.
pub struct Identity {
    serial: SerialNumber,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    /// Writes `NAME.pem` and `NAME.key`.
    pub fn write(&self, folder: &Path, name: &str) {
        let file = |end: &str| folder.join(format!("{name}.{end}"));
        write_pem(&file("pem"), "CERTIFICATE", &self.certificate);
        write_pem(&file("key"), "PRIVATE KEY", &self.key);
    }
}

/// Certificate authority.
pub struct Ca {
    params: CertificateParams,
    key: Arc<Key>,
    pub certificate: CertificateDer<'static>,
}

impl Ca {
    pub fn new(name: &str) -> Ca {
        Ca::until(name, 2100)
    }

    /// Creates a CA that is valid up to the beginning of a year.
    pub fn until(name: &str, year: i32) -> Ca {
        let mut params = params(name, &[], year);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = Key::new();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Ca {
            params,
            key: Arc::new(key),
            certificate,
        }
    }

    /// Issues a certificate for `localhost` and 127.0.0.1 that is valid up to the beginning of a year.
    pub fn server(&self, until: i32) -> Identity {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        self.sign(
            params("server", &names, until),
            ExtendedKeyUsagePurpose::ServerAuth,
        )
    }

    /// Issues a certificate for `localhost` that is valid from the beginning of a year.
    pub fn server_from(&self, year: i32) -> Identity {
        let names = ["localhost".to_owned()];
        let mut params = params("server", &names, year + 1);
        params.not_before = date_time_ymd(year, 1, 1);
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Issues a client certificate that is valid up to the beginning of a year.
    pub fn client(&self, until: i32) -> Identity {
        self.sign(
            params("client", &[], until),
            ExtendedKeyUsagePurpose::ClientAuth,
        )
    }

    /// Issues a client certificate that is valid for this many seconds from now.
    pub fn client_for(&self, seconds: u64) -> Identity {
        let mut params = params("client", &[], 2090);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        params.not_after = date_time_ymd(1970, 1, 1) + now + Duration::from_secs(seconds);
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Identity {
        params.extended_key_usages = vec![usage];
        let key = Key::new();
        let issuer = Issuer::from_params(&self.params, &*self.key);
        Identity {
            serial: params.serial_number.clone().unwrap(),
            certificate: params.signed_by(&key, &issuer).unwrap().der().clone(),
            key: key.private,
        }
    }

    /// Writes `NAME.crl`, a list that revokes the certificates `revoked`.
    pub fn revoke(&self, revoked: &[&Identity], folder: &Path, name: &str) {
        let revoked_certs = revoked.iter().map(|identity| RevokedCertParams {
            serial_number: identity.serial.clone(),
            revocation_time: date_time_ymd(2020, 1, 2),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 2),
            next_update: date_time_ymd(2090, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::PreSpecified(vec![1]),
        };
        let issuer = Issuer::from_params(&self.params, &*self.key);
        let list = list.signed_by(&issuer).unwrap();
        write_pem(&folder.join(format!("{name}.crl")), "X509 CRL", list.der());
    }

    /// Writes `NAME.pem`.
    pub fn write(&self, folder: &Path, name: &str) {
        let file = folder.join(format!("{name}.pem"));
        write_pem(&file, "CERTIFICATE", &self.certificate);
    }
}

fn params(name: &str, names: &[String], until: i32) -> CertificateParams {
    static SERIAL: AtomicU64 = AtomicU64::new(1);
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(SERIAL.fetch_add(1, Relaxed)));
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}

fn write_pem(file: &Path, label: &str, der: &[u8]) {
    let text = pem::encode(&pem::Pem::new(label, der));
    std::fs::write(file, text).unwrap();
}

/// Folder of a test, removed when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("pick-regno-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    /// Returns the path of a file in the folder.
    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
