//! Messages of the service on stderr.

use serde_json::Value;

use crate::program::Program;
use crate::support::{Client, KEY, REQUEST};

/// Lines about requests.
fn requests(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| {
        serde_json::from_str::<Value>(line).unwrap_or_else(|why| panic!("{why}: {line}"))
    });
    lines.filter(|line| line["message"] == "request").collect()
}

#[test]
fn each_request_is_a_line_that_gives_nothing_away() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let program = Program::start(&["--log-sample", "1"]);
    let mut client = Client::connect(program.addr);
    let json = ("content-type", "application/json");
    let good = client.request(
        "POST",
        "/reg/",
        &[json, ("x-request-id", "mine\"\\-1"), ("traceparent", TRACE)],
        REQUEST,
    );
    assert_eq!(good.headers["x-request-id"], "mine\"\\-1");
    let trace = &good.headers["traceparent"];
    assert_eq!(trace[..36], TRACE[..36]);
    let unnamed = client.request("POST", "/reg/", &[json], "{\"secret-value\": 1}");
    let made = unnamed.headers["x-request-id"].clone();
    assert_eq!(client.get("/secret-path?secret-query").status, 404);
    client.send("GET / HTTP/1.1\r\nhost: a\r\nx-api-key: secret-key\r\n\r\n");
    assert_eq!(client.answer().status, 401);
    client.send("GET /\u{1} HTTP/1.1\r\n\r\n");
    assert_eq!(client.answer().status, 400);
    for line in [
        "POST /\u{1} HTTP/1.1",
        "CONNECT a:80 HTTP/1.1",
        "PRI * HTTP/2.0",
    ] {
        let mut client = Client::connect(program.addr);
        client.send(format!("{line}\r\n\r\n"));
        assert_eq!(client.answer().status, 400);
    }

    let log = program.stop();
    for secret in ["secret-", KEY, "А939НО", "Астра"] {
        assert!(!log.contains(secret), "{secret} in:\n{log}");
    }
    let lines = requests(&log);
    let summary: Vec<_> = lines
        .iter()
        .map(|line| {
            let text = |field: &str| line[field].as_str().unwrap_or("").to_owned();
            let status = line["status"].as_u64().unwrap();
            (text("level"), text("route"), text("method"), status)
        })
        .collect();
    let expected = [
        ("info", "/reg/", "POST", 200),
        ("warn", "/reg/", "POST", 400),
        ("warn", "unknown", "GET", 404),
        ("warn", "/", "GET", 401),
        ("warn", "unknown", "GET", 400),
        ("warn", "unknown", "POST", 400),
        ("warn", "unknown", "OTHER", 400),
        ("warn", "unknown", "OTHER", 400),
    ];
    let expected = expected
        .map(|(level, route, method, status)| (level.into(), route.into(), method.into(), status));
    assert_eq!(summary, expected);

    let first = &lines[0];
    assert_eq!(first["request_id"], "mine\"\\-1");
    assert_eq!(first["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(first["span_id"], trace[36..52]);
    assert_eq!(first["bytes_in"], REQUEST.len());
    assert_eq!(first["bytes_out"], good.body.len());
    assert_eq!(first["rows"], 1);
    assert!(first["duration_us"].is_u64());
    assert_eq!(first["reason"], Value::Null);
    assert_eq!(lines[1]["request_id"], *made);
    let reason = lines[1]["reason"].as_str().unwrap();
    assert!(reason.starts_with("Bad request: "), "{reason}");
    assert_eq!(lines[3]["reason"], "Unauthorized");
}

#[test]
fn without_the_flag_what_goes_well_is_mostly_not_logged() {
    let program = Program::start(&[]);
    let mut client = Client::connect(program.addr);
    for _ in 0..100 {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(client.get("/nope").status, 404);
    let lines = requests(&program.stop());
    // One in a hundred is the default; a hundred requests with 30 lines would be a miracle.
    assert!(lines.len() < 30, "{} lines", lines.len());
    assert_eq!(lines.last().unwrap()["status"], 404);
}

#[test]
fn a_batch_that_is_cut_is_logged_although_its_status_was_good() {
    let program = Program::start(&["--log-sample", "0"]);
    let mut client = Client::connect(program.addr);
    // So many that their answers do not wait for the end.
    let records = "{}\n".repeat(6_000);
    client.send(format!(
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{records}\r\n",
        records.len()
    ));
    assert_eq!(client.head().status, 200);
    client.chunk();
    client.send("no size\r\n");
    client.rest();
    assert_eq!(Client::connect(program.addr).get("/").status, 200);
    let lines = requests(&program.stop());
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = &lines[0];
    assert_eq!(
        (&line["level"], &line["status"]),
        (&"warn".into(), &200.into())
    );
    assert_eq!(line["reason"], "Bad request: the chunked body is malformed");
}

#[test]
fn a_flood_of_refusals_does_not_flood_the_log() {
    const MANY: usize = 3_000;
    let program = Program::start(&[]);
    let started = std::time::Instant::now();
    let mut client = Client::connect(program.addr);
    let burst = "GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(500);
    for _ in 0..MANY / 500 {
        client.send(&burst);
        for _ in 0..500 {
            assert_eq!(client.answer().status, 401);
        }
    }
    // As many seconds as were begun.
    let seconds = started.elapsed().as_secs() + 2;
    let page = Client::connect(program.admin).get("/metrics").text();
    let counted = page
        .lines()
        .find_map(|line| line.strip_prefix("pick_regno_log_refusals_left_out_total "))
        .unwrap()
        .parse::<u64>()
        .unwrap();
    let log = program.stop();
    let logged = requests(&log).len() as u64;
    let told: u64 = log
        .lines()
        .filter(|line| line.contains("\"refusals not logged: "))
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["requests"]
                .as_u64()
                .unwrap()
        })
        .sum();
    assert!(logged <= 100 * seconds, "{logged} lines in {seconds} s");
    assert!(logged >= 100, "{logged} lines");
    assert_eq!((logged + told, told), (MANY as u64, counted));
}

#[test]
fn a_log_that_nobody_reads_stops_nothing_and_its_losses_are_counted() {
    let program = Program::start(&["--log-sample", "1"]);
    let mut client = Client::connect(program.addr);
    let burst = format!("GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n\r\n").repeat(500);
    let lost = || {
        let page = Client::connect(program.admin).get("/metrics").text();
        let count = page
            .lines()
            .find_map(|line| line.strip_prefix("pick_regno_log_lines_lost_total "));
        count.unwrap().parse::<u64>().unwrap()
    };
    let mut answered = 0;
    while lost() == 0 {
        client.send(&burst);
        for _ in 0..500 {
            assert_eq!(client.answer().status, 200);
        }
        answered += 500;
        assert!(answered < 200_000, "no line was ever lost");
    }
    drop(client);
    let lost = lost();
    let log = program.stop();
    let lines = requests(&log).len() as u64;
    let said: u64 = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|line| line["lines"].as_u64())
        .sum();
    assert!(said >= lost, "{said} said, {lost} counted before");
    // The lines that say that it stops may have been lost as well.
    let all = lines + said;
    assert!(
        (answered..=answered + 2).contains(&all),
        "{all} of {answered}"
    );
    println!("{answered} requests, all answered; {lines} lines written, {said} lost and counted");
}
