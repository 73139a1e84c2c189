//! `score`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::{Folder, fixture, run, run_with, start};

/// Expected output of `score` for `fixtures/test_data.csv`: Python's answers.
fn expected() -> String {
    let cases = fs::read_to_string(fixture("test_data.expected.ndjson")).unwrap();
    let mut lines = String::new();
    for case in cases.lines() {
        let (_, answer) = case.rsplit_once("}, ").unwrap();
        let number = |field: &str| {
            let (_, after) = answer.split_once(&format!("\"{field}\": ")).unwrap();
            after.split([',', '}']).next().unwrap().to_owned()
        };
        lines += &format!(
            "{{\"negative\":{},\"positive\":{},\"raw\":{}}}\n",
            number("negative"),
            number("positive"),
            number("raw")
        );
    }
    lines
}

/// Requests of `fixtures/test_data.csv`, one per line.
fn requests() -> String {
    let cases = fs::read_to_string(fixture("test_data.expected.ndjson")).unwrap();
    let mut lines = String::new();
    for case in cases.lines() {
        let (_, request) = case.split_once("\"request\": ").unwrap();
        let (request, _) = request.rsplit_once("}, ").unwrap();
        lines += &format!("{request}}}\n");
    }
    lines
}

fn csv() -> String {
    fs::read_to_string(fixture("test_data.csv")).unwrap()
}

fn is_summary(err: &str, start: &str, end: &str) -> bool {
    err.starts_with(start) && err.ends_with(end) && err.lines().count() == 1
}

#[test]
fn csv_and_ndjson_give_the_recorded_answers() {
    let ran = run(&["score", &fixture("test_data.csv")]);
    assert_eq!((ran.code, &ran.out), (0, &expected()));
    assert!(
        is_summary(&ran.err, "100 records in ", " a second), 0 with errors\n"),
        "{}",
        ran.err
    );
    for input in [
        requests(),
        csv(),
        format!("\u{feff}{}", csv().replace('\n', "\r\n")),
        format!("\n\n{}\n\n", requests().replace('\n', "\r\n\r\n")),
        csv().trim_end().to_owned(),
    ] {
        for args in [
            &["score"][..],
            &["score", "-"],
            &["score", "--threads", "7"],
        ] {
            let ran = run_with(args, input.as_bytes());
            assert_eq!((ran.code, &ran.out), (0, &expected()));
        }
    }
}

#[test]
fn order_is_kept_over_many_blocks() {
    let csv = csv();
    let (header, rows) = csv.split_once('\n').unwrap();
    let folder = Folder::new("order");
    let input = folder.file("many.csv", format!("{header}\n{}", rows.repeat(60)));
    assert!(fs::metadata(&input).unwrap().len() > 10 * 256 * 1024);
    let ran = run(&["score", &input, "--threads", "5"]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.out == expected().repeat(60),
        "the answers are out of order"
    );
}

#[test]
fn columns_are_found_by_their_names() {
    let csv = csv();
    let (header, rows) = csv.split_once('\n').unwrap();
    // Moves the first column to the end.
    let mut turned = String::new();
    for line in [header].into_iter().chain(rows.lines()) {
        let (first, rest) = line.split_once(',').unwrap();
        turned += &format!("{rest},{first}\n");
    }
    let ran = run_with(&["score"], turned.as_bytes());
    assert_eq!((ran.code, ran.out), (0, expected()));
}

