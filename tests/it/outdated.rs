//! Certificates that have become invalid, and connections that are too old.

use std::process::Command;
use std::time::Duration;

use tokio_rustls::rustls::version::TLS13;

use crate::certificates::{Ca, Folder, Identity};
use crate::support::{KEY, Running, within};
use crate::tls::{Peer, TlsClient, serve};

/// Opens a connection and has one request answered.
fn open(server: &Running, ca: &Ca, identity: &Identity) -> TlsClient {
    let mut client = Peer::with(ca, &[&TLS13], Some(identity))
        .connect(server)
        .unwrap();
    assert_eq!(client.get("/").status, 200);
    client
}

#[test]
fn a_connection_ends_with_its_certificate() {
    let (folder, ca, clients) = (Folder::new("ends"), Ca::new("ca"), Ca::new("clients"));
    clients.write(&folder.0, "clients");
    let (good, lost, short) = (
        clients.client(2090),
        clients.client(2090),
        clients.client_for(4),
    );
    clients.revoke(&[], &folder.0, "clients");
    let flags = [
        "--client-ca",
        &folder.file("clients.pem"),
        "--client-crl",
        &folder.file("clients.crl"),
        "--drain-timeout",
        "2s",
        "--body-timeout",
        "1h",
    ];
    let server = serve(&folder, &ca, &flags, None);
    let mut expiring = open(&server, &ca, &short);
    let mut revoked = open(&server, &ca, &lost);
    let mut staying = open(&server, &ca, &good);
    // Requests on their way are answered, if they do not take too long.
    let head = "POST /reg/ HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n";
    let mut asking = open(&server, &ca, &lost);
    asking.send(head);
    let mut stuck = open(&server, &ca, &lost);
    stuck.send(head);
    within(5, || server.metric("http_server_active_requests") == 2.0);

    clients.revoke(&[&lost], &folder.0, "clients");
    assert_eq!(revoked.rest(), b"", "it ends, and nothing is said");
    // All are told in one go, one after the other.
    std::thread::sleep(Duration::from_millis(500));
    asking.send("{}");
    let answer = asking.answer();
    assert_eq!(
        (answer.status, answer.headers["connection"].as_str()),
        (400, "close")
    );
    assert_eq!(stuck.rest(), b"", "not longer than the drain takes");
    assert_eq!(staying.get("/").status, 200);

    assert_eq!(expiring.rest(), b"", "it ends when its certificate does");
    assert_eq!(staying.get("/").status, 200);

    // Another CA: nobody's certificate is good any more.
    let others = Ca::new("others");
    others.revoke(&[], &folder.0, "clients");
    others.write(&folder.0, "clients");
    assert_eq!(staying.rest(), b"");
    let theirs = others.client(2090);
    assert_eq!(open(&server, &ca, &theirs).get("/").status, 200);
}

/// Runs `pick-regno serve --check-config`. Returns the exit code and stderr.
fn check_config(flags: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_pick-regno"))
        .args(["serve", "--check-config"])
        .args(flags)
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[test]
fn an_expired_certificate_of_the_server_is_refused() {
    let (folder, ca) = (Folder::new("expired"), Ca::new("ca"));
    let flags = [
        "--tls-cert",
        &folder.file("server.pem"),
        "--tls-key",
        &folder.file("server.key"),
    ];
    for (identity, part) in [
        (ca.server(2021), "server.pem: the certificate expired "),
        (
            ca.server_from(2095),
            "server.pem: the certificate is valid only in ",
        ),
    ] {
        identity.write(&folder.0, "server");
        let (code, said) = check_config(&flags);
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains(part), "{said}");
    }
    // It never takes the place of a good one.
    let server = serve(&folder, &ca, &[], Some(KEY));
    let peer = Peer::new(&ca, &[&TLS13]);
    for identity in [ca.server(2021), ca.server_from(2095)] {
        let failed = "pick_regno_reloads_total{files=\"tls\",result=\"failed\"}";
        let before = server.metric(failed);
        identity.write(&folder.0, "server");
        within(5, || server.metric(failed) > before);
        assert_eq!(peer.status(&server, KEY).unwrap(), 200);
    }
}

#[test]
fn what_is_weak_about_client_certificates_is_told() {
    let (folder, ca) = (Folder::new("weak"), Ca::new("ca"));
    ca.server(2090).write(&folder.0, "server");
    let expired = Ca::until("clients", 2022);
    expired.write(&folder.0, "clients");
    let [cert, key, clients, list] =
        ["server.pem", "server.key", "clients.pem", "clients.crl"].map(|name| folder.file(name));
    let flags = [
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
        "--client-ca",
        &clients,
    ];
    let (code, said) = check_config(&flags);
    assert_eq!(code, Some(0));
    assert!(
        said.contains("warning: --client-ca ") && said.contains("certificate 1 expired "),
        "{said}"
    );

    // A list that its CA has not signed, or of no CA that is known, is no list.
    let clients = Ca::new("clients");
    clients.write(&folder.0, "clients");
    let flags = [&flags[..], &["--client-crl", &list]].concat();
    clients.revoke(&[], &folder.0, "clients");
    assert_eq!(check_config(&flags), (Some(0), String::new()));
    for (other, part) in [
        (
            "clients",
            "list 1 names a CA of --client-ca, which has not signed it",
        ),
        ("others", "no list in it is of a CA of --client-ca"),
    ] {
        Ca::new(other).revoke(&[], &folder.0, "clients");
        let (code, said) = check_config(&flags);
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_connection_ends_at_its_age() {
    let server = crate::support::serve(&["--max-connection-age", "1s", "--idle-timeout", "1h"]);
    let mut idle = server.connect();
    assert_eq!(idle.get("/").status, 200);
    let mut busy = server.connect();
    assert_eq!(busy.get("/").status, 200);
    // It has begun to ask before its end, and is answered.
    busy.send("GET / HTTP/1.1\r\n");
    std::thread::sleep(Duration::from_millis(1500));
    busy.send(format!("host: a\r\nx-api-key: {KEY}\r\n\r\n"));
    let answer = busy.answer();
    assert_eq!(
        (answer.status, answer.headers["connection"].as_str()),
        (200, "close")
    );
    assert!(busy.is_ended());
    assert!(idle.is_ended(), "an idle one is closed");

    let server = crate::support::serve(&[]);
    let mut old = server.connect();
    assert_eq!(old.get("/").status, 200);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(old.get("/").headers.get("connection"), None);
}
