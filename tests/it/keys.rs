//! Keys are exchanged while the service runs.

use std::time::Duration;

use crate::support::{Running, config, start, within};

fn status_with(server: &Running, key: &str) -> u16 {
    let mut client = server.connect();
    client.send(format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n\r\n"
    ));
    client.answer().status
}

#[test]
fn a_rewritten_file_takes_effect_without_a_false_refusal() {
    let file = std::env::temp_dir().join(format!("pick-regno-it-keys-{}", std::process::id()));
    std::fs::write(&file, "old\n").unwrap();
    let server = start(config(
        &["--api-keys-file", file.to_str().unwrap()],
        Some("fixed"),
    ));
    assert_eq!(status_with(&server, "old"), 200);
    assert_eq!(status_with(&server, "new"), 401);

    std::fs::write(&file, "old\nnew\n").unwrap();
    within(5, || status_with(&server, "new") == 200);
    assert_eq!(
        status_with(&server, "old"),
        200,
        "both while clients move over"
    );

    std::fs::write(&file, "new\n").unwrap();
    let took = within(5, || {
        assert_eq!(status_with(&server, "new"), 200);
        assert_eq!(status_with(&server, "fixed"), 200);
        status_with(&server, "old") == 401
    });
    println!("the old key was dead {took:.1?} after the file was rewritten");

    // A file that is gone changes nothing.
    std::fs::remove_file(&file).unwrap();
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(status_with(&server, "new"), 200);
}
