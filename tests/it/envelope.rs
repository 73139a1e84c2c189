//! Every answer has the envelope and an id, and is logged and counted. An answer made by the HTTP library itself would
//! bypass all of them.

use crate::support::{Client, KEY, Running, serve};

/// Number of requests that were counted.
fn counted(server: &Running) -> f64 {
    let page = Client::connect(server.admin).get("/metrics").text();
    let counts = page.lines().filter_map(|line| {
        let rest = line.strip_prefix("http_server_request_duration_seconds_count{")?;
        rest.rsplit_once(' ')?.1.parse::<f64>().ok()
    });
    counts.sum()
}

/// Checks that every answer to `bytes` has an envelope and an id. Returns the number of answers.
fn answers(server: &Running, bytes: &[u8]) -> usize {
    let shown = String::from_utf8_lossy(bytes);
    let mut client = server.connect();
    client.try_send(bytes);
    client.finish();
    let text = client.rest();
    let text = String::from_utf8(text).unwrap_or_else(|_| panic!("{shown:?}"));
    // A status line, as opposed to a sentence that names the version.
    let begins = |&(at, _): &(usize, &str)| {
        text[at..]
            .split(' ')
            .nth(1)
            .is_some_and(|code| code.parse::<u16>().is_ok())
    };
    let begins: Vec<usize> = text
        .match_indices("HTTP/1.")
        .filter(begins)
        .map(|(at, _)| at)
        .collect();
    let ends = begins.iter().skip(1).copied().chain([text.len()]);
    let parts: Vec<&str> = begins
        .iter()
        .zip(ends)
        .map(|(&begin, end)| &text[begin..end])
        .collect();
    for part in &parts {
        let lower = part.to_lowercase();
        assert!(lower.contains("\r\nx-request-id: "), "{shown:?}: {text}");
        let body = part.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let is_head =
            shown.contains("HEAD ") || part[9..].starts_with("204") || part[9..].starts_with("100");
        assert!(is_head || body.contains("\"status\":"), "{shown:?}: {text}");
    }
    assert_eq!(parts.is_empty(), text.is_empty(), "{shown:?}: {text}");
    parts.len()
}

#[test]
fn no_answer_is_bare() {
    let server = serve(&["--header-timeout", "1s", "--workers", "1"]);
    let targets = [
        "http:///docs",
        "http://a@/docs",
        "http://a::1/",
        "http://a%zz/",
        "http://",
        "http://:80/",
        "http://[::1/",
        "http://[::1]]/",
        "http://a:b/",
        "http://a@b@c/",
        "http://a/?q=%",
        "https://a:99999/",
        "http://a:/",
        "//a/b",
        "///",
        "/?",
        "/%zz",
        "/a?b?c",
        "*",
        "http://a*b/",
        "http://%00/",
        "http:/a",
        "HTTP://a/",
        "http://-/",
        "http://a,b/",
        "http://[",
        "http://]",
        "http://[]/",
        "http://a[/",
        "/[",
        "/]",
        "/{refused}",
        "http://a/{refused}",
        "ftp://a/",
        "a:80",
        "http://a?b",
        "http://@",
        "http://a:1:2/",
        "/:",
        "/@",
    ];
    let mut all = 0;
    let before = counted(&server);
    for target in targets {
        for method in [
            "GET",
            "HEAD",
            "OPTIONS",
            "CONNECT",
            "PUT",
            "A!#$%&'*+-.^_`|~z",
            "TRACE",
        ] {
            for version in ["HTTP/1.1", "HTTP/1.0", "HTTP/2.0"] {
                let bytes =
                    format!("{method} {target} {version}\r\nhost: a\r\nx-api-key: {KEY}\r\n\r\n");
                let got = answers(&server, bytes.as_bytes());
                assert_eq!(got, 1, "{bytes}");
                all += 1;
            }
        }
    }
    assert_eq!(counted(&server) - before, f64::from(all));
    let targets = server.metric("http_server_refused_requests_total{reason=\"target\"}");
    assert!(targets > 0.0);
}

#[test]
fn http_2_is_told_what_is_spoken_here() {
    let server = serve(&["--header-timeout", "1s"]);
    let mut client = server.connect();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let answer = client.answer();
    assert_eq!(answer.status, 400);
    assert!(
        answer
            .text()
            .contains("this is HTTP/2 with prior knowledge"),
        "{}",
        answer.text()
    );
    assert_eq!(
        server.metric("http_server_refused_requests_total{reason=\"http2\"}"),
        1.0
    );
}

/// Heads with a byte or two changed, which the library's parser reads after ours.
#[test]
fn no_answer_to_a_changed_head_is_bare() {
    let server = serve(&[
        "--header-timeout",
        "300ms",
        "--body-timeout",
        "300ms",
        "--workers",
        "1",
    ]);
    let head = format!(
        "GET http://a.b:80/?x=y HTTP/1.1\r\nHost: a:1\r\nX-Api-Key: {KEY}\r\nContent-Length: 0\r\nA: b\r\n\r\n"
    );
    let special = b"\r\n\t :/059aZ\0\x7f\x80\xff[]@%?#{}|\\\"<>^`;,*";
    let (mut all, mut seed) = (0, 7_u32);
    let before = counted(&server);
    for at in 0..head.len() {
        for turn in 0..6 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let byte = special[seed as usize / 65_536 % special.len()];
            let mut bytes = head.clone().into_bytes();
            match turn % 3 {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => {
                    bytes[at] = byte;
                    let other = (seed >> 8) as usize % bytes.len();
                    bytes[other] = special[seed as usize % special.len()];
                }
            }
            all += answers(&server, &bytes);
        }
    }
    assert!(all > 400, "{all}");
    assert_eq!(counted(&server) - before, all as f64);
}
