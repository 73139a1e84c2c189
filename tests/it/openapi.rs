//! `/openapi.json` and `/docs` describe what the server does.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Answer, Client, KEY, Running, config, serve, start};

/// Methods that are tried on every path.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
];

fn document(server: &Running) -> Value {
    let mut client = server.connect();
    client.send("GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.status, 200, "no key is asked for");
    assert_eq!(answer.headers["content-type"], "application/json");
    assert!(!answer.text().contains("{{"), "a place was not filled in");
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn the_documented_methods_are_those_there_are() {
    let server = serve(&[]);
    let document = document(&server);
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 11);
    for (path, operations) in paths {
        for method in METHODS {
            let status = server.connect().request(method, path, &[], "").status;
            assert_eq!(
                operations[method.to_lowercase()].is_object(),
                status != 405,
                "{method} {path}: {status}"
            );
        }
        let allow = server.connect().request("PUT", path, &[], "").headers["allow"].to_lowercase();
        let mut allowed: Vec<&str> = allow.split(", ").collect();
        let mut documented: Vec<&str> = operations
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        allowed.sort_unstable();
        documented.sort_unstable();
        assert_eq!(allowed, documented, "{path}");
    }
}

#[test]
fn the_documented_need_of_a_key_is_the_servers() {
    let server = serve(&[]);
    let document = document(&server);
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let security = operation.get("security").unwrap_or(&document["security"]);
            let needs_key = !security.as_array().unwrap().is_empty();
            let mut client = server.connect();
            let method = method.to_uppercase();
            client.send(format!(
                "{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"
            ));
            let status = client.answer_to(&method).status;
            assert_eq!(needs_key, status == 401, "{method} {path}: {status}");
        }
    }
    let open = start(config(&[], None));
    assert_eq!(self::document(&open)["security"], serde_json::json!([]));
}

/// Failures that a client can cause, each with the name of its answer in the document.
fn failures(server: &Running) -> Vec<(&'static str, Answer)> {
    let get = |head: &str| {
        let mut client = server.connect();
        client.send(head);
        client.answer()
    };
    let post = |headers: &str, body: &str| {
        let mut client = server.connect();
        client.send(format!(
            "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n{headers}\r\n{body}"
        ));
        client.answer()
    };
    let json = "content-type: application/json\r\n";
    vec![
        ("Unauthorized", get("GET / HTTP/1.1\r\nhost: a\r\n\r\n")),
        ("BadHead", get("GET / HTTP/1.1\r\n\r\n")),
        ("Timeout", get("GET / HTTP/1.1\r\nhost:")),
        (
            "TargetTooLong",
            get(&format!(
                "GET /{} HTTP/1.1\r\nhost: a\r\n\r\n",
                "a".repeat(4096)
            )),
        ),
        (
            "HeadTooLarge",
            get(&format!(
                "GET / HTTP/1.1\r\nhost: a\r\n{}\r\n",
                "a: b\r\n".repeat(64)
            )),
        ),
        ("Moved", get("POST /reg HTTP/1.1\r\nhost: a\r\n\r\n")),
        ("LengthRequired", post(json, "")),
        (
            "NotAcceptable",
            post(
                &format!("{json}accept: text/csv\r\ncontent-length: 0\r\n"),
                "",
            ),
        ),
        ("UnsupportedMediaType", post("content-length: 0\r\n", "")),
        (
            "BodyTooLarge",
            post(&format!("{json}content-length: 4097\r\n"), ""),
        ),
        ("Busy", busy(server, json)),
    ]
}

/// Answer to a request while another, which never ends, takes the only place in flight.
fn busy(server: &Running, json: &str) -> Answer {
    let head = format!(
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n{json}content-length: 2\r\n\r\n"
    );
    let mut first = server.connect();
    first.send(&head);
    while server.metric("http_server_active_requests") < 1.0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut second = server.connect();
    second.send(&head);
    second.answer()
}

#[test]
fn the_documented_failures_are_the_servers_word_for_word() {
    let server = serve(&[
        "--max-body",
        "4096",
        "--max-in-flight",
        "1",
        "--header-timeout",
        "1s",
        "--body-timeout",
        "5s",
    ]);
    let document = document(&server);
    for (name, answer) in failures(&server) {
        let response = &document["components"]["responses"][name];
        let content = &response["content"]["application/json"];
        assert_eq!(answer.headers["content-type"], "application/json", "{name}");
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(said, content["example"], "{name}");
        if let Some(headers) = response["headers"].as_object() {
            for header in headers.keys() {
                assert!(answer.headers.contains_key(header), "{name}: {header}");
            }
        }
        let documented = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .any(|operations| {
                operations.as_object().unwrap().values().any(|operation| {
                    operation["responses"][answer.status.to_string()]["$ref"]
                        == format!("#/components/responses/{name}")
                })
            });
        assert!(documented, "{name} belongs to {}", answer.status);
    }
}

#[test]
fn the_documented_examples_are_answered() {
    let server = serve(&[]);
    let document = document(&server);
    let content = &document["components"]["requestBodies"]["Pick"]["content"];
    for (media_type, content) in content.as_object().unwrap() {
        for (name, example) in content["examples"].as_object().unwrap() {
            let body = match &example["value"] {
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            let answer =
                server
                    .connect()
                    .request("POST", "/reg/", &[("content-type", media_type)], &body);
            assert_eq!(
                answer.status,
                200,
                "{media_type}, {name}: {}",
                answer.text()
            );
        }
    }
    let one = &content["application/json"]["examples"]["one"]["value"];
    let properties = &document["components"]["schemas"]["Request"]["properties"];
    let names =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(one), names(properties));
    for field in names(one) {
        let mut without = one.clone();
        without.as_object_mut().unwrap().remove(&field);
        let answer = server.post(&without.to_string());
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(&field), "{}", answer.text());
    }
}

#[test]
fn the_documented_example_of_tensors_is_answered() {
    let server = serve(&[]);
    let path = "/v2/models/pick_regno/infer";
    let request = &document(&server)["paths"][path]["post"]["requestBody"];
    let example = request["content"]["application/json"]["example"].to_string();
    let answer = server.connect().request("POST", path, &[], &example);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn the_page_and_its_files_are_locked_down() {
    let server = serve(&[]);
    for (path, content_type) in [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/page.css", "text/css; charset=utf-8"),
        ("/docs/page.js", "text/javascript; charset=utf-8"),
    ] {
        let mut client = Client::connect(server.addr);
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let answer = client.answer();
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["content-type"], content_type);
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        let policy = &answer.headers["content-security-policy"];
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    assert_eq!(server.get("/docs/other").status, 404);
}