#[test]
fn a_bad_record_is_an_error_in_its_place() {
    let csv = csv();
    let lines: Vec<&str> = csv.lines().collect();
    let expected = expected();
    let answers: Vec<&str> = expected.lines().collect();
    let bad = [
        (
            lines[1].replace("56.0", "А123ВС77"),
            "line 3: recognition_accuracy",
        ),
        (lines[1].replace("2021-", "2021/"), "line 4: time_check"),
        (
            "А292ТУ07".to_owned(),
            "line 5: no value for column `afts_regno_ai`",
        ),
        (format!("{},", lines[1]), "line 6: 11 values for 10 columns"),
        ("А\"292,".to_owned(), "line 7: a quote inside a value"),
        (
            format!("\"{}", lines[1]),
            "line 8: text after the quote that closes",
        ),
    ];
    let mut input = format!("{}\n{}\n", lines[0], lines[1]);
    for (record, _) in &bad {
        input += &format!("{record}\n");
    }
    // A record of two lines, and one after it.
    input += &lines[2].replace("Астра-Трафик", "\"Астра\n-Трафик\"");
    input += &format!("\n{}\n", "0,1,2,3,4,5,6,7,8");
    input += lines[3];
    let ran = run_with(&["score"], input.as_bytes());
    assert_eq!(ran.code, 1);
    let out: Vec<&str> = ran.out.lines().collect();
    assert_eq!(out.len(), 4 + bad.len());
    assert_eq!(out[0], answers[0]);
    for ((record, expected), line) in bad.iter().zip(&out[1..]) {
        let start = format!("{{\"error\":\"{expected}");
        assert!(line.starts_with(&start), "{record}: {line}");
        assert!(line.ends_with("\"}"), "{line}");
        assert!(!line.contains('А'), "{line}");
    }
    assert!(out[7].starts_with("{\"negative\":"), "{}", out[7]);
    assert_eq!(
        out[8],
        "{\"error\":\"line 11: no value for column `direction`\"}"
    );
    assert_eq!(out[9], answers[2]);
    assert!(
        is_summary(&ran.err, "10 records in ", ", 7 with errors\n"),
        "{}",
        ran.err
    );
}

#[test]
fn a_bad_line_of_ndjson_is_an_error_in_its_place() {
    let requests = requests();
    let good = requests.lines().next().unwrap();
    let huge = format!("{{{}", " ".repeat(3 << 20));
    let input = [
        good,
        "{",
        "",
        "[]",
        &good.replace("\"direction\": 0", "\"direction\": \"А123ВС77\""),
        &good.replace("\"direction\": 0", "\"dir\": 0"),
        &huge,
        good,
    ]
    .join("\n");
    let ran = run_with(&["score"], input.as_bytes());
    assert_eq!(ran.code, 1);
    let out: Vec<&str> = ran.out.lines().collect();
    assert_eq!(out.len(), 7);
    let (whole, errors) = (out[0], &out[1..6]);
    assert_eq!(whole, expected().lines().next().unwrap());
    for (line, expected) in errors.iter().zip([
        "line 2: ",
        "line 4: ",
        "line 5: direction",
        "line 6: direction",
        "line 7: longer than 1048576 bytes",
    ]) {
        assert!(
            line.starts_with(&format!("{{\"error\":\"{expected}")),
            "{line}"
        );
        assert!(!line.contains('А'), "{line}");
    }
    assert_eq!(out[6], whole);
}

#[test]
fn what_is_no_file_of_requests_says_so_and_answers_nothing() {
    let folder = Folder::new("headers");
    let csv = csv();
    for (contents, expected) in [
        (
            csv.replace(",direction", ",dir"),
            "line 1: the header lacks `direction`",
        ),
        (
            csv.split_once('\n').unwrap().1.to_owned(),
            "line 1: the first line names none of the columns `regno_recognize`, ",
        ),
        (
            "\0{\0}".to_owned(),
            "UTF-16: save the file as UTF-8, for example with `iconv",
        ),
        ("\u{1}\u{2}".to_owned(), "line 1: the first line names none"),
    ] {
        let file = folder.file("bad", contents);
        let ran = run(&["score", &file]);
        assert_eq!((ran.code, ran.out.as_str()), (65, ""));
        assert!(
            ran.err
                .starts_with(&format!("pick-regno score: {file}: {expected}")),
            "{}",
            ran.err
        );
        assert_eq!(ran.err.lines().count(), 1);
        assert!(!ran.err.contains("А292"), "{}", ran.err);
    }
    for missing in ["/nonexistent/a.csv", "/tmp"] {
        let ran = run(&["score", missing]);
        assert_eq!((ran.code, ran.out.as_str()), (66, ""));
        assert!(
            ran.err
                .starts_with(&format!("pick-regno score: {missing}: cannot open: ")),
            "{}",
            ran.err
        );
    }
}

