//! Log lines: one JSON object a line on stderr, written by a thread of their own.
//!
//! Logging never blocks: lines go through a bounded queue; lines that do not fit are dropped and counted, in a metric
//! and in a line of their own. No line contains a body, a key or a plate.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::DateTime;

/// Number of blocks of lines that may wait to be written; each has at most some 16 KiB.
const QUEUE: usize = 128;

/// Severity of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Level {
    /// Something failed that should not have.
    Error,
    /// Something that an operator should look at.
    Warn,
    /// Normal operation.
    Info,
}

impl Level {
    fn label(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
        }
    }
}

/// Value of a field.
pub(crate) enum Value<'a> {
    Text(&'a str),
    Number(u64),
}

/// Handle of the log.
pub(crate) struct Log {
    level: Level,
    queue: Mutex<Option<SyncSender<Lines>>>,
    shared: Arc<Shared>,
}

/// Lines on their way to the writer.
struct Lines {
    text: String,
    count: u64,
}

#[derive(Default)]
struct Shared {
    queued: AtomicU64,
    written: AtomicU64,
    lost: AtomicU64,
}

impl Log {
    /// Starts the thread that writes lines of `level` and above to stderr.
    pub(crate) fn to_stderr(level: Level) -> Log {
        let (queue, lines) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let log = Log {
            level,
            queue: Mutex::new(Some(queue)),
            shared: Arc::clone(&shared),
        };
        let spawned = std::thread::Builder::new()
            .name("log".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || write_lines(&lines, &shared));
        if spawned.is_err() {
            log.queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
        }
        log
    }

    /// Returns true if lines of `level` are written.
    pub(crate) fn wants(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Queues a line.
    pub(crate) fn line(&self, level: Level, message: &str, fields: &[(&str, Value<'_>)]) {
        if !self.wants(level) {
            return;
        }
        self.queue(render(SystemTime::now(), level, message, fields), 1);
    }

    /// Queues `count` lines that are formatted already.
    pub(crate) fn queue(&self, text: String, count: u64) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Counted before it is sent, so that the writer is never ahead of the count.
        self.shared.queued.fetch_add(count, Relaxed);
        let lines = Lines { text, count };
        if queue
            .as_ref()
            .is_none_or(|queue| queue.try_send(lines).is_err())
        {
            self.shared.queued.fetch_sub(count, Relaxed);
            self.shared.lost.fetch_add(count, Relaxed);
        }
    }

    pub(crate) fn lost(&self) -> u64 {
        self.shared.lost.load(Relaxed)
    }

    /// Waits until everything in the queue is written, at most for `limit`.
    pub(crate) fn flush(&self, limit: Duration) {
        let step = Duration::from_millis(2);
        let mut waited = Duration::ZERO;
        while self.shared.written.load(Relaxed) < self.shared.queued.load(Relaxed) && waited < limit
        {
            std::thread::sleep(step);
            waited += step;
        }
    }
}

fn write_lines(blocks: &Receiver<Lines>, shared: &Shared) {
    let mut said_lost = 0;
    while let Ok(Lines {
        mut text,
        mut count,
    }) = blocks.recv()
    {
        // Lines that have gathered meanwhile are written together.
        while text.len() < 32 * 1024 {
            let Ok(more) = blocks.try_recv() else { break };
            text.push_str(&more.text);
            count += more.count;
        }
        let lost = shared.lost.load(Relaxed);
        if lost > said_lost {
            let fields = [("lines", Value::Number(lost - said_lost))];
            text.push_str(&render(
                SystemTime::now(),
                Level::Warn,
                "log lines were lost: whatever reads them is too slow",
                &fields,
            ));
            said_lost = lost;
        }
        if std::io::stderr().write_all(text.as_bytes()).is_err() {
            shared.lost.fetch_add(count, Relaxed);
        }
        shared.written.fetch_add(count, Relaxed);
    }
}

fn render(now: SystemTime, level: Level, message: &str, fields: &[(&str, Value<'_>)]) -> String {
    let mut line = String::with_capacity(256);
    Clock::default().begin_line(now, level, message, &mut line);
    for (name, value) in fields {
        let _ = write!(line, ",\"{name}\":");
        match value {
            Value::Text(text) => push_json_string(text, &mut line),
            Value::Number(number) => {
                let _ = write!(line, "{number}");
            }
        }
    }
    line.push_str("}\n");
    line
}

/// Formats the beginning of lines. Most have the same second as the previous line, whose text is cached.
#[derive(Default)]
pub(crate) struct Clock {
    second: u64,
    text: String,
}

impl Clock {
    /// Appends the beginning of every line; fields and `}` follow.
    pub(crate) fn begin_line(
        &mut self,
        now: SystemTime,
        level: Level,
        message: &str,
        out: &mut String,
    ) {
        out.push_str("{\"time\":\"");
        self.push_time(now, out);
        for part in ["\",\"level\":\"", level.label(), "\",\"message\":"] {
            out.push_str(part);
        }
        push_json_string(message, out);
    }

    /// Appends the time according to RFC 3339 in UTC, to the millisecond.
    fn push_time(&mut self, now: SystemTime, out: &mut String) {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = since.as_secs();
        if self.second != seconds || self.text.is_empty() {
            self.second = seconds;
            self.text.clear();
            let utc = DateTime::from_timestamp(seconds as i64, 0).unwrap_or_default();
            let _ = write!(self.text, "{}T{}.", utc.date_naive(), utc.time());
        }
        out.push_str(&self.text);
        let _ = write!(out, "{:03}Z", since.subsec_millis());
    }
}

/// Appends `text` in quotes, and escapes everything that could end a line or a string.
pub(crate) fn push_json_string(text: &str, out: &mut String) {
    out.push('"');
    let is_plain = |&byte: &u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if text.as_bytes().iter().all(is_plain) {
        out.push_str(text);
        out.push('"');
        return;
    }
    for symbol in text.chars() {
        match symbol {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            symbol if symbol.is_control() || matches!(symbol, '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(symbol));
            }
            symbol => out.push(symbol),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_json_whatever_comes_from_outside() {
        let line = render(
            UNIX_EPOCH + Duration::from_millis(1_709_210_096_789),
            Level::Warn,
            "a \"b\"",
            &[
                ("path", Value::Text("/\n\u{1b}[0m\u{2028}\\")),
                ("status", Value::Number(404)),
            ],
        );
        assert_eq!(
            line,
            "{\"time\":\"2024-02-29T12:34:56.789Z\",\"level\":\"warn\",\"message\":\"a \\\"b\\\"\",\
             \"path\":\"/\\n\\u001b[0m\\u2028\\\\\",\"status\":404}\n"
        );
    }
}
