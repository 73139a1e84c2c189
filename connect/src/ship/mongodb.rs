//! MongoDB: one document a row. Its `_id` is the row's instance and seq, so that a row that is sent again is there already.
//!
//! | answer | result |
//! | --- | --- |
//! | all documents written, or those that were not are there already | stored |
//! | errors about documents alone, of [`DATA`] | refused, though other documents may be stored |
//! | none: a line is not a row of a record | refused before anything is sent |
//! | anything else | tried again |
//!
//! The driver's messages may repeat addresses and values: only codes and fixed sentences leave this module.

use std::path::{Path, PathBuf};

use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{ClientOptions, Tls, WriteConcern};
use mongodb::{Client, Collection};
use serde_json::{Map, Value};
use tokio::runtime::Handle;

use super::{Failure, Receiver, SENDING, Segment};

/// Documents that are sent at once.
const AT_ONCE: usize = 1_000;
/// A document with this `_id` is there already.
const DUPLICATE_KEY: i32 = 11_000;
/// Codes of errors that come of what is in a document: it would be refused again.
const DATA: [i32; 4] = [
    2,      // BadValue
    14,     // TypeMismatch
    121,    // DocumentValidationFailure
    10_334, // BSONObjectTooLarge
];

/// A collection.
pub struct MongoDb {
    url: String,
    database: String,
    name: String,
    user: String,
    password_file: Option<PathBuf>,
    ca: PathBuf,
    /// `None` after a failure: the next attempt reads the password anew.
    collection: Option<Collection<Document>>,
    runtime: Handle,
}

impl MongoDb {
    /// Prepares to send to the collection `table`, which is `database.name`. Must be called within a runtime.
    /// An address cannot have the scheme `mongodb+srv`.
    ///
    /// # Errors
    /// If the address or the collection's name cannot be used.
    pub fn new(
        url: &str,
        table: &str,
        user: &str,
        password_file: Option<PathBuf>,
        ca: &Path,
    ) -> Result<MongoDb, String> {
        let Some((database, name)) = table.split_once('.').filter(|(database, name)| {
            let is_name =
                |part: &str| !part.is_empty() && !part.contains(['$', '/', '\\', ' ', '"', '\0']);
            is_name(database) && is_name(name)
        }) else {
            return Err("--table: a collection is database.name".to_owned());
        };
        if !url.starts_with("mongodb://") {
            return Err(
                "--mongodb: an address is mongodb://host:27017, or several hosts with commas"
                    .to_owned(),
            );
        }
        Ok(MongoDb {
            url: url.to_owned(),
            database: database.to_owned(),
            name: name.to_owned(),
            user: user.to_owned(),
            password_file,
            ca: ca.to_owned(),
            collection: None,
            runtime: Handle::current(),
        })
    }

    /// Prepares a client, which connects at its first insert. Writes are confirmed by the majority and
    /// journaled.
    async fn connect(&self) -> Result<Collection<Document>, String> {
        // What the driver says of an address may repeat it, and it may hold a password.
        let parsed = ClientOptions::parse(&self.url).await;
        let mut options = parsed.map_err(|_| "--mongodb: the address cannot be read".to_owned())?;
        options.app_name = Some("pick-regno-connect".to_owned());
        options.server_selection_timeout = Some(SENDING / 6);
        options.connect_timeout = Some(SENDING / 6);
        // Confirmed rows are on disks, of most members of a replica set.
        options.write_concern = Some(
            WriteConcern::builder()
                .w(mongodb::options::Acknowledgment::Majority)
                .journal(true)
                .build(),
        );
        // `send` does that, with what it counts.
        options.retry_writes = Some(false);
        if let Some(Tls::Enabled(tls)) = &mut options.tls {
            tls.ca_file_path.get_or_insert_with(|| self.ca.clone());
        }
        if let Some(file) = &self.password_file {
            let password = std::fs::read_to_string(file)
                .map_err(|why| format!("{}: {why}", file.display()))?;
            let mut credential = options.credential.take().unwrap_or_default();
            credential.username = Some(self.user.clone());
            credential.password = Some(password.trim_end().to_owned());
            options.credential = Some(credential);
        }
        let client = Client::with_options(options).map_err(|why| told(&why))?;
        Ok(client.database(&self.database).collection(&self.name))
    }

    /// Inserts documents, [`AT_ONCE`] at a time. Those of an earlier attempt are skipped by their `_id`.
    async fn insert(&mut self, mut documents: &[Document]) -> Result<(), Failure> {
        let collection = match self.collection.take() {
            Some(collection) => collection,
            None => self.connect().await.map_err(Failure::Again)?,
        };
        while !documents.is_empty() {
            let (first, rest) = documents.split_at(documents.len().min(AT_ONCE));
            let inserted =
                tokio::time::timeout(SENDING, collection.insert_many(first).ordered(false));
            match inserted.await {
                Ok(Ok(_)) => {}
                Ok(Err(why)) => judge(&why)?,
                Err(_) => return Err(Failure::Again("MongoDB: no answer".to_owned())),
            }
            documents = rest;
        }
        self.collection = Some(collection);
        Ok(())
    }
}

impl Receiver for MongoDb {
    fn send(&mut self, segment: &Segment) -> Result<(), Failure> {
        let mut documents = Vec::new();
        for (index, line) in segment.bytes.split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let document = document(line).ok_or_else(|| {
                Failure::Refused(format!("line {}: not a row of a record", index + 1))
            })?;
            documents.push(document);
        }
        let runtime = self.runtime.clone();
        runtime.block_on(self.insert(&documents))
    }
}

