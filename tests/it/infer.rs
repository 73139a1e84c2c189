//! The Open Inference Protocol (V2, REST).

use pick_regno::model;
use pick_regno::request::Field;
use serde_json::{Value, json};

use crate::support::{Answer, KEY, REQUEST, Running, serve};

const INFER: &str = "/v2/models/pick_regno/infer";

/// The tensors of rows like [`REQUEST`], as many as `rows`.
fn tensors(rows: usize) -> Value {
    let request: Value = serde_json::from_str(REQUEST).unwrap();
    let tensor = |field: Field| {
        let datatype = match field {
            Field::Direction => "INT64",
            field if field.is_number() => "FP64",
            _ => "BYTES",
        };
        let data = vec![request[field.name()].clone(); rows];
        json!({"name": field.name(), "shape": [rows], "datatype": datatype, "data": data})
    };
    json!({"inputs": Field::ALL.map(tensor)})
}

fn post(server: &Running, body: &str) -> Answer {
    // Clients of the protocol do not say what the body is.
    server.connect().request_with("POST", INFER, KEY, &[], body)
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", answer.text()))
}

#[test]
fn tensors_are_answered_as_objects_are() {
    let server = serve(&[]);
    let expected = json_of(&server.post(REQUEST))["body"].clone();
    let mut body = tensors(3);
    body["id"] = json!("a \"name\"");
    let answer = post(&server, &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.headers["content-type"], "application/json");
    let said = json_of(&answer);
    assert_eq!(said["model_name"], "pick_regno");
    assert_eq!(said["model_version"], model::SHA256);
    assert_eq!(said["id"], body["id"]);
    let outputs = said["outputs"].as_array().unwrap();
    assert_eq!(outputs.len(), 3);
    for (output, name) in outputs.iter().zip(["negative", "positive", "raw"]) {
        assert_eq!(output["name"], name);
        assert_eq!(
            (&output["datatype"], &output["shape"]),
            (&json!("FP64"), &json!([3]))
        );
        if name != "raw" {
            let value = &expected[name];
            assert_eq!(output["data"], json!([value, value, value]));
        }
    }
    assert_eq!(server.metric("pick_regno_rows_total"), 4.0);
    let durations = "http_server_request_duration_seconds_count";
    let labels = format!("{{route=\"{INFER}\",method=\"POST\",status=\"200\"}}");
    assert_eq!(server.metric(&format!("{durations}{labels}")), 1.0);
}

