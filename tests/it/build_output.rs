//! Messages of the service's own build script about a model with odd names.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Build script that Cargo ran to build this; the newest if there are older ones.
fn build_script() -> PathBuf {
    let folder = Path::new(env!("OUT_DIR")).ancestors().nth(2).unwrap();
    // With `--target`, the outputs are in a folder of the target, beside the host's folder with the scripts.
    let (profile, host) = (folder.parent().unwrap(), folder.ancestors().nth(3).unwrap());
    let host = host.join(profile.file_name().unwrap()).join("build");
    let folders = [folder.read_dir().ok(), host.read_dir().ok()];
    let scripts = folders.into_iter().flatten().flatten().filter_map(|entry| {
        let folder = entry.unwrap();
        let name = folder.file_name().into_string().unwrap();
        let script = folder.path().join("build-script-build");
        let built = script.metadata().ok()?.modified().ok()?;
        let hash = name.strip_prefix("pick-regno-")?;
        (hash.len() == 16).then_some((built, script))
    });
    scripts.max().unwrap().1
}

#[test]
fn names_of_a_model_are_escaped_in_what_the_build_says() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/model/model.json");
    let model = std::fs::read_to_string(model).unwrap();
    let name = "\"camera_class\"";
    assert!(model.contains(name));
    let odd = r#""a\ncargo::rustc-env=ODD=1\r\u001b[2J\" `\u202e""#;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("odd-build");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("odd.json");
    std::fs::write(&file, model.replace(name, odd)).unwrap();
    let ended = Command::new(build_script())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PICK_REGNO_MODEL", &file)
        .env("OUT_DIR", &folder)
        .output()
        .unwrap();
    assert!(!ended.status.success());
    let said = String::from_utf8(ended.stdout).unwrap();
    let error = said.lines().find(|line| line.starts_with("cargo::error="));
    assert!(error.unwrap().contains(r"\u{1b}[2J"), "{said}");
    assert!(!said.contains("\ncargo::rustc-env"), "{said}");
    let is_odd = |letter: char| letter.is_control() && letter != '\n' || letter == '\u{202e}';
    assert!(!said.contains(is_odd), "{said:?}");
}
