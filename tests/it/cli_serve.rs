//! `pick-regno serve` as a command: options, their edge values, and messages and exit codes for wrong values.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::{Command, Output};

use clap::CommandFactory as _;
use pick_regno::serve::Args;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    _args: Args,
}

/// Runs `pick-regno serve --check-config` with these options and variables only.
fn check_config(options: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pick-regno"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PICK_REGNO_") {
            command.env_remove(name);
        }
    }
    command
        .args(["serve", "--check-config"])
        .args(options)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// Returns the exit code and stderr.
fn told(output: &Output) -> (Option<i32>, String) {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    (output.status.code(), said)
}

/// Wrong value, exit code, and part of the message.
type Wrong = (&'static str, i32, &'static str);

/// Edge values of each option: right ones, then wrong ones. Files that are right have tests of their own.
#[rustfmt::skip]
const EDGES: &[(&str, &[&str], &[Wrong])] = &[
    ("listen", &["127.0.0.1:0", "[::1]:65535"], &[
        ("", 64, "--listen"), ("localhost:5000", 64, "--listen <ADDRESS>': an address is"), ("127.0.0.1", 64, "--listen"),
        ("127.0.0.1:65536", 64, "--listen"), ("0.0.0.0:5000", 78, "--listen 0.0.0.0:5000: without an API key"),
    ]),
    ("admin", &["0.0.0.0:0", "[::]:9464"], &[
        (":9464", 64, "--admin"), ("127.0.0.1:5000", 78, "--admin 127.0.0.1:5000: must differ from --listen"),
    ]),
    ("api-keys-file", &[], &[("/nonexistent/keys", 78, "serve: --api-keys-file /nonexistent/keys: No such file")]),
    ("model", &[concat!(env!("CARGO_MANIFEST_DIR"), "/model/model.json")], &[
        ("/nonexistent/model.cbm", 78, "--model /nonexistent/model.cbm: No such file"), ("/dev/null", 78, "--model /dev/null: "),
    ]),
    ("tls-cert", &[], &[("/nonexistent/cert", 78, "--tls-key")]),
    ("tls-key", &[], &[("/nonexistent/key", 78, "--tls-cert")]),
    ("client-ca", &[], &[("/nonexistent/ca", 78, "--tls-cert")]),
    ("client-crl", &[], &[("/nonexistent/crl", 78, "--client-crl: needs --client-ca")]),
    ("workers", &["1", "256"], &[
        ("0", 78, "--workers 0: must be 1 to 256"), ("257", 78, "--workers 257"), ("-1", 64, "--workers"),
        ("two", 64, "--workers <COUNT>': a count is a whole number"), ("", 64, "--workers"),
    ]),
    ("max-connections", &["1", "1000000"], &[
        ("0", 78, "--max-connections 0: must be 1 to 1000000"), ("1000001", 78, "--max-connections 1000001"),
    ]),
    ("max-connections-per-address", &["1", "1000000"], &[
        ("0", 78, "--max-connections-per-address 0: must be 1 to 1000000"),
    ]),
    ("max-in-flight", &["1", "1000000"], &[
        ("0", 78, "--max-in-flight 0: must be 1 to 1000000"), ("1000001", 78, "--max-in-flight 1000001"),
    ]),
    ("max-body", &["1", "1B", "1024KiB", "64MiB"], &[
        ("0", 78, "--max-body 0: must be 1 to 1073741824"), ("1025MiB", 78, "--max-body"), ("1GiB", 64, "a size is"),
        ("65MiB", 78, "--max-body-memory 67108864: must be 68157440 or more, so that --max-body 68157440"),
        ("1MB", 64, "a size is"), ("1.5MiB", 64, "a size is"), ("18446744073709551616", 64, "a size is"), ("MiB", 64, "a size is"),
    ]),
    ("max-body-memory", &["2MiB", "1048576MiB"], &[
        ("0", 78, "--max-body-memory 0: must be 1 to 1099511627776"), ("1048577MiB", 78, "--max-body-memory 1099512676352"),
        ("2097151", 78, "--max-body-memory 2097151: must be 2097152 or more, so that --max-body 2097152"),
    ]),
    ("max-line", &["1", "1MiB"], &[("0", 78, "--max-line 0: must be 1 to 1048576"), ("2MiB", 78, "--max-line 2097152")]),
    ("max-head", &["1024", "64KiB"], &[
        ("1023", 78, "--max-head 1023: must be 1024 to 65536"), ("65537", 78, "--max-head 65537"),
    ]),
    ("handshake-timeout", &["1ms", "168h"], &[("0s", 78, "--handshake-timeout: must be more than 0"), ("169h", 64, "at most a week")]),
    ("header-timeout", &["1ms", "168h"], &[("0s", 78, "--header-timeout: must be more than 0"), ("10", 64, "a duration is")]),
    ("body-timeout", &["1ms", "168h"], &[("0ms", 78, "--body-timeout: must be more than 0"), ("1.5s", 64, "a duration is")]),
    ("write-timeout", &["1ms", "168h"], &[("0m", 78, "--write-timeout: must be more than 0"), ("s", 64, "a duration is")]),
    ("idle-timeout", &["1ms", "168h"], &[("0h", 78, "--idle-timeout: must be more than 0"), ("-1s", 64, "a duration is")]),
    ("max-connection-age", &["0s", "168h"], &[("1h30m", 64, "a duration is"), ("169h", 64, "at most a week")]),
    ("drain-delay", &["0s", "168h"], &[("1d", 64, "a duration is")]),
    ("drain-timeout", &["0s", "168h"], &[("1 s", 64, "a duration is")]),
    ("record", &["/tmp/records"], &[]),
    ("record-limit", &["1MiB", "1048576MiB"], &[
        ("1048575", 78, "--record-limit 1048575: must be 1048576 or more"), ("1GiB", 64, "a size is"),
    ]),
    ("record-sample", &["0", "1", "1e-9"], &[
        ("-0.1", 78, "--record-sample -0.1: must be 0 to 1"), ("1.1", 78, "--record-sample 1.1"), ("nan", 78, "--record-sample NaN"),
    ]),
    ("record-plates", &["omit", "plain"], &[
        ("hmac", 78, "--record-plates hmac: needs --record-key-file"), ("hash", 64, "possible values: omit, hmac, plain"),
    ]),
    ("record-key-file", &[], &[("/nonexistent/key", 78, "--record-key-file /nonexistent/key: is for --record-plates hmac only")]),
    ("sentry-dsn-file", &[], &[("/nonexistent/dsn", 78, "serve: --sentry-dsn-file /nonexistent/dsn: No such file")]),
    // Read only if there is a DSN of https.
    ("sentry-ca", &["/nonexistent/ca"], &[]),
    ("log-level", &["error", "warn"], &[("debug", 64, "possible values: error, warn, info]"), ("INFO", 64, "--log-level")]),
    ("log-sample", &["0", "1", "1e-9"], &[
        ("-0.1", 78, "--log-sample -0.1: must be 0 to 1"), ("1.1", 78, "--log-sample 1.1"), ("nan", 78, "--log-sample NaN"),
        ("1%", 64, "--log-sample <SHARE>': a share is"),
    ]),
];

