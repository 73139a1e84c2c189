//! Benchmark of compiled models. `MODELS` names them at build time. At run time, `ROWS` is a folder with a file of rows
//! for each: `NAME.ndjson` for a model file `NAME.cbm`.
//!
//! A row is a line of JSON with the features of each kind in the model's order, and CatBoost's answer:
//! `{"floats":[1.5,null],"cats":["a"],"texts":[],"raw":[0.25]}`. null is NaN, and numbers beyond f32 are infinite. Each
//! row must be answered with CatBoost's bits before anything is timed. Then the first rows are evaluated repeatedly, in
//! blocks of the sizes in `BLOCKS` (`1,1000`).
//!
//! `… --rounds N` evaluates all rows N times and measures nothing, for callgrind and perf.

#![allow(
    confusable_idents,
    mixed_script_confusables,
    uncommon_codepoints,
    reason = "models have features of any name"
)]

use std::hint::black_box;
use std::io::BufRead as _;
use std::path::Path;
use std::{env, fs};

use catboost_runtime::block::Scratch;
use criterion::{Criterion, Throughput};
use serde::Deserialize;

fn main() {
    let Some(folder) = env::var_os("ROWS") else {
        println!("ROWS names no folder of rows: nothing is timed");
        return;
    };
    let arguments: Vec<String> = env::args().skip(1).collect();
    let task = match &arguments[..] {
        [flag, rounds, ..] if flag == "--rounds" => Task::Run(rounds.parse().expect("a number")),
        _ => Task::Time(
            Box::new(Criterion::default().configure_from_args()),
            env::var("BLOCKS").expect("BLOCKS is set"),
        ),
    };
    run(task, folder.as_ref());
}

enum Task {
    /// Evaluate all rows this many times.
    Run(usize),
    /// Time blocks of rows, of these sizes.
    Time(Box<Criterion>, String),
}

impl Task {
    /// Runs the task with a model's rows; `evaluate` evaluates some.
    fn perform<Row: Copy>(&mut self, model: &str, rows: &[Row], mut evaluate: impl FnMut(&[Row])) {
        match self {
            Task::Run(rounds) => (0..*rounds).for_each(|_| evaluate(rows)),
            Task::Time(criterion, blocks) => {
                let mut group = criterion.benchmark_group(model);
                for block in blocks.split(',') {
                    let size: usize = block.parse().expect("a number of rows");
                    let rows: Vec<Row> = rows.iter().copied().cycle().take(size).collect();
                    group.throughput(Throughput::Elements(size as u64));
                    group.bench_function(format!("{model}, {block}"), |bencher| {
                        bencher.iter(|| evaluate(&rows));
                    });
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Row {
    floats: Vec<Option<f64>>,
    cats: Vec<String>,
    texts: Vec<String>,
    raw: Vec<f64>,
}

impl Row {
    fn read(folder: &Path, model: &str) -> Vec<Row> {
        let path = folder.join(format!("{model}.ndjson"));
        let file = fs::File::open(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        std::io::BufReader::new(file)
            .lines()
            .map(|line| serde_json::from_str(&line.expect("text")).expect("a row"))
            .collect()
    }
}

/// Converts the features of a kind to an array.
fn kind<T, const LEN: usize>(features: &[T]) -> &[T; LEN] {
    features.try_into().expect("as many as the model has")
}

fn bits(raw: &[f64]) -> Vec<u64> {
    raw.iter().map(|raw| raw.to_bits()).collect()
}

macro_rules! models {
    ($($module:ident: $name:literal,)*) => {
        $(mod $module {
            #![allow(missing_docs, dead_code, non_snake_case, reason = "generated")]
            include!(concat!(env!("OUT_DIR"), "/", stringify!($module), ".rs"));
        })*

        fn run(mut task: Task, folder: &Path) {
            $({
                let rows = Row::read(folder, $name);
                let features = rows.iter().map(|row| {
                    let floats: Vec<f32> = row.floats.iter().map(|it| it.map_or(f32::NAN, |it| it as f32)).collect();
                    let cats: Vec<&str> = row.cats.iter().map(String::as_str).collect();
                    let texts: Vec<&str> = row.texts.iter().map(String::as_str).collect();
                    $module::Features::from_kinds(kind(&floats), kind(&cats), kind(&texts))
                });
                let features: Vec<_> = features.collect();
                for (row, features) in rows.iter().zip(&features) {
                    let raw = $module::raw(features);
                    assert_eq!(bits(&raw), bits(&row.raw), "{}: not CatBoost's answer", $name);
                }
                let mut raw = vec![[0.0; $module::DIMENSION]; rows.len()];
                let mut scratch = Scratch::default();
                $module::raw_block(&features, &mut scratch, &mut raw);
                for (row, raw) in rows.iter().zip(&raw) {
                    assert_eq!(bits(raw), bits(&row.raw), "{}: not CatBoost's answer in a block", $name);
                }
                task.perform($name, &features, |rows| match rows {
                    [row] => {
                        black_box($module::raw(black_box(row)));
                    }
                    rows => {
                        raw.resize(rows.len(), [0.0; $module::DIMENSION]);
                        $module::raw_block(black_box(rows), &mut scratch, &mut raw);
                        black_box(&raw);
                    }
                });
            })*
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/models.rs"));
