//! Says which tea somebody takes: `cargo run -p tea`.

mod model {
    #![allow(missing_docs, dead_code, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/model.rs"));
}

use model::Features;

/// The classes, in the model's order: `cbm inspect tea.cbm`.
const TEAS: [&str; model::DIMENSION] = ["black", "green", "herbal"];

const ROWS: [Features; 3] = [
    Features {
        hour: 8.0,
        temperature: 3.5,
        weekday: "Tuesday",
        weather: "rain",
    },
    Features {
        hour: 16.0,
        temperature: 21.0,
        weekday: "Tuesday",
        weather: "rain",
    },
    Features {
        hour: 16.0,
        temperature: 21.0,
        weekday: "Monday",
        weather: "sun",
    },
];

fn main() {
    for row in &ROWS {
        let raw = model::raw(row);
        let best = (0..TEAS.len()).max_by(|&a, &b| raw[a].total_cmp(&raw[b]));
        println!("{row:?}: {}", TEAS[best.expect("there are three")]);
    }
}

#[test]
fn raw_values_are_catboosts_own() {
    // As train.py printed them.
    let expected: [[f64; 3]; 3] = [
        [2.722230955372658, -1.6874189770868895, -1.0348119782857148],
        [-3.757517006716866, 3.3196472111930357, 0.43786979552386157],
        [-3.7055988814217105, -1.272826769376239, 4.978425650797944],
    ];
    let bits = |raw: [f64; 3]| raw.map(f64::to_bits);
    assert_eq!(ROWS.map(|row| bits(model::raw(&row))), expected.map(bits));
}
