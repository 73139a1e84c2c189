//! Valid files that were truncated or changed, and files of one byte value.

use catboost_model::{parse, to_json};

use super::{SMALL, answers, small_with_trees};
use crate::fixture;

#[test]
fn a_file_that_is_cut_short_is_an_error() {
    for (file, _) in small_files() {
        for len in 0..file.len() {
            assert!(parse(&file[..len]).is_err(), "{len} of {}", file.len());
        }
    }
}

#[test]
fn a_file_of_one_byte_over_and_over_is_an_error() {
    for byte in [0, b'{', b'[', b'"', 0xFF] {
        let mut file = vec![byte; 1 << 20];
        assert!(parse(&file).is_err(), "{byte:#x}");
        file.splice(..4, *b"CBM1");
        assert!(parse(&file).is_err(), "CBM1 and {byte:#x}");
    }
}

#[test]
fn a_model_that_is_read_from_a_damaged_file_can_be_used() {
    let mut read = 0;
    for (file, step) in small_files() {
        for place in (0..file.len()).step_by(step) {
            let flips = [1 << (place % 8), 0xFF, file[place] ^ b'9'];
            let mut damaged = file.clone();
            damaged[place] ^= flips[place % 3];
            if let Ok(model) = parse(&damaged) {
                answers(&model);
                assert!(!to_json(&model).is_empty());
                read += 1;
            }
        }
    }
    assert!(read > 0, "no damage went unseen: the test is void");
}

/// Files of both formats and both kinds of trees, with the distance between damaged bytes: most of a `.cbm` is metadata
/// of the training.
fn small_files() -> [(Vec<u8>, usize); 5] {
    let nodes = "[{\"split\": {\"split_index\": 4}, \"left\": {\"value\": 1, \"weight\": 2}, \"right\": {\"value\": 3, \"weight\": 4}}]";
    let compact = |json: &str| {
        let lines: String = json.lines().map(str::trim_start).collect();
        lines.into_bytes()
    };
    [
        (compact(SMALL), 1),
        (compact(&small_with_trees(nodes)), 1),
        (fixture("text_bow.cbm"), 13),
        (fixture("trees_lossguide_cats.cbm"), 13),
        (fixture("embedding_lda.cbm"), 13),
    ]
}
