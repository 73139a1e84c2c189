//! Progress of a run, on the standard error: a line that is redrawn if that is a terminal, and a summary at the end.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use super::worker::Counts;

/// Interval between redraws of the line.
const DRAW_EVERY: Duration = Duration::from_millis(100);
/// Width of the bar in characters.
const BAR: usize = 24;

/// Progress of a run.
pub(super) struct Progress {
    started: Instant,
    /// Time of the last redraw; `None` if no line is drawn.
    drawn: Option<Instant>,
    /// Size of the input in bytes, if known; `done` is the number of bytes that were answered.
    size: Option<u64>,
    done: u64,
}

impl Progress {
    /// Starts the clock. With `draws`, a line is drawn while the run lasts.
    pub(super) fn start(size: Option<u64>, draws: bool) -> Progress {
        let started = Instant::now();
        Progress {
            started,
            drawn: draws.then_some(started),
            size: size.filter(|&size| size > 0),
            done: 0,
        }
    }

    /// Records that `len` more bytes were answered. `totals` are the counts so far.
    pub(super) fn advance(&mut self, totals: &Counts, len: u64) {
        self.done += len;
        let now = Instant::now();
        if let Some(drawn) = &mut self.drawn
            && now - *drawn >= DRAW_EVERY
        {
            *drawn = now;
            let line = line(totals, self.size, self.done, now - self.started);
            // A message that nobody sees is no reason to stop.
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
        }
    }

    /// Removes the line.
    pub(super) fn clear(&self) {
        if self.drawn.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    /// Prints the summary.
    pub(super) fn finish(&self, totals: &Counts) {
        self.clear();
        let _ = writeln!(io::stderr(), "{}", summary(totals, self.started.elapsed()));
    }
}

/// `[########................]  33 %  1,200,000 records  1,000,000/s  2 with errors  0:07 left`
fn line(totals: &Counts, size: Option<u64>, done: u64, elapsed: Duration) -> String {
    let mut line = String::new();
    // A file may grow while it is read.
    let share = size.map(|size| (done as f64 / size as f64).min(1.0));
    if let Some(share) = share {
        let full = (share * BAR as f64) as usize;
        line += &format!(
            "[{}{}] {:3.0} %  ",
            "#".repeat(full),
            ".".repeat(BAR - full),
            (share * 100.0).floor()
        );
    }
    line += &format!(
        "{} records  {}/s",
        grouped(totals.records),
        grouped(rate(totals, elapsed))
    );
    if totals.faults > 0 {
        line += &format!("  {} with errors", grouped(totals.faults));
    }
    if let Some(share) = share.filter(|&share| share > 0.0) {
        let left = (elapsed.as_secs_f64() * (1.0 / share - 1.0)).ceil() as u64;
        line += &format!("  {}:{:02} left", left / 60, left % 60);
    }
    line
}

fn summary(totals: &Counts, elapsed: Duration) -> String {
    format!(
        "{} records in {:.3} s ({} a second), {} with errors",
        grouped(totals.records),
        elapsed.as_secs_f64(),
        grouped(rate(totals, elapsed)),
        grouped(totals.faults)
    )
}

fn rate(totals: &Counts, elapsed: Duration) -> u64 {
    (totals.records as f64 / elapsed.as_secs_f64().max(1e-6)) as u64
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is_and_what_is_left() {
        let totals = Counts {
            records: 1_200_000,
            faults: 2,
        };
        let second = Duration::from_secs(1);
        assert_eq!(
            line(&totals, Some(300), 100, second),
            "[########................]  33 %  1,200,000 records  1,200,000/s  2 with errors  0:02 left"
        );
        assert_eq!(
            line(&totals, Some(300), 400, 100 * second),
            "[########################] 100 %  1,200,000 records  12,000/s  2 with errors  0:00 left"
        );
        assert_eq!(line(&Counts::default(), None, 0, second), "0 records  0/s");
        assert!(line(&totals, Some(1_000), 1, second).ends_with("16:39 left"));
    }

    #[test]
    fn the_summary_counts() {
        let totals = Counts {
            records: 999,
            faults: 0,
        };
        assert_eq!(
            summary(&totals, Duration::from_millis(500)),
            "999 records in 0.500 s (1,998 a second), 0 with errors"
        );
    }

    #[test]
    fn digits_come_in_threes() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