#[test]
fn outputs_are_those_that_are_asked_for() {
    let server = serve(&[]);
    let mut body = tensors(1);
    body["outputs"] =
        json!([{"name": "raw", "parameters": {"binary_data": false}}, {"name": "positive"}]);
    let said = json_of(&post(&server, &body.to_string()));
    let names = said["outputs"].as_array().unwrap().iter();
    let names: Vec<&str> = names
        .map(|output| output["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["raw", "positive"]);
    // No rows, no values.
    let said = json_of(&post(&server, &tensors(0).to_string()));
    assert_eq!(said["outputs"][0]["data"], json!([]));
}

#[test]
fn faults_are_told_and_repeat_no_value() {
    let server = serve(&[]);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = tensors(2);
        change(&mut body);
        body.to_string()
    };
    let cases: [(String, &str); 14] = [
        (
            "{".to_owned(),
            "Bad request: not an inference request from line 1 column 1 on: ",
        ),
        ("[]".to_owned(), "Bad request: not an inference request "),
        (
            "{\"inputs\":[]}".to_owned(),
            "Bad request: regno_recognize is missing, afts_regno_ai is missing, ",
        ),
        (
            with(&|body| body["inputs"][0]["name"] = json!("А123ВС77")),
            "Bad request: input 0 is none of the ten fields",
        ),
        (
            with(&|body| body["inputs"][1]["name"] = json!("regno_recognize")),
            "Bad request: regno_recognize is there more than once",
        ),
        (
            with(&|body| body["inputs"][0]["shape"] = json!([1])),
            "Bad request: regno_recognize: the shape must be [2], ",
        ),
        (
            with(&|body| body["inputs"][0]["shape"] = json!([2, 1])),
            "Bad request: regno_recognize: the shape must be [2], ",
        ),
        (
            with(&|body| {
                body["inputs"][1]["shape"] = json!([1]);
                body["inputs"][1]["data"] = json!(["А123ВС77"]);
            }),
            "Bad request: afts_regno_ai: 1 values; all inputs must have as many as the first",
        ),
        (
            with(&|body| body["inputs"][0]["datatype"] = json!("FP64")),
            "Bad request: regno_recognize: the datatype must be BYTES",
        ),
        (
            with(&|body| body["inputs"][2]["datatype"] = json!("BYTES")),
            "Bad request: recognition_accuracy: the datatype must be FP64 or INT64",
        ),
        (
            with(&|body| body["inputs"][9]["data"][1] = json!(0.5)),
            "Bad request: direction: the data must be integers, one for each row",
        ),
        (
            with(&|body| body["inputs"][0]["data"][0] = json!(7)),
            "Bad request: regno_recognize: the data must be strings, ",
        ),
        (
            with(&|body| body["inputs"][8]["data"][1] = json!("А123ВС77")),
            "Bad request: element 1: time_check must be a date ",
        ),
        (
            with(&|body| body["outputs"] = json!([{"name": "class"}])),
            "Bad request: output 0 is none of negative, positive and raw",
        ),
    ];
    for (body, expected) in cases {
        let answer = post(&server, &body);
        assert_eq!(answer.status, 400, "{body}");
        let said = json_of(&answer);
        let said = said["error"].as_str().unwrap();
        assert!(said.starts_with(expected), "{said}");
        assert!(!said.contains("А123"), "{said}");
    }
    let many = post(&server, &tensors(1001).to_string());
    assert_eq!(
        json_of(&many)["error"],
        "Bad request: an array can hold at most 1000 requests"
    );
    let binary = [("inference-header-content-length", "10")];
    let binary = server
        .connect()
        .request_with("POST", INFER, KEY, &binary, "{}");
    assert_eq!(
        json_of(&binary)["error"],
        "Bad request: binary tensors are not read; send them as JSON (binary_data=False)"
    );
}

#[test]
fn limits_and_keys_are_those_of_arrays() {
    let server = serve(&["--max-body", "4096"]);
    let long = post(&server, &tensors(100).to_string());
    assert_eq!(long.status, 413);
    assert_eq!(
        json_of(&long)["error"],
        "Payload too large: the limit is 4096 bytes"
    );
    let stranger = server
        .connect()
        .request_with("POST", INFER, "wrong", &[], "{}");
    assert_eq!(
        (stranger.status, json_of(&stranger)),
        (401, json!({"error": "Unauthorized"}))
    );
    let wrong = server.connect().request_with("GET", INFER, KEY, &[], "");
    assert_eq!(
        (wrong.status, json_of(&wrong)),
        (405, json!({"error": "Method not allowed"}))
    );
    // What is not there is not the protocol's.
    assert_eq!(server.get("/v2/models/other").status, 404);
}

#[test]
fn the_server_and_the_model_are_described() {
    let server = serve(&[]);
    let get = |path: &str| {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        json_of(&answer)
    };
    assert_eq!(get("/v2")["name"], "pick-regno");
    assert_eq!(get("/v2/health/live"), json!({"live": true}));
    assert_eq!(get("/v2/health/ready"), json!({"ready": true}));
    assert_eq!(
        get("/v2/models/pick_regno/ready"),
        json!({"name": "pick_regno", "ready": true})
    );
    let model = get("/v2/models/pick_regno");
    assert_eq!(model["versions"], json!([model::SHA256]));
    let inputs = model["inputs"].as_array().unwrap();
    assert_eq!(inputs.len(), Field::ALL.len());
    assert_eq!(
        inputs[9],
        json!({"name": "direction", "datatype": "INT64", "shape": [-1]})
    );
    // Probes have no key.
    for path in ["/v2/health/live", "/v2/health/ready"] {
        let answer = server.connect().request_with("GET", path, "wrong", &[], "");
        assert_eq!(answer.status, 200);
    }
}
