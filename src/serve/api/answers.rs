//! Answers to a batch, in the form that the client accepts.
//!
//! | form | a record that is answered | one that is not |
//! | --- | --- | --- |
//! | NDJSON | `{"negative":…,"positive":…}` | `{"error":"…"}` |
//! | CSV, after a header | `…,…,` | `,,"…"` |
//! | JSON | as NDJSON, in `{"body":[…,…],"status":"ok"}` | |

use std::fmt::Display;

use super::media::Form;
use crate::answer::{write_error, write_explained, write_float, write_probabilities};
use crate::explanation::Explanation;
use crate::pick_regno::Answer;
use crate::request::Field;

/// Answers under construction.
pub(crate) struct Answers {
    form: Form,
    /// True if the answers include explanations.
    explains: bool,
    bytes: Vec<u8>,
    /// True if nothing has been written yet.
    fresh: bool,
    /// Number of answered records, errors included.
    records: u64,
}

impl Answers {
    pub(crate) fn new(form: Form, explains: bool) -> Answers {
        Answers {
            form,
            explains,
            bytes: Vec::new(),
            fresh: true,
            records: 0,
        }
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Appends the next record's answer.
    pub(crate) fn answer(&mut self, answer: &Answer, explanation: Option<&Explanation>) {
        self.begin_record();
        let out = &mut self.bytes;
        match (self.form, explanation) {
            (Form::Ndjson | Form::Json, None) => write_probabilities(answer, out),
            (Form::Ndjson | Form::Json, Some(explanation)) => {
                write_explained(answer, explanation, out);
            }
            (Form::Csv, _) => {
                write_float(answer.negative, out);
                out.push(b',');
                write_float(answer.positive, out);
                out.push(b',');
                if let Some(explanation) = explanation {
                    let fields = Field::ALL.into_iter().map(|field| explanation.of(field));
                    for value in [answer.raw, explanation.base].into_iter().chain(fields) {
                        write_float(value, out);
                        out.push(b',');
                    }
                }
            }
        }
        if self.form != Form::Json {
            out.push(b'\n');
        }
    }

    /// Appends the reason why the next record has no answer.
    pub(crate) fn error(&mut self, error: &dyn Display) {
        self.begin_record();
        let out = &mut self.bytes;
        match self.form {
            Form::Ndjson => write_error(error, out),
            Form::Json => {
                write_error(error, out);
                // Removes its line feed.
                out.pop();
            }
            Form::Csv => {
                let quoted = error.to_string().replace('"', "\"\"");
                let commas = if self.explains {
                    4 + Field::ALL.len()
                } else {
                    2
                };
                out.extend(std::iter::repeat_n(b',', commas));
                out.extend_from_slice(format!("\"{quoted}\"\n").as_bytes());
            }
        }
    }

    /// Ends the answers: there are no more records.
    pub(crate) fn end(&mut self) {
        if self.fresh {
            self.begin();
        }
        if self.form == Form::Json {
            self.bytes.extend_from_slice(b"],\"status\":\"ok\"}\n");
        }
    }

    /// Number of records that have an answer or an error.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Number of bytes that [`Answers::take`] would return.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns what was written since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
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
        match self.form {
            Form::Ndjson => {}
            Form::Csv => {
                self.bytes.extend_from_slice(b"negative,positive,");
                if self.explains {
                    let names = Field::ALL.map(|field| field.name()).join(",");
                    self.bytes
                        .extend_from_slice(format!("raw,base,{names},").as_bytes());
                }
                self.bytes.extend_from_slice(b"error\n");
            }
            Form::Json => self.bytes.extend_from_slice(b"{\"body\":["),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, records: &[Result<f64, &str>]) -> String {
        let mut answers = Answers::new(form, false);
        let mut text = Vec::new();
        for record in records {
            match *record {
                Ok(positive) => {
                    let answer = Answer {
                        raw: 0.0,
                        negative: 1.0 - positive,
                        positive,
                    };
                    answers.answer(&answer, None);
                }
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

    #[test]
    fn explanations_have_columns() {
        let mut answers = Answers::new(Form::Csv, true);
        let answer = Answer {
            raw: 1.5,
            negative: 0.25,
            positive: 0.75,
        };
        let mut contributions = Field::ALL.map(|field| (field, f64::from(field as u8)));
        contributions.reverse();
        let explanation = Explanation {
            base: -0.5,
            contributions,
        };
        answers.answer(&answer, Some(&explanation));
        answers.error(&"line 3: no");
        let text = String::from_utf8(answers.take()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "negative,positive,raw,base,regno_recognize,afts_regno_ai,recognition_accuracy,afts_regno_ai_score,\
             afts_regno_ai_char_scores,afts_regno_ai_length_scores,camera_type,camera_class,time_check,direction,error"
        );
        assert_eq!(
            lines[1],
            "0.25,0.75,1.5,-0.5,0.0,1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0,9.0,"
        );
        let commas = |line: &str| line.matches(',').count();
        assert!(lines[2].ends_with(",\"line 3: no\"") && commas(lines[2]) == commas(lines[0]));
    }
}
