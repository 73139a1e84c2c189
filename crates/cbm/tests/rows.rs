//! Rows in common forms: every form of a file gives the same answers, and a refusal names position, feature and remedy.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use flate2::{Compression, write::GzEncoder};

fn eval(model: &Path, rows: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cbm"))
        .arg("eval")
        .args([model, Path::new("-")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cbm is built beside its tests");
    let mut stdin = child.stdin.take().expect("it is piped");
    let rows = rows.to_owned();
    // It may end before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&rows)));
    let output = child.wait_with_output().expect("cbm ends");
    writer.join().expect("writing does not panic");
    output
}

/// Answers and errors of the small model: features `age` (numeric), `city` (categorical) and `remark` (text).
fn small(rows: impl AsRef<[u8]>) -> (String, String) {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catboost-model/tests/it/small.json");
    texts(&eval(&model, rows.as_ref()))
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| str::from_utf8(bytes).expect("cbm writes UTF-8").to_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory can be written to");
    encoder.finish().expect("memory can be written to")
}

/// Rows whose answers are 4.5 and 2.5.
const NDJSON: &str = "{\"age\": 1, \"city\": \"a\", \"remark\": \"x\"}\n{\"age\": null, \"city\": 7, \"remark\": \"\"}\n";
const ANSWERS: &str = "[4.5]\n[2.5]\n";

#[test]
fn every_form_of_a_file_gives_the_same_answers() {
    let array = format!("[{}]", NDJSON.trim_end().replace('\n', ","));
    let csv = "age,city,remark\r\n1,a,x\r\n,7,\"\"\r\n";
    let forms = [
        NDJSON.to_owned(),
        NDJSON.trim_end().to_owned(),
        NDJSON.replace('\n', "\r\n"),
        format!("\n \n{NDJSON}\n\n"),
        NDJSON.replace('\n', "\n\u{feff}"),
        NDJSON.replace("null", "NaN"),
        NDJSON.replace("null", "-Infinity"),
        NDJSON.replace("null", "\"nan\""),
        NDJSON.replace("\"age\": 1", "\"age\": true"),
        NDJSON.replace("\"age\": 1", "\"age\": Infinity"),
        NDJSON.replace("{\"age\"", "{\"other\": [NaN, {\"a\": -Infinity}], \"age\""),
        NDJSON
            .replace('{', "{\"row\": {")
            .replace('}', "}, \"raw\": NaN}"),
        array.clone(),
        format!(" \n{}\n ", array.replace(',', " ,\n ").replace('{', "{\n")),
        csv.to_owned(),
        csv.trim_end().to_owned(),
        format!("\n{csv}\n\n"),
        "remark,other,city,age\n\"a \"\"quoted\"\"\nremark\",5,a,1\n,,\"7\",nan\n".to_owned(),
        "2,0,1\nx,+1e0,a\nx,N/A,7\n".to_owned(),
        "age,city,remark\nTrue,a,\n-inf,7,\n".to_owned(),
        "age,city,remark\n 0x10,a,\nFalse,7,\n".to_owned(),
        "age,city,remark\nTRUE,a,\nFALSE,7,\n".to_owned(),
    ];
    for form in forms {
        let marked = format!("\u{feff}{form}");
        let packed = gzip(form.as_bytes());
        let packed_mark = gzip(marked.as_bytes());
        for bytes in [form.as_bytes(), marked.as_bytes(), &packed, &packed_mark] {
            let (answers, errors) = small(bytes);
            assert_eq!((answers.as_str(), errors.as_str()), (ANSWERS, ""), "{form}");
        }
    }
    for nothing in ["", " \n", "[]", " [ ] \n", "\u{feff}"] {
        assert_eq!(
            small(nothing),
            (String::new(), String::new()),
            "{nothing:?}"
        );
    }
    assert_eq!(small("age,city,remark\n"), (String::new(), String::new()));
}

#[test]
fn a_row_may_have_64_mib() {
    const MOST: usize = 64 << 20;
    let header = "age,city,remark\n1,a,x\n";
    let csv = |blanks: usize| format!("{header}1,a,\"{}\"\n1,a,x\n", " ".repeat(blanks));
    let (answers, error) = small(csv(MOST - 16));
    assert_eq!(
        (answers.as_str(), error.as_str()),
        ("[4.5]\n[4.5]\n[4.5]\n", "")
    );
    let unclosed = format!("{header}1,a,\"{}", "1,a,x\n".repeat(MOST / 6 + 10_000));
    let in_json = format!("{NDJSON}{{\"age\": \"{}\"}}\n", "1".repeat(MOST));
    for (rows, answers, expected) in [
        (
            csv(MOST + (1 << 16)),
            "[4.5]\n",
            "line 3: longer than 67108864 bytes, or a quote is not closed",
        ),
        (
            unclosed,
            "[4.5]\n",
            "line 3: longer than 67108864 bytes, or a quote is not closed",
        ),
        (in_json, ANSWERS, "line 3: longer than 67108864 bytes"),
    ] {
        let (before, error) = small(rows);
        assert_eq!(before, answers);
        assert_eq!(error, format!("cbm: standard input: {expected}\n"));
    }
}

#[test]
fn a_gzipped_file_may_have_several_members() {
    let (first, second) = NDJSON.split_at(20);
    let packed = [gzip(first.as_bytes()), gzip(b""), gzip(second.as_bytes())].concat();
    assert_eq!(small(packed), (ANSWERS.to_owned(), String::new()));
}

#[test]
fn damaged_gzip_is_told_with_its_place() {
    let rows = NDJSON.repeat(10_000);
    let packed = gzip(rows.as_bytes());
    let (answers, error) = small(&packed[..packed.len() / 2]);
    let line = answers.lines().count() + 1;
    let expected = format!(
        "cbm: standard input: line {line}: the gzip data end too early: the file is cut off"
    );
    assert!(error.starts_with(&expected), "{error}");
    let mut damaged = packed.clone();
    let place = damaged.len() - 8;
    damaged[place] ^= 1;
    let (_, error) = small(&damaged);
    let expected = format!(
        "cbm: standard input: line {}: the gzip data are damaged (",
        20_001
    );
    assert!(error.starts_with(&expected), "{error}");
    let (_, error) = small(gzip(&packed));
    assert_eq!(
        error,
        "cbm: standard input: gzip within gzip: unpack it once with `gzip -d`\n"
    );
}

#[test]
fn files_that_hold_no_rows_are_named() {
    let utf_16 = |little: bool| -> Vec<u8> {
        let unit = |unit: u16| {
            if little {
                unit.to_le_bytes()
            } else {
                unit.to_be_bytes()
            }
        };
        NDJSON.encode_utf16().flat_map(unit).collect()
    };
    let with_mark = |mark: &[u8], little| [mark, &utf_16(little)].concat();
    for (bytes, expected) in [
        (
            with_mark(b"\xff\xfe", true),
            "no rows but UTF-16: save the file as UTF-8, for example with `iconv",
        ),
        (with_mark(b"\xfe\xff", false), "no rows but UTF-16: "),
        (utf_16(true), "no rows but UTF-16: "),
        (utf_16(false), "no rows but UTF-16: "),
        (gzip(&with_mark(b"\xff\xfe", true)), "no rows but UTF-16: "),
        (
            b"PK\x03\x04....".to_vec(),
            "no rows but a ZIP archive (.zip, .xlsx, .npz): unpack it",
        ),
        (
            b"PAR1....".to_vec(),
            "no rows but Parquet: export it with pandas",
        ),
        (
            b"BZh9....".to_vec(),
            "no rows but compressed by bzip2: unpack it with `bzip2 -d`",
        ),
        (
            b"\"age\";\"city\"\n".to_vec(),
            "line 1: read as the header of a CSV file, as it begins neither with { (a JSON object a line) nor with [ (a JSON array): numeric feature 0 `age` is missing; the row has `age;",
        ),
        (
            b"age;city\n1;2\n".to_vec(),
            "line 1: read as the header of a CSV file",
        ),
        (
            b"age,city,remark\n1,\xcc\xee\xf1\xea\xe2\xe0,x\n".to_vec(),
            "line 2: not UTF-8 from byte 0 of the row on: save the file as UTF-8",
        ),
        (
            b"{\"age\": 1, \"city\": \"\xcc\"}".to_vec(),
            "line 1: not UTF-8 from byte 20 of the row on: save the file as UTF-8",
        ),
    ] {
        let (answers, error) = small(&bytes);
        assert_eq!(answers, "");
        let expected = format!("cbm: standard input: {expected}");
        assert!(error.starts_with(&expected), "{expected}: {error}");
    }
}

#[test]
fn faults_in_arrays_and_csv_are_told_with_their_place() {
    let right = NDJSON.lines().next().expect("it has two lines");
    let array = |rest: &str| format!("[{right},\n{rest}");
    let csv = |rest: &str| format!("age,city,remark\n1,a,\"\n\"\n{rest}");
    for (rows, expected) in [
        (
            array("{\"age\": \"x\", \"city\": \"\", \"remark\": \"\"}]"),
            "element 2 (line 2): numeric feature 0 `age`: expected a number",
        ),
        (
            array("7]"),
            "element 2 (line 2): expected a JSON object from feature to value; found a number\n",
        ),
        (
            array("]"),
            "element 2 (line 2): not JSON at byte 1 of the row: the row ends too early\n",
        ),
        (
            array("{\"age\": 1"),
            "element 2 (line 2): the file ends within this element: it is cut off\n",
        ),
        (
            array(""),
            "element 2 (line 2): the file ends within this element: it is cut off\n",
        ),
        (
            array("{]}"),
            "element 2 (line 2): not JSON at byte 2 of the row: expected a key in double quotes\n",
        ),
        (
            format!("[{right}\n"),
            "line 2: the array ends after element 1 without its `]`: the file is cut off\n",
        ),
        (
            format!("[{right} {right}]"),
            "line 1: expected `,` or `]` after element 1 of the array\n",
        ),
        (
            format!("[{right}]\n{right}"),
            "line 2: text after the end of the array\n",
        ),
        (
            csv("1,a\n"),
            "line 4: 2 values for the 3 columns of the header: write an empty value where there is none\n",
        ),
        (
            csv("1,a,b,c\n"),
            "line 4: 4 values for the 3 columns of the header: put a value with commas in quotes\n",
        ),
        (
            csv("1,a,\"b\n1,a,b\n"),
            "line 4: a quote is opened and not closed before the file ends: put the value",
        ),
        (
            csv("\"1,5\",a,b\n"),
            "line 4: numeric feature 0 `age`: expected a number with a decimal point",
        ),
        (
            csv("Nan,a,b\n"),
            "line 4: numeric feature 0 `age`: expected a number with a decimal point",
        ),
    ] {
        let (answers, error) = small(&rows);
        assert_eq!(answers, "[4.5]\n", "what comes before is answered: {rows}");
        let expected = format!("cbm: standard input: {expected}");
        assert!(error.starts_with(&expected), "{rows}: {error}");
    }
    for (header, expected) in [
        ("age,city", "text feature 2 `remark` is missing"),
        (
            "age,city,remark,age",
            "numeric feature 0 `age` is given twice",
        ),
        (
            "age\tcity\tremark",
            "; values have to be separated by commas, not by tabs",
        ),
        (
            "age;city;remark",
            "; values have to be separated by commas, not by `;`",
        ),
    ] {
        let (_, error) = small(header);
        assert!(
            error.starts_with("cbm: standard input: line 1: ") && error.contains(expected),
            "{header}: {error}"
        );
    }
}

/// CatBoost also accepts booleans and `None` in embeddings.
#[test]
fn embeddings_are_lists_in_every_form() {
    let model =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models/embedding_lda.cbm");
    let rows = [
        "{\"0\": 1, \"1\": [1, 0, 1.0, false, true, 0]}",
        "{\"0\": 1, \"1\": [null, NaN, \"nan\", NaN, NaN, NaN]}",
        "[{\"0\": 1, \"1\": [1, 0, 1, 0, 1, 0]}]",
        "0,1\n1,1;0;1;0;1;0\n",
        "0,1\n1,\"[1, 0, 1.0, False, True, 0]\"\n",
    ];
    let answers: Vec<String> = rows
        .iter()
        .map(|rows| {
            let (answers, errors) = texts(&eval(&model, rows.as_bytes()));
            assert_eq!(errors, "", "{rows}");
            answers
        })
        .collect();
    assert_eq!(answers[0], answers[2]);
    assert_eq!(answers[0], answers[3]);
    assert_eq!(answers[0], answers[4]);
    assert_ne!(answers[0], answers[1]);
}
