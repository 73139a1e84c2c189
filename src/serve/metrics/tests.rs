use super::*;
use crate::serve::keys::Keys;
use std::sync::Arc;

#[test]
fn shards_are_added_up() {
    let shards = [Arc::new(Shard::default()), Arc::new(Shard::default())];
    for shard in &shards {
        shard.answered(
            Route::Reg,
            &hyper::Method::POST,
            200,
            Duration::from_micros(50),
        );
        shard.answered(
            Route::Reg,
            &hyper::Method::POST,
            200,
            Duration::from_nanos(50_001),
        );
    }
    let text = render(
        &shards,
        &Process {
            max_connections: 10_000,
            in_flight: 7,
            keys: &Keys::load(None, None).unwrap(),
            tls: None,
            sentry: None,
            log_lines_lost: 3,
            ready: true,
        },
    );
    let labels = "route=\"/reg/\",method=\"POST\",status=\"200\"";
    for line in [
        format!("http_server_request_duration_seconds_bucket{{{labels},le=\"0.00005\"}} 2"),
        format!("http_server_request_duration_seconds_bucket{{{labels},le=\"0.0001\"}} 4"),
        format!("http_server_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 4"),
        format!("http_server_request_duration_seconds_count{{{labels}}} 4"),
        "http_server_active_requests 7".to_owned(),
        "pick_regno_log_lines_lost_total 3".to_owned(),
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} in:\n{text}"
        );
    }
    for status in [500, 503] {
        let series = format!("method=\"POST\",status=\"{status}\"}} 0");
        assert!(text.contains(&series), "{series} in:\n{text}");
    }
    assert!(
        !text.contains("status=\"404\""),
        "series that never occurred are not written"
    );
}
