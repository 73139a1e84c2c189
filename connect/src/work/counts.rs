//! Metrics of the worker.
//!
//! All names begin with `pick_regno_connect_`. The help texts below are those of `/metrics`.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

/// Handles of the worker's metrics.
pub struct Counts {
    pub answered: Counter,
    pub failed: Counter,
    pub unanswered: Counter,
    pub dead_lettered: Counter,
    pub rows: Counter,
    pub redelivered: Counter,
    pub refused: Counter,
    pub returned: Counter,
    pub panics: Counter,
    pub connections: Counter,
    pub result_retries: Counter,
    pub in_flight: Gauge,
    pub held: Gauge,
    pub blocked: Gauge,
    pub connected: Gauge,
}

impl Counts {
    /// Registers the metrics, so that each is present from the start with a value of 0.
    pub fn new() -> Counts {
        let messages = "pick_regno_connect_messages_total";
        describe_counter!(
            messages,
            "Messages by what became of them: answered, failed (the caller was told why), unanswered (nobody asked for an answer), dead_lettered."
        );
        describe_counter!(
            "pick_regno_connect_rows_total",
            "Requests answered with probabilities."
        );
        describe_counter!(
            "pick_regno_connect_redelivered_total",
            "Messages that the broker had delivered before."
        );
        describe_counter!(
            "pick_regno_connect_answers_refused_total",
            "Answers that the broker did not take; their messages went back to the queue."
        );
        describe_counter!(
            "pick_regno_connect_answers_returned_total",
            "Answers whose queue was gone."
        );
        describe_counter!(
            "pick_regno_connect_panics_total",
            "Messages over which the worker panicked; they are dead-lettered."
        );
        describe_counter!(
            "pick_regno_connect_connections_total",
            "Connections to the broker that were opened."
        );
        describe_counter!(
            "pick_regno_connect_result_retries_total",
            "Results that Redis did not take at once; they are written again."
        );
        describe_gauge!(
            "pick_regno_connect_in_flight",
            "Messages that are not settled yet."
        );
        describe_gauge!(
            "pick_regno_connect_held",
            "Tasks that wait for their eta; each takes a place of --prefetch."
        );
        describe_gauge!(
            "pick_regno_connect_blocked",
            "1 while the broker reads nothing from this worker."
        );
        describe_gauge!(
            "pick_regno_connect_connected",
            "1 while there is a connection to the broker."
        );
        Counts {
            answered: counter!(messages, "outcome" => "answered"),
            failed: counter!(messages, "outcome" => "failed"),
            unanswered: counter!(messages, "outcome" => "unanswered"),
            dead_lettered: counter!(messages, "outcome" => "dead_lettered"),
            rows: counter!("pick_regno_connect_rows_total"),
            redelivered: counter!("pick_regno_connect_redelivered_total"),
            refused: counter!("pick_regno_connect_answers_refused_total"),
            returned: counter!("pick_regno_connect_answers_returned_total"),
            panics: counter!("pick_regno_connect_panics_total"),
            connections: counter!("pick_regno_connect_connections_total"),
            result_retries: counter!("pick_regno_connect_result_retries_total"),
            in_flight: gauge!("pick_regno_connect_in_flight"),
            held: gauge!("pick_regno_connect_held"),
            blocked: gauge!("pick_regno_connect_blocked"),
            connected: gauge!("pick_regno_connect_connected"),
        }
    }
}
