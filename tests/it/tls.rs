//! TLS and client certificates: admission, refusals, and files that are rewritten under load.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use clap::Parser as _;
use pick_regno::serve::{Config, Faults};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    AlertDescription, ClientConfig, ClientConnection, Error, ProtocolVersion, RootCertStore,
    StreamOwned, SupportedProtocolVersion,
};

use crate::certificates::{Ca, Folder, Identity};
use crate::support::{Client, KEY, Line, Running, config, start, start_with, stream, within};

pub type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

/// TLS client of the tests.
pub struct Peer {
    config: ClientConfig,
}

impl Peer {
    pub fn new(ca: &Ca, versions: &[&'static SupportedProtocolVersion]) -> Peer {
        Peer::with(ca, versions, None)
    }

    pub fn with(
        ca: &Ca,
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<&Identity>,
    ) -> Peer {
        let mut roots = RootCertStore::empty();
        roots.add(ca.certificate.clone()).unwrap();
        let provider = Arc::new(rustls_graviola::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain(), identity.key())
                .unwrap(),
        };
        Peer { config }
    }

    /// Connects and performs the handshake. With TLS 1.3, a refused certificate shows only at the first read.
    pub fn connect(&self, server: &Running) -> std::io::Result<TlsClient> {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(self.config.clone()), name).unwrap();
        let mut stream = StreamOwned::new(connection, stream(server.addr));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Client::on(stream))
    }

    /// Returns the status of one request, or the error.
    pub fn status(&self, server: &Running, key: &str) -> Result<u16, Error> {
        let told = |error: std::io::Error| {
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
            Error::clone(cause.unwrap_or(&Error::General("closed".to_owned())))
        };
        let mut client = self.connect(server).map_err(told)?;
        let request = format!("GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n\r\n");
        let stream = client.stream();
        stream.write_all(request.as_bytes()).map_err(told)?;
        let mut status_line = [0; 12];
        stream.read_exact(&mut status_line).map_err(told)?;
        let status_line = std::str::from_utf8(&status_line).unwrap();
        Ok(status_line
            .strip_prefix("HTTP/1.1 ")
            .unwrap()
            .parse()
            .unwrap())
    }
}

/// Starts a server with a certificate of `ca`, and more settings.
pub fn serve(folder: &Folder, ca: &Ca, flags: &[&str], keys: Option<&str>) -> Running {
    start(settings(folder, ca, flags, keys))
}

/// Starts a server with a certificate of `ca` and these faults.
pub fn serve_with(folder: &Folder, ca: &Ca, faults: Faults) -> Running {
    start_with(settings(folder, ca, &[], Some(KEY)), |server| {
        server.with_faults(faults)
    })
}

fn settings(folder: &Folder, ca: &Ca, flags: &[&str], keys: Option<&str>) -> Config {
    ca.server(2090).write(&folder.0, "server");
    let (cert, key) = (folder.file("server.pem"), folder.file("server.key"));
    config(
        &[&["--tls-cert", &cert, "--tls-key", &key], flags].concat(),
        keys,
    )
}

#[test]
fn requests_are_answered_over_tls() {
    let (folder, ca) = (Folder::new("tls"), Ca::new("ca"));
    let server = serve(&folder, &ca, &[], Some(KEY));
    for (version, number) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let mut peer = Peer::new(&ca, &[version]);
        peer.config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut client = peer.connect(&server).unwrap();
        assert_eq!(client.stream().conn.protocol_version(), Some(number));
        assert_eq!(client.stream().conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(client.get("/").status, 200);
        assert_eq!(client.get("/nope").status, 404, "the connection goes on");
        // A body of more than one record.
        let big = client.post(&" ".repeat(100_000));
        assert_eq!(big.status, 400);
        assert_eq!(peer.status(&server, "wrong").unwrap(), 401);

        peer.config.alpn_protocols = vec![b"h2".to_vec()];
        assert!(peer.connect(&server).is_err(), "no HTTP/2");
    }
    counted(
        &server,
        "http_server_tls_failures_total{reason=\"protocol\"}",
        2.0,
    );
    assert_eq!(
        server.metric("pick_regno_tls_certificate_not_after_seconds"),
        3_786_912_000.0,
        "2090-01-01"
    );
}

