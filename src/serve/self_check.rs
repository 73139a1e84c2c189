//! Self-check before the first request: this build, on this machine, must compute what the model's interpreter computed
//! when the model was compiled. Otherwise the service must not answer.

use std::io;
use std::panic::{UnwindSafe, catch_unwind};

use crate::serve::start_error::StartError;

/// Runs `check`, the compiled model's own, in well under a millisecond.
pub(crate) fn pass(
    check: impl FnOnce() -> Result<(), usize> + UnwindSafe,
) -> Result<(), StartError> {
    let failed = match catch_unwind(check) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(row)) => format!("row {row} comes out with other bits"),
        Err(_) => "it panics".to_owned(),
    };
    Err(StartError {
        what: "the compiled model does not compute what it should; build it again, and on a machine whose results \
               can be trusted"
            .to_owned(),
        why: io::Error::other(failed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_bits_pass() {
        assert!(pass(crate::model::self_check).is_ok());
        let error = pass(|| Err(3)).unwrap_err().to_string();
        assert!(
            error.ends_with(": row 3 comes out with other bits"),
            "{error}"
        );
        let error = pass(|| panic!("an index too far")).unwrap_err().to_string();
        assert!(error.ends_with(": it panics"), "{error}");
    }
}
