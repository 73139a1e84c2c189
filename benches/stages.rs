//! Cost of each stage of an answer, on one thread, over a file of recorded cases.
//!
//! `cargo bench -p benches --bench stages` times every stage with criterion: each time is for all cases once, and the
//! throughput counts rows. `CASES` names the file (default `fixtures/test_data.expected.ndjson`, 100 rows); the model
//! is that of the build (`PICK_REGNO_MODEL`).
//!
//! `… -- --rounds N STAGE` runs one stage over all cases N times and measures nothing, for callgrind and perf
//! (`benches/instructions.py`).

use std::hint::black_box;
use std::io::BufRead as _;

use catboost_runtime::block::Scratch;
use criterion::{Criterion, Throughput};
use pick_regno::answer::{write_explained, write_one};
use pick_regno::explanation::{is_fast, pick_regno_explained};
use pick_regno::features::{Texts, features};
use pick_regno::model::{self, Features};
use pick_regno::pick_regno::{Answer, pick_regno};
use pick_regno::request::{Body, Field, Request, parse_body, parse_object};
use serde_json::Value;

const CASES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../fixtures/test_data.expected.ndjson"
);
/// Numbers of rows per block for «features to raw»; CatBoost is given the same.
const BLOCKS: [usize; 4] = [16, 128, 1000, 20_000];

fn main() {
    let path = std::env::var("CASES");
    let rows = Rows::read(path.as_deref().unwrap_or(CASES));
    let rows = Prepared::of(&rows);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, rounds, name, ..] = &arguments[..]
        && flag == "--rounds"
    {
        let rounds = rounds.parse().expect("a number of rounds");
        run_rounds(&rows, rounds, name);
    } else {
        time(&rows);
    }
}

/// Runs one stage.
fn run_rounds(rows: &Prepared<'_>, rounds: usize, name: &str) {
    let stages = rows.stages();
    let Some((_, stage)) = stages.iter().find(|(stage, _)| *stage == name) else {
        let names = stages.iter().map(|(name, _)| *name);
        panic!("stages: {}", names.collect::<Vec<_>>().join(", "));
    };
    for _ in 0..rounds {
        stage();
    }
}

/// Times every stage, and «features to raw» in blocks of rows.
fn time(rows: &Prepared<'_>) {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("row");
    group.throughput(Throughput::Elements(rows.texts.len() as u64));
    for (name, stage) in rows.stages() {
        group.bench_function(name, |bencher| bencher.iter(&stage));
    }
    group.finish();
    let mut group = criterion.benchmark_group("block");
    for size in BLOCKS {
        let block: Vec<Features<'_>> = rows.features.iter().copied().cycle().take(size).collect();
        let (mut scratch, mut out) = (Scratch::default(), vec![[0.0; model::DIMENSION]; size]);
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(format!("features to raw, {size} rows"), |bencher| {
            bencher.iter(|| {
                model::raw_block(black_box(&block), &mut scratch, &mut out);
                black_box(&out);
            });
        });
    }
    group.finish();
    criterion.final_summary();
}

/// «Features to raw» of each row.
fn raw(rows: &[Features<'_>]) {
    for features in rows {
        black_box(model::raw(black_box(features)));
    }
}

/// The model of the build, loaded at run time, with rows in the form that it takes.
struct Loaded<'a> {
    model: catboost_apply::Model,
    kinds: Vec<Kinds<'a>>,
}

/// The features of each kind.
type Kinds<'a> = (Vec<f32>, Vec<&'a str>, Vec<&'a str>);

