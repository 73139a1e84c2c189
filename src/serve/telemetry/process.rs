//! Process metrics from `/proc`, with the names that Prometheus' client libraries use.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use super::metrics::{self, NO_LABELS};

/// Ticks per second of the times in `/proc/self/stat`: fixed at 100 for all that Linux shows to programs (`USER_HZ`).
const TICKS: f64 = 100.0;
/// Bytes per page, where the kernel counts pages. Architectures with other sizes are not supported.
const PAGE_BYTES: u64 = 4096;

static STARTED: OnceLock<f64> = OnceLock::new();

/// Keeps memory, which holds keys and plates, out of core dumps.
///
/// A limit of 0 prevents dumps that the kernel writes to a file. It does not prevent dumps that the kernel pipes into a
/// program (systemd-coredump, apport): these contain no memory, because the filter excludes all mappings. If either
/// cannot be set, the service serves nevertheless.
pub(crate) fn dump_no_memory() {
    let _ = rlimit::Resource::CORE.set(0, 0);
    let _ = std::fs::write("/proc/self/coredump_filter", "0");
}

/// Records the start time of the process; called once, early.
pub(crate) fn started() {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64());
    let _ = STARTED.set(now);
}

/// Reports the metrics of this file. Values that cannot be read are left out.
pub(crate) fn report() {
    let gauge = |name, help, value| metrics::gauge(name, help, &NO_LABELS, value);
    if let Some(&started) = STARTED.get() {
        gauge(
            "process_start_time_seconds",
            "When the process started, in seconds since 1970.",
            started,
        );
    }
    if let Ok(statm) = std::fs::read_to_string("/proc/self/statm") {
        let mut pages = statm.split(' ').map(|count| count.parse::<u64>());
        if let (Some(Ok(size)), Some(Ok(resident))) = (pages.next(), pages.next()) {
            gauge(
                "process_virtual_memory_bytes",
                "Size of the address space.",
                (size * PAGE_BYTES) as f64,
            );
            gauge(
                "process_resident_memory_bytes",
                "Memory in use (RSS).",
                (resident * PAGE_BYTES) as f64,
            );
        }
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        // The directory itself is open while it is counted.
        let open = entries.count().saturating_sub(1);
        gauge("process_open_fds", "Open file descriptors.", open as f64);
    }
    if let Some(max) = read("/proc/self/limits", max_fds) {
        gauge(
            "process_max_fds",
            "File descriptors that the process may open.",
            max as f64,
        );
    }
}

/// Returns the family `process_cpu_seconds_total` as text: the facade's counters are integers, and this one is not.
pub(crate) fn cpu_seconds() -> String {
    const NAME: &str = "process_cpu_seconds_total";
    let Some(ticks) = read("/proc/self/stat", cpu_ticks) else {
        return String::new();
    };
    format!(
        "# HELP {NAME} Time spent on a processor, user and system.\n# TYPE {NAME} counter\n{NAME} {}\n",
        ticks as f64 / TICKS
    )
}

fn read(file: &str, value: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    value(&std::fs::read_to_string(file).ok()?)
}

/// Returns user and system time of `/proc/self/stat`: fields 14 and 15, counted after the name in parentheses.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn max_fds(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read_as_the_kernel_writes_them() {
        let stat = "42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 25 17 0 0 20 0";
        assert_eq!(cpu_ticks(stat), Some(42));
        let limits = "Limit  Soft  Hard  Units\nMax open files            1024                 4096                 files\n";
        assert_eq!(max_fds(limits), Some(1024));
    }
}