#[test]
fn only_clients_with_a_good_certificate_are_let_in() {
    let (folder, ca, clients) = (Folder::new("mtls"), Ca::new("ca"), Ca::new("clients"));
    clients.write(&folder.0, "clients");
    let flags = ["--client-ca", &folder.file("clients.pem")];
    // By certificate alone; with a key beside it, both are needed.
    let by_certificate = serve(&folder, &ca, &flags, None);
    let by_both = serve(&folder, &ca, &flags, Some(KEY));
    let good = clients.client(2090);
    let expired = clients.client(2021);
    let mut refusals = 0;
    let of_another = Ca::new("clients").client(2090);
    let of_a_server = clients.server(2090);
    for version in [&TLS12, &TLS13] {
        let peer = |identity: Option<&Identity>| Peer::with(&ca, &[version], identity);
        assert_eq!(peer(Some(&good)).status(&by_certificate, "").unwrap(), 200);
        assert_eq!(peer(Some(&good)).status(&by_both, KEY).unwrap(), 200);
        assert_eq!(peer(Some(&good)).status(&by_both, "wrong").unwrap(), 401);
        for (what, identity) in [
            ("none", None),
            ("expired", Some(&expired)),
            ("another's", Some(&of_another)),
            ("a server's", Some(&of_a_server)),
        ] {
            for server in [&by_certificate, &by_both] {
                let refused = peer(identity).status(server, KEY).unwrap_err();
                assert!(
                    matches!(refused, Error::AlertReceived(_)),
                    "{what}: {refused}"
                );
                refusals += 1;
            }
        }
    }
    for server in [&by_certificate, &by_both] {
        counted(
            server,
            "http_server_tls_failures_total{reason=\"certificate\"}",
            8.0,
        );
        counted(server, "http_server_active_connections", 0.0);
    }
    println!(
        "{refusals} handshakes with no, an expired or a wrong client certificate: all refused"
    );
}

#[test]
fn a_certificate_that_is_revoked_is_refused_as_soon_as_the_list_is_read_again() {
    let (folder, ca, clients) = (Folder::new("crl"), Ca::new("ca"), Ca::new("clients"));
    clients.write(&folder.0, "clients");
    let (good, lost) = (clients.client(2090), clients.client(2090));
    clients.revoke(&[], &folder.0, "clients");
    let flags = [
        "--client-ca",
        &folder.file("clients.pem"),
        "--client-crl",
        &folder.file("clients.crl"),
    ];
    let server = serve(&folder, &ca, &flags, None);
    let status = |identity| Peer::with(&ca, &[&TLS13], Some(identity)).status(&server, "");
    assert_eq!(status(&good).unwrap(), 200);
    assert_eq!(status(&lost).unwrap(), 200);

    clients.revoke(&[&lost], &folder.0, "clients");
    let took = within(5, || status(&lost).is_err());
    println!("refused {took:.1?} after the list was rewritten");
    assert_eq!(status(&good).unwrap(), 200);
    let refused = status(&lost).unwrap_err();
    assert_eq!(
        refused,
        Error::AlertReceived(AlertDescription::CertificateRevoked)
    );

    // A list of another CA, or one that was forged, says nothing: what was read before stays in use.
    for other in ["others", "clients"] {
        let failed = "pick_regno_reloads_total{files=\"tls\",result=\"failed\"}";
        let before = server.metric(failed);
        Ca::new(other).revoke(&[&good], &folder.0, "clients");
        within(5, || server.metric(failed) > before);
        assert_eq!(status(&good).unwrap(), 200, "{other}");
        assert!(status(&lost).is_err(), "{other}");
    }
}