impl<'a> Loaded<'a> {
    fn new(rows: &[Features<'a>]) -> Self {
        let path = option_env!("PICK_REGNO_MODEL").filter(|path| !path.is_empty());
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/model.json");
        let model = catboost_apply::Model::load(path.unwrap_or(own)).expect("the model");
        assert_eq!(model.sha256(), model::SHA256, "the model of the build");
        let kinds = rows.iter().map(|row| {
            let (floats, cats, texts) = row.to_kinds();
            (floats.to_vec(), cats.to_vec(), texts.to_vec())
        });
        let kinds = kinds.collect();
        Self { model, kinds }
    }

    /// «Features to raw» of each row.
    fn raw(&self) {
        let mut raw = [0.0; model::DIMENSION];
        for (floats, cats, texts) in &self.kinds {
            let row = catboost_apply::Row {
                floats,
                cats,
                texts,
                embeddings: &[],
            };
            let answered = self.model.raw_into(black_box(&row), &mut raw);
            answered.expect("the row has the model's features");
            black_box(&raw);
        }
    }
}

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

/// Stage that runs over all rows.
type Stage<'a> = Box<dyn Fn() + 'a>;

/// Rows in the form that each stage needs.
struct Prepared<'a> {
    texts: &'a [String],
    columns: &'a [[String; 10]],
    requests: Vec<Request<'a>>,
    features: Vec<Features<'static>>,
    loaded: Loaded<'static>,
    answers: Vec<Answer>,
}

impl<'a> Prepared<'a> {
    fn of(rows: &'a Rows) -> Prepared<'a> {
        let requests: Vec<Request<'_>> = rows
            .json
            .iter()
            .map(|text| parse_object(text.as_bytes()).expect("a request that can be answered"))
            .collect();
        // Features borrow from a request and from their texts, which are leaked.
        let features = rows.json.iter().map(|text| {
            let request = parse_object(text.clone().leak().as_bytes()).expect("parsed above");
            features(Box::leak(Box::new(request)), Box::leak(Box::default()))
        });
        let features: Vec<Features<'static>> = features.collect();
        Prepared {
            loaded: Loaded::new(&features),
            features,
            answers: requests.iter().map(pick_regno).collect(),
            requests,
            texts: &rows.json,
            columns: &rows.columns,
        }
    }

    /// Returns the stages, each over all rows. Answers are explained only with tables: without them, a row takes
    /// milliseconds.
    fn stages(&self) -> Vec<(&'static str, Stage<'_>)> {
        let mut stages: Vec<(&'static str, Stage<'_>)> = vec![
            (
                "request JSON to request",
                Box::new(|| {
                    for text in self.texts {
                        let _ = black_box(parse_object(black_box(text.as_bytes())));
                    }
                }),
            ),
            (
                "ten texts to request",
                Box::new(|| {
                    for columns in self.columns {
                        let columns = black_box(columns);
                        let request =
                            Request::from_columns(|field| Some(&*columns[field as usize]));
                        let _ = black_box(request);
                    }
                }),
            ),
            (
                "request to features",
                Box::new(|| {
                    for request in &self.requests {
                        let mut texts = Texts::default();
                        black_box(features(black_box(request), &mut texts));
                    }
                }),
            ),
            ("features to raw", Box::new(|| raw(&self.features))),
            ("features to raw, loaded", Box::new(|| self.loaded.raw())),
            (
                "answer to JSON",
                Box::new(|| {
                    let mut out = Vec::with_capacity(128);
                    for answer in &self.answers {
                        out.clear();
                        write_one(black_box(answer), &mut out);
                        black_box(&out);
                    }
                }),
            ),
            (
                "request JSON to answer JSON",
                Box::new(|| {
                    for text in self.texts {
                        let mut out = Vec::with_capacity(128);
                        if let Ok(Body::One(request)) = parse_body(black_box(text.as_bytes())) {
                            write_one(&pick_regno(&request), &mut out);
                        }
                        black_box(&out);
                    }
                }),
            ),
        ];
        if is_fast() {
            stages.push((
                "request JSON to answer JSON, explained",
                Box::new(|| {
                    for text in self.texts {
                        let mut out = Vec::with_capacity(1024);
                        if let Ok(Body::One(request)) = parse_body(black_box(text.as_bytes())) {
                            let (answer, explanation) = pick_regno_explained(&request, &mut ());
                            write_explained(&answer, &explanation, &mut out);
                        }
                        black_box(&out);
                    }
                }),
            ));
        }
        stages
    }
}
