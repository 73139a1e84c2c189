use super::*;
use crate::records::Records;
use crate::request::Field;

fn header() -> String {
    Field::ALL.map(Field::name).join(",")
}

/// Reader that returns a few bytes at a time.
struct Slow<'a> {
    rest: &'a [u8],
    step: usize,
}

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.step.min(self.rest.len()).min(buffer.len());
        let (now, rest) = self.rest.split_at(len);
        buffer[..now.len()].copy_from_slice(now);
        self.rest = rest;
        Ok(now.len())
    }
}

/// Returns all blocks of `bytes`: text with the number of its first line, and faults.
fn blocks(bytes: &[u8], format: Option<Format>, step: usize) -> Vec<String> {
    let mut blocks = Blocks::open(Slow { rest: bytes, step }, format).unwrap();
    let mut told: Vec<String> = Vec::new();
    // The contents of the buffer do not matter.
    while let Some(block) = blocks.next(b"used before".repeat(3)).unwrap() {
        told.push(match block {
            Block::Fault(fault) => fault.to_string(),
            Block::Records(text) => {
                let bytes = String::from_utf8(text.bytes).unwrap();
                format!("{}> {bytes}", text.line)
            }
        });
    }
    told
}

#[test]
fn the_first_byte_says_what_a_file_is() {
    let header = header();
    for (text, format) in [
        ("{}\n".to_owned(), Format::Ndjson),
        ("\u{feff}\r\n \n{}".to_owned(), Format::Ndjson),
        (String::new(), Format::Ndjson),
        (" \n".to_owned(), Format::Ndjson),
        (header.clone(), Format::Csv),
        (format!("\u{feff}\n\n{header}\r\n0"), Format::Csv),
    ] {
        for step in [1, 2, 3, 4, 1000] {
            let source = Slow {
                rest: text.as_bytes(),
                step,
            };
            let blocks = Blocks::open(source, None).unwrap();
            assert_eq!(blocks.shape().format(), format, "{text:?}");
        }
    }
    for (text, expected) in [("[{}]", "one JSON array"), ("x", "line 1: the first line")] {
        let error = Blocks::open(text.as_bytes(), None).err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn blocks_are_whole_records_and_know_their_line() {
    assert_eq!(
        blocks(b"\n{1}\n{2}\n\n{3}", None, 1),
        ["2> {1}\n", "3> {2}\n", "4> \n", "5> {3}"]
    );
    assert_eq!(
        blocks(b"\n{1}\n{2}\n\n{3}", None, 1000),
        ["2> {1}\n{2}\n\n", "5> {3}"]
    );
    let csv = format!("\n{}\n\"a\nb\",c\n\"d\n\"\ne", header());
    assert_eq!(
        blocks(csv.as_bytes(), None, 1),
        ["3> \"a\nb\",c\n", "5> \"d\n\"\n", "7> e"]
    );
}

#[test]
fn a_record_that_is_too_long_is_skipped() {
    let long = "x".repeat(3 * Limits::FILE.record);
    for (text, expected) in [
        (
            format!("{{}}\n{long}\n{{1}}\n"),
            vec!["1> {}\n", "line 2: longer than 1048576 bytes", "3> {1}\n"],
        ),
        (long.clone(), vec!["line 1: longer than 1048576 bytes"]),
    ] {
        assert_eq!(
            blocks(text.as_bytes(), Some(Format::Ndjson), 100_000),
            expected
        );
    }
}

#[test]
fn a_quote_that_is_not_closed_costs_one_line() {
    let header = header();
    let fault = "line 3: a quote is opened and not closed";
    let end = format!("{header}\na\n\"b,\nc\nd\n");
    assert_eq!(
        blocks(end.as_bytes(), None, 1000),
        ["2> a\n", fault, "4> c\nd\n"]
    );
    let rows = "e,f\n".repeat(Limits::FILE.record / 2);
    let far = format!("{header}\na\n\"b,\n{rows}\"z\"\n");
    let told = blocks(far.as_bytes(), None, 100_000);
    assert_eq!(told[..2], ["2> a\n", fault]);
    let rest: String = told[2..]
        .iter()
        .map(|block| block.split_once("> ").unwrap().1)
        .collect();
    assert_eq!(rest, format!("{rows}\"z\"\n"));
    assert!(told[2].starts_with("4> "), "{}", &told[2][..10]);
}

const SHORT: Limits = Limits {
    record: 4096,
    block: 1024,
};

/// Returns all blocks within [`SHORT`] limits, each with a new buffer.
fn all(text: &str) -> (Shape, Vec<Block>) {
    let mut blocks = Blocks::new(text.as_bytes(), SHORT);
    blocks.begin(None).unwrap();
    let mut all = Vec::new();
    while let Some(block) = blocks.next(Vec::new()).unwrap() {
        all.push(block);
    }
    (blocks.shape().clone(), all)
}

/// Each block takes one scan of `held`, so that the number of blocks bounds the work.
#[test]
fn quotes_that_are_not_closed_do_not_cost_a_look_a_line() {
    for row in ["x\",\"\n", "\"\n", ",\"\n\n", "\"\",c\n", "\",\"\n"] {
        let rows = row.repeat(3 * SHORT.record / row.len());
        // The last line ends inside quotes, or is too long outside them.
        let long = format!("x\",{}", "y".repeat(2 * SHORT.record));
        for (start, end) in [("", ""), ("\"", ""), ("\"", "\"x"), ("", &long)] {
            let (_, blocks) = all(&format!("{}\n{start}{rows}{end}", header()));
            assert!(blocks.len() < 50, "{row:?}: {} blocks", blocks.len());
        }
    }
}

#[test]
fn after_a_quote_that_is_not_closed_each_line_is_a_record() {
    let text = format!("{}\n\"a\n\"\",c\nx\",\"\n\"\",c\n\ne", header());
    let (shape, blocks) = all(&text);
    let faults: Vec<String> = blocks
        .iter()
        .flat_map(|block| match block {
            Block::Fault(fault) => vec![fault.to_string()],
            Block::Records(text) => Records::new(&shape, text)
                .map(|record| record.unwrap_err().to_string())
                .collect(),
        })
        .collect();
    let beginnings = [
        "line 2: a quote is opened and not closed",
        "line 3: no value for column `recognition_accuracy`",
        "line 4: a quote inside a value",
        "line 5: no value for column `recognition_accuracy`",
        "line 7: no value for column `afts_regno_ai`",
    ];
    assert_eq!(faults.len(), beginnings.len(), "{faults:?}");
    for (fault, beginning) in faults.iter().zip(beginnings) {
        assert!(fault.starts_with(beginning), "{fault}");
    }
}

#[test]
fn a_header_is_looked_at_once_however_it_comes() {
    let header = format!("\"{}\"\r\nx", Field::ALL.map(Field::name).join("\",\""));
    for step in [1, 7, 1000] {
        assert_eq!(blocks(header.as_bytes(), None, step), ["2> x"]);
    }
    assert_eq!(
        blocks(header.trim_end_matches('x').as_bytes(), None, 1),
        [""; 0]
    );
    assert_eq!(
        blocks(&header.as_bytes()[..header.len() - 3], None, 1),
        [""; 0]
    );
}

/// Reader that returns its pieces one by one, with [`io::ErrorKind::WouldBlock`] in between.
struct Pieces<'a>(Vec<&'a [u8]>, bool);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        let Some(piece) = self.0.first_mut() else {
            return Ok(0);
        };
        if self.1 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = piece.len().min(buffer.len());
        buffer[..len].copy_from_slice(&piece[..len]);
        *piece = &piece[len..];
        if piece.is_empty() {
            self.0.remove(0);
        }
        Ok(len)
    }
}