#[test]
fn values_at_the_edges_are_taken_and_those_beyond_refused_before_anything_is_bound() {
    let command = Line::command();
    for (name, right, wrong) in EDGES {
        let arg = command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(name))
            .unwrap();
        let variable = arg.get_env().unwrap().to_str().unwrap();
        for value in *right {
            for output in [
                check_config(&[&format!("--{name}={value}")], &[]),
                check_config(&[], &[(variable, value)]),
            ] {
                assert_eq!(told(&output), (Some(0), String::new()), "{name} {value}");
                assert_eq!(output.stdout, b"the settings are right\n");
            }
        }
        for (value, code, part) in *wrong {
            for output in [
                check_config(&[&format!("--{name}={value}")], &[]),
                check_config(&[], &[(variable, value)]),
            ] {
                let (left, said) = told(&output);
                assert_eq!(left, Some(*code), "{name} {value:?}: {said}");
                assert!(said.contains(part), "{name} {value:?}: {said}");
                assert!(output.stdout.is_empty(), "{name} {value:?}");
            }
        }
    }
    let tried: BTreeSet<&str> = EDGES.iter().map(|(name, ..)| *name).collect();
    let there: BTreeSet<&str> = settings(&command).filter_map(clap::Arg::get_long).collect();
    assert_eq!(tried, there, "every option is tried at its edges");
}

/// Options that are settings.
fn settings(command: &clap::Command) -> impl Iterator<Item = &clap::Arg> {
    command
        .get_arguments()
        .filter(|arg| !matches!(arg.get_long(), Some("help" | "check-config")))
}

