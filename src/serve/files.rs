//! Watches files that may be rewritten, keys and certificates, and says what came of them.

use std::sync::Weak;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::App;
use super::log::{Level, Value};
use super::reload::Look;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Reads files again when they are rewritten, and at once when `rereads` says so, for as long as `app` is in use. Wants a
/// thread of its own: a file on a disk that does not answer holds up nothing else.
pub(super) fn watch(app: &Weak<App>, rereads: &Receiver<()>) {
    loop {
        let asked = match rereads.recv_timeout(EVERY) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            // Nobody will ask any more.
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(EVERY);
                false
            }
        };
        let Some(app) = app.upgrade() else { return };
        look(&app, asked);
    }
}

/// Looks at each file; `asked` reads them whether they have changed or not.
fn look(app: &App, asked: bool) {
    if let Some(file) = app.config.keys.file() {
        let look = if asked { file.reread() } else { file.look() };
        let is_new = look == Look::Reloaded;
        log(app, "keys", look);
        if is_new {
            warn(app, app.config.keys.warnings());
        }
    }
    if let Some(tls) = &app.config.tls {
        let files = tls.files();
        let look = if asked { files.reread() } else { files.look() };
        log(app, "tls", look);
    }
}

fn log(app: &App, what: &str, look: Look) {
    match look {
        Look::Same => {}
        Look::Reloaded => app.log.line(
            Level::Info,
            "files were read again",
            &[("files", Value::Text(what))],
        ),
        Look::Failed(why) => app.log.line(
            Level::Error,
            "files were rewritten and cannot be used; what was read before stays in use",
            &[("files", Value::Text(what)), ("why", Value::Text(&why))],
        ),
    }
}

/// Logs what is weak among the settings.
pub(super) fn warn(app: &App, warnings: Vec<String>) {
    for warning in warnings {
        let why = Value::Text(&warning);
        app.log
            .line(Level::Warn, "a setting is weak", &[("why", why)]);
    }
}
