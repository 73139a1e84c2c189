//! Predicts which tea somebody takes: `cargo run -p tea`.

// Generated code compiles without a warning.
#![deny(warnings)]

mod model {
    include!(concat!(env!("OUT_DIR"), "/model.rs"));
}

use model::Features;

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
        println!("{row:?}: {}", model::class(&raw));
        for (tea, probability) in model::CLASSES.iter().zip(model::probability(&raw)) {
            println!("    {tea}: {probability:.3}");
        }
    }
}

#[test]
fn predictions_are_catboosts_own() {
    // Values that train.py printed.
    let raw: [[f64; 3]; 3] = [
        [2.722230955372658, -1.6874189770868895, -1.0348119782857148],
        [-3.757517006716866, 3.3196472111930357, 0.43786979552386157],
        [-3.7055988814217105, -1.272826769376239, 4.978425650797944],
    ];
    let probabilities: [[f64; 3]; 3] = [
        [
            0.9657057343068192,
            0.011742435340761678,
            0.02255183035241918,
        ],
        [
            0.0007987323331396317,
            0.9461818927843616,
            0.05301937488249874,
        ],
        [
            0.0001689142037071401,
            0.0019240026867961245,
            0.9979070831094967,
        ],
    ];
    let bits = |values: [f64; 3]| values.map(f64::to_bits);
    assert_eq!(ROWS.map(|row| bits(model::raw(&row))), raw.map(bits));
    assert_eq!(
        raw.map(|raw| bits(model::probability(&raw))),
        probabilities.map(bits)
    );
    assert_eq!(
        raw.map(|raw| model::class(&raw)),
        ["black", "green", "herbal"]
    );
}
