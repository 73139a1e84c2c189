//! Test server in this process on ports of its own, and a client that works on bytes.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::Parser as _;
use pick_regno::serve::{Args, Config, Faults, Server, StartError, Stopper};

/// Key that [`serve`] configures.
pub const KEY: &str = "123321";

/// Valid request.
pub const REQUEST: &str = r#"{"regno_recognize": "А939НО196", "afts_regno_ai": "А939НО190", "recognition_accuracy": 6.4, "afts_regno_ai_score": 0.8689166903495789, "afts_regno_ai_char_scores": "[0.9998925924301147, 0.9999872446060181, 0.9999798536300659, 0.9999990463256836, 0.9988356232643127, 0.9998175501823425, 1.0, 0.999994158744812, 0.8702163696289062]", "afts_regno_ai_length_scores": "[3.2404470773350624e-10, 3.236617363011618e-10, 3.2367283853140805e-10, 3.2651523151905337e-10, 3.234087164738497e-10, 3.259402747701756e-10, 3.2362224011706076e-10, 4.545459564297971e-09, 2.996458192683349e-08, 1.0, 3.2479344214131345e-10]", "camera_type": "Стационарная", "camera_class": "Астра-Трафик", "time_check": "2021-08-01 09:02:59", "direction": 0}"#;

/// Upper bound on every wait of a test.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(clap::Parser)]
#[command(args_override_self = true)]
pub struct Line {
    #[command(flatten)]
    pub args: Args,
}

/// Running server, stopped when dropped.
pub struct Running {
    pub addr: SocketAddr,
    pub admin: SocketAddr,
    pub stopper: Stopper,
    thread: Option<JoinHandle<Result<(), StartError>>>,
}

/// Returns the settings of `flags`, with ports of the system's choice.
pub fn config(flags: &[&str], keys: Option<&str>) -> Config {
    let mut line = vec!["serve", "--log-level", "error", "--workers", "2"];
    if !flags.contains(&"--listen") {
        line.extend(["--listen", "127.0.0.1:0"]);
    }
    line.extend(["--admin", "127.0.0.1:0"]);
    line.extend(flags);
    let args = Line::try_parse_from(line).unwrap().args;
    Config::new(&args, keys).unwrap()
}

/// Starts a server that requires [`KEY`].
pub fn serve(flags: &[&str]) -> Running {
    start(config(flags, Some(KEY)))
}

pub fn start(config: Config) -> Running {
    start_with(config, |server| server)
}

/// Makes the service call `answering` with each body, and each record of a batch, before it is answered.
pub fn faults(answering: fn(&[u8])) -> Faults {
    Faults {
        answering: Some(answering),
        ..Faults::default()
    }
}

/// Starts a server after applying `change`.
pub fn start_with(config: Config, change: impl FnOnce(Server) -> Server) -> Running {
    let server = change(Server::bind(config).unwrap());
    let (addr, admin, stopper) = (server.addr(), server.admin_addr(), server.stopper());
    let thread = std::thread::spawn(move || server.run());
    Running {
        addr,
        admin,
        stopper,
        thread: Some(thread),
    }
}