#[test]
fn however_a_file_was_saved_its_answers_are_the_same() {
    let lines = requests();
    let expected = run_with(&["score"], lines.as_bytes());
    let array = format!("[{}]", lines.trim_end().replace('\n', ",\n"));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, array.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    for form in [array.as_bytes(), &packed] {
        let ran = run_with(&["score"], form);
        assert_eq!((ran.code, ran.out), (expected.code, expected.out.clone()));
    }
}

/// Python's `json.dumps` writes `NaN` and `Infinity`, which are no JSON. In CSV, as in texts of JSON, `nan` is no number, and `inf` is a fault.
#[test]
fn python_s_words_for_numbers_are_read_as_json() {
    let lines = requests();
    let (lines, csv) = (lines.lines().next().unwrap(), csv());
    let mut records = csv.lines();
    let (header, record) = (records.next().unwrap(), records.next().unwrap());
    let score = "0.9279911987790815";
    assert!(lines.contains(&format!("_score\": {score},")) && record.contains(score));
    let in_csv = |cell| format!("{header}\n{}\n", record.replace(score, cell));
    let plain = run_with(&["score"], lines.as_bytes());
    let mut answers = vec![plain.out];
    for word in ["NaN", "Infinity", "-Infinity"] {
        let json = lines.replace(score, word);
        let mut forms = vec![format!("{json}\n"), format!("[{json}]")];
        if word == "NaN" {
            forms.push(in_csv("nan"));
        }
        let ran: Vec<_> = forms
            .iter()
            .map(|form| run_with(&["score"], form.as_bytes()))
            .collect();
        assert_eq!(ran[0].code, 0, "{word}: {}", ran[0].err);
        for other in &ran {
            assert_eq!((other.code, &other.out), (0, &ran[0].out), "{word}");
        }
        answers.push(ran[0].out.clone());
    }
    assert_eq!(run_with(&["score"], in_csv("inf").as_bytes()).code, 1);
    assert!(answers.iter().all(|answer| answer.lines().count() == 1));
    assert_ne!(answers[2], answers[3], "infinities have signs");
    // Beginnings of words, and words with a sign too many, are none.
    for word in ["Na", "nan", "-NaN", "+Infinity", "Inf"] {
        let ran = run_with(&["score"], lines.replace(score, word).as_bytes());
        assert_eq!(ran.code, 1, "{word}");
        assert!(ran.out.starts_with("{\"error\":\"line 1: "), "{}", ran.out);
    }
}

#[test]
fn nothing_in_is_nothing_out() {
    for input in ["", "\n \n", csv().split_once('\n').unwrap().0] {
        let ran = run_with(&["score"], input.as_bytes());
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{input:?}");
        assert!(ran.err.starts_with("0 records in "), "{}", ran.err);
    }
}

#[test]
fn a_file_of_answers_appears_whole() {
    let folder = Folder::new("output");
    let out = folder.file("answers.ndjson", "older");
    fs::set_permissions(&out, fs::Permissions::from_mode(0o640)).unwrap();
    let link = folder.path("link");
    std::os::unix::fs::symlink(&out, &link).unwrap();
    let ran = run(&["score", &fixture("test_data.csv"), "-o", &link]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert_eq!(fs::read_to_string(&out).unwrap(), expected());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let mode = fs::metadata(&out).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(folder.names(), ["answers.ndjson", "link"]);

    // A device is written to, and stays one.
    let ran = run(&["score", &fixture("test_data.csv"), "--output", "/dev/null"]);
    assert_eq!(ran.code, 0);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());

    for (bad, why) in [
        ("/nonexistent/answers", "/nonexistent/.answers."),
        ("/tmp/..", ""),
    ] {
        let ran = run(&["score", &fixture("test_data.csv"), "--output", bad]);
        assert_eq!(ran.code, 73);
        let start = format!("pick-regno score: {bad}: cannot create: {why}");
        assert!(ran.err.starts_with(&start), "{}", ran.err);
    }
}

