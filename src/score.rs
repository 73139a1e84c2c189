//! `score`: files of requests to files of answers.
//!
//! Threads take turns to read a block of whole records ([`crate::records`]), each answers what it read (`worker`), and
//! the calling thread writes the answers in the order of the records:
//!
//! ```text
//! file ──block──▶ worker ──answers──▶ writer → file
//!          ╰────▶ worker ─────╯
//! ```
//!
//! Every queue is bounded, so the memory use depends on the number of threads alone.

mod output;
mod pipeline;
mod progress;
mod worker;

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use self::output::Output;
use self::pipeline::Failure;
use self::progress::Progress;
use self::worker::Counts;
use crate::arguments::parse_count_to;
use crate::exit;
use crate::loaded::Unusable;
use crate::messages::tell;
use crate::picker::Picker;
use crate::records::{Blocks, CannotOpen, Format, Source, Unreadable};

/// Upper bound of `--threads`.
const MAX_THREADS: u16 = 256;

/// Arguments of the command.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Output: one line of JSON a record, in order: {\"negative\":…,\"positive\":…,\"raw\":…}, or {\"error\":\"line …: …\"};
with --explain {\"explanation\":{\"base\":…,\"contributions\":[{\"field\":…,\"value\":…},…],\"raw\":…},\"negative\":…,\"positive\":…}.
Exit codes: 0 if every record was answered, 1 if some were not; 64 usage, 65 not a file of requests, 66 no such input,
73 output cannot be created, 74 reading or writing failed, also (without a message) if the reader of the answers went away.")]
pub struct Args {
    /// File of requests; `-`, or none, is the standard input. NDJSON if it begins with `{`; else CSV, whose first line
    /// names the ten columns, in any order
    #[arg(value_name = "FILE", default_value = "-", hide_default_value = true)]
    input: PathBuf,

    /// File to write the answers to; it appears when it is whole [default: the standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Add what each field adds to each answer
    #[arg(long)]
    explain: bool,

    /// Answer with the model of this file, a .cbm or a JSON export, instead of the compiled one
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// Format of the records [default: as the first byte says]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    /// Threads that answer [default: the number of cores]
    #[arg(long, value_name = "COUNT", value_parser = parse_count_to::<MAX_THREADS>)]
    threads: Option<u16>,
}

/// Runs the command.
pub fn run(args: Args) -> ExitCode {
    match score(&args) {
        Ok(totals) if totals.faults == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            // The reader of the answers closed them, and knows.
            if !matches!(error, Error::ReaderGone) {
                tell(format_args!("pick-regno score: {error}"));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// Reason why not everything was answered: a sentence that names the file.
#[derive(Debug)]
enum Error {
    Open(CannotOpen),
    Model(Unusable),
    /// The model cannot be explained.
    Unexplained(String),
    Create(String, io::Error),
    Input(String, Unreadable),
    Output(String, io::Error),
    /// The reader of the standard output is gone: the remaining answers are unknown.
    ReaderGone,
    Start(io::Error),
    Software,
}

impl Error {
    fn exit_code(&self) -> u8 {
        match self {
            Error::Open(..) => exit::NO_INPUT,
            Error::Model(why) => why.exit_code(),
            Error::Unexplained(_) => exit::USAGE,
            Error::Create(..) => exit::CANNOT_CREATE,
            Error::Input(_, Unreadable::Io(_)) | Error::Output(..) | Error::ReaderGone => exit::IO,
            Error::Input(..) => exit::DATA,
            Error::Start(_) => exit::SYSTEM,
            Error::Software => exit::SOFTWARE,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Open(why) => why.fmt(formatter),
            Error::Model(why) => write!(formatter, "--model {why}"),
            Error::Unexplained(why) => write!(formatter, "--explain: this model cannot be explained: {why}"),
            Error::Create(name, why) => write!(
                formatter,
                "{name}: cannot create: {why}; name a file in a folder that can be written to"
            ),
            Error::Input(name, why @ Unreadable::Io(_)) => {
                write!(formatter, "{name}: cannot read on: {why}")
            }
            Error::Input(name, why) => write!(formatter, "{name}: {why}"),
            Error::Output(name, why) => write!(formatter, "{name}: cannot write on: {why}"),
            Error::ReaderGone => formatter.write_str("nobody reads the answers any more"),
            Error::Start(why) => write!(formatter, "cannot start a thread: {why}; try fewer --threads"),
            Error::Software => formatter.write_str(
                "a thread ended early, which is a fault of this program; the message above says where",
            ),
        }
    }
}

/// Answers everything, and reports progress on the standard error.
fn score(args: &Args) -> Result<Counts, Error> {
    let picker = Picker::load(args.model.as_deref()).map_err(Error::Model)?;
    if let Some(why) = picker.unexplained().filter(|_| args.explain) {
        return Err(Error::Unexplained(why.to_owned()));
    }
    let source = Source::open(&args.input).map_err(Error::Open)?;
    let (name, size) = (source.name.clone(), source.size);
    let unreadable = |why| Error::Input(name.clone(), why);
    let blocks = Blocks::open(source, args.format).map_err(unreadable)?;
    let (output, output_name) = match &args.output {
        None => (Output::stdout(), "standard output".to_owned()),
        Some(path) => (Output::create(path), path.display().to_string()),
    };
    let mut output = output.map_err(|why| Error::Create(output_name.clone(), why))?;
    let threads = args.threads.map_or_else(default_threads, usize::from);
    // Progress would overwrite answers on the same terminal.
    let draws =
        io::stderr().is_terminal() && (args.output.is_some() || !io::stdout().is_terminal());
    let mut progress = Progress::start(size, draws);
    let answered = pipeline::run(
        blocks,
        &mut output,
        threads,
        (&picker, args.explain),
        &mut progress,
    )
    .and_then(|totals| output.finish().map(|()| totals).map_err(Failure::Write));
    if answered.is_err() {
        progress.clear();
    }
    match answered {
        Ok(totals) => {
            progress.finish(&totals);
            Ok(totals)
        }
        Err(Failure::Write(why))
            if args.output.is_none() && why.kind() == io::ErrorKind::BrokenPipe =>
        {
            Err(Error::ReaderGone)
        }
        Err(Failure::Write(why)) => Err(Error::Output(output_name, why)),
        Err(Failure::Read(why)) => Err(unreadable(Unreadable::Io(why))),
        Err(Failure::Start(why)) => Err(Error::Start(why)),
        Err(Failure::Thread) => Err(Error::Software),
    }
}

fn default_threads() -> usize {
    thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MAX_THREADS.into())
}
