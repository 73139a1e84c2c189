//! Routes, methods, statuses and the envelope.

use crate::support::{Client, KEY, REQUEST, config, serve, start};

const OK: &str = "{\"body\":\"ok\",\"status\":\"ok\"}\n";

fn fail(message: &str) -> String {
    format!("{{\"body\":\"{message}\",\"status\":\"fail\"}}\n")
}

#[test]
fn the_root_says_ok_to_those_who_have_a_key() {
    let server = serve(&[]);
    let answer = server.get("/");
    assert_eq!((answer.status, answer.text()), (200, OK.to_owned()));
    assert_eq!(answer.headers["content-type"], "application/json");

    for headers in [
        "",
        "x-api-key: wrong\r\n",
        "x-api-key: \r\n",
        "x-api-key: 123321\r\nx-api-key: 123321\r\n",
    ] {
        let mut client = server.connect();
        client.send(format!("GET / HTTP/1.1\r\nhost: a\r\n{headers}\r\n"));
        let answer = client.answer();
        assert_eq!(
            (answer.status, answer.text()),
            (401, fail("Unauthorized")),
            "{headers:?}"
        );
    }
}

#[test]
fn one_object_and_arrays_are_answered() {
    let server = serve(&[]);
    let mut client = server.connect();
    let one = client.post(REQUEST);
    assert_eq!(one.status, 200, "{}", one.text());
    assert_eq!(one.headers["content-type"], "application/json");
    let body = one.text();
    let inner = body
        .strip_prefix("{\"body\":")
        .unwrap()
        .strip_suffix(",\"status\":\"ok\"}\n")
        .unwrap();
    assert!(
        inner.starts_with("{\"negative\":0.") && inner.contains(",\"positive\":0."),
        "{inner}"
    );

    // The same connection, and the same answer twice.
    let many = client.post(&format!("[{REQUEST},{REQUEST}]"));
    assert_eq!(
        many.text(),
        format!("{{\"body\":[{inner},{inner}],\"status\":\"ok\"}}\n")
    );
    assert_eq!(server.metric("pick_regno_rows_total"), 3.0);
}