/// Returns the requests and faults of `pieces`, which arrive one by one, or the error.
fn told(pieces: &[&[u8]]) -> Vec<String> {
    let mut blocks = Blocks::new(Pieces(pieces.to_vec(), false), SHORT);
    loop {
        match blocks.begin(None) {
            Ok(()) => break,
            Err(Unreadable::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return vec![error.to_string()],
        }
    }
    let shape = blocks.shape().clone();
    let mut told = Vec::new();
    loop {
        match blocks.next(Vec::new()) {
            Ok(None) => return told,
            Ok(Some(Block::Fault(fault))) => told.push(fault.to_string()),
            Ok(Some(Block::Records(text))) => {
                let mut records = Records::new(&shape, &text);
                told.extend(
                    std::iter::from_fn(|| records.next()).map(|record| match record {
                        Ok(_) => "a request".to_owned(),
                        Err(fault) => fault.to_string(),
                    }),
                );
            }
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
}

/// A mark after a blank was once dropped only if a pause came before it; the header that was already scanned moved
/// then.
#[test]
fn where_the_beginning_is_cut_changes_nothing() {
    let header = header();
    for mark in [
        "",
        "\u{feff}",
        "\t\u{feff}",
        "\n\u{feff}",
        "\u{feff}\u{feff}",
        "\u{feff}\n\u{feff}",
        "\u{feff}\t",
    ] {
        for rest in [
            "{}\n{\"direction\":1}",
            &format!("{header}\na\n\"b\n"),
            "[{}]",
            "\"a\nb",
            "",
        ] {
            let text = format!("{mark}{rest}");
            let bytes = text.as_bytes();
            let whole = told(&[bytes]);
            for first in 0..=bytes.len() {
                for second in first..=bytes.len().min(first + 9) {
                    let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    let pieces: Vec<_> = pieces
                        .into_iter()
                        .filter(|piece| !piece.is_empty())
                        .collect();
                    assert_eq!(told(&pieces), whole, "{text:?} cut at {first} and {second}");
                }
            }
        }
    }
    assert!(told(&[b"\xef\xbb\xbf", header.as_bytes(), b"\n1"])[0].starts_with("line 2: "));
    // Header beyond the limit, whole and byte by byte.
    let long = format!("\"{}\"\n", "x".repeat(SHORT.record));
    let bytes: Vec<&[u8]> = long.as_bytes().chunks(1).collect();
    assert_eq!(told(&[long.as_bytes()]), ["line 1: longer than 4096 bytes"]);
    assert_eq!(told(&bytes), told(&[long.as_bytes()]));
}

#[test]
fn utf_16_is_named_however_it_arrives() {
    for step in [1, 2, 1000] {
        let source = Slow {
            rest: b"{\0}\0",
            step,
        };
        let refused = Blocks::open(source, None).err();
        assert!(matches!(refused, Some(Unreadable::Utf16)), "{step}");
    }
}
