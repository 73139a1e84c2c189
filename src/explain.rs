//! `explain`: chart of each field's contribution to the answer to a request.

mod waterfall;

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::exit;
use crate::messages::tell;
use crate::picker::Picker;
use crate::records::{Block, Blocks, FaultKind, Records, Source};
use waterfall::Waterfall;

/// Arguments of the command.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The picture names fields, and no value of the request. What the fields add is in the units of `raw`, the model's sum.
Exit codes: 0; 64 usage, 65 not a request, 66 no such input, 73 the picture cannot be created, 74 reading or writing failed.")]
pub struct Args {
    /// File of requests, NDJSON or CSV; `-`, or none, is the standard input
    #[arg(value_name = "FILE", default_value = "-", hide_default_value = true)]
    input: PathBuf,

    /// Number of the record in the file, counted from 1
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    record: u64,

    /// Write the picture as SVG to this file, rather than as text to the standard output
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Explain the model of this file, a .cbm or a JSON export, instead of the compiled one
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args) -> ExitCode {
    match explain(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, why)) => {
            tell(format_args!("pick-regno explain: {why}"));
            ExitCode::from(code)
        }
    }
}

fn explain(args: &Args) -> Result<(), (u8, String)> {
    let picker = Picker::load(args.model.as_deref())
        .map_err(|why| (why.exit_code(), format!("--model {why}")))?;
    if let Some(why) = picker.unexplained() {
        let why = format!("this model cannot be explained: {why}");
        return Err((exit::USAGE, why));
    }
    let waterfall = read(args, &picker)?;
    match &args.svg {
        None => std::io::stdout()
            .write_all(waterfall.text().as_bytes())
            .map_err(|why| (exit::IO, format!("standard output: cannot write: {why}"))),
        Some(path) => fs::write(path, waterfall.svg()).map_err(|why| {
            let path = path.display();
            (exit::CANNOT_CREATE, format!("{path}: cannot create: {why}"))
        }),
    }
}

/// Reads and explains the selected record.
fn read(args: &Args, picker: &Picker) -> Result<Waterfall, (u8, String)> {
    let source = Source::open(&args.input).map_err(|why| (exit::NO_INPUT, why.to_string()))?;
    let name = source.name.clone();
    let fail = |code, why: &dyn fmt::Display| (code, format!("{name}: {why}"));
    let mut blocks = Blocks::open(source, None).map_err(|why| fail(exit::DATA, &why))?;
    let mut left = args.record;
    while let Some(block) = blocks
        .next(Vec::new())
        .map_err(|why| fail(exit::IO, &why))?
    {
        let text = match block {
            Block::Fault(fault) => {
                left -= 1;
                if left == 0 {
                    return Err(fail(exit::DATA, &fault));
                }
                continue;
            }
            Block::Records(text) => text,
        };
        for record in Records::new(blocks.shape(), &text) {
            left -= 1;
            if left == 0 {
                let request = record.map_err(|fault| match &fault.kind {
                    FaultKind::Request(invalid) if invalid.is_syntax() => fail(
                        exit::DATA,
                        &format_args!(
                            "{fault}; a request that is on several lines has to be put on one (`jq -c .`)"
                        ),
                    ),
                    _ => fail(exit::DATA, &fault),
                })?;
                let (answer, explanation) = picker.pick_explained(&request, &mut ());
                return Ok(Waterfall::new(&answer, &explanation));
            }
        }
    }
    Err(match args.record - left {
        0 => fail(exit::DATA, &"it has no records"),
        records => fail(
            exit::DATA,
            &format_args!("it has {records} records; --record asks for one after the last"),
        ),
    })
}
