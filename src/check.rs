//! `check`: compares recorded answers with the model's, to the bit.
//!
//! Each line of a file is a case: `{"request":{…},"raw":…,"negative":…,"positive":…}`. Numbers are read exactly
//! (rounded once, to the nearest f64), and compared as bits: `-0.0` is not `0.0`, and there is no tolerance.

use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::exit;
use crate::messages::tell;
use crate::pick_regno::{Answer, BLOCK, Blocks as Answers};
use crate::picker::Picker;
use crate::recorder::segments;
use crate::records::{Block, Blocks, Format, Source};
use crate::request::{Invalid, Request, parse_object};

/// Maximum number of differences and bad lines that are printed. All are counted.
const TOLD: u64 = 10;

/// Arguments of the command.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A line of a file is a case: {\"request\":{…},\"raw\":…,\"negative\":…,\"positive\":…}.
The last line says: N cases, M differ.
Exit codes: 0 if all are equal to the bit, 1 if a case differs or a line is not a case; 64 usage, 66 no such file,
74 reading failed.")]
pub struct Args {
    /// Files of cases, or folders of `serve --record` with plates; `-` is the standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Check the model of this file, a .cbm or a JSON export, instead of the compiled one
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args) -> ExitCode {
    let picker = match Picker::load(args.model.as_deref()) {
        Ok(picker) => picker,
        Err(why) => {
            tell(format_args!("pick-regno check: --model {why}"));
            return ExitCode::from(why.exit_code());
        }
    };
    let mut check = Check::new(&picker);
    for path in &args.files {
        if let Err((message, code)) = check.path(path) {
            tell(format_args!("pick-regno check: {message}"));
            return ExitCode::from(code);
        }
    }
    if check.bad > 0 {
        tell(format_args!("lines that are not cases: {}", check.bad));
    }
    // If nobody reads the summary, nobody misses it.
    let _ = writeln!(
        io::stdout(),
        "{} cases, {} differ",
        check.cases,
        check.differ
    );
    match check.differ == 0 && check.bad == 0 && !check.has_empty {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Checks that `picker` gives the answers of `file`.
///
/// # Errors
/// If it does not, or the file is not one of cases, or has none: a sentence that names the file and what is wrong first.
pub(crate) fn pass(file: &Path, picker: &Picker) -> Result<(), String> {
    let mut check = Check::new(picker);
    check.first = Some(String::new());
    check.file(file).map_err(|(why, _)| why)?;
    if check.differ == 0 && check.bad == 0 && !check.has_empty {
        return Ok(());
    }
    let (cases, bad, differ) = (check.cases, check.bad, check.differ);
    let first = check.first.unwrap_or_default();
    Err(format!(
        "{}: {cases} cases, {differ} differ, {bad} lines that are not cases: {first}",
        file.display()
    ))
}

/// Counts of a comparison.
struct Check<'a> {
    picker: &'a Picker,
    /// First difference, if the caller is told it and nothing is written.
    first: Option<String>,
    cases: u64,
    differ: u64,
    /// Number of lines that are not cases.
    bad: u64,
    /// True if a file had no cases: more likely a mistake than a success.
    has_empty: bool,
    /// Answers the requests.
    answers: Answers,
}

impl<'a> Check<'a> {
    fn new(picker: &'a Picker) -> Check<'a> {
        Check {
            picker,
            first: None,
            cases: 0,
            differ: 0,
            bad: 0,
            has_empty: false,
            answers: Answers::default(),
        }
    }

    /// Compares the cases of a file, or of the complete segments in a folder of `serve --record`.
    fn path(&mut self, path: &Path) -> Result<(), (String, u8)> {
        if !path.is_dir() {
            return self.file(path);
        }
        let unreadable = |why| (format!("{}: {why}", path.display()), exit::NO_INPUT);
        let segments = segments(path).map_err(unreadable)?;
        if segments.is_empty() {
            self.has_empty = true;
            tell(format_args!(
                "{}: no complete segment in it",
                path.display()
            ));
        }
        segments.iter().try_for_each(|segment| self.file(segment))
    }

    /// Compares the cases of a file. Returns a message and an exit code if the file cannot be read.
    fn file(&mut self, path: &Path) -> Result<(), (String, u8)> {
        let source = Source::open(path).map_err(|why| (why.to_string(), exit::NO_INPUT))?;
        let name = source.name.clone();
        let unreadable =
            |why: &dyn fmt::Display| (format!("{name}: cannot read on: {why}"), exit::IO);
        let mut blocks =
            Blocks::open(source, Some(Format::Ndjson)).map_err(|why| unreadable(&why))?;
        let before = self.cases + self.bad;
        let mut buffer = Vec::new();
        while let Some(block) = blocks.next(buffer).map_err(|why| unreadable(&why))? {
            buffer = match block {
                Block::Fault(fault) => {
                    self.tell_bad(&name, &fault);
                    Vec::new()
                }
                Block::Records(text) => {
                    self.lines(&name, &text.bytes, text.line);
                    text.bytes
                }
            };
        }
        if self.cases + self.bad == before {
            self.has_empty = true;
            self.tell(&format_args!("{name}: no case in it"));
        }
        Ok(())
    }

    fn lines(&mut self, name: &str, bytes: &[u8], first: u64) {
        let lines = bytes.split_inclusive(|&byte| byte == b'\n');
        let lines = (first..).zip(lines);
        let mut cases =
            lines
                .filter(|(_, line)| !line.trim_ascii().is_empty())
                .map(|(number, line)| {
                    let case = Case::read(line);
                    let case = case.and_then(|case| Ok((case.expected, case.request()?)));
                    (number, case)
                });
        loop {
            let block: Vec<_> = cases.by_ref().take(BLOCK).collect();
            if block.is_empty() {
                return;
            }
            let requests = block
                .iter()
                .filter_map(|(_, case)| case.as_ref().ok())
                .map(|(_, request)| request);
            let found = self
                .picker
                .pick_all(requests, &mut (), &mut self.answers)
                .to_vec();
            let mut found = found.iter();
            for (number, case) in &block {
                match case {
                    Ok((expected, _)) => {
                        let found = found.next().expect("a case has an answer");
                        self.compare(name, *number, expected, found);
                    }
                    Err(why) => self.tell_bad(name, &format_args!("line {number}: {why}")),
                }
            }
        }
    }

    fn compare(&mut self, name: &str, number: u64, expected: &Answer, found: &Answer) {
        self.cases += 1;
        let mut differs = false;
        for (what, expected, found) in [
            ("raw", expected.raw, found.raw),
            ("negative", expected.negative, found.negative),
            ("positive", expected.positive, found.positive),
        ] {
            if expected.to_bits() != found.to_bits() {
                differs = true;
                if self.differ < TOLD {
                    let difference = format!(
                        "line {number}: {what}: expected {expected:?} ({:#018x}), found {found:?} ({:#018x})",
                        expected.to_bits(),
                        found.to_bits()
                    );
                    match &mut self.first {
                        Some(first) if first.is_empty() => *first = difference,
                        Some(_) => {}
                        None => {
                            let _ = writeln!(io::stdout(), "{name}: {difference}");
                        }
                    }
                }
            }
        }
        self.differ += u64::from(differs);
    }

    fn tell_bad(&mut self, name: &str, why: &dyn fmt::Display) {
        if self.bad < TOLD {
            self.tell(&format_args!("{name}: {why}"));
        }
        self.bad += 1;
    }

    /// Says what is wrong.
    fn tell(&mut self, what: &dyn fmt::Display) {
        match &mut self.first {
            Some(first) if first.is_empty() => *first = what.to_string(),
            Some(_) => {}
            None => tell(format_args!("{what}")),
        }
    }
}

/// Recorded answer.
struct Case<'a> {
    request: &'a str,
    expected: Answer,
}

/// Reason why a line is not a case. Never repeats a value.
enum Bad {
    NotAnObject,
    Missing(&'static str),
    NotANumber(&'static str),
    Request(Invalid),
}

impl fmt::Display for Bad {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bad::NotAnObject => formatter.write_str(
                "not a JSON object that has `request`, `raw`, `negative` and `positive` once each",
            ),
            Bad::Missing(field) => write!(formatter, "`{field}` is missing"),
            Bad::NotANumber(field) => write!(formatter, "`{field}` is not a finite number"),
            Bad::Request(invalid) => write!(formatter, "`request`: {invalid}"),
        }
    }
}

/// Line as it was read. `null` counts as missing.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    request: Option<&'a RawValue>,
    #[serde(borrow)]
    raw: Option<&'a RawValue>,
    #[serde(borrow)]
    negative: Option<&'a RawValue>,
    #[serde(borrow)]
    positive: Option<&'a RawValue>,
}

