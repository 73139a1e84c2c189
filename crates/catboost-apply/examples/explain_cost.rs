//! Measures the cost of explanations: `cargo run --release -p catboost-apply --example explain_cost MODEL`. The rows
//! are synthetic: numbers at and beside the model's borders, and a few words.

use std::{env, error::Error, hint::black_box, time::Instant};

use catboost_apply::Explainer;
use catboost_model::{eval::Row, ir::Model};

const ROWS: usize = 10_000;

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
    for tables in [false, true] {
        let loading = Instant::now();
        let explainer = Explainer::load(&path, tables)?;
        println!(
            "tables: {tables}; loaded in {:?}; tables take {} bytes",
            loading.elapsed(),
            explainer.table_bytes()
        );
        let alone = if tables { &rows[..] } else { &rows[..200] };
        let mut values = vec![0.0; explainer.len() * rows.len()];
        for _ in 0..3 {
            let start = Instant::now();
            for row in alone {
                explainer.explain(black_box(row), &mut values[..explainer.len()])?;
            }
            let one = start.elapsed() / alone.len() as u32;
            let block = &alone[..alone.len()];
            let start = Instant::now();
            explainer.explain_block(
                black_box(block),
                &mut values[..explainer.len() * block.len()],
            )?;
            let many = start.elapsed() / block.len() as u32;
            println!(
                "  alone {one:?} a row; in a block of {} {many:?} a row",
                block.len()
            );
        }
    }
    Ok(())
}