impl Running {
    /// Waits until the server has ended by itself.
    pub fn join(mut self) -> Result<(), StartError> {
        self.thread.take().unwrap().join().unwrap()
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.addr)
    }

    /// Sends one request on a connection of its own.
    pub fn get(&self, path: &str) -> Answer {
        self.connect().get(path)
    }

    pub fn post(&self, body: &str) -> Answer {
        self.connect().post(body)
    }

    /// Returns the value of one sample of `/metrics`, or 0 if it is missing.
    pub fn metric(&self, sample: &str) -> f64 {
        let page = Client::connect(self.admin).get("/metrics").text();
        page.lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))
            .map_or(0.0, |value| value.parse().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits at most this many seconds for a condition. Returns the time that it took.
pub fn within(seconds: u64, mut happened: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !happened() {
        assert!(
            started.elapsed() < Duration::from_secs(seconds),
            "it did not happen in {seconds} s"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    started.elapsed()
}

/// Connection, with TLS or without.
pub struct Client<S = TcpStream> {
    stream: S,
    /// Bytes that belong to the next answer.
    ahead: Vec<u8>,
}

/// Answer of the server.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

impl Client {
    pub fn connect(addr: SocketAddr) -> Client {
        Client::on(stream(addr))
    }

    /// Closes the sending side.
    pub fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// Opens a connection with timeouts.
pub fn stream(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

impl<S: Read + Write> Client<S> {
    /// Wraps an open stream.
    pub fn on(stream: S) -> Client<S> {
        Client {
            stream,
            ahead: Vec::new(),
        }
    }

    #[cfg(feature = "tls")]
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends bytes that the server may no longer read.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, &[], "")
    }

    pub fn post(&mut self, body: &str) -> Answer {
        self.request(
            "POST",
            "/reg/",
            &[("content-type", "application/json")],
            body,
        )
    }

    /// Sends a request with the right key, and reads its answer.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.request_with(method, path, KEY, headers, body)
    }

    /// Sends a request with this key, and reads its answer.
    pub fn request_with(
        &mut self,
        method: &str,
        path: &str,
        key: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nx-api-key: {key}\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        self.send(text);
        self.answer_to(method)
    }

    pub fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    pub fn answer_to(&mut self, method: &str) -> Answer {
        let mut answer = self.head();
        let is_chunked =
            answer.headers.get("transfer-encoding").map(String::as_str) == Some("chunked");
        if method == "HEAD" || matches!(answer.status, 100 | 204 | 304) {
            return answer;
        }
        if is_chunked {
            loop {
                let data = self.chunk();
                if data.is_empty() {
                    break;
                }
                answer.body.extend(data);
            }
        } else {
            let length = answer.headers["content-length"].parse().unwrap();
            answer.body = self.take(length);
        }
        answer
    }

    /// Reads one chunk of a chunked answer; the last is empty.
    pub fn chunk(&mut self) -> Vec<u8> {
        let size = self.line();
        let size = usize::from_str_radix(&size, 16).unwrap();
        let data = self.take(size);
        assert_eq!(self.line(), "");
        data
    }

    /// Reads the status line and the headers of an answer.
    pub fn head(&mut self) -> Answer {
        let status_line = self.line();
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .or(status_line.strip_prefix("HTTP/1.0 "))
            .unwrap_or_else(|| panic!("{status_line:?} is no status line"))[..3]
            .parse()
            .unwrap();
        let mut headers = HashMap::new();
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap();
            let before = headers.insert(name.to_owned(), value.to_owned());
            assert_eq!(before, None, "{name} comes twice");
        }
        Answer {
            status,
            headers,
            body: Vec::new(),
        }
    }

    /// Reads one line, without its CR LF.
    pub fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.ahead.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.take(end);
                self.take(2);
                return String::from_utf8(line).unwrap();
            }
            assert!(
                self.fill() > 0,
                "the connection ended before a line did: {:?}",
                self.ahead
            );
        }
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        while self.ahead.len() < len {
            assert!(self.fill() > 0, "the connection ended before the body did");
        }
        self.ahead.drain(..len).collect()
    }

    fn fill(&mut self) -> usize {
        let mut part = [0; 16 * 1024];
        let len = loop {
            match self.stream.read(&mut part) {
                // A read with a time limit is not begun again after a signal, such as that of a child's end.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.unwrap(),
            }
        };
        self.ahead.extend_from_slice(&part[..len]);
        len
    }

    /// Returns true if nothing more arrives, and the connection ends properly.
    pub fn is_ended(&mut self) -> bool {
        self.ahead.is_empty() && matches!(self.stream.read(&mut [0]), Ok(0))
    }

    /// Reads until the connection ends, properly or not.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut part = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut part) {
                Ok(0) => break,
                Ok(len) => self.ahead.extend_from_slice(&part[..len]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("the connection stays open: {error}"),
            }
        }
        std::mem::take(&mut self.ahead)
    }
}