/// First message of a handshake that offers nothing newer than `minor`: 0 is SSL 3, 1 is TLS 1.0, 3 is TLS 1.2.
fn client_hello(minor: u8) -> Vec<u8> {
    fn with_length(body: &[u8]) -> Vec<u8> {
        [&(body.len() as u16).to_be_bytes(), body].concat()
    }
    // ECDHE_ECDSA and RSA with AES-128: GCM as of TLS 1.2, CBC and SHA-1 before.
    let ciphers = [0xc0, 0x2b, 0xc0, 0x09, 0x00, 0x2f];
    let extensions = [
        &[0, 10][..],                              // supported groups:
        &with_length(&with_length(&[0, 23])),      // P-256
        &[0, 13],                                  // signature algorithms:
        &with_length(&with_length(&[4, 3, 2, 3])), // ECDSA with SHA-256, SHA-1
        &[0, 11],                                  // point formats:
        &with_length(&[1, 0]),                     // uncompressed
    ]
    .concat();
    let hello = [
        &[3, minor][..],
        &[7; 32], // what is random
        &[0],     // no session
        &with_length(&ciphers),
        &[1, 0], // no compression
        &with_length(&extensions),
    ]
    .concat();
    let message = [&[1, 0][..], &with_length(&hello)].concat();
    [&[22, 3, minor][..], &with_length(&message)].concat()
}

#[test]
fn old_versions_and_plain_requests_are_refused() {
    let (folder, ca) = (Folder::new("old-tls"), Ca::new("ca"));
    let server = serve(&folder, &ca, &[], Some(KEY));
    for minor in 0..=3 {
        let mut client = server.connect();
        client.send(client_hello(minor));
        if minor == 3 {
            let mut record = [0; 6];
            client.stream().read_exact(&mut record).unwrap();
            assert_eq!(
                (record[0], record[5]),
                (22, 2),
                "a server's hello: the message is right"
            );
        } else {
            let rest = client.rest();
            // One fatal alert: protocol_version.
            assert_eq!(
                (rest[0], &rest[5..]),
                (21, &[2, 70][..]),
                "{minor}: {rest:?}"
            );
        }
    }
    let mut plain = server.connect();
    plain.send(format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n\r\n"
    ));
    assert_eq!(plain.rest().first(), Some(&21), "an alert, and no answer");
    counted(
        &server,
        "http_server_tls_failures_total{reason=\"protocol\"}",
        4.0,
    );
    println!(
        "SSL 3, TLS 1.0, TLS 1.1 and a plain request: 4 of 4 refused; TLS 1.2 offered the same way is answered"
    );
}

#[test]
fn a_handshake_has_a_deadline_and_holds_nobody_up() {
    let (folder, ca) = (Folder::new("slow-tls"), Ca::new("ca"));
    let flags = ["--handshake-timeout", "500ms", "--workers", "1"];
    let server = serve(&folder, &ca, &flags, Some(KEY));
    let peer = Peer::new(&ca, &[&TLS13]);
    let started = Instant::now();
    let mut slow: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for client in &mut slow[10..] {
        client.send(&client_hello(3)[..20]);
    }
    assert_eq!(peer.status(&server, KEY).unwrap(), 200);
    for client in &mut slow {
        assert_eq!(client.rest(), b"");
    }
    assert!(
        started.elapsed() >= Duration::from_millis(500),
        "not before"
    );
    assert_eq!(
        server.metric("http_server_timeouts_total{phase=\"handshake\"}"),
        20.0
    );
    assert_eq!(peer.status(&server, KEY).unwrap(), 200);
}

/// Sends requests until it is told to stop, each time on a new connection and on one that is kept. Returns the number
/// of answers, all of which were 200.
fn load(server: &Running, peer: &Peer, key: impl Fn() -> String, stop: &AtomicBool) -> u64 {
    let mut kept = peer.connect(server).unwrap();
    let mut answers = 0;
    while !stop.load(Relaxed) {
        assert_eq!(peer.status(server, &key()).unwrap(), 200);
        assert_eq!(kept.request_with("GET", "/", &key(), &[], "").status, 200);
        answers += 2;
    }
    answers
}

