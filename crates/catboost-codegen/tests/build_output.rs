//! Output of a build script about a model whose names and metadata contain line ends, quotes and escape sequences.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use catboost_codegen::Config;

/// As JSON has them: an instruction of Cargo on a line of its own, a terminal's escape sequences, quotes, and a change of direction.
const ODD: &str =
    r#"a\ncargo::rustc-env=ODD=1\r\u001b[2J\u001b]0;title\u0007\" ' */ `\u202e\u2028"#;

/// The variable with the model, in the process that acts as a build script.
const MODEL: &str = "BUILD_OUTPUT_MODEL";

/// Returns the output of a build script with the model `text`, and the source that it writes.
fn built(name: &str, text: &str) -> (String, String) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder for the test can be made");
    let model = folder.join("model\ncargo::rustc-env=ODD=1\u{1b}[2J.json");
    fs::write(&model, text).expect("the model can be written");
    let output = Command::new(env::current_exe().expect("the test runs"))
        .args(["--exact", "names_are_escaped_in_what_a_build_says"])
        .arg("--nocapture")
        .env(MODEL, &model)
        .env("OUT_DIR", &folder)
        .output()
        .expect("it can run again");
    let printed = String::from_utf8(output.stdout).expect("the build speaks UTF-8");
    let source = fs::read_to_string(folder.join("model.rs")).unwrap_or_default();
    (printed, source)
}

/// The lines that are instructions of Cargo.
fn instructions(printed: &str) -> Vec<&str> {
    printed
        .lines()
        .filter(|line| line.starts_with("cargo:"))
        .collect()
}

fn is_plain(text: &str) -> bool {
    let is_odd = |letter: char| {
        letter.is_control() && letter != '\n' || matches!(letter, '\u{2028}' | '\u{202e}')
    };
    !text.contains(is_odd)
}

#[test]
fn names_are_escaped_in_what_a_build_says() {
    if let Some(model) = env::var_os(MODEL) {
        Config::new().build(model);
        return;
    }
    let small = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../catboost-model/tests/it/small.json"
    );
    let small = fs::read_to_string(small).expect("the model is there");
    assert!(small.contains("\"age\"") && small.contains("\"written_by\": \"hand\""));

    // The names of a feature and of a class, of which it has one too many.
    let classes = format!(
        r#""class_params": {{"class_to_label": [0, 1], "class_names": ["{ODD}", "b", "c"]}}"#
    );
    let odd = small
        .replace("\"age\"", &format!("\"{ODD}\""))
        .replace("\"written_by\": \"hand\"", &classes);
    let (printed, source) = built("odd-names", &odd);
    let said = instructions(&printed);
    assert!(
        said.len() == 2
            && said[0].starts_with("cargo::rerun-if-changed=")
            && said[1].starts_with("cargo::warning="),
        "{printed}"
    );
    assert!(is_plain(&printed), "{printed:?}");
    assert!(is_plain(&source) && source.contains(r"\u{1b}[2J"));

    // A model that is refused, with the odd name in the reason.
    let refused = odd.replace("\"flat_feature_index\": 1", "\"flat_feature_index\": 0");
    assert_ne!(refused, odd);
    let (printed, _) = built("odd-names-refused", &refused);
    let said = instructions(&printed);
    assert!(
        said.len() == 2 && said[1].starts_with("cargo::error="),
        "{printed}"
    );
    assert!(is_plain(&printed), "{printed:?}");
}
