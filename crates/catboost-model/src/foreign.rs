//! Files that are not CatBoost models: their format, and how to get a model from them.

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

/// Number of bytes at the beginning of a file that are examined.
const HEAD: usize = 4096;

/// Magic bytes of known formats.
const MAGIC: &[(&[u8], &str)] = &[
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, which stands for the file: fetch the file itself with `git lfs pull`",
    ),
    (
        b"\x1f\x8b",
        "compressed by gzip: unpack it with `gunzip -c FILE > model.cbm`",
    ),
    (
        b"PK\x03\x04",
        "a ZIP archive: unpack it with `unzip` and give the .cbm inside",
    ),
    (
        b"PK\x05\x06",
        "a ZIP archive with nothing in it: fetch or save it again",
    ),
    (
        b"Rar!\x1a\x07",
        "a RAR archive: unpack it with `unrar x` and give the .cbm inside",
    ),
    (
        b"\x04\x22\x4d\x18",
        "compressed by lz4: unpack it with `unlz4` (joblib writes such too: then load it with joblib in Python and call `save_model(\"model.cbm\")`)",
    ),
    (
        b"\x5d\0\0",
        "compressed by lzma: unpack it with `unlzma` (joblib writes such too: then load it with joblib in Python and call `save_model(\"model.cbm\")`)",
    ),
    (
        b"RDX",
        "data of R: load it there with `load` or `readRDS`, and call `catboost.save_model(model, \"model.cbm\")`",
    ),
    (
        b"Q0JNM",
        "a .cbm in base64: decode it with `base64 -d FILE > model.cbm`",
    ),
    (
        b"43424d31",
        "a .cbm in hexadecimal digits: decode it with `xxd -r -p FILE > model.cbm`",
    ),
    (
        b"BZh",
        "compressed by bzip2: unpack it with `bunzip2` (joblib writes such too: then load it with joblib in Python and call `save_model(\"model.cbm\")`)",
    ),
    (
        b"\xfd7zXZ\0",
        "compressed by xz: unpack it with `unxz` (joblib writes such too: then load it with joblib in Python and call `save_model(\"model.cbm\")`)",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "compressed by zstd: unpack it with `zstd -d`",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "a 7-Zip archive: unpack it with `7z x` and give the .cbm inside",
    ),
    (
        b"\x89HDF\r\n",
        "an HDF5 file (Keras writes such): no CatBoost model",
    ),
    (b"\x93NUMPY", "a NumPy array, no model"),
    (b"PAR1", "a Parquet file: data, no model"),
    (
        b"tree\nversion=v",
        "a LightGBM model: this tool reads CatBoost models alone",
    ),
    (
        b"tree\r\nversion=v",
        "a LightGBM model: this tool reads CatBoost models alone",
    ),
    (
        b"binf",
        "an XGBoost model (binary): this tool reads CatBoost models alone",
    ),
    (
        b"bs64",
        "an XGBoost model (binary, base64): this tool reads CatBoost models alone",
    ),
    (
        b"### Type",
        "CatBoost's export to Python code, from which no model can be read: save the model itself with `save_model(\"model.cbm\")`",
    ),
    (
        b"###  Model data",
        "CatBoost's export to Python code, from which no model can be read: save the model itself with `save_model(\"model.cbm\")`",
    ),
    (b"\xff\xfe", UTF_16),
    (b"\xfe\xff", UTF_16),
    (b"\x80", PICKLE),
];

/// Beginnings of HTML pages, without regard to case.
const PAGES: [&str; 6] = [
    "<!doctype html",
    "<html",
    "<!--",
    "<head",
    "<body",
    "<script",
];

/// Beginnings of pickles of protocols 0 and 1, which have no magic: dictionaries, lists, and objects of these modules.
const OLD_PICKLES: [&[u8]; 11] = [
    b"(d",
    b"(l",
    b"}q",
    b"]q",
    b"(i",
    b"ccopy_reg\n",
    b"c__builtin__\n",
    b"ccatboost",
    b"csklearn",
    b"cnumpy",
    b"cjoblib",
];

const PICKLE: &str = "a Python pickle, by pickle or joblib: load it in Python with what wrote it (pickle.load or joblib.load; take the CatBoost model out if it is in a pipeline) and call `save_model(\"model.cbm\")`";

