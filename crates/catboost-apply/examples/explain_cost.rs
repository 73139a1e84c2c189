//! Measures the cost of explanations: `cargo run --release -p catboost-apply --example explain_cost MODEL`. The rows
//! are synthetic: numbers at and beside the model's borders, and a few words. `benches/explain.py` times CatBoost
//! beside it.

use std::{env, error::Error, hint::black_box, time::Instant};

use catboost_apply::Explainer;
use catboost_model::{eval::Row, ir::Model};

const ROWS: usize = 10_000;
const TURNS: usize = 5;

/// Pseudo-random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

fn floats(model: &Model, random: &mut Random) -> Vec<f32> {
    let float = |borders: &Vec<f32>| match borders.len() {
        0 => 0.0,
        count => [
            borders[random.below(count)],
            borders[random.below(count)].next_up(),
        ][random.below(2)],
    };
    model
        .float_features
        .iter()
        .map(|feature| &feature.borders)
        .map(float)
        .collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("usage: explain_cost MODEL")?;
    let model = catboost_model::load(path.as_ref())?;
    let mut random = Random(1);
    let floats: Vec<Vec<f32>> = (0..ROWS).map(|_| floats(&model, &mut random)).collect();
    let cats = vec!["Monday"; model.cat_features.len()];
    let texts = vec!["А 9 3 9 Н О 1 9 6"; model.text_features.len()];
    let rows: Vec<Row> = floats
        .iter()
        .map(|floats| Row {
            floats,
            cats: &cats,
            texts: &texts,
            embeddings: &[],
        })
        .collect();
    println!("tables\tns, one row\tns, per row of a block\trows\tbytes of tables");
    for tables in [false, true] {
        let explainer = Explainer::load(&path, tables)?;
        let rows = if tables { &rows[..] } else { &rows[..200] };
        let len = explainer.len();
        let mut values = vec![0.0; len * rows.len()];
        let (mut one, mut many) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..TURNS {
            let start = Instant::now();
            for row in rows {
                explainer.explain(black_box(row), &mut values[..len])?;
            }
            one = one.min(nanoseconds(start, rows.len()));
            let start = Instant::now();
            explainer.explain_block(black_box(rows), &mut values)?;
            many = many.min(nanoseconds(start, rows.len()));
        }
        let (count, bytes) = (rows.len(), explainer.table_bytes());
        println!("{tables}\t{one:.0}\t{many:.0}\t{count}\t{bytes}");
    }
    Ok(())
}

fn nanoseconds(start: Instant, rows: usize) -> f64 {
    start.elapsed().as_nanos() as f64 / rows as f64
}