impl<'a> Case<'a> {
    fn read(line: &'a [u8]) -> Result<Case<'a>, Bad> {
        let line: Line<'a> = serde_json::from_slice(line).map_err(|_| Bad::NotAnObject)?;
        Ok(Case {
            request: line.request.ok_or(Bad::Missing("request"))?.get(),
            expected: Answer {
                raw: number("raw", line.raw)?,
                negative: number("negative", line.negative)?,
                positive: number("positive", line.positive)?,
            },
        })
    }

    /// Returns the request.
    fn request(&self) -> Result<Request<'a>, Bad> {
        parse_object(self.request.as_bytes()).map_err(Bad::Request)
    }
}

/// Returns the f64 nearest to a JSON number.
fn number(field: &'static str, value: Option<&RawValue>) -> Result<f64, Bad> {
    let text = value.ok_or(Bad::Missing(field))?.get();
    // Only JSON numbers begin like this; Rust's parser would accept words, too.
    if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return Err(Bad::NotANumber(field));
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(Bad::NotANumber(field)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<[u64; 3], String> {
        let case = Case::read(line.as_bytes()).map_err(|why| why.to_string())?;
        let Answer {
            raw,
            negative,
            positive,
        } = case.expected;
        Ok([raw, negative, positive].map(f64::to_bits))
    }

    #[test]
    fn numbers_are_read_exactly() {
        assert_eq!(
            read(r#"{"positive":-0.0,"negative":5e-324,"raw":0.30000000000000004,"request":{}}"#),
            Ok([0x3fd3_3333_3333_3334, 1, 1 << 63])
        );
        // Halfway between two neighbors, and beyond that by a far digit: a parser with an error of one ulp fails.
        assert_eq!(
            read(
                r#"{"request":{},"raw":9007199254740993,"negative":9007199254740993.00000000000000000000001,"positive":1}"#
            ),
            Ok([
                9007199254740992f64.to_bits(),
                9007199254740994f64.to_bits(),
                1f64.to_bits()
            ])
        );
    }

    #[test]
    fn lines_that_are_no_cases_say_why_and_repeat_nothing() {
        let whole = r#"{"request":{},"raw":1,"negative":1,"positive":1}"#;
        assert!(read(whole).is_ok());
        let object =
            "not a JSON object that has `request`, `raw`, `negative` and `positive` once each";
        for (from, to, expected) in [
            (r#""raw":1"#, r#""raw":NaN"#, object),
            (r#""raw":1"#, r#""raw":1,"raw":1"#, object),
            (whole, r#""А123ВС77""#, object),
            (whole, "{", object),
            (r#""raw":1,"#, "", "`raw` is missing"),
            (r#""request":{},"#, "", "`request` is missing"),
            (
                r#""positive":1"#,
                r#""positive":null"#,
                "`positive` is missing",
            ),
            (r#""raw":1"#, r#""raw":"1""#, "`raw` is not a finite number"),
            (
                r#""negative":1"#,
                r#""negative":1e999"#,
                "`negative` is not a finite number",
            ),
            (
                r#""negative":1"#,
                r#""negative":true"#,
                "`negative` is not a finite number",
            ),
        ] {
            let line = whole.replace(from, to);
            assert_eq!(read(&line), Err(expected.to_owned()), "{line}");
        }
    }
}
