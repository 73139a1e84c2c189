//! Commands that end by themselves, run as by a shell: output and exit codes.

mod check;
mod explain;
mod healthcheck;
mod load;
mod score;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// Result of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Returns the last line of the output.
    fn last(&self) -> &str {
        self.out.lines().last().unwrap_or("")
    }
}

/// Returns the program without arguments and without settings from the environment.
fn program() -> Command {
    let mut command = crate::program::command();
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PICK_REGNO_") {
            command.env_remove(name);
        }
    }
    command
}

/// Starts the program with pipes. Its input is separate, so that it can be closed.
fn start<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> (Child, ChildStdin) {
    let mut child = program()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    (child, stdin)
}

/// Runs the program with `input` on its standard input.
fn run_with<S: AsRef<std::ffi::OsStr>>(args: &[S], input: &[u8]) -> Ran {
    let (child, mut stdin) = start(args);
    let ran = std::thread::scope(|scope| {
        // The program may end before it has read everything.
        scope.spawn(move || {
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().unwrap()
    });
    Ran {
        code: ran.status.code().unwrap(),
        out: String::from_utf8(ran.stdout).unwrap(),
        err: String::from_utf8(ran.stderr).unwrap(),
    }
}

/// As after `2>&1 | head`, when `head` has ended.
#[test]
fn messages_that_nobody_reads_change_no_exit_code() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let folder = Folder::new("unread");
    let no_case = folder.file("no-case", "oops\n");
    let cases: &[(&[&str], i32)] = &[
        (&["check", &no_case], 1),
        (&["check", "/nonexistent/a"], 66),
        (&["score", "/nonexistent/a"], 66),
        (&["load", "/nonexistent/a"], 66),
        (&["healthcheck", "--admin", "127.0.0.1:1"], 1),
        (&["serve", "--listen", &taken, "--admin", "127.0.0.1:0"], 71),
        (&["serve", "--workers", "0"], 78),
        (&["model"], 74),
        (&["--nonsense"], 64),
    ];
    for (args, code) in cases {
        let unread = || std::io::pipe().unwrap().1;
        let mut command = program();
        let ran = command.args(*args).stdout(unread()).stderr(unread());
        assert_eq!(ran.status().unwrap().code(), Some(*code), "{args:?}");
    }
}

pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Ran {
    run_with(args, b"")
}

/// A file of the repository.
pub(crate) fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name);
    path.to_str().unwrap().to_owned()
}

/// Folder of a test, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("pick-regno-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_command_line_that_cannot_be_read_is_64_and_help_is_0() {
    for args in [
        &[][..],
        &["guess"],
        &["score", "--threads", "0"],
        &["score", "--threads", "many"],
        &["score", "--format", "xml"],
        &["score", "a", "b"],
        &["check"],
    ] {
        let ran = run(args);
        assert_eq!((ran.code, ran.out.as_str()), (64, ""), "{args:?}");
        assert!(ran.err.contains("--help"), "{args:?}: {}", ran.err);
    }
    for args in [
        &["--help"][..],
        &["--version"],
        &["score", "--help"],
        &["check", "-h"],
    ] {
        let ran = run(args);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
    }
}