/// Describes a file that begins neither as a `.cbm` nor as JSON.
pub(crate) fn describe(file: &[u8]) -> String {
    // Windows' editors put a mark before texts of any kind.
    let marked = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let head = &marked[..marked.len().min(HEAD)];
    if file.is_empty() {
        return "the file is empty: fetch or save it again".to_owned();
    }
    let text = head.trim_ascii_start();
    let begins = |word: &str| {
        let begin = text.get(..word.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(word.as_bytes()))
    };
    let holds = |what: &[u8]| find(head, what).is_some();
    let magic = MAGIC.iter().find(|(magic, _)| head.starts_with(magic));
    // The first field of ONNX and of Core ML is a version, the second of ONNX a name in letters, of Core ML an object.
    let protobuf = head.starts_with(b"\x08") && head.get(1).is_some_and(|&version| version < 128);
    let second = head.get(2..5).unwrap_or_default();
    let named = second.starts_with(b"\x12")
        && second.get(1).is_some_and(|&length| length < 128)
        && second.last().is_some_and(u8::is_ascii_graphic);
    let what = if let Some(&(magic, what)) = magic {
        // A text may begin with any letter; a pickle's next byte is its protocol.
        let protocol = head
            .get(1)
            .is_some_and(|protocol| (2..=5).contains(protocol));
        if magic == b"\x80" && !protocol {
            UNKNOWN
        } else {
            what
        }
    } else if PAGES.iter().any(|page| begins(page)) || begins("<?xml") && holds(b"<html") {
        "an HTML page, such as a server sends in place of a file (a login or an error): fetch the file itself"
    } else if holds(b"<PMML") {
        "PMML, from which no CatBoost model can be read: save the model itself with `save_model(\"model.cbm\")`"
    } else if begins("<?xml") && holds(b"<Error>") {
        "an error of a file server, in XML: fetch the file itself"
    } else if begins("<?xml") {
        "an XML file: no CatBoost model"
    } else if begins("[") && holds(b"\"nodeid\"") {
        "XGBoost's dump of trees (JSON): this tool reads CatBoost models alone"
    } else if begins("[") && holds(b"{") {
        "a JSON array: a model in JSON is an object, as `save_model(\"model.json\", format=\"json\")` writes it"
    } else if begins("\"{") {
        "a JSON string with JSON in it: take it out with `jq -r . FILE > model.json`"
    } else if begins("#include") && holds(b"std::") {
        "CatBoost's export to C++ code, from which no model can be read: save the model itself with `save_model(\"model.cbm\")`"
    } else if protobuf
        && (named
            || second.starts_with(b":")
            || find(file, b"TreeEnsemble").is_some()
            || find(file, b"ai.onnx").is_some())
    {
        "an ONNX model: load CatBoost's own export with `CatBoost().load_model(FILE, format=\"onnx\")` in Python and call `save_model(\"model.cbm\")`; other ONNX models are no CatBoost models"
    } else if protobuf && head.get(2) == Some(&0x12) {
        "a Core ML model, by its first bytes: load CatBoost's own export with `CatBoost().load_model(FILE, format=\"coreml\")` in Python and call `save_model(\"model.cbm\")`; other Core ML models are no CatBoost models"
    } else if head.starts_with(b"x\x9c")
        || head.starts_with(b"x\x01")
        || head.starts_with(b"x\xda")
        || head.starts_with(b"x^")
    {
        "compressed by zlib, as joblib.dump does with `compress`: load it with joblib.load in Python and call `save_model(\"model.cbm\")`"
    } else if OLD_PICKLES.iter().any(|begin| head.starts_with(begin)) {
        PICKLE
    } else if head.get(257..262) == Some(b"ustar") {
        "a tar archive: unpack it with `tar xf` and give the .cbm inside"
    } else if holds(b"gbtree") || holds(b"gblinear") {
        "an XGBoost model (binary): this tool reads CatBoost models alone"
    } else {
        UNKNOWN
    };
    what.to_owned() + &embedded(file)
}

const UTF_16: &str = "a text in UTF-16: if it is a model in JSON, save it as UTF-8, for example with `iconv -f UTF-16 -t UTF-8`";

const UNKNOWN: &str =
    "expected a .cbm file, which begins with CBM1, or a JSON export, which begins with {";

/// Describes where in the file the bytes of a `.cbm` begin, if they do.
fn embedded(file: &[u8]) -> String {
    // The magic is followed by the length of the core and by a flatbuffer, which is shorter than 4 GiB and not empty.
    let place = find(file, b"CBM1").filter(|&place| {
        let length = file.get(place + 4..place + 8);
        length.is_some_and(|length| length != [0; 4] && place + 8 < file.len())
    });
    match place {
        None => String::new(),
        Some(place) => format!(
            "; CBM1 stands at byte {place}: perhaps a .cbm is there as it is, and `tail -c +{} FILE > model.cbm` cuts it out",
            place + 1
        ),
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// Describes a JSON document without `features_info`; `None` if it has one, or is not a JSON object.
pub(crate) fn describe_json(file: &[u8]) -> Option<String> {
    if file.get(1).is_some_and(|byte| b"LlUiI#$".contains(byte))
        && find(&file[..file.len().min(HEAD)], b"learner").is_some()
    {
        return Some("an XGBoost model (UBJSON): this tool reads CatBoost models alone".to_owned());
    }
    if file.get(1) == Some(&0) {
        return Some(UTF_16.to_owned());
    }
    let Keys { first, found } = serde_json::from_slice(file).ok()?;
    let has = |key: &str| found.iter().any(|(name, there)| *name == key && *there);
    if has("features_info") {
        return None;
    }
    Some(if has("learner") {
        "an XGBoost model (JSON): this tool reads CatBoost models alone".to_owned()
    } else if has("tree_info") {
        "a LightGBM model (JSON): this tool reads CatBoost models alone".to_owned()
    } else if has("iterations") && has("meta") {
        "CatBoost's log of a training (catboost_training.json): the model is what `save_model` writes".to_owned()
    } else {
        let keys = if first.is_empty() {
            "none".to_owned()
        } else {
            first.join(", ")
        };
        format!(
            "a JSON document without `features_info` (its keys: {keys}): export the model with `save_model(\"model.json\", format=\"json\")`, or give the .cbm"
        )
    })
}

/// Keys of a JSON object.
struct Keys {
    /// The first keys, for messages.
    first: Vec<String>,
    /// Keys that identify a kind of document, and whether they are present.
    found: [(&'static str, bool); 5],
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        /// Number of keys in a message, and of letters of each.
        const SHOWN: (usize, usize) = (5, 40);
        let mut keys = Keys {
            first: Vec::new(),
            found: [
                "features_info",
                "learner",
                "tree_info",
                "iterations",
                "meta",
            ]
            .map(|key| (key, false)),
        };
        while let Some((key, IgnoredAny)) = map.next_entry::<String, _>()? {
            for (name, there) in &mut keys.found {
                *there |= key == *name;
            }
            if keys.first.len() < SHOWN.0 {
                let short: String = key.escape_debug().take(SHOWN.1).collect();
                keys.first.push(format!("`{short}`"));
            }
        }
        Ok(keys)
    }
}
