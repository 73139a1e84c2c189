//! `--model`: the file of the model that answers, which may be replaced while the service runs.
//!
//! The file is polled, as keys and certificates are: a poll sees what a rename, a mounted volume or a network file system does, and
//! notifications of the kernel do not see all of that.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::reload::FromFiles;
use crate::check;
use crate::picker::Picker;

/// The model that answers.
#[derive(Clone, Debug, clap::Args)]
pub struct ModelArgs {
    /// Answer with the model of this file, a .cbm or a JSON export, instead of the compiled one. It is loaded again when it is
    /// replaced; answers in FILE.cases.ndjson, if that is there, are checked first
    #[arg(
        long,
        env = "PICK_REGNO_MODEL",
        value_name = "FILE",
        help_heading = "Model"
    )]
    pub model: Option<PathBuf>,
}

impl ModelArgs {
    /// Loads the model, if it comes from a file; an error is a sentence that names the file.
    pub(crate) fn load(self) -> Result<Option<FromFiles<Picker>>, String> {
        self.model.map(watched).transpose()
    }
}

/// Loads the model of `file`.
fn watched(file: PathBuf) -> Result<FromFiles<Picker>, String> {
    let cases = cases_of(&file);
    FromFiles::load(vec![file.clone(), cases.clone()], move || {
        let picker = Picker::load(Some(&file)).map_err(|why| format!("--model {why}"))?;
        if cases.exists() {
            check::pass(&cases, &picker)
                .map_err(|why| format!("--model {}: {why}", file.display()))?;
        }
        Ok(picker)
    })
}

/// `FILE.cases.ndjson`: answers that the model must give.
fn cases_of(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".cases.ndjson");
    name.into()
}
