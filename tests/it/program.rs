//! The program as a process of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use crate::support::KEY;

/// Running program, with its log.
pub struct Program {
    child: Child,
    pub addr: SocketAddr,
    pub admin: SocketAddr,
    /// Log line «serving», and the lines before it.
    pub serving: Value,
    pub before: Vec<Value>,
    log: BufReader<ChildStderr>,
}

/// Returns the program with SIGHUP not ignored, even if the tests run under `nohup`.
pub fn command() -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_pick-regno")]);
    command
}

impl Program {
    pub fn start(flags: &[&str]) -> Program {
        Program::run(command(), flags)
    }

    /// Starts the program with this limit of file descriptors.
    pub fn start_with_descriptors(descriptors: usize, flags: &[&str]) -> Program {
        Program::start_after(&format!("ulimit -n {descriptors}"), flags)
    }

    /// Starts the program in a shell, after `command`.
    pub fn start_after(command: &str, flags: &[&str]) -> Program {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("{command}; exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_pick-regno"));
        Program::run(shell, flags)
    }

    /// Starts the program with a command that has no arguments yet.
    pub fn run(mut command: Command, flags: &[&str]) -> Program {
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(["--workers", "1"])
            .args(flags)
            .env("PICK_REGNO_API_KEYS", KEY)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut before = Vec::new();
        let serving = loop {
            let mut line = String::new();
            log.read_line(&mut line).unwrap();
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"] == "serving" {
                break line;
            }
            before.push(line);
        };
        let address = |field: &str| serving[field].as_str().unwrap().parse().unwrap();
        Program {
            addr: address("address"),
            admin: address("admin"),
            serving,
            before,
            child,
            log,
        }
    }

    /// Lowers the limit of file descriptors of the running program.
    pub fn limit_descriptors(&self, descriptors: u64) {
        let pid = self.child.id().try_into().unwrap();
        let limit = Some((descriptors, descriptors));
        rlimit::prlimit(pid, rlimit::Resource::NOFILE, limit, None).unwrap();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn terminate(&self) {
        self.signal("TERM");
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for a successful exit. Returns the log after the first line.
    pub fn ended_with_log(mut self) -> String {
        let mut text = String::new();
        self.log.read_to_string(&mut text).unwrap();
        assert!(self.child.wait().unwrap().success(), "{text}");
        text
    }

    /// Returns true if the program is running.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Stops the program. Returns the log after the first line.
    pub fn stop(self) -> String {
        self.terminate();
        self.ended_with_log()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
