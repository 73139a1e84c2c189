//! `bench`: times of loading a model, and of evaluating rows.

use std::{
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use catboost_apply::{Model, Row, Scratch};
use clap::Args;

use crate::rows::Rows;

/// Minimum number of timed loads; the fastest counts.
const LOADS: usize = 3;
/// Number of single rows per timing: on a busy machine many rows are rarely evaluated without an interruption.
const FEW_ROWS: usize = 16;

#[derive(Args)]
pub(crate) struct Options {
    /// Rows per block.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    block: u32,
    /// Seconds to measure each of the three for.
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected a number of seconds, at most 3600".to_owned()),
    }
}

/// Prints the time of loading, and of a row, alone and in blocks. The least of all rounds counts, since other load of
/// the machine can only add to it.
pub(crate) fn bench(path: &Path, rows: &Path, options: &Options) -> Result<(), String> {
    let ir = crate::load(path)?;
    let read = Rows::open(rows, &ir)?.collect::<Result<Vec<_>, String>>()?;
    if read.is_empty() {
        return Err(format!("{}: no rows", rows.display()));
    }
    let model = Model::load(path).map_err(|error| error.to_string())?;
    let borrowed: Vec<_> = read.iter().map(|row| row.borrowed()).collect();
    let rows = read
        .iter()
        .zip(&borrowed)
        .map(|(row, borrowed)| row.row(borrowed));
    let rows: Vec<Row> = rows.collect();

    let budget = Duration::from_secs_f64(options.seconds);
    let load = least(budget, LOADS, || {
        black_box(Model::load(path).is_ok());
    });
    let mut raw = vec![0.0; model.dimension()];
    let mut leasts = vec![Duration::MAX; rows.len().div_ceil(FEW_ROWS)];
    let mut places = (0..leasts.len()).cycle();
    least(budget, leasts.len(), || {
        let place = places.next().expect("there are rows");
        let few = rows
            .chunks(FEW_ROWS)
            .nth(place)
            .expect("there is a place each");
        let before = Instant::now();
        for row in few {
            model
                .raw_into(black_box(row), &mut raw)
                .expect("rows are the model's");
            black_box(&raw);
        }
        leasts[place] = leasts[place].min(before.elapsed());
    });
    let one: Duration = leasts.iter().sum();
    let block: Vec<Row> = rows
        .iter()
        .copied()
        .cycle()
        .take(options.block as usize)
        .collect();
    let mut raws = vec![0.0; block.len() * model.dimension()];
    let mut scratch = Scratch::default();
    let in_blocks = least(budget, 1, || {
        model
            .raw_block(black_box(&block), &mut scratch, &mut raws)
            .expect("rows are the model's");
        black_box(&raws);
    });
    let load = load.as_secs_f64() * 1e3;
    let one = one.as_secs_f64() * 1e9 / rows.len() as f64;
    let in_blocks = in_blocks.as_secs_f64() * 1e9 / block.len() as f64;
    let text = if options.json {
        format!(
            "{{\"load_ms\":{load:.3},\"one_row_ns\":{one:.1},\"block_row_ns\":{in_blocks:.1}}}\n"
        )
    } else {
        format!(
            "load: {load:.3} ms\none row: {one:.1} ns\na row in blocks of {}: {in_blocks:.1} ns\n",
            options.block
        )
    };
    crate::print(&text).map(|_| ())
}

/// Least time of `what` within a budget.
fn least(budget: Duration, rounds: usize, mut what: impl FnMut()) -> Duration {
    let (begin, mut least) = (Instant::now(), Duration::MAX);
    let mut round = 0;
    while round < rounds || begin.elapsed() < budget {
        let before = Instant::now();
        what();
        least = least.min(before.elapsed());
        round += 1;
    }
    least
}
