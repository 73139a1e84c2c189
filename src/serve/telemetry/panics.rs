//! Panics of the server's threads: all counted, and told by place, never by message.
//!
//! A panic's message can quote what was worked on, a plate among it, so it is neither printed nor sent; where in the
//! code it happened says enough. What becomes of the request is decided where the panic is caught.

use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Once, Weak};

use super::log::{Level, Value};
use super::sentry::Fault;
use crate::serve::app::App;

thread_local! {
    /// The server that the thread works for.
    static APP: RefCell<Weak<App>> = const { RefCell::new(Weak::new()) };
}

/// Lets panics of the calling thread, from now on, be told by `app`.
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

/// `None` for threads of others, and for one that is ending.
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
        sentry.report(Fault::Panic { place });
    }
}
