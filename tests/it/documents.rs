//! What the documents point at is there: files, and headings in them. Scripts can be run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Folders whose files documents name from the top.
const TOP: [&str; 13] = [
    ".ci/",
    ".github/",
    "benches/",
    "connect/",
    "crates/",
    "deploy/",
    "docs/",
    "examples/",
    "fixtures/",
    "fuzz/",
    "model/",
    "src/",
    "tests/",
];
/// What a command beside it makes.
const MADE: &str = "model/model.cbm";
/// Folders in which no documents are looked for.
const PASSED_OVER: [&str; 3] = [".git", "target", "corpus"];

#[test]
fn what_documents_point_at_is_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = Vec::new();
    find(top, &mut documents);
    let (mut links, mut paths, mut missing) = (0, 0, Vec::new());
    for document in &documents {
        let text = fs::read_to_string(document).unwrap();
        let name = document.strip_prefix(top).unwrap().display();
        for target in targets(&text) {
            links += 1;
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = match path {
                "" => document.clone(),
                path => document.parent().unwrap().join(path),
            };
            if !path.exists() || !(heading.is_empty() || anchors(&path).any(|at| at == heading)) {
                missing.push(format!("{name}: {target}"));
            }
        }
        for path in named(&text).filter(|path| *path != MADE) {
            paths += 1;
            // A crate's document names the crate's own files as well.
            let folders = [top, document.parent().unwrap()];
            let mut files = folders.iter().map(|folder| folder.join(path));
            match files.find(|file| file.exists()) {
                None => missing.push(format!("{name}: {path}")),
                Some(file) if is_script(&file) && !can_be_run(&file) => {
                    missing.push(format!("{name}: {path}, as a program"));
                }
                Some(_) => {}
            }
        }
    }
    assert!(missing.is_empty(), "not there:\n{}", missing.join("\n"));
    assert!(
        documents.len() > 20 && links > 15 && paths > 100,
        "{links} links, {paths} paths"
    );
}

fn find(folder: &Path, documents: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !PASSED_OVER.contains(&name) {
            find(&path, documents);
        } else if name.ends_with(".md") {
            documents.push(path);
        }
    }
}

fn is_script(path: &Path) -> bool {
    path.is_file() && fs::read(path).unwrap().starts_with(b"#!")
}

fn can_be_run(path: &Path) -> bool {
    fs::metadata(path).unwrap().permissions().mode() & 0o111 != 0
}

/// The targets of `[…](target)` that are not elsewhere on the web.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let ends = text.split("](").skip(1);
    ends.filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .filter(|target| !target.contains(':'))
}

/// Words between backquotes, of which a block of code has three, that are paths from the top.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let spans = text.split('`').skip(1).step_by(2);
    spans
        .flat_map(|span| span.split([' ', '\n', ':', '=', ',', '"']))
        .filter(|word| TOP.iter().any(|top| word.starts_with(top)))
        // Patterns, and placeholders.
        .filter(|word| !word.contains(['*', '{', '…', '$']))
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(path: &Path) -> impl Iterator<Item = String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let headings: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let letters = line.trim_start_matches('#').trim().to_lowercase();
            letters
                .chars()
                .filter(|at| at.is_alphanumeric() || " -_".contains(*at))
                .map(|at| if at == ' ' { '-' } else { at })
                .collect()
        })
        .collect();
    headings.into_iter()
}