/// Returns the certificate that a new connection presents.
fn shown(peer: &Peer, server: &Running) -> Vec<u8> {
    let mut client = peer.connect(server).unwrap();
    client.stream().conn.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn certificates_and_keys_are_exchanged_under_load() {
    let (folder, ca) = (Folder::new("reload"), Ca::new("ca"));
    let keys = folder.file("keys");
    std::fs::write(&keys, "old\n").unwrap();
    let server = serve(&folder, &ca, &["--api-keys-file", &keys], None);
    let peer = Peer::new(&ca, &[&TLS13]);
    let (stop, moved_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let key = || {
        if moved_over.load(Relaxed) {
            "new"
        } else {
            "old"
        }
        .to_owned()
    };
    let answers = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| load(&server, &peer, key, &stop)))
            .collect();
        // Ends the clients also if something below fails.
        let stopping = StopAtEnd(&stop);

        // First the certificate, and a while later its key, as a careless script would.
        let renewed = ca.server(2091);
        renewed.write(&folder.0, "renewed");
        std::fs::rename(folder.file("renewed.pem"), folder.file("server.pem")).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        std::fs::rename(folder.file("renewed.key"), folder.file("server.key")).unwrap();
        let renewal = within(5, || shown(&peer, &server) == *renewed.chain()[0]);
        assert_eq!(
            server.metric("pick_regno_tls_certificate_not_after_seconds"),
            3_818_448_000.0,
            "2091-01-01"
        );

        // The old key and the new one, until all clients have moved over; then the old one dies.
        std::fs::write(&keys, "old\nnew\n").unwrap();
        within(5, || peer.status(&server, "new").unwrap() == 200);
        moved_over.store(true, Relaxed);
        std::thread::sleep(Duration::from_millis(500));
        std::fs::write(&keys, "new\n").unwrap();
        let death = within(5, || peer.status(&server, "old").unwrap() == 401);
        println!("new certificate shown after {renewal:.1?}, old key dead after {death:.1?}");

        // What is broken changes nothing, and is told once.
        let failed = "pick_regno_reloads_total{files=\"tls\",result=\"failed\"}";
        let before = server.metric(failed);
        std::fs::write(folder.file("server.pem"), "no certificate").unwrap();
        within(5, || server.metric(failed) == before + 1.0);
        std::thread::sleep(Duration::from_millis(2500));
        assert_eq!(server.metric(failed), before + 1.0);
        assert_eq!(shown(&peer, &server), *renewed.chain()[0]);

        drop(stopping);
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .sum::<u64>()
    });
    println!("{answers} requests, each answered 200");
    assert!(answers > 100, "{answers}");
    assert_eq!(
        server.metric("pick_regno_reloads_total{files=\"tls\",result=\"ok\"}"),
        1.0
    );
    assert_eq!(
        server.metric("pick_regno_reloads_total{files=\"keys\",result=\"ok\"}"),
        2.0
    );
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Waits for a count: a client may see the end of a connection before it is counted.
fn counted(server: &Running, sample: &str, count: f64) {
    within(5, || server.metric(sample) == count);
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let (folder, ca) = (Folder::new("tls-files"), Ca::new("ca"));
    ca.server(2090).write(&folder.0, "server");
    ca.server(2090).write(&folder.0, "other");
    std::fs::write(folder.file("empty"), "").unwrap();
    std::fs::write(
        folder.file("garbage"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    std::fs::write(
        folder.file("garbage.key"),
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    for (cert, key, ca, part) in [
        ("absent", "server.key", None, "absent: No such file"),
        ("empty", "server.key", None, "empty: no certificate in it"),
        (
            "garbage",
            "server.key",
            None,
            "garbage: the first certificate in it is malformed",
        ),
        ("server.pem", "empty", None, "empty: no private key in it"),
        (
            "server.pem",
            "garbage.key",
            None,
            "garbage.key: not a key that can be used: RSA of 2048",
        ),
        (
            "server.pem",
            "other.key",
            None,
            "other.key: is not the key of",
        ),
        (
            "server.pem",
            "server.key",
            Some("empty"),
            "empty: no certificate in it",
        ),
        (
            "server.pem",
            "server.key",
            Some("garbage"),
            "garbage: certificate 1: ",
        ),
    ] {
        let mut flags = vec![
            "serve".to_owned(),
            format!("--tls-cert={}", folder.file(cert)),
            format!("--tls-key={}", folder.file(key)),
        ];
        flags.extend(ca.map(|ca| format!("--client-ca={}", folder.file(ca))));
        let args = Line::try_parse_from(flags).unwrap().args;
        let error = Config::new(&args, None).err().unwrap().to_string();
        assert!(error.contains(part), "{error}");
    }
}