/// Decides about an insert that failed. `Ok` if all that failed are documents that were there already.
fn judge(error: &Error) -> Result<(), Failure> {
    let ErrorKind::InsertMany(many) = &*error.kind else {
        return Err(Failure::Again(format!("MongoDB: {}", told(error))));
    };
    // Messages of these errors repeat values of the documents: codes are told, and no more.
    if let Some(concern) = &many.write_concern_error {
        return Err(Failure::Again(format!(
            "MongoDB: write concern error {}",
            concern.code
        )));
    }
    let errors = many.write_errors.iter().flatten();
    let codes: Vec<i32> = errors
        .map(|error| error.code)
        .filter(|code| *code != DUPLICATE_KEY)
        .collect();
    match codes.first() {
        None => Ok(()),
        Some(code) => {
            let why = format!("MongoDB: error {code} for {} documents", codes.len());
            Err(match codes.iter().all(|code| DATA.contains(code)) {
                true => Failure::Refused(why),
                false => Failure::Again(why),
            })
        }
    }
}

/// An error in words that repeat neither an address nor a document.
fn told(error: &Error) -> String {
    match &*error.kind {
        ErrorKind::ServerSelection { .. } => "no server can be reached".to_owned(),
        ErrorKind::Authentication { .. } => "user or password are refused".to_owned(),
        ErrorKind::Io(why) => why.to_string(),
        ErrorKind::Command(why) => format!("error {} ({})", why.code, why.code_name),
        _ => "the driver failed".to_owned(),
    }
}

/// The document of a line; `None` if it is not a row of a record.
fn document(line: &[u8]) -> Option<Document> {
    let mut row: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let instance = row.remove("instance")?.as_str()?.to_owned();
    let seq = row.remove("seq")?.as_i64()?;
    let time = chrono::DateTime::parse_from_rfc3339(row.remove("time")?.as_str()?).ok()?;
    let mut document = doc! {
        "_id": { "instance": instance, "seq": seq },
        // A date has milliseconds; an index with expireAfterSeconds wants one.
        "time": DateTime::from_millis(time.timestamp_millis()),
    };
    for (name, value) in row {
        if name == "request" {
            for (vector, scores) in [
                ("char_scores", "afts_regno_ai_char_scores"),
                ("length_scores", "afts_regno_ai_length_scores"),
            ] {
                if let Some(scores) = value.get(scores).and_then(vector_of) {
                    document.insert(vector, scores);
                }
            }
        }
        let is_count = name == "row";
        document.insert(name, bson(value, is_count));
    }
    Some(document)
}

/// A list of scores as doubles; a request has it as an array, or as a text of one.
fn vector_of(scores: &Value) -> Option<Vec<f64>> {
    match scores {
        Value::String(text) => serde_json::from_str(text).ok(),
        Value::Array(scores) => scores.iter().map(Value::as_f64).collect(),
        _ => None,
    }
}

/// JSON as BSON, as it is: nothing in it is taken for extended JSON. Numbers are doubles, unless they are counts.
fn bson(value: Value, is_count: bool) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Bool(value) => Bson::Boolean(value),
        Value::Number(number) => match number.as_i64().filter(|_| is_count) {
            Some(count) => Bson::Int64(count),
            None => Bson::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Bson::String(text),
        Value::Array(values) => values.into_iter().map(|value| bson(value, false)).collect(),
        Value::Object(object) => {
            let entries = object
                .into_iter()
                .map(|(name, value)| (name, bson(value, false)));
            Bson::Document(entries.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"time":"2026-11-30T09:02:59.123456Z","instance":"5d1f0c","seq":41,"request_id":"r","row":2,
        "inputs":{"hour":9,"f_9":0.9998,"month":"May","D":null},
        "request":{"afts_regno_ai_char_scores":"[0.5, 1]","afts_regno_ai_length_scores":[0.25],"$oid":"x"},
        "raw":-4.078036931104569,"negative":0.75,"positive":0.25}"#;

    #[test]
    fn a_row_is_a_document_with_its_key_and_vectors() {
        let document = document(LINE.as_bytes()).unwrap();
        assert_eq!(
            document.get("_id"),
            Some(&doc! {"instance": "5d1f0c", "seq": 41_i64}.into())
        );
        assert_eq!(document.get_i64("row").unwrap(), 2);
        assert_eq!(
            document.get_datetime("time").unwrap().timestamp_millis(),
            1_796_029_379_123
        );
        assert_eq!(document.get("char_scores"), Some(&vec![0.5, 1.0].into()));
        assert_eq!(document.get("length_scores"), Some(&vec![0.25].into()));
        let inputs = document.get_document("inputs").unwrap();
        assert_eq!(
            inputs,
            &doc! {"hour": 9.0, "f_9": 0.9998, "month": "May", "D": Bson::Null}
        );
        assert_eq!(document.get_f64("raw").unwrap(), -4.078036931104569);
        let request = document.get_document("request").unwrap();
        assert_eq!(request.get_str("$oid").unwrap(), "x");
    }

    #[test]
    fn what_is_no_row_is_no_document() {
        for line in [
            "",
            "7",
            "{}",
            r#"{"instance":"a","seq":-1.5,"time":"2026-11-30T09:02:59Z"}"#,
        ] {
            assert!(document(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[tokio::test]
    async fn an_address_and_a_collection_are_checked_before_anything_is_sent() {
        let new = |url, table| MongoDb::new(url, table, "u", None, Path::new("/none")).err();
        assert_eq!(new("mongodb://a", "pick_regno.answers"), None);
        assert!(new("http://u:secret@a", "a.b").is_some_and(|why| !why.contains("secret")));
        for table in ["answers", "a.", ".a", "a.$b", ""] {
            assert!(new("mongodb://a", table).is_some(), "{table}");
        }
    }
}
