//! Serves a CatBoost model, compiled to Rust, that picks between two readings of a licence plate.
//!
//! Stages of a request: [`request`] reads and checks the ten fields, [`features`](mod@features) derives the model's
//! inputs, [`pick_regno`](mod@pick_regno) computes two probabilities, and [`answer`] formats them.

#![allow(
    confusable_idents,
    mixed_script_confusables,
    reason = "the model's features have the Cyrillic letters of licence plates for names"
)]
#![warn(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "they panic where nobody reads, as after `2>&1 | head`"
)]

pub mod answer;
mod arguments;
mod background;
pub mod check;
pub mod derived;
pub mod exit;
pub mod explain;
pub mod explanation;
pub mod features;
mod hangup;
pub mod healthcheck;
#[path = "../build/inputs.rs"]
mod inputs;
pub mod load;
pub mod loaded;
pub mod memory;
mod messages;
pub mod model;
pub mod model_card;
#[path = "../build/output.rs"]
mod output;
pub mod pick_regno;
pub mod picker;
pub mod plate;
pub mod python_sort;
pub mod recorder;
pub mod records;
pub mod request;
mod scan;
pub mod score;
pub mod serve;
