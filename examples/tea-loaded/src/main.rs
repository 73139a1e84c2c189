//! Predicts which tea somebody takes, with a model that is loaded at run time: `cargo run -p tea-loaded [MODEL]`.

use std::{env, error::Error};

use catboost_apply::{Model, Predict, Row};

const TEA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tea/tea.cbm");

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).unwrap_or_else(|| TEA.to_owned());
    let model = Model::load(path)?;
    for feature in model.features() {
        println!("{} ({})", feature.name, feature.kind);
    }
    println!();

    // By name: a misspelt or missing feature is an error that names it.
    let mut input = model.input();
    input.set("hour", 8.0)?;
    input.set("temperature", 3.5)?;
    input.set("weekday", "Tuesday")?;
    input.set("weather", "rain")?;
    show(&model, &input.raw()?);

    // By position, which is looked up once. Values are kept from row to row.
    let hour = model.position("hour")?;
    for hours in [12.0, 16.0, 20.0] {
        input.set(hour, hours)?;
        show(&model, &input.raw()?);
    }

    // By kind, in the model's order: nothing is looked up, copied or allocated.
    let row = Row {
        floats: &[16.0, 21.0],
        cats: &["Monday", "sun"],
        ..Row::default()
    };
    let mut raw = [0.0; 3];
    model.raw_into(&row, &mut raw)?;
    show(&model, &raw);
    Ok(())
}

/// Also accepts the `Model` of a compiled module.
fn show(model: &dyn Predict, raw: &[f64]) {
    let classes = model.classes();
    let probabilities = model.probability(raw).unwrap_or_default();
    for place in model.class(raw).unwrap_or_default() {
        println!("{}: {:.3}", classes[place], probabilities[place]);
    }
}

#[test]
fn predictions_are_catboosts_own() {
    let model = Model::load(TEA).expect("a model");
    let row = Row {
        floats: &[16.0, 21.0],
        cats: &["Monday", "sun"],
        ..Row::default()
    };
    let raw = model.raw(&row).expect("a row");
    // Values that `examples/tea/train.py` printed.
    let expected: [f64; 3] = [-3.7055988814217105, -1.272826769376239, 4.978425650797944];
    assert_eq!(raw, expected);
    assert_eq!(model.class(&raw), Some(vec![2]));
}
