//! Panics of the server's threads: all are counted, and logged by their place in the code, never by message.
//!
//! A panic's message can quote data such as a plate, so it is neither printed nor sent. The code that catches the panic
//! decides about the request.

use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Once, Weak};

use super::log::{Level, Value};
use super::sentry::Fault;
use crate::serve::app::App;

thread_local! {
    /// Server that the thread works for.
    static APP: RefCell<Weak<App>> = const { RefCell::new(Weak::new()) };
}

/// Makes panics of the calling thread be counted and logged by `app` from now on.
pub(crate) fn watch(app: &Arc<App>) {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| match current() {
            Some(app) => tell(&app, panic),
            None => others(panic),
        }));
    });
    APP.with_borrow_mut(|current| *current = Arc::downgrade(app));
}

/// Returns the server of the current thread; `None` for other threads, and for one that is ending.
fn current() -> Option<Arc<App>> {
    APP.try_with(|app| app.try_borrow().ok()?.upgrade())
        .ok()
        .flatten()
}

fn tell(app: &App, panic: &PanicHookInfo<'_>) {
    app.panics.fetch_add(1, Relaxed);
    let place = panic
        .location()
        .map_or_else(|| "unknown".to_owned(), ToString::to_string);
    app.log.line(
        Level::Error,
        "the service panicked",
        &[("at", Value::Text(&place))],
    );
    if let Some(sentry) = &app.sentry {
        sentry.report(Fault::Panic { place }, app.picker().sha256());
    }
}
