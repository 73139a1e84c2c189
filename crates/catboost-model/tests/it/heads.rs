//! Heads of files, which are read and checked before the rest.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use catboost_model::{head, load, read};

fn zoo(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    folder.join(name)
}

/// A place for a file of a test.
fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A reader that nobody may ask.
struct Unread;

impl Read for Unread {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("more than the head is read");
    }
}

fn u32_at(file: &[u8], place: usize) -> usize {
    let bytes = file[place..][..4].try_into().expect("4 bytes");
    u32::from_le_bytes(bytes) as usize
}

/// The place of a field of the table at `table`.
fn field(file: &[u8], table: usize, number: usize) -> usize {
    let vtable = table - u32_at(file, table);
    let entry = vtable + 4 + 2 * number;
    table + usize::from(u16::from_le_bytes([file[entry], file[entry + 1]]))
}

/// Changes a file.
type Change = dyn Fn(&mut Vec<u8>);

/// A model with CTRs, changed, and the end of its core.
fn changed(change: impl Fn(&mut Vec<u8>)) -> (Vec<u8>, usize) {
    let mut file = fs::read(zoo("ctr_borders.cbm")).expect("it is in the zoo");
    let end = 8 + u32_at(&file, 4);
    change(&mut file);
    (file, end)
}

#[test]
fn a_head_that_is_not_supported_is_refused_before_the_rest_is_read() {
    let border = |file: &mut Vec<u8>| {
        let follow = |file: &[u8], field: usize| field + u32_at(file, field);
        let core = follow(file, 8);
        let trees = follow(file, field(file, core, 1));
        let features = follow(file, field(file, trees, 5));
        let feature = follow(file, features + 4);
        let borders = follow(file, field(file, feature, 3));
        file[borders + 4..][..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    };
    let part = |file: &mut Vec<u8>| {
        let name = b"static_provider_v1";
        let place = file.windows(name.len()).position(|text| text == name);
        file[place.expect("it has the part") + name.len() - 1] = b'9';
    };
    let cases: [(&Change, &str); 2] = [
        (&border, "the borders of float feature 0 `` do not ascend"),
        (&part, "not supported: the model part `static_provider_v9`"),
    ];
    for (nth, (change, expected)) in cases.into_iter().enumerate() {
        let (file, end) = changed(change);
        // No more than 4,096 bytes are read at first, and then the core alone.
        assert!(end > 4096, "{end}");
        let error = read(file[..end].chain(Unread), &mut Vec::new()).expect_err("refused");
        assert_eq!(error.to_string(), expected);

        let path = scratch(&format!("head_{nth}.cbm"));
        fs::write(&path, &file[..end]).expect("a file can be written");
        assert_eq!(load(&path).expect_err("refused").to_string(), expected);
        let head = head(&path).expect("it can be described");
        assert_eq!((head.len, head.parts.len()), (Some(end as u64), 1));
        assert!(head.trees > 0 && head.cats > 0 && head.ctrs > 0 && head.oblivious);
    }
}

#[test]
fn a_core_that_is_longer_than_its_file_is_refused_by_its_length() {
    let (file, end) = changed(|file| file[4..8].copy_from_slice(&0x7fff_fff0_u32.to_le_bytes()));
    let path = scratch("head_long.cbm");
    fs::write(&path, &file).expect("a file can be written");
    let expected = format!(
        "byte 4: expected a core that ends at byte 2147483640, found {} bytes: the file is cut short or damaged",
        file.len()
    );
    let mut bytes = Vec::new();
    let error = catboost_model::load_into(&path, &mut bytes).expect_err("refused");
    assert_eq!(error.to_string(), expected);
    assert!(bytes.len() < end, "{} bytes are read", bytes.len());
    assert_eq!(head(&path).expect_err("refused").to_string(), expected);
}

#[test]
fn a_long_file_that_is_no_model_is_not_read_to_its_end() {
    let reader = b"\x80\x04pickle".chain(io::repeat(b'.'));
    let mut bytes = Vec::new();
    let error = read(reader, &mut bytes).expect_err("it has no end");
    assert!(error.to_string().contains("a Python pickle"), "{error}");
    assert_eq!(bytes.len(), 64 << 20);
}

#[test]
fn models_are_the_same_from_readers_and_from_files() {
    for name in [
        "ctr_borders.cbm",
        "ctr_borders.json",
        "text_default.cbm",
        "embedding_knn.cbm",
        "no_tree.cbm",
    ] {
        let path = zoo(name);
        let file = fs::read(&path).expect("it is in the zoo");
        let expected = catboost_model::parse(&file).expect("a model");
        let mut bytes = vec![1, 2, 3];
        let model = read(file.as_slice(), &mut bytes).expect("a model");
        assert!(model == expected && bytes == file, "{name}");
        assert!(load(&path).expect("a model") == expected, "{name}");
    }
}