#[test]
fn a_bad_body_is_400_and_the_connection_goes_on() {
    let server = serve(&[]);
    let mut client = server.connect();
    for body in ["", "{", "{}", "null", "5", "[1]", "\"\"", "{\"a\": NaN}"] {
        let answer = client.post(body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(
            answer.text().starts_with("{\"body\":\"Bad request: "),
            "{}",
            answer.text()
        );
        assert!(answer.text().ends_with("\",\"status\":\"fail\"}\n"));
    }
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn chunked_bodies_are_put_together() {
    let server = serve(&[]);
    let whole = server.post(REQUEST);
    let mut client = server.connect();
    client.send(format!(
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/json; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
    ));
    for part in REQUEST.as_bytes().chunks(100) {
        client.send(format!("{:x}\r\n", part.len()));
        client.send(part);
        client.send("\r\n");
    }
    client.send("0\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.body), (200, whole.body));
    assert_eq!(client.get("/").status, 200, "the connection goes on");
}

#[test]
fn what_is_not_there_or_not_allowed_says_so() {
    let server = serve(&[]);
    for (method, path, status, message, allow) in [
        ("GET", "/nope", 404, "File not found", None),
        ("POST", "/reg/x", 404, "File not found", None),
        (
            "GET",
            "/reg/",
            405,
            "Method not allowed",
            Some("OPTIONS, POST"),
        ),
        (
            "PUT",
            "/reg/",
            405,
            "Method not allowed",
            Some("OPTIONS, POST"),
        ),
        (
            "POST",
            "/",
            405,
            "Method not allowed",
            Some("GET, HEAD, OPTIONS"),
        ),
        (
            "BREW",
            "/",
            405,
            "Method not allowed",
            Some("GET, HEAD, OPTIONS"),
        ),
    ] {
        let answer = server.connect().request(method, path, &[], "");
        assert_eq!(
            (answer.status, answer.text()),
            (status, fail(message)),
            "{method} {path}"
        );
        assert_eq!(
            answer.headers.get("allow").map(String::as_str),
            allow,
            "{method} {path}"
        );
    }
}

#[test]
fn head_and_options_have_no_body() {
    let server = serve(&[]);
    let mut client = server.connect();
    let head = client.request("HEAD", "/", &[], "");
    assert_eq!(head.status, 200);
    assert_eq!(head.headers["content-length"], OK.len().to_string());
    let options = client.request("OPTIONS", "/reg/", &[], "");
    assert_eq!(
        (options.status, options.headers["allow"].as_str()),
        (204, "OPTIONS, POST")
    );
    assert_eq!(client.get("/").text(), OK, "nothing of a body was sent");
}

#[test]
fn reg_without_its_slash_is_redirected() {
    let server = serve(&[]);
    let answer = server.connect().request("POST", "/reg?a=b", &[], "");
    assert_eq!(
        (answer.status, answer.headers["location"].as_str()),
        (308, "/reg/?a=b")
    );
    let answer = server.connect().request("POST", "/reg", &[], "");
    assert_eq!(
        (answer.status, answer.headers["location"].as_str()),
        (308, "/reg/")
    );
}

#[test]
fn bodies_need_a_type_and_a_length() {
    let server = serve(&[]);
    for content_type in [
        "",
        "text/plain",
        "application/jsonx",
        "application/x-www-form-urlencoded",
    ] {
        let answer =
            server
                .connect()
                .request("POST", "/reg/", &[("content-type", content_type)], REQUEST);
        assert_eq!(answer.status, 415, "{content_type:?}");
    }
    for content_type in ["Application/JSON;charset=utf-8", "application/problem+json"] {
        let answer =
            server
                .connect()
                .request("POST", "/reg/", &[("content-type", content_type)], REQUEST);
        assert_eq!(answer.status, 200, "{content_type:?}");
    }
    let mut client = server.connect();
    client.send(format!("POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\n\r\n"));
    assert_eq!(client.answer().status, 411);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let server = serve(&[]);
    let mut client = server.connect();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n\r\n");
    let post = format!(
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    client.send(
        [
            get("/"),
            post,
            get("/nope"),
            get("/"),
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            get("/"),
        ]
        .concat(),
    );
    let statuses: Vec<u16> = (0..5).map(|_| client.answer().status).collect();
    assert_eq!(statuses, [200, 400, 404, 200, 400]);
    client.finish();
    assert_eq!(
        client.rest(),
        b"",
        "nothing is answered after what was refused"
    );
}

#[test]
fn a_refusal_does_not_end_the_connection_if_the_body_is_there() {
    let server = serve(&["--max-body", "4096"]);
    let mut client = server.connect();
    let post = |headers: &str, length: usize| {
        format!(
            "POST /reg/ HTTP/1.1\r\nhost: a\r\n{headers}content-length: {length}\r\n\r\n{}",
            "x".repeat(length)
        )
    };
    let key = format!("x-api-key: {KEY}\r\n");
    for (request, status) in [
        (
            post(
                "x-api-key: wrong\r\ncontent-type: application/json\r\n",
                1000,
            ),
            401,
        ),
        (post(&key, 1000), 415),
        (post(&key, 1000).replace("/reg/", "/nope"), 404),
        (post(&key, 1000).replace("POST", "PUT"), 405),
        (
            post(&format!("{key}content-type: application/json\r\n"), 5000),
            413,
        ),
    ] {
        client.send(request);
        let answer = client.answer();
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.headers.get("connection"), None, "{status}");
    }
    assert_eq!(client.post(REQUEST).status, 200);
    assert_eq!(server.metric("http_server_connections_accepted_total"), 1.0);

    // Neither a body that is still to come, nor a long one, is waited for.
    for (length, sent) in [(1000, 0), (100_000, 100_000)] {
        let mut client = server.connect();
        let request = post("", length);
        client.send(&request[..request.len() - length + sent]);
        let answer = client.answer();
        assert_eq!(
            (answer.status, answer.headers["connection"].as_str()),
            (401, "close")
        );
    }
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let server = serve(&[]);
    let mut client = server.connect();
    client.send(format!("GET / HTTP/1.0\r\nx-api-key: {KEY}\r\n\r\n"));
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.rest(), b"");
}

#[test]
fn without_a_key_everyone_on_loopback_is_let_in() {
    let server = start(config(&[], None));
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.get("/nope").status, 404);
}

#[test]
fn operators_have_a_listener_of_their_own() {
    let server = serve(&[]);
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(
            server.get(path).status,
            404,
            "{path} is not on the service's listener"
        );
        let answer = Client::connect(server.admin).get(path);
        assert_eq!(answer.status, 200, "{path}");
    }
    let mut admin = Client::connect(server.admin);
    assert_eq!(admin.get("/reg/").status, 404);
    assert_eq!(admin.request("POST", "/metrics", &[], "").status, 405);
    assert_eq!(
        server.metric("http_server_request_duration_seconds_count{route=\"unknown\",method=\"GET\",status=\"404\"}"),
        3.0
    );
    assert_eq!(server.metric("http_server_connections_accepted_total"), 3.0);
}
