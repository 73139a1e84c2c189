//! Batches that stall, are malformed, or meet a fault of the service.

use super::*;

#[test]
fn a_batch_may_take_its_time_but_not_fall_silent() {
    let server = serve(&["--body-timeout", "600ms"]);
    let good = format!("{}\n", answered(&server));
    let mut client = begun(&server, "");
    // Longer than the deadline in all, and a sweep later.
    for _ in 0..6 {
        client.send(chunk(format!("{REQUEST}\n")));
        assert_eq!(client.chunk(), good.as_bytes());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(
        client.chunk(),
        b"{\"error\":\"Request timeout: the body did not arrive in time\"}\n"
    );
    assert_eq!(client.rest(), b"", "and no proper end");
    assert_eq!(
        server.metric("http_server_timeouts_total{phase=\"body\"}"),
        1.0
    );

    let mut silent = server.connect();
    silent.send(head(NDJSON, ""));
    assert_eq!(silent.answer().status, 408);
}

#[test]
fn a_panic_costs_one_record() {
    fn fault(record: &[u8]) {
        assert!(record.ends_with(b"\n"), "a whole record");
        assert!(!record.starts_with(b" "), "made to panic");
    }
    let server = start_with(config(&[], Some(KEY)), |server| {
        server.with_faults(faults(fault))
    });
    let body = format!("{REQUEST}\n {REQUEST}\n{REQUEST}\n").repeat(20);
    let answer = server
        .connect()
        .request("POST", "/reg/", &[("content-type", NDJSON)], &body);
    assert_eq!(answer.status, 200);
    let lines = lines(&answer.body);
    assert_eq!(lines.len(), 60);
    for (nth, three) in lines.chunks(3).enumerate() {
        assert!(three[0].starts_with("{\"negative\":"), "{}", three[0]);
        let error = format!("{{\"error\":\"line {}: {OUR_FAULT}\"}}", 3 * nth + 2);
        assert_eq!((&three[1], &three[2]), (&error, &three[0]));
    }
    assert_eq!(answered_with(&server, 500), 1.0);
    // Over each record that is made to panic, and before over all records that were read with it.
    let panics = server.metric("http_server_panics_total");
    assert!((21.0..=40.0).contains(&panics), "{panics}");
    assert_eq!(server.metric("pick_regno_rows_total"), 40.0);
}

/// A panic while searching the next record: nothing after it can be found.
#[test]
fn a_panic_between_records_cuts_the_batch() {
    fn fault(records: &[u8]) {
        assert!(!records.starts_with(b" "), "made to panic");
    }
    let server = start_with(config(&[], Some(KEY)), |server| {
        server.with_faults(Faults {
            reading: Some(fault),
            ..Faults::default()
        })
    });
    let good = answered(&server);
    let mut client = begun(&server, "");
    client.send(chunk(format!("{REQUEST}\n {REQUEST}\n{REQUEST}\n")));
    assert_eq!(
        client.chunk(),
        format!("{good}\n{{\"error\":\"{OUR_FAULT}\"}}\n").as_bytes()
    );
    assert_eq!(client.rest(), b"", "and no proper end");
    assert_eq!(
        server.metric("http_server_cut_batches_total{reason=\"fault\"}"),
        1.0
    );
    assert_eq!(server.metric("http_server_panics_total"), 1.0);
    // The single request, and the record before the panic.
    assert_eq!(server.metric("pick_regno_rows_total"), 2.0);
    assert_eq!(answered_with(&server, 500), 1.0);
    for gauge in ["http_server_active_requests", "http_server_held_body_bytes"] {
        within(20, || server.metric(gauge) == 0.0);
    }
    assert_eq!(server.post(REQUEST).status, 200, "the worker goes on");
}

#[test]
fn a_broken_body_breaks_the_answer() {
    let server = serve(&[]);
    let mut client = begun(&server, "");
    client.send("no size\r\n");
    assert_eq!(
        client.chunk(),
        b"{\"error\":\"Bad request: the chunked body is malformed\"}\n"
    );
    assert_eq!(client.rest(), b"", "and no proper end");
    let cut = |reason| {
        server.metric(&format!(
            "http_server_cut_batches_total{{reason=\"{reason}\"}}"
        ))
    };
    assert_eq!((cut("framing"), cut("incomplete")), (1.0, 0.0));

    let mut gone = begun(&server, "");
    gone.finish();
    assert_eq!(
        gone.chunk(),
        b"{\"error\":\"Bad request: the body ended before its length\"}\n"
    );
    gone.rest();
    assert_eq!((cut("framing"), cut("incomplete")), (1.0, 1.0));
}

/// More extensions than hyper skips, of which it reports nothing.
#[test]
fn endless_extensions_break_the_answer() {
    let server = serve(&[]);
    let good = format!("{}\n", answered(&server));
    let mut client = begun(&server, "");
    let line = format!("{REQUEST}\n");
    let extended = format!("{:x};{}\r\n{line}\r\n", line.len(), "e".repeat(1000));
    for _ in 0..8 {
        client.send(&extended);
        assert_eq!(client.chunk(), good.as_bytes());
    }
    client.send(&extended);
    assert_eq!(
        client.chunk(),
        b"{\"error\":\"Bad request: the chunked body is malformed\"}\n"
    );
    client.rest();
}