#[test]
fn what_fails_half_way_leaves_nothing_behind() {
    let folder = Folder::new("full");
    let out = folder.path("answers.ndjson");
    // As on a full disk: files may have 4 KiB, and a write beyond is an error.
    let shell = "trap '' XFSZ; ulimit -f 8; exec \"$0\" score \"$1\" --output \"$2\"";
    let ran = Command::new("sh")
        .args(["-c", shell, env!("CARGO_BIN_EXE_pick-regno")])
        .args([&fixture("test_data.csv"), &out])
        .output()
        .unwrap();
    let err = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(74), "{err}");
    assert!(
        err.starts_with(&format!("pick-regno score: {out}: cannot write on: ")),
        "{err}"
    );
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn what_is_stopped_leaves_nothing_behind() {
    for (signal, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        stopped_by(signal, number);
    }
}

fn stopped_by(signal: &str, number: i32) {
    let folder = Folder::new("stopped");
    let out = folder.file("answers.ndjson", "older");
    let (mut child, mut stdin) = start(&["score", "-o", &out]);
    stdin.write_all(requests().as_bytes()).unwrap();
    while folder.names().len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(fs::read_to_string(&out).unwrap(), "older");
    Command::new("sh")
        .args(["-c", &format!("kill -s {signal} {}", child.id())])
        .status()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + number));
    assert_eq!(folder.names(), ["answers.ndjson"]);
    assert_eq!(fs::read_to_string(&out).unwrap(), "older");
}

#[test]
fn a_pipe_is_answered_as_it_flows_and_may_be_closed() {
    let (mut child, mut stdin) = start(&["score"]);
    let requests = requests();
    let first = requests.split_inclusive('\n').next().unwrap();
    stdin.write_all(first.as_bytes()).unwrap();
    // The answer comes although the input has not ended.
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut answer = String::new();
    out.read_line(&mut answer).unwrap();
    assert_eq!(answer, expected().split_inclusive('\n').next().unwrap());

    // Nobody reads any more: it ends by itself, although the input has not ended.
    drop(out);
    stdin.write_all(first.as_bytes()).unwrap();
    let status = child.wait().unwrap();
    let mut err = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!((status.code(), err.as_str()), (Some(74), ""));
}

#[test]
fn a_file_of_answers_that_cannot_be_written_on_is_told_also_if_it_is_a_pipe() {
    let folder = Folder::new("pipe");
    let pipe = folder.path("pipe");
    // The first byte is read, and then nothing.
    let shell =
        "mkfifo \"$2\"; head -c 1 \"$2\" > /dev/null & exec \"$0\" score \"$1\" --output \"$2\"";
    let input = folder.file("many.ndjson", requests().repeat(20));
    let ran = Command::new("sh")
        .args(["-c", shell, env!("CARGO_BIN_EXE_pick-regno")])
        .args([&input, &pipe])
        .output()
        .unwrap();
    let err = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(74), "{err}");
    assert!(
        err.starts_with(&format!("pick-regno score: {pipe}: cannot write on: ")),
        "{err}"
    );
}

#[test]
fn a_run_that_was_killed_is_in_no_other_runs_way() {
    let folder = Folder::new("killed");
    let out = folder.path("answers.ndjson");
    // As in a container, where every run has the number of the one before: the shell's, which it keeps.
    let shell = ": > \"$2/.answers.ndjson.$$.part\"; exec \"$0\" score \"$1\" --output \"$2/answers.ndjson\"";
    let ran = Command::new("sh")
        .args(["-c", shell, env!("CARGO_BIN_EXE_pick-regno")])
        .args([&fixture("test_data.csv"), &folder.path("")])
        .output()
        .unwrap();
    let err = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(0), "{err}");
    assert_eq!(fs::read_to_string(&out).unwrap(), expected());
}
