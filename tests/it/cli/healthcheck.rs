//! `healthcheck`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use super::{Ran, program, run};
use crate::support::{KEY, serve};

fn healthcheck(admin: SocketAddr) -> Ran {
    run(&[
        "healthcheck",
        "--admin",
        &admin.to_string(),
        "--timeout",
        "5s",
    ])
}

#[test]
fn a_server_is_ready_until_it_drains() {
    let server = serve(&["--drain-delay", "1h"]);
    let ready = healthcheck(server.admin);
    assert_eq!((ready.code, ready.out.as_str()), (0, "ready\n"));
    // As in the server's own environment: the same variable, and all addresses.
    let in_environment = program()
        .arg("healthcheck")
        .env(
            "PICK_REGNO_ADMIN",
            format!("0.0.0.0:{}", server.admin.port()),
        )
        .status()
        .unwrap();
    assert!(in_environment.success());

    server.stopper.stop();
    let drains = loop {
        let ran = healthcheck(server.admin);
        if ran.code != 0 {
            break ran;
        }
    };
    assert_eq!(
        (drains.code, drains.err.as_str()),
        (
            1,
            format!(
                "pick-regno healthcheck: {}: not ready: /readyz answers 503 Service Unavailable\n",
                server.admin
            )
            .as_str()
        )
    );
}

#[test]
fn whoever_does_not_answer_is_not_ready() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let silent = run(&["healthcheck", "--admin", &addr, "--timeout", "100ms"]);
    assert_eq!(
        (silent.code, silent.err),
        (
            1,
            format!("pick-regno healthcheck: {addr}: no answer in time\n")
        )
    );
    drop(listener);
    let absent = run(&["healthcheck", "--admin", &addr]);
    assert_eq!((absent.code, absent.out.as_str()), (1, ""));
    assert!(
        absent.err.contains("refused") && absent.err.contains("the address of its --admin?"),
        "{}",
        absent.err
    );

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"SSH-2.0-x\r\n");
    });
    let other = run(&["healthcheck", "--admin", &addr]);
    assert_eq!(other.code, 1);
    assert!(
        other.err.contains("the answer is not HTTP"),
        "{}",
        other.err
    );

    let usage = run(&["healthcheck", "--admin", KEY]);
    assert_eq!(usage.code, 64);
}