#[test]
fn every_setting_has_a_variable_of_its_name_a_group_and_a_unit() {
    for arg in settings(&Line::command()) {
        let name = arg.get_long().unwrap();
        let variable = format!("PICK_REGNO_{}", name.replace('-', "_").to_uppercase());
        assert_eq!(arg.get_env().unwrap(), variable.as_str());
        assert!(
            arg.get_help_heading().is_some(),
            "{name} belongs to a group"
        );
        assert_ne!(
            arg.get_value_names().unwrap()[0].as_str(),
            name.replace('-', "_").to_uppercase(),
            "{name} says what its value is"
        );
    }
}

#[test]
fn the_command_line_counts_more_than_the_environment() {
    let output = check_config(&["--workers", "1"], &[("PICK_REGNO_WORKERS", "0")]);
    assert_eq!(told(&output), (Some(0), String::new()));
}

#[test]
fn keys_come_from_the_environment_and_never_from_the_command_line() {
    let listen = ["--listen", "0.0.0.0:0"];
    assert_eq!(told(&check_config(&listen, &[])).0, Some(78));
    assert_eq!(
        told(&check_config(&listen, &[("PICK_REGNO_API_KEYS", "a,b")])).0,
        Some(0)
    );
    let (code, said) = told(&check_config(&[], &[("PICK_REGNO_API_KEYS", "good,b d")]));
    assert_eq!(code, Some(78));
    assert!(said.contains("PICK_REGNO_API_KEYS: key 2"), "{said}");
    assert!(!said.contains("b d"), "a key is not repeated: {said}");
    assert_eq!(told(&check_config(&["--api-keys", "a"], &[])).0, Some(64));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_pick-regno"))
        .args(["serve", "--listen", &addr, "--admin", "127.0.0.1:0"])
        .output()
        .unwrap();
    let (code, said) = told(&output);
    assert_eq!(code, Some(71), "{said}");
    assert!(
        said.contains(&format!("--listen {addr}: cannot listen"))
            && said.ends_with("; end the program that has it, or give another port\n"),
        "{said}"
    );
}

#[test]
fn the_documented_options_are_those_there_are() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let document = std::fs::read_to_string(file).unwrap();
    let (begin, end) = ("<!-- options -->\n", "<!-- end of options -->");
    let (before, rest) = document.split_once(begin).unwrap();
    let (documented, after) = rest.split_once(end).unwrap();
    let there = table();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file, [before, begin, &there, end, after].concat()).unwrap();
    } else {
        assert_eq!(documented, there, "BLESS=1 writes the table again");
    }
}

/// The options as a table, as in `docs/configuration.md`.
fn table() -> String {
    let mut table =
        "| option | variable | default | what |\n| --- | --- | --- | --- |\n".to_owned();
    let command = Line::command();
    let (mut groups, mut rows) = (Vec::new(), Vec::new());
    for arg in command
        .get_arguments()
        .filter(|arg| arg.get_long() != Some("help"))
    {
        let group = arg.get_help_heading().unwrap_or("Other");
        let place = groups
            .iter()
            .position(|known| known == &group)
            .unwrap_or_else(|| {
                groups.push(group);
                groups.len() - 1
            });
        rows.push((place, row(arg)));
    }
    rows.sort_by_key(|(place, _)| *place);
    let mut last = usize::MAX;
    for (place, row) in rows {
        if place != last {
            writeln!(table, "| **{}** | | | |", groups[place]).unwrap();
            last = place;
        }
        table.push_str(&row);
    }
    table
}

fn row(arg: &clap::Arg) -> String {
    let mut option = format!("`--{}`", arg.get_long().unwrap());
    if arg.get_action().takes_values() {
        option = format!(
            "`--{} {}`",
            arg.get_long().unwrap(),
            arg.get_value_names().unwrap()[0]
        );
    }
    let variable = arg
        .get_env()
        .map_or(String::new(), |name| format!("`{}`", name.display()));
    let default = arg
        .get_default_values()
        .iter()
        .filter(|_| arg.get_action().takes_values())
        .map(|value| format!("`{}`", value.display()))
        .collect::<String>();
    let help = arg.get_long_help().or(arg.get_help()).unwrap().to_string();
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|_| arg.get_action().takes_values())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    let values = match values.is_empty() {
        true => String::new(),
        false => format!(": {}", values.join(", ")),
    };
    format!("| {option} | {variable} | {default} | {help}{values} |\n")
}

#[test]
fn the_help_says_units_variables_and_exit_codes() {
    let output = Command::new(env!("CARGO_BIN_EXE_pick-regno"))
        .args(["serve", "--help"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for part in [
        "ms, s, m or h",
        "B, KiB or MiB",
        "PICK_REGNO_API_KEYS",
        "64",
        "71",
        "78",
    ] {
        assert!(text.contains(part), "{part} in:\n{text}");
    }
}
