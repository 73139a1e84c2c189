//! Settings of the recorder.

use std::path::{Path, PathBuf};

use crate::arguments::{parse_share, parse_size};

/// Minimum length of a key in bytes: shorter ones can be guessed.
const MIN_KEY: usize = 16;
/// Minimum of `--record-limit`: enough for a segment.
const MIN_LIMIT: u64 = 1 << 20;

/// Arguments of `serve` for its recorder.
#[derive(Clone, Debug, clap::Args)]
pub struct RecordArgs {
    /// Record every answered row in this folder, as NDJSON that `check` reads. Without it nothing is recorded
    #[arg(
        long,
        env = "PICK_REGNO_RECORD",
        value_name = "DIR",
        help_heading = "Records"
    )]
    pub record: Option<PathBuf>,
    /// Bytes that the folder's segments may have; when they have, new rows are dropped and counted
    #[arg(long, env = "PICK_REGNO_RECORD_LIMIT", default_value = "1024MiB", value_parser = parse_size, value_name = "SIZE", help_heading = "Records")]
    pub record_limit: u64,
    /// Share of the requests that are recorded, 0 to 1
    #[arg(long, env = "PICK_REGNO_RECORD_SAMPLE", default_value_t = 1.0, value_parser = parse_share, value_name = "SHARE", help_heading = "Records")]
    pub record_sample: f64,
    /// Plates in records, which are personal data
    #[arg(
        long,
        env = "PICK_REGNO_RECORD_PLATES",
        default_value = "omit",
        value_enum,
        value_name = "HOW",
        help_heading = "Records"
    )]
    pub record_plates: Plates,
    /// File with the key of --record-plates hmac, 16 bytes or more
    #[arg(
        long,
        env = "PICK_REGNO_RECORD_KEY_FILE",
        value_name = "FILE",
        help_heading = "Records"
    )]
    pub record_key_file: Option<PathBuf>,
}

/// Treatment of plates in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Plates {
    /// Leave them out: the model's inputs are recorded, without its texts
    Omit,
    /// Beside the inputs, a digest of each plate by HMAC-SHA-256: equal plates are recognized, and nobody without the key reads them
    Hmac,
    /// Beside the inputs, the request as it came
    Plain,
}

/// Consistent settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(super) folder: PathBuf,
    pub(super) limit: u64,
    pub(super) sample: f64,
    pub(super) plates: Plates,
    /// Key of the digests; empty unless plates are digested.
    pub(super) key: Vec<u8>,
}

impl RecordArgs {
    /// Validates the arguments; `None` if nothing is recorded.
    pub(crate) fn settings(&self) -> Result<Option<Settings>, String> {
        if !(0.0..=1.0).contains(&self.record_sample) {
            return Err(format!(
                "--record-sample {}: must be 0 to 1, such as 0.1 for one request in ten",
                self.record_sample
            ));
        }
        if self.record_limit < MIN_LIMIT {
            return Err(format!(
                "--record-limit {}: must be {MIN_LIMIT} or more",
                self.record_limit
            ));
        }
        let key = match (self.record_plates, &self.record_key_file) {
            (Plates::Hmac, Some(file)) => read_key(file)?,
            (Plates::Hmac, None) => {
                return Err("--record-plates hmac: needs --record-key-file".to_owned());
            }
            (_, Some(file)) => {
                return Err(format!(
                    "--record-key-file {}: is for --record-plates hmac only",
                    file.display()
                ));
            }
            (_, None) => Vec::new(),
        };
        // A variable that is set to nothing, as compose files and manifests set one that nobody gave, is not set.
        let folder = self.record.as_ref();
        let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) else {
            return Ok(None);
        };
        Ok(Some(Settings {
            folder: folder.clone(),
            limit: self.record_limit,
            sample: self.record_sample,
            plates: self.record_plates,
            key,
        }))
    }
}

fn read_key(file: &Path) -> Result<Vec<u8>, String> {
    let refuse =
        |why: &dyn std::fmt::Display| format!("--record-key-file {}: {why}", file.display());
    let key = std::fs::read(file).map_err(|why| refuse(&why))?;
    let key = key.trim_ascii_end();
    match key.len() {
        MIN_KEY.. => Ok(key.to_vec()),
        _ => Err(refuse(&format_args!("a key has {MIN_KEY} bytes or more"))),
    }
}
