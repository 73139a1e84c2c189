//! Compares the service's own readers with libraries that do the same. `-- --rounds N TASK` runs one task over all
//! cases, for callgrind (`benches/plumbing.py`).

use std::borrow::Cow;
use std::hint::black_box;
use std::io::BufRead as _;

use pick_regno::records::{Block, Blocks, Limits, Records};
use pick_regno::request::{Field, Request, parse_object};
use serde::Deserialize;
use serde_json::Value;

const CASES: &str = include_str!("../fixtures/test_data.expected.ndjson");

/// Request as a derived reader returns it.
#[derive(Deserialize)]
struct Derived<'a> {
    #[serde(borrow)]
    regno_recognize: Cow<'a, str>,
    #[serde(borrow)]
    afts_regno_ai: Cow<'a, str>,
    recognition_accuracy: f64,
    afts_regno_ai_score: f64,
    #[serde(borrow)]
    afts_regno_ai_char_scores: Cow<'a, str>,
    #[serde(borrow)]
    afts_regno_ai_length_scores: Cow<'a, str>,
    #[serde(borrow)]
    camera_type: Cow<'a, str>,
    #[serde(borrow)]
    camera_class: Cow<'a, str>,
    #[serde(borrow)]
    time_check: Cow<'a, str>,
    direction: f64,
}

/// Task that runs over all cases.
type Task<'a> = Box<dyn Fn() + 'a>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [flag, rounds, name, ..] = &arguments[..] else {
        return;
    };
    assert_eq!(flag, "--rounds");
    let rounds: usize = rounds.parse().expect("a number of rounds");
    let requests: Vec<Value> = CASES
        .as_bytes()
        .lines()
        .map(|line| serde_json::from_str::<Value>(&line.expect("it is UTF-8")))
        .map(|case| case.expect("a line is a case")["request"].take())
        .collect();
    let json: Vec<String> = requests.iter().map(Value::to_string).collect();
    let columns: Vec<[String; Field::ALL.len()]> = requests.iter().map(columns).collect();
    let with_offset: Vec<_> = columns.iter().cloned().map(with_offset).collect();
    let csv = csv_of(&columns);
    let tasks: Vec<(&str, Task<'_>)> = vec![
        ("JSON", Box::new(|| json.iter().for_each(|text| own(text)))),
        (
            "JSON, serde_json",
            Box::new(|| json.iter().for_each(|text| derived(text))),
        ),
        (
            "ten texts",
            Box::new(|| columns.iter().for_each(from_columns)),
        ),
        (
            "ten texts, other notation of the time",
            Box::new(|| with_offset.iter().for_each(from_columns)),
        ),
        ("CSV", Box::new(|| own_csv(&csv))),
        ("CSV, csv", Box::new(|| csv_crate(&csv))),
    ];
    let task = tasks.iter().find(|(task, _)| task == name);
    let (_, task) = task.unwrap_or_else(|| panic!("no task {name}"));
    (0..rounds).for_each(|_| task());
}

fn columns(request: &Value) -> [String; Field::ALL.len()] {
    Field::ALL.map(|field| match &request[field.name()] {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    })
}

fn with_offset(mut columns: [String; Field::ALL.len()]) -> [String; Field::ALL.len()] {
    columns[Field::TimeCheck as usize].push('Z');
    columns
}

fn csv_of(rows: &[[String; Field::ALL.len()]]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = writer.write_record(Field::ALL.map(Field::name));
    written.expect("a Vec takes all bytes");
    for row in rows {
        writer.write_record(row).expect("a Vec takes all bytes");
    }
    writer.into_inner().expect("a Vec takes all bytes")
}

fn own(text: &str) {
    assert!(black_box(parse_object(black_box(text.as_bytes()))).is_ok());
}

/// Reads fields with serde_json, and the lists of scores with the standard library.
fn derived(text: &str) {
    let request: Derived<'_> = serde_json::from_str(black_box(text)).expect("a request");
    let scores = |list: &str| -> Vec<f64> {
        let inner = &list[1..list.len() - 1];
        let numbers = inner.split(',').map(|number| number.trim().parse());
        numbers
            .collect::<Result<_, _>>()
            .expect("a list of numbers")
    };
    let lists = [
        &request.afts_regno_ai_char_scores,
        &request.afts_regno_ai_length_scores,
    ];
    black_box(lists.map(|list| scores(list)));
    black_box((
        request.regno_recognize,
        request.afts_regno_ai,
        request.camera_type,
    ));
    black_box((request.camera_class, request.time_check, request.direction));
    black_box((request.recognition_accuracy, request.afts_regno_ai_score));
}

fn from_columns(columns: &[String; Field::ALL.len()]) {
    let columns = black_box(columns);
    let request = Request::from_columns(|field| Some(&*columns[field as usize]));
    assert!(black_box(request).is_ok());
}

fn own_csv(text: &[u8]) {
    let mut blocks = Blocks::new(black_box(text), Limits::FILE);
    blocks.begin(None).expect("the header is right");
    let mut buffer = Vec::new();
    while let Some(block) = blocks.next(buffer).expect("memory can be read") {
        let Block::Records(text) = block else {
            panic!("no record is a fault");
        };
        for request in Records::new(blocks.shape(), &text) {
            assert!(black_box(request).is_ok());
        }
        buffer = text.bytes;
    }
}

/// Reads records with the crate csv, and their values as the service does.
fn csv_crate(text: &[u8]) {
    let mut reader = csv::Reader::from_reader(black_box(text));
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).expect("it is CSV") {
        let request = Request::from_columns(|field| record.get(field as usize));
        assert!(black_box(request).is_ok());
    }
}
