//! Messages of commands on the standard error.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Writes a line to the standard error. If nobody reads it, as after `2>&1 | head`, nobody misses it; `eprintln!` would
/// panic.
pub(crate) fn tell(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
