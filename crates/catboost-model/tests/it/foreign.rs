//! Files that are not CatBoost models are named, with the remedy.

use catboost_model::{load, parse};

use crate::hostile::SMALL;

fn error(file: &[u8]) -> String {
    parse(file).expect_err("no model").to_string()
}

#[test]
fn what_a_file_is_is_said() {
    let mut tar = vec![b'a'; 257];
    tar.extend(b"ustar\0");
    let cases: &[(&[u8], &str)] = &[
        (b"", "the file is empty: "),
        (
            b"\x80\x04\x95\x81\x1b\0\0\0\0\0\0\x8c\rcatboost.core",
            "a Python pickle, by pickle or joblib: load it in Python",
        ),
        (b"\x80\x03ccatboost.core\nCatBoost", "a Python pickle"),
        (b"ccopy_reg\n_reconstructor\np0\n", "a Python pickle"),
        (
            b"\x80\x04\x95sklearn CBM1\x10\x1b\0\0core",
            "a Python pickle",
        ),
        (b"x\x9c\xab", "compressed by zlib, as joblib.dump does"),
        (
            b"\x1f\x8b\x08\0",
            "compressed by gzip: unpack it with `gunzip -c FILE > model.cbm`",
        ),
        (b"PK\x03\x04", "a ZIP archive: "),
        (b"BZh91AY", "compressed by bzip2: "),
        (b"\xfd7zXZ\0", "compressed by xz: "),
        (b"\x28\xb5\x2f\xfd", "compressed by zstd: "),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: "),
        (&tar, "a tar archive: "),
        (b"\n<!DOCTYPE html>\n<html>", "an HTML page, "),
        (b"<HTML><body>", "an HTML page, "),
        (
            b"<?xml version=\"1.0\"?>\n<PMML version=\"4.3\">",
            "PMML, from which no CatBoost model can be read: ",
        ),
        (b"<?xml version=\"1.0\"?><x/>", "an XML file: "),
        (
            b"\x08\x03\x12\x08CatBoost\x1a\x02x TreeEnsembleClassifier",
            "an ONNX model: load CatBoost's own export with",
        ),
        (
            b"\x08\x07\x12\x07skl2onnxB\x02ai.onnx.ml",
            "an ONNX model: ",
        ),
        (
            b"\x08\x01\x12\x89\x30\x0a\x0f\x0a\x09feature_0",
            "a Core ML model, by its first bytes: ",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:",
            "a Git LFS pointer, ",
        ),
        (b"tree\nversion=v4\nnum_class=1", "a LightGBM model: "),
        (
            b"{\"name\":\"tree\",\"tree_info\":[]}",
            "a LightGBM model (JSON): ",
        ),
        (
            b"{\"learner\":{},\"version\":[2,0,0]}",
            "an XGBoost model (JSON): ",
        ),
        (
            b"{L\0\0\0\0\0\0\0\x07learner{",
            "an XGBoost model (UBJSON): ",
        ),
        (b"binf\0\0", "an XGBoost model (binary): "),
        (b"\0\0\0\x3f\0\0\x06gbtree", "an XGBoost model (binary): "),
        (
            b"{\"meta\":{},\"iterations\":[]}",
            "CatBoost's log of a training ",
        ),
        (
            b"{\"b\":1,\"a\":2}",
            "a JSON document without `features_info` (its keys: `b`, `a`): ",
        ),
        (
            b"{}",
            "a JSON document without `features_info` (its keys: none): ",
        ),
        (
            b"#include <string>\n#include <vector>\nstd::",
            "CatBoost's export to C++ code, ",
        ),
        (
            b"###  Model data\nclass catboost_model(object):",
            "CatBoost's export to Python code, ",
        ),
        (b"\xff\xfe{\0", "a text in UTF-16: "),
        (b"\x93NUMPY", "a NumPy array, "),
        (
            b"a,b\n1,2\n",
            "expected a .cbm file, which begins with CBM1, or a JSON export, which begins with {",
        ),
        (b"[1]", "expected a .cbm file"),
        (
            b"[{\"features_info\":",
            "a JSON array: a model in JSON is an object, ",
        ),
        (b"[ {\"nodeid\": 0}]", "XGBoost's dump of trees (JSON): "),
        (
            b"\"{\\\"features_info\\\"",
            "a JSON string with JSON in it: ",
        ),
        (b"{\0\"\0", "a text in UTF-16: "),
        (b"\xef\xbb\xbf<!DOCTYPE html>", "an HTML page, "),
        (b"<!-- moved -->\n<html>", "an HTML page, "),
        (b"<head><title>", "an HTML page, "),
        (
            b"<?xml version=\"1.0\"?><!DOCTYPE html PUBLIC \"x\"><html>",
            "an HTML page, ",
        ),
        (
            b"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code>",
            "an error of a file server, in XML: ",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\r\noid sha256:",
            "a Git LFS pointer, ",
        ),
        (
            b"\xef\xbb\xbfversion https://git-lfs.github.com/spec/v1\n",
            "a Git LFS pointer, ",
        ),
        (b"tree\r\nversion=v4\r\n", "a LightGBM model: "),
        (
            b"{i\x07learner{i\x0aattributes{",
            "an XGBoost model (UBJSON): ",
        ),
        (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0", "an ONNX model: "),
        (b"\x08\x0a:\x20\x0a\x05torch", "an ONNX model: "),
        (
            b"\x08\x01\x12\x20\x0a\x10\x0a\x05input",
            "a Core ML model, ",
        ),
        (b"}q\0X\x05\0\0\0model", "a Python pickle"),
        (b"(lp0\nS'a'\n", "a Python pickle"),
        (b"PK\x05\x06\0\0", "a ZIP archive with nothing in it: "),
        (b"Rar!\x1a\x07\0", "a RAR archive: "),
        (b"\x04\x22\x4d\x18d@", "compressed by lz4: "),
        (b"\x5d\0\0\x80\0\xff", "compressed by lzma: "),
        (b"RDX3\nX\n", "data of R: "),
        (b"Q0JNMRAo", "a .cbm in base64: "),
        (b"43424d31", "a .cbm in hexadecimal digits: "),
        (b"\x80text", "expected a .cbm file"),
    ];
    for (file, expected) in cases {
        let error = error(file);
        let expected = format!("not a CatBoost model: {expected}");
        assert!(error.starts_with(&expected), "{expected}: {error}");
    }
    let text = error(b"\x80\x04\x95sklearn CBM1\x10\x1b\0\0core");
    assert!(text.ends_with("CBM1 stands at byte 11: perhaps a .cbm is there as it is, and `tail -c +12 FILE > model.cbm` cuts it out"), "{text}");
}

#[test]
fn a_byte_order_mark_before_json_is_no_fault() {
    let marked = format!("\u{feff} {SMALL}");
    assert_eq!(
        parse(marked.as_bytes()).expect("as without"),
        parse(SMALL.as_bytes()).expect("a model")
    );
}

#[test]
fn a_document_that_is_cut_short_is_said_to_be() {
    for len in [SMALL.len() / 3, SMALL.len() / 2, SMALL.trim_end().len() - 1] {
        let text = error(&SMALL.as_bytes()[..len]);
        assert!(
            text.ends_with(": the file is cut short or damaged"),
            "{text}"
        );
    }
}

/// Any tree of a document with too few or too many leaf values is named.
#[test]
fn the_tree_with_a_leaf_value_too_few_is_named() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    for (path, leaves) in [
        ("models/loss_multiclass.json", 16),
        ("field/null_info.json", 0),
    ] {
        let text = std::fs::read_to_string(folder.join(path)).expect("a fixture");
        load(&folder.join(path)).expect("a model");
        let begins: Vec<usize> = text
            .match_indices("\"leaf_values\":")
            .map(|(begin, _)| begin)
            .collect();
        for (tree, &begin) in begins.iter().enumerate() {
            let list = begin + text[begin..].find('[').expect("a list");
            let comma = list + text[list..].find(',').expect("several values");
            let short = format!("{}{}", &text[..=list], &text[comma + 1..]);
            let long = format!("{}0,{}", &text[..=list], &text[list + 1..]);
            for document in [short, long] {
                let text = error(document.as_bytes());
                assert!(
                    text.starts_with(&format!("tree {tree} has ")),
                    "{path}, tree {tree} of {leaves}: {text}"
                );
            }
        }
        assert!(begins.len() > 1, "{path}");
    }
}

/// CatBoost relies on the order of the lists, and ignores the description in a split.
#[test]
fn features_out_of_order_are_refused_where_splits_contradict() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/field/null_info.json");
    let text = std::fs::read_to_string(path).expect("a fixture");
    let mut document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let features = document["features_info"]["float_features"]
        .as_array_mut()
        .expect("a list");
    features.swap(0, 1);
    let swapped = error(document.to_string().as_bytes());
    assert!(
        swapped.starts_with(
            "oblivious_trees[0].splits[0]: its own description contradicts `split_index` "
        ),
        "{swapped}"
    );
    // Without a description in the splits, there is nothing to contradict.
    for tree in document["oblivious_trees"].as_array_mut().expect("a list") {
        for split in tree["splits"].as_array_mut().expect("a list") {
            let split = split.as_object_mut().expect("an object");
            split.retain(|key, _| key == "split_index");
        }
    }
    parse(document.to_string().as_bytes()).expect("numbered as the lists are");
}
