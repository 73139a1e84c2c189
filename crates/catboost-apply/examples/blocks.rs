//! Times the evaluation of blocks of rows: `blocks MODEL ROWS SIZES [INSTRUCTIONS [THREADS]]`.
//!
//! `ROWS` is a file with a row per line, as `benches/compiled.rs` describes; `SIZES` is a list such as `1,1000`;
//! `INSTRUCTIONS` are `all`, `avx2` or `portable`. With the feature `rayon`, `THREADS` is a list such as `1,2`: the
//! blocks are then shared out to so many threads. Checks that every row has CatBoost's bits, on its own and in a
//! block, and then prints the least time per row for each size, in nanoseconds.

use std::{error::Error, fs, hint::black_box, time::Duration, time::Instant};

use catboost_apply::{Instructions, Model, Row, Scratch};
use serde_json::Value;

/// Duration of each measurement.
const TIME: Duration = Duration::from_millis(400);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, rows, sizes, instructions @ ..] = &arguments[..] else {
        return Err("give a model, a file of rows, and sizes of blocks".into());
    };
    #[cfg(feature = "rayon")]
    let threads = instructions.get(1).cloned();
    let instructions = match instructions.first().map(String::as_str) {
        None | Some("all") => Instructions::All,
        Some("avx2") => Instructions::Avx2,
        Some("portable") => Instructions::Portable,
        Some(other) => return Err(format!("{other}: all, avx2 or portable").into()),
    };
    let model = Model::load(model)?;
    let lines = fs::read_to_string(rows)?;
    let lines: Vec<Value> = lines
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let floats: Vec<Vec<f32>> = lines.iter().map(|line| numbers(&line["floats"])).collect();
    let [cats, texts] = ["cats", "texts"]
        .map(|kind| -> Vec<Vec<&str>> { lines.iter().map(|line| strings(&line[kind])).collect() });
    let rows = floats.iter().zip(&cats).zip(&texts);
    let rows: Vec<Row> = rows
        .map(|((floats, cats), texts)| Row {
            floats,
            cats,
            texts,
            embeddings: &[],
        })
        .collect();
    let expected = lines
        .iter()
        .flat_map(|line| line["raw"].as_array().into_iter().flatten());
    let expected: Vec<u64> = expected
        .filter_map(Value::as_f64)
        .map(f64::to_bits)
        .collect();

    let mut scratch = Scratch::with_instructions(instructions);
    let mut raw = vec![0.0; expected.len()];
    model.raw_block(&rows, &mut scratch, &mut raw)?;
    let one_by_one = rows
        .iter()
        .map(|row| model.raw(row))
        .collect::<Result<Vec<_>, _>>()?;
    for raw in [raw, one_by_one.concat()] {
        let same = raw
            .iter()
            .map(|value| value.to_bits())
            .eq(expected.iter().copied());
        if !same {
            return Err("not CatBoost's raw values".into());
        }
    }
    for size in sizes.split(',') {
        let size: usize = size.parse()?;
        let block: Vec<Row> = rows.iter().copied().cycle().take(size).collect();
        let mut raw = vec![0.0; size * model.dimension()];
        let mut least = Duration::MAX;
        let begun = Instant::now();
        while begun.elapsed() < TIME {
            // Enough repetitions for the clock's resolution.
            let times = 256_usize.div_ceil(size);
            let start = Instant::now();
            for _ in 0..times {
                match &block[..] {
                    [row] => model.raw_into(black_box(row), &mut raw)?,
                    block => model.raw_block(black_box(block), &mut scratch, &mut raw)?,
                }
                black_box(&raw);
            }
            least = least.min(start.elapsed() / times as u32);
        }
        println!("{size} {:.1}", least.as_nanos() as f64 / size as f64);
        #[cfg(feature = "rayon")]
        for threads in threads.iter().flat_map(|list| list.split(',')) {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads.parse()?)
                .build()?;
            let mut least = Duration::MAX;
            let begun = Instant::now();
            while begun.elapsed() < TIME {
                let start = Instant::now();
                pool.install(|| model.raw_block_on_all_cores(black_box(&block), &mut raw))?;
                least = least.min(start.elapsed());
            }
            let nanoseconds = least.as_nanos() as f64 / size as f64;
            println!("{size} {nanoseconds:.1} on threads: {threads}");
        }
    }
    Ok(())
}

fn numbers(list: &Value) -> Vec<f32> {
    let list = list.as_array().into_iter().flatten();
    list.map(|number| number.as_f64().map_or(f32::NAN, |number| number as f32))
        .collect()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}
