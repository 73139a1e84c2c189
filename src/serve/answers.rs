//! The answers to a batch, in the form that the client accepts.
//!
//! | form | a record that is answered | one that is not |
//! | --- | --- | --- |
//! | NDJSON | `{"negative":…,"positive":…}` | `{"error":"…"}` |
//! | CSV, after a header | `…,…,` | `,,"…"` |
//! | JSON | as NDJSON, in `{"body":[…,…],"status":"ok"}` | |

use std::fmt::Display;

use super::media::Form;
use crate::answer::{write_error, write_float, write_probabilities};
use crate::pick_regno::Answer;

/// Answers on their way out.
pub(super) struct Answers {
    form: Form,
    bytes: Vec<u8>,
    /// Whether nothing has been written yet.
    fresh: bool,
    /// Records that were answered, errors included.
    records: u64,
}

impl Answers {
    pub(super) fn new(form: Form) -> Answers {
        Answers {
            form,
            bytes: Vec::new(),
            fresh: true,
            records: 0,
        }
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// The next record's answer.
    pub(super) fn answer(&mut self, answer: &Answer) {
        self.begin_record();
        let out = &mut self.bytes;
        match self.form {
            Form::Ndjson => {
                write_probabilities(answer, out);
                out.push(b'\n');
            }
            Form::Json => write_probabilities(answer, out),
            Form::Csv => {
                write_float(answer.negative, out);
                out.push(b',');
                write_float(answer.positive, out);
                out.extend_from_slice(b",\n");
            }
        }
    }

    /// Why the next record has no answer.
    pub(super) fn error(&mut self, error: &dyn Display) {
        self.begin_record();
        let out = &mut self.bytes;
        match self.form {
            Form::Ndjson => write_error(error, out),
            Form::Json => {
                write_error(error, out);
                // Its line feed.
                out.pop();
            }
            Form::Csv => {
                let quoted = error.to_string().replace('"', "\"\"");
                out.extend_from_slice(format!(",,\"{quoted}\"\n").as_bytes());
            }
        }
    }

    /// There are no more records.
    pub(super) fn end(&mut self) {
        if self.fresh {
            self.begin();
        }
        if self.form == Form::Json {
            self.bytes.extend_from_slice(b"],\"status\":\"ok\"}\n");
        }
    }

    /// Number of records that have an answer or an error.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Number of bytes that [`Answers::take`] would give.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What has been written since the last time.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    fn begin_record(&mut self) {
        self.records += 1;
        if self.fresh {
            self.begin();
        } else if self.form == Form::Json {
            self.bytes.push(b',');
        }
    }

    fn begin(&mut self) {
        self.fresh = false;
        self.bytes.extend_from_slice(match self.form {
            Form::Ndjson => b"",
            Form::Csv => b"negative,positive,error\n",
            Form::Json => b"{\"body\":[",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, records: &[Result<f64, &str>]) -> String {
        let mut answers = Answers::new(form);
        let mut text = Vec::new();
        for record in records {
            match *record {
                Ok(positive) => answers.answer(&Answer {
                    raw: 0.0,
                    negative: 1.0 - positive,
                    positive,
                }),
                Err(error) => answers.error(&error),
            }
            text.extend(answers.take());
        }
        answers.end();
        text.extend(answers.take());
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn each_form_is_whole() {
        let records = [Ok(0.25), Err("line 2: \"a\"\u{7}"), Ok(1e-7)];
        assert_eq!(
            written(Form::Ndjson, &records),
            "{\"negative\":0.75,\"positive\":0.25}\n{\"error\":\"line 2: \\\"a\\\"\\u0007\"}\n\
             {\"negative\":0.9999999,\"positive\":1e-07}\n"
        );
        assert_eq!(
            written(Form::Csv, &records),
            "negative,positive,error\n0.75,0.25,\n,,\"line 2: \"\"a\"\"\u{7}\"\n0.9999999,1e-07,\n"
        );
        assert_eq!(
            written(Form::Json, &records),
            "{\"body\":[{\"negative\":0.75,\"positive\":0.25},{\"error\":\"line 2: \\\"a\\\"\\u0007\"},\
             {\"negative\":0.9999999,\"positive\":1e-07}],\"status\":\"ok\"}\n"
        );
        assert_eq!(written(Form::Ndjson, &[]), "");
        assert_eq!(written(Form::Csv, &[]), "negative,positive,error\n");
        assert_eq!(
            written(Form::Json, &[]),
            "{\"body\":[],\"status\":\"ok\"}\n"
        );
    }
}
