//! `--model`: answers of a model that was loaded, and its replacement while the service runs.

use std::path::{Path, PathBuf};

use pick_regno::answer::write_one;
use pick_regno::model;
use pick_regno::picker::Picker;
use pick_regno::request::parse_object;
use pick_regno::serve::{Args, Config};
use serde_json::{Value, json};

use crate::cli::{fixture, run};
use crate::program::Program;
use crate::support::{Answer, Client, KEY, REQUEST, Running, serve, within};

/// The repository's own model.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/model/model.json");

/// A folder of models, removed at the end.
struct Models(PathBuf);

impl Models {
    fn new(name: &str) -> Models {
        let folder = std::env::temp_dir().join(format!("pick-regno-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Models(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.join("model.json")
    }

    /// Puts `bytes` where the service looks, at once.
    fn put(&self, name: &str, bytes: &[u8]) {
        let new = self.0.join("new");
        std::fs::write(&new, bytes).unwrap();
        std::fs::rename(new, self.0.join(name)).unwrap();
    }
}

impl Drop for Models {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The repository's model, its answers moved by `bias`.
fn moved(bias: f64) -> Vec<u8> {
    let mut model: Value = serde_json::from_slice(&std::fs::read(OWN).unwrap()).unwrap();
    model["scale_and_bias"] = json!([1.0, [bias]]);
    serde_json::to_vec(&model).unwrap()
}

/// Answer of a file's model to [`REQUEST`].
fn expected(path: &Path) -> (String, String) {
    let picker = Picker::load(Some(path)).unwrap();
    let request = parse_object(REQUEST.as_bytes()).unwrap();
    let mut body = Vec::new();
    write_one(&picker.pick(&request, &mut ()), &mut body);
    (picker.sha256().to_owned(), String::from_utf8(body).unwrap())
}

/// The model that an answer names.
fn named(answer: &Answer) -> &str {
    answer
        .headers
        .get("x-model-sha256")
        .map_or("", String::as_str)
}

/// The model and the body of an answer to [`REQUEST`].
fn ask(server: &Running) -> (String, String) {
    let answer = server.post(REQUEST);
    assert_eq!(answer.status, 200);
    (named(&answer).to_owned(), answer.text())
}

/// Value on `/metrics` for the model `sha256`.
fn info(server: &Running, sha256: &str) -> f64 {
    server.metric(&format!(
        "pick_regno_model_info{{model_sha256=\"{sha256}\"}}"
    ))
}

fn reloads(server: &Running, result: &str) -> f64 {
    server.metric(&format!(
        "pick_regno_reloads_total{{files=\"model\",result=\"{result}\"}}"
    ))
}

#[test]
fn the_compiled_model_loaded_answers_the_same() {
    let compiled = serve(&[]);
    let loaded = serve(&["--model", OWN]);
    let (nobody, expected) = ask(&compiled);
    let (sha256, body) = ask(&loaded);
    assert_eq!((nobody.as_str(), body), ("", expected));
    assert_eq!(sha256, model::SHA256);
    for server in [&compiled, &loaded] {
        assert_eq!(info(server, model::SHA256), 1.0);
        let ready = Client::connect(server.admin).get("/readyz");
        assert_eq!(named(&ready), model::SHA256);
        assert_eq!(ready.text(), "ok\n");
    }
    // An array and a batch name it as well; what no model answered names none.
    let array = loaded.post(&format!("[{REQUEST},{REQUEST}]"));
    assert_eq!((array.status, named(&array)), (200, model::SHA256));
    let refused = loaded.post("{}");
    assert_eq!((refused.status, named(&refused)), (400, ""));
    let line = format!("{REQUEST}\n");
    let batch = [("content-type", "application/x-ndjson")];
    let batch = loaded
        .connect()
        .request_with("POST", "/reg/", KEY, &batch, &line);
    assert_eq!((batch.status, named(&batch)), (200, model::SHA256));
}

#[test]
fn loaded_explanations_are_those_of_the_compiled_model() {
    let compiled = serve(&[]);
    let loaded = serve(&["--model", OWN]);
    let ask = |server: &Running| -> Value {
        let json = [("content-type", "application/json")];
        let mut client = server.connect();
        let answer = client.request_with("POST", "/reg/?explain=1", KEY, &json, REQUEST);
        assert_eq!(answer.status, 200);
        serde_json::from_slice(&answer.body).unwrap()
    };
    assert_eq!(ask(&compiled), ask(&loaded));
}

#[test]
fn requests_stray_from_a_loaded_model_as_from_the_compiled() {
    let strange = REQUEST
        .replace("Астра-Трафик", "Летающая")
        .replace("А939НО190", "А939§§190")
        .replace(
            "\"recognition_accuracy\": 6.4",
            "\"recognition_accuracy\": null",
        );
    let counts = |server: &Running| -> Vec<String> {
        assert_eq!(server.post(&strange).status, 200);
        let page = Client::connect(server.admin).get("/metrics").text();
        let stray = [
            "unseen_values",
            "unknown_characters",
            "missing_numbers",
            "unknown_templates",
        ];
        let lines = page.lines().filter(|line| {
            stray
                .iter()
                .any(|name| line.starts_with(&format!("pick_regno_{name}_total")))
        });
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let compiled = counts(&serve(&[]));
    assert!(compiled.iter().any(|line| line.ends_with(" 1")));
    let mut loaded = counts(&serve(&["--model", OWN]));
    // The loaded engine may look at a feature that the build left out.
    loaded.retain(|line| {
        compiled
            .iter()
            .any(|other| line.split(' ').next() == other.split(' ').next())
    });
    assert_eq!(loaded, compiled);
}

#[test]
fn a_model_is_replaced_and_put_back() {
    let models = Models::new("replaced");
    let (first, second) = (moved(0.5), moved(-1.0));
    models.put("second.json", &second);
    let other = expected(&models.0.join("second.json"));
    models.put("model.json", &first);
    let one = expected(&models.path());
    assert_ne!(one, other);
    let server = serve(&["--model", models.path().to_str().unwrap()]);
    assert_eq!(ask(&server), one);

    models.put("model.json", &second);
    within(10, || ask(&server) != one);
    assert_eq!(ask(&server), other);
    assert_eq!((info(&server, &one.0), info(&server, &other.0)), (0.0, 1.0));
    let ready = Client::connect(server.admin).get("/readyz");
    assert_eq!(named(&ready), other.0);

    models.put("model.json", &first);
    within(10, || ask(&server) != other);
    assert_eq!(ask(&server), one);
    assert_eq!((info(&server, &one.0), info(&server, &other.0)), (1.0, 0.0));
    assert_eq!(
        (reloads(&server, "ok"), reloads(&server, "failed")),
        (2.0, 0.0)
    );
}

#[test]
fn a_bad_file_changes_nothing() {
    let models = Models::new("bad");
    let good = moved(0.5);
    models.put("model.json", &good);
    let one = expected(&models.path());
    let server = serve(&["--model", models.path().to_str().unwrap()]);
    let mut renamed = String::from_utf8(moved(0.25)).unwrap();
    renamed = renamed.replace("\"camera_class\"", "\"camera_colour\"");
    let bad: [&[u8]; 4] = [
        b"",
        b"no model",
        &good[..good.len() / 2],
        renamed.as_bytes(),
    ];
    for (nth, bad) in bad.into_iter().enumerate() {
        models.put("model.json", bad);
        within(10, || reloads(&server, "failed") == nth as f64 + 1.0);
        assert_eq!(ask(&server), one);
    }
    // A model that does not give the answers which it must is one as well.
    models.put(
        "model.json.cases.ndjson",
        &std::fs::read(fixture("cases.ndjson")).unwrap(),
    );
    models.put("model.json", &moved(-1.0));
    within(10, || reloads(&server, "failed") >= 5.0);
    assert_eq!(ask(&server), one);
    // The build's model gives them.
    models.put("model.json", &std::fs::read(OWN).unwrap());
    within(10, || ask(&server) != one);
    assert_eq!(ask(&server).0, model::SHA256);
}

#[test]
fn the_log_names_the_model_and_what_is_wrong_with_a_file() {
    let models = Models::new("log");
    models.put("model.json", &moved(0.5));
    let (sha256, _) = expected(&models.path());
    let program = Program::start(&["--model", models.path().to_str().unwrap()]);
    assert_eq!(program.serving["model"], sha256);
    let reloaded = |result: &str| {
        let sample = format!("pick_regno_reloads_total{{files=\"model\",result=\"{result}\"}} 1");
        Client::connect(program.admin)
            .get("/metrics")
            .text()
            .contains(&sample)
    };
    let mut renamed = String::from_utf8(moved(0.25)).unwrap();
    renamed = renamed.replace("\"camera_class\"", "\"camera_colour\"");
    models.put("model.json", renamed.as_bytes());
    within(10, || reloaded("failed"));
    models.put("model.json", &std::fs::read(OWN).unwrap());
    within(10, || reloaded("ok"));
    let log = program.stop();
    let sentence = "the model's features are not those that src/features.rs derives: it lacks categorical `camera_class`, and nothing \
                    derives its categorical `camera_colour`";
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines.iter().any(|line| line.contains(sentence)), "{log}");
    let answers = format!("\"model\":\"{}\"", model::SHA256);
    assert!(lines.iter().any(|line| line.contains(&answers)), "{log}");
}

#[test]
fn a_service_does_not_start_with_a_bad_file() {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let models = Models::new("start");
    models.put("model.json", b"{}");
    for (file, part) in [
        (models.path(), "model.json: "),
        (models.0.join("none"), "none: No such file"),
    ] {
        let line = ["serve", "--model", file.to_str().unwrap()];
        let args = <Line as clap::Parser>::parse_from(line).args;
        let why = Config::new(&args, None).err().unwrap().to_string();
        assert!(why.starts_with("--model ") && why.contains(part), "{why}");
    }
}

#[test]
fn commands_take_a_model() {
    let models = Models::new("commands");
    models.put("model.json", &moved(0.5));
    let path = models.path();
    let path = path.to_str().unwrap();
    let (sha256, _) = expected(&models.path());
    let cases = fixture("cases.ndjson");

    let ran = run(&["check", "--model", OWN, &cases]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "1000 cases, 0 differ\n"));
    let ran = run(&["check", "--model", path, &cases]);
    assert!(
        ran.code == 1 && ran.out.ends_with("1000 cases, 1000 differ\n"),
        "{}",
        ran.out
    );

    let ran = run(&["model", "--model", path]);
    let card: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&card["sha256"], &card["file"]),
        (&json!(sha256), &json!("model.json"))
    );
    assert_eq!(
        card["features"].as_array().unwrap().len(),
        model::COLUMNS.len()
    );

    let file = models.0.join("one.ndjson");
    std::fs::write(&file, format!("{REQUEST}\n")).unwrap();
    let file = file.to_str().unwrap();
    let raw = |args: &[&str]| -> f64 {
        let ran = run(&[args, &[file]].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        serde_json::from_str::<Value>(&ran.out).unwrap()["raw"]
            .as_f64()
            .unwrap()
    };
    assert_eq!(raw(&["score", "--model", path]), raw(&["score"]) + 0.5);

    let picture = |args: &[&str]| run(&[args, &[file]].concat());
    let (own, moved) = (
        picture(&["explain"]),
        picture(&["explain", "--model", path]),
    );
    assert_eq!((own.code, moved.code), (0, 0), "{}", moved.err);
    assert_ne!(own.out, moved.out);

    for command in ["check", "score", "explain", "model"] {
        let mut line = vec![command, "--model", file];
        if command == "check" {
            line.push(&cases);
        }
        let ran = run(&line);
        let begins = format!("pick-regno {command}: --model {file}: ");
        assert!(ran.code == 65 && ran.err.starts_with(&begins), "{ran:?}");
        line[2] = "/nonexistent/model.cbm";
        assert_eq!(run(&line).code, 66);
    }
}
