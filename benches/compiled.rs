//! Any model, compiled: `MODEL` names it when this is built, `ROWS` a file of rows when it is run.
//!
//! A row is a line of JSON: the features of each kind in the model's order, and what CatBoost answers,
//! `{"floats":[1.5,null],"cats":["a"],"texts":[],"raw":[0.25]}`; null is NaN. Each row must be answered with CatBoost's bits
//! before anything is timed. Then the first rows, `BLOCKS` says how many (`1,1000`), are evaluated over and over.
//!
//! `… --rounds N` evaluates all rows so many times and times nothing, for callgrind and perf.

#![allow(
    confusable_idents,
    mixed_script_confusables,
    reason = "models have features of any name"
)]

use std::env;
use std::hint::black_box;
use std::io::BufRead as _;

use criterion::{Criterion, Throughput};
use serde::Deserialize;

mod model {
    #![allow(
        missing_docs,
        dead_code,
        non_snake_case,
        uncommon_codepoints,
        reason = "generated"
    )]
    include!(concat!(env!("OUT_DIR"), "/model.rs"));
}

#[derive(Deserialize)]
struct Row {
    floats: Vec<Option<f32>>,
    cats: Vec<String>,
    texts: Vec<String>,
    raw: Vec<f64>,
}

fn main() {
    let Ok(path) = env::var("ROWS") else {
        println!("ROWS names no file of rows: nothing is timed");
        return;
    };
    let file = std::fs::File::open(&path).unwrap_or_else(|why| panic!("{path}: {why}"));
    let lines = std::io::BufReader::new(file).lines();
    let rows: Vec<Row> = lines
        .map(|line| serde_json::from_str(&line.expect("text")).expect("a row"))
        .collect();
    let features: Vec<_> = rows
        .iter()
        .map(|row| {
            let floats: Vec<f32> = row.floats.iter().map(|it| it.unwrap_or(f32::NAN)).collect();
            let cats: Vec<&str> = row.cats.iter().map(String::as_str).collect();
            let texts: Vec<&str> = row.texts.iter().map(String::as_str).collect();
            model::Features::from_kinds(kind(&floats), kind(&cats), kind(&texts))
        })
        .collect();
    for (row, features) in rows.iter().zip(&features) {
        let bits = |raw: &[f64]| raw.iter().map(|raw| raw.to_bits()).collect::<Vec<_>>();
        assert_eq!(
            bits(&model::raw(features)),
            bits(&row.raw),
            "not CatBoost's answer"
        );
    }

    // A closure, as not every model's features borrow.
    let evaluate = |rows: &[_]| {
        for row in rows {
            black_box(model::raw(black_box(row)));
        }
    };
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [flag, rounds, ..] = &arguments[..]
        && flag == "--rounds"
    {
        for _ in 0..rounds.parse().expect("a number of rounds") {
            evaluate(&features);
        }
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("rows");
    let blocks = env::var("BLOCKS").expect("BLOCKS is set");
    for block in blocks.split(',') {
        let size = block.parse().expect("a number of rows");
        let rows: Vec<_> = features.iter().copied().cycle().take(size).collect();
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(block, |bencher| bencher.iter(|| evaluate(&rows)));
    }
    group.finish();
    criterion.final_summary();
}

/// The features of a kind, as many as the model has.
fn kind<T, const LEN: usize>(features: &[T]) -> &[T; LEN] {
    features.try_into().expect("as many as the model has")
}
