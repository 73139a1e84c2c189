//! What each stage of an answer costs, on one thread, over a file of recorded cases: `stages FILE [STAGE ROUNDS]`.
//!
//! Without a stage it times all of them and prints a JSON object of nanoseconds a row, of many rounds. With
//! one it runs just that for so many rounds and prints nothing, for `valgrind --tool=callgrind` and `perf`.
//!
//! Rows are timed in blocks, and the least time of each block counts: what else the machine does comes in between some
//! of them, not all.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::BufRead as _;
use std::ops::Range;
use std::time::{Duration, Instant};

use pick_regno::answer::write_one;
use pick_regno::features::{Texts, features};
use pick_regno::model::{self, Features};
use pick_regno::pick_regno::{Answer, pick_regno};
use pick_regno::request::{Body, Field, Request, parse_body, parse_object};
use serde_json::Value;

/// How long a stage is measured.
const PATIENCE: Duration = Duration::from_millis(2000);
/// Rows of a stage that are timed together.
const BLOCK: usize = 100;
/// Rows of «features to raw» that are timed together, as many as CatBoost is given at once.
const BLOCKS: [usize; 4] = [16, 128, 1000, 20_000];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("usage: stages FILE [STAGE ROUNDS]");
    let rows = Rows::read(&path);
    let rows = Prepared::of(&rows);
    if let Some(name) = arguments.next() {
        let rounds = arguments
            .next()
            .map_or(1, |rounds| rounds.parse().expect("ROUNDS is a number"));
        let stages = rows.stages();
        let (_, stage) = stages
            .iter()
            .find(|(stage, _)| *stage == name)
            .expect("no such stage");
        for _ in 0..rounds {
            stage(0..rows.texts.len());
        }
        return;
    }
    let stages = rows.stages();
    let mut nanoseconds: BTreeMap<String, f64> = stages
        .iter()
        .map(|(name, stage)| {
            (
                (*name).to_owned(),
                least_time(stage, rows.texts.len(), BLOCK),
            )
        })
        .collect();
    for block in BLOCKS {
        let many: Vec<&Features<'_>> = rows
            .features
            .iter()
            .cycle()
            .take(block.max(rows.features.len()))
            .collect();
        let stage = |range: Range<usize>| {
            for features in &many[range] {
                black_box(model::raw(black_box(features)));
            }
        };
        // Whole blocks alone: what is left over would be timed as a smaller one.
        let least = least_time(&stage, many.len() / block * block, block);
        nanoseconds.insert(format!("features to raw, in blocks of {block} rows"), least);
    }
    println!("{}", serde_json::json!(nanoseconds));
}

/// The nanoseconds that a stage takes for a row: those of the least time of each block.
fn least_time(stage: &Stage<'_>, rows: usize, block: usize) -> f64 {
    let blocks = || (0..rows).step_by(block).map(|at| at..rows.min(at + block));
    let mut least = vec![Duration::MAX; blocks().len()];
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        for (block, least) in blocks().zip(&mut least) {
            let round = Instant::now();
            stage(block);
            *least = round.elapsed().min(*least);
        }
    }
    least.iter().sum::<Duration>().as_secs_f64() * 1e9 / rows as f64
}

/// Works on a range of rows.
type Stage<'a> = dyn Fn(Range<usize>) + 'a;

/// Requests as text.
struct Rows {
    json: Vec<String>,
    columns: Vec<[String; 10]>,
}

impl Rows {
    fn read(path: &str) -> Rows {
        let file = std::fs::File::open(path).unwrap_or_else(|why| panic!("{path}: {why}"));
        let (mut json, mut columns) = (Vec::new(), Vec::new());
        for line in std::io::BufReader::new(file).lines() {
            let line = line.expect("the file can be read");
            let case: Value = serde_json::from_str(&line).expect("a line is a case");
            let request = &case["request"];
            json.push(request.to_string());
            columns.push(Field::ALL.map(|field| match &request[field.name()] {
                Value::String(text) => text.clone(),
                value => value.to_string(),
            }));
        }
        Rows { json, columns }
    }
}

/// Rows, as far as each stage needs them.
struct Prepared<'a> {
    texts: &'a [String],
    columns: &'a [[String; 10]],
    requests: Vec<Request<'a>>,
    features: Vec<Features<'static>>,
    answers: Vec<Answer>,
}

impl<'a> Prepared<'a> {
    fn of(rows: &'a Rows) -> Prepared<'a> {
        let requests: Vec<Request<'_>> = rows
            .json
            .iter()
            .map(|text| parse_object(text.as_bytes()).expect("a request that can be answered"))
            .collect();
        // Features borrow from a request and from their texts, which are kept for good.
        let features = rows.json.iter().map(|text| {
            let request = parse_object(text.clone().leak().as_bytes()).expect("parsed above");
            features(Box::leak(Box::new(request)), Box::leak(Box::default()))
        });
        Prepared {
            features: features.collect(),
            answers: requests.iter().map(pick_regno).collect(),
            requests,
            texts: &rows.json,
            columns: &rows.columns,
        }
    }

    /// Each stage.
    fn stages(&self) -> Vec<(&'static str, Box<Stage<'_>>)> {
        vec![
            (
                "request JSON to request",
                Box::new(|rows| {
                    for text in &self.texts[rows] {
                        let _ = black_box(parse_object(black_box(text.as_bytes())));
                    }
                }),
            ),
            (
                "ten texts to request",
                Box::new(|rows| {
                    for columns in &self.columns[rows] {
                        let columns = black_box(columns);
                        let request =
                            Request::from_columns(|field| Some(&*columns[field as usize]));
                        let _ = black_box(request);
                    }
                }),
            ),
            (
                "request to features",
                Box::new(|rows| {
                    for request in &self.requests[rows] {
                        let mut texts = Texts::default();
                        black_box(features(black_box(request), &mut texts));
                    }
                }),
            ),
            (
                "features to raw",
                Box::new(|rows| {
                    for features in &self.features[rows] {
                        black_box(model::raw(black_box(features)));
                    }
                }),
            ),
            (
                "answer to JSON",
                Box::new(|rows| {
                    let mut out = Vec::with_capacity(128);
                    for answer in &self.answers[rows] {
                        out.clear();
                        write_one(black_box(answer), &mut out);
                        black_box(&out);
                    }
                }),
            ),
            (
                "request JSON to answer JSON",
                Box::new(|rows| {
                    for text in &self.texts[rows] {
                        let mut out = Vec::with_capacity(128);
                        if let Ok(Body::One(request)) = parse_body(black_box(text.as_bytes())) {
                            write_one(&pick_regno(&request), &mut out);
                        }
                        black_box(&out);
                    }
                }),
            ),
        ]
    }
}
