//! Watches files that may be rewritten (keys, certificates, the model), says what came of them, and ends connections that they let
//! in no more.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::reload::Look;
use crate::background::give_way;
use crate::memory::KeepBlocks;
use crate::serve::app::App;
use crate::serve::http::connections::Connections;
use crate::serve::telemetry::log::{Level, Value};

/// Interval between checks of the files.
const EVERY: Duration = Duration::from_secs(1);

/// Reads keys and certificates again when they are rewritten, and at once when `rereads` has a message, while `app` is in
/// use. Needs a thread of its own, so that an unresponsive disk delays nothing else.
pub(crate) fn watch(app: &Weak<App>, rereads: &Receiver<()>, tables: &[Arc<Connections>]) {
    again_and_again(app, rereads, |app, asked| {
        look(app, asked);
        expel(app, tables);
    });
}

/// Like [`watch`], for the model. Its thread gives way to those that answer, since loading takes milliseconds.
pub(crate) fn watch_model(app: &Weak<App>, rereads: &Receiver<()>) {
    give_way();
    // The allocator has one lock for all threads; those that answer should not find this one in it.
    let _keep = KeepBlocks::on_this_thread();
    again_and_again(app, rereads, look_at_model);
}

/// Calls `look` every second, and at once when `rereads` has a message: then with true.
fn again_and_again(app: &Weak<App>, rereads: &Receiver<()>, look: impl Fn(&App, bool)) {
    loop {
        let asked = match rereads.recv_timeout(EVERY) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            // There is nobody left to ask.
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(EVERY);
                false
            }
        };
        let Some(app) = app.upgrade() else { return };
        look(&app, asked);
    }
}

/// Ends the connections whose clients would no longer be admitted.
fn expel(app: &App, tables: &[Arc<Connections>]) {
    let Some(tls) = &app.config.tls else { return };
    if !app.config.asks_for_certificates {
        return;
    }
    let mut ended = 0;
    for table in tables {
        let open = table.filter(|state| state.presented.get().is_some());
        let outdated = tls.outdated(open, |state| state.presented.get().map(|shown| &**shown));
        for state in outdated {
            ended += u64::from(state.expel());
        }
    }
    if ended > 0 {
        app.log.line(
            Level::Warn,
            "connections end because their clients' certificates are not good any more",
            &[("connections", Value::Number(ended))],
        );
    }
}

/// Checks keys and certificates. `asked` reads them whether they have changed or not.
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
        let is_new = look == Look::Reloaded;
        log(app, "tls", look);
        if is_new {
            warn(app, tls.warnings());
        }
    }
}

/// Checks the model's file. `asked` reads it whether it has changed or not.
fn look_at_model(app: &App, asked: bool) {
    if let Some(file) = &app.config.model {
        let look = if asked { file.reread() } else { file.look() };
        match look {
            Look::Reloaded => app.log.line(
                Level::Info,
                "another model answers",
                &[("model", Value::Text(app.picker().sha256()))],
            ),
            look => log(app, "model", look),
        }
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

/// Logs weak settings.
pub(crate) fn warn(app: &App, warnings: Vec<String>) {
    for warning in warnings {
        let why = Value::Text(&warning);
        app.log
            .line(Level::Warn, "a setting is weak", &[("why", why)]);
    }
}
