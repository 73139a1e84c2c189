//! Default limits, derived from a container's memory.

use std::path::Path;

/// Memory per connection in bytes: buffers of the kernel (180 to 240 KB were measured for clients that do not read), of
/// TLS and of the process.
const CONNECTION: u64 = 256 * 1024;
/// Memory of the process itself, in bytes.
const OWN: u64 = 16 << 20;
/// Defaults outside of containers.
const CONNECTIONS: usize = 10_000;
const BODY_MEMORY: u64 = 64 << 20;
/// Minimum number of connections that makes serving worthwhile.
const FEWEST: u64 = 16;

/// Defaults of `--max-connections` and `--max-body-memory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) connections: usize,
    pub(crate) body_memory: u64,
}

impl Room {
    /// Defaults for the container of this process, if it is in one.
    pub(crate) fn here() -> Room {
        Room::within(memory_limit(Path::new("/")))
    }

    /// Computes the defaults: a quarter of the memory for bodies; the rest, except for the process itself, for
    /// connections.
    fn within(limit: Option<u64>) -> Room {
        let Some(limit) = limit else {
            return Room {
                connections: CONNECTIONS,
                body_memory: BODY_MEMORY,
            };
        };
        let body_memory = BODY_MEMORY.min(limit / 4);
        let left = limit.saturating_sub(body_memory + OWN);
        Room {
            connections: CONNECTIONS.min((left / CONNECTION).max(FEWEST) as usize),
            body_memory,
        }
    }
}

/// Least memory limit of the control groups (v2, or v1's for memory) of this process. `root` is the parent of `/proc`
/// and `/sys`.
fn memory_limit(root: &Path) -> Option<u64> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    groups
        .lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (folder, file) = match parts.next()? {
                "" => ("sys/fs/cgroup", "memory.max"),
                controllers if controllers.split(',').any(|name| name == "memory") => {
                    ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
                }
                _ => return None,
            };
            let folder = root.join(folder);
            let group = folder.join(parts.next()?.trim_start_matches('/'));
            // In a container, the group's own folder may be at the path of the outermost group.
            let all = group
                .ancestors()
                .take_while(|path| path.starts_with(&folder));
            let limits = all.filter_map(|path| std::fs::read_to_string(path.join(file)).ok());
            // "max", and numbers beyond any memory, are no limits.
            limits
                .filter_map(|text| text.trim().parse().ok())
                .filter(|&limit| limit < 1 << 60)
                .min()
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_follow_from_memory() {
        let within = |limit: Option<u64>| {
            let Room {
                connections,
                body_memory,
            } = Room::within(limit);
            (connections, body_memory >> 20)
        };
        assert_eq!(within(None), (10_000, 64));
        assert_eq!(within(Some(64 << 20)), (128, 16));
        assert_eq!(within(Some(256 << 20)), (704, 64));
        assert_eq!(within(Some(64 << 30)), (10_000, 64));
        assert_eq!(within(Some(8 << 20)), (16, 2));
    }

    #[test]
    fn the_least_limit_of_all_groups_counts() {
        let root = std::env::temp_dir().join(format!("pick-regno-room-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(memory_limit(&root), None);
        write("proc/self/cgroup", "0::/a/b\n");
        assert_eq!(memory_limit(&root), None);
        write("sys/fs/cgroup/a/b/memory.max", "max\n");
        write("sys/fs/cgroup/a/memory.max", "67108864\n");
        assert_eq!(memory_limit(&root), Some(67_108_864));
        write("sys/fs/cgroup/memory.max", "1048576\n");
        assert_eq!(memory_limit(&root), Some(1_048_576));
        write("proc/self/cgroup", "5:cpu,memory:/c\n4:pids:/\n");
        write(
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "9223372036854771712\n",
        );
        assert_eq!(memory_limit(&root), None);
        write("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "1000\n");
        assert_eq!(memory_limit(&root), Some(1000));
        std::fs::remove_dir_all(&root).unwrap();
    }
}
