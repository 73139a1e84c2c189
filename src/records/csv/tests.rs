use super::*;

fn names() -> [&'static str; COLUMNS] {
    Field::ALL.map(Field::name)
}

/// Header in the order of [`Field::ALL`].
fn header() -> Header {
    Header::parse(names().join(",").as_bytes(), 1).unwrap()
}

/// Returns the values of the record at `start`, or its fault, and the offset of its end.
fn values_of(
    header: &Header,
    marked: &mut Marked<'_>,
    start: usize,
    known: bool,
) -> (Result<[String; COLUMNS], String>, usize) {
    let bytes = marked.bytes();
    let known = known.then(|| std::str::from_utf8(bytes).unwrap());
    let mut places = Places::NONE;
    let (text, after) = read(header, marked, (start, bytes.len()), known, &mut places);
    let values = |text| Field::ALL.map(|field| places.value(text, field).into_owned());
    (text.map(values).map_err(|fault| fault.to_string()), after)
}

/// Returns the records of `text`, each as its values between bars, or its fault.
fn records(text: &str) -> Vec<String> {
    let mut marked = Marked::new(text.as_bytes());
    let mut records = Vec::new();
    let mut at = 0;
    while at < text.len() {
        // Whether the text is known to be UTF-8 must not matter.
        let again = values_of(&header(), &mut Marked::new(text.as_bytes()), at, false);
        let row = values_of(&header(), &mut marked, at, true);
        assert_eq!(row, again, "from {at} of {text:?}");
        records.push(match row.0 {
            Ok(values) => values.join("|"),
            Err(fault) => fault,
        });
        at = row.1;
    }
    records
}

#[test]
fn values_are_read_as_the_rfc_has_them() {
    for (text, expected) in [
        ("0,1,2,3,4,5,6,7,8,9\n", "0|1|2|3|4|5|6|7|8|9"),
        ("0,1,2,3,4,5,6,7,8,9\r\n", "0|1|2|3|4|5|6|7|8|9"),
        ("0,1,2,3,4,5,6,7,8,9", "0|1|2|3|4|5|6|7|8|9"),
        (",,,,,,,,,", "|||||||||"),
        (",,,,,,,,,\r\n", "|||||||||"),
        (
            "\"0\",\"1,\",\"2\n\",\"3\r\n\",\"\"\"4\"\"\",\"\",\"\"\"\",7,8,\"9\"\r\n",
            "0|1,|2\n|3\r\n|\"4\"||\"|7|8|9",
        ),
        ("А, b ,\t,3\r,4,5,6,7,8,\"9\"", "А| b |\t|3\r|4|5|6|7|8|9"),
    ] {
        assert_eq!(records(text), [expected], "{text:?}");
    }
}

/// The fast path needs text that is known to be UTF-8.
#[test]
fn usual_records_are_read_as_all_are() {
    let mut state = 1u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let long = format!("\"{}\"", "x,\n".repeat(40));
    let values = ["", "a", "Ж", "\"\"", "\"a,b\"", "\"\n\"", &long];
    let odd = [
        "\"\"\"\"", "a\"", "\"a\"b", "\r", "\"a\"\r", "\"", "\n", ",",
    ];
    let mut whole = 0;
    for _ in 0..3_000 {
        let mut text = String::new();
        for _ in 0..=random(4) {
            let count = 10 + random(20) / 19 - random(20) / 19;
            for nth in 0..count {
                let from: &[&str] = if random(40) == 0 { &odd } else { &values };
                text += from[random(from.len() as u64) as usize];
                text += if nth + 1 < count {
                    ","
                } else {
                    ["\n", "\r\n"][random(2) as usize]
                };
            }
        }
        let records = records(&text);
        whole += records.iter().filter(|record| record.contains('|')).count();
    }
    assert!(whole > 3_000, "{whole}");
}

#[test]
fn what_is_wrong_is_said_and_the_next_record_is_read() {
    let good = "0,1,2,3,4,5,6,7,8,9\n";
    let told = |fault: FaultKind| fault.to_string();
    let many = |values| {
        told(FaultKind::TooMany {
            values,
            columns: 10,
        })
    };
    for (text, expected) in [
        ("0\n", told(FaultKind::TooFew(Field::AftsRegnoAi))),
        (
            "0,1,2,3,4,5,6,7,8\n",
            told(FaultKind::TooFew(Field::Direction)),
        ),
        ("0,1,2,3,4,5,6,7,8,9,\n", many(11)),
        ("0,1,2,3,4,5,6,7,8,9,10,11\n", many(12)),
        ("0,1\"1,2,3,4,5,6,7,8,9\n", told(FaultKind::StrayQuote)),
        ("0,\"1\"1,2,3,4,5,6,7,8,9\n", told(FaultKind::AfterQuote)),
        ("0,\"1\" ,2,3,4,5,6,7,8,9\n", told(FaultKind::AfterQuote)),
        ("0,\"1\"\r,2,3,4,5,6,7,8,9\n", told(FaultKind::AfterQuote)),
    ] {
        let read = records(&format!("{text}{good}"));
        assert_eq!(read, [expected.as_str(), "0|1|2|3|4|5|6|7|8|9"], "{text:?}");
    }
    assert_eq!(
        records("0,\"1\n0,1"),
        ["a quote is opened and not closed"],
        "there is no next record"
    );
    let (row, len) = values_of(
        &header(),
        &mut Marked::new(b"\xff,1,2,3,4,5,6,7,8,9\n"),
        0,
        false,
    );
    assert_eq!(len, 20);
    assert_eq!(row.unwrap_err(), "not UTF-8: save the file as UTF-8");
}

#[test]
fn columns_may_come_in_any_order() {
    let mut names = names();
    names.reverse();
    let header = Header::parse(format!("\"{}\"\r\n", names.join("\",\"")).as_bytes(), 1).unwrap();
    let (row, _) = values_of(&header, &mut Marked::new(b"9,8,7,6,5,4,3,2,1,0"), 0, false);
    assert_eq!(
        row.unwrap(),
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
    );
}

#[test]
fn a_header_must_name_each_column_once() {
    let all = names().join(",");
    for (header, expected) in [
        (
            all.replace(",direction", ""),
            "line 3: the header lacks `direction`",
        ),
        (
            all.replace("camera_type,", "").replace(",direction", ""),
            "line 3: the header lacks `camera_type`, `direction`",
        ),
        (
            format!("{all},direction"),
            "line 3: the header has `direction` twice",
        ),
        (
            format!("{all},А123ВС77"),
            "line 3: column 11 of the header is none of `regno_recognize`",
        ),
        (
            "А123ВС77,1".to_owned(),
            "line 3: the first line names none of the columns `regno_recognize`",
        ),
        (
            all.replace(',', ";"),
            "`direction`; values are to be separated by commas",
        ),
        (format!("{all}\""), "line 3: a quote inside a value"),
    ] {
        let error = Header::parse(header.as_bytes(), 3).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("А123"), "{error}");
    }
}
