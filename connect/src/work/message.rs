//! Decision about a message: an answer, a wait, or the dead-letter queue. Does no input or output.
//!
//! | message | outcome |
//! | --- | --- |
//! | plain, a request or an array of requests | the service's answer to `reply_to` |
//! | plain, without `reply_to` or unreadable | dead-lettered; the caller is told if it can be |
//! | task of this worker | a result, or a failure in Celery's form |
//! | task whose `eta` is in the future | held until then, or until it expires |
//! | task of another name, unreadable task | dead-lettered, and a failure is sent |
//!
//! A message is a task if its headers have `task` and `id`.

use amqprs::BasicProperties;
use chrono::{DateTime, Utc};
use pick_regno::answer::{write_many, write_one, write_probabilities};
use pick_regno::request::{Body, Invalid, parse_body};

use super::celery::{self, BodyFault, Failure, Moment, Task};
use super::model::Model;

/// Greatest length of a message in bytes: 2 MiB, as many as the service takes in a body by default. Longer
/// messages are dead-lettered.
pub const MAX_BODY: usize = 2 << 20;
/// AMQP's delivery mode of a message that survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// Settings that decide about messages, and the model.
pub struct Rules {
    /// The name of the task that is the model.
    pub task: String,
    /// True if results of tasks go to Redis.
    pub results_in_redis: bool,
    /// Model that answers.
    pub model: Model,
}

/// Decision about a message.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// Send the answer and, once it is confirmed, acknowledge.
    Answer { answer: Answer, rows: u64 },
    /// Tell the caller that it failed and, once that is confirmed, acknowledge.
    Fail { answer: Answer },
    /// Nobody waits for an answer: acknowledge.
    Done { rows: u64 },
    /// Reject it to the dead-letter exchange; whoever can be told is told why.
    DeadLetter {
        why: &'static str,
        answer: Option<Answer>,
    },
    /// Decide again at this time; the message stays unacknowledged.
    Hold(DateTime<Utc>),
}

/// An answer and where it goes.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub to: Target,
    /// JSON in UTF-8.
    pub body: Vec<u8>,
}

/// Destination of an answer.
#[derive(Debug, PartialEq, Clone)]
pub enum Target {
    /// Queue of the default exchange, with the properties of the message.
    Queue {
        reply_to: String,
        correlation_id: Option<String>,
        persistent: bool,
    },
    /// The result of the task with this id.
    Redis(String),
}

impl Rules {
    /// Decides about one message at the time `now`. The only clock is `now`, so that the same arguments give
    /// the same verdict.
    pub fn judge(&self, properties: &BasicProperties, body: &[u8], now: DateTime<Utc>) -> Verdict {
        match properties.headers().and_then(Task::of) {
            Some(task) => self.judge_task(&task, properties, body, now),
            None => self.judge_plain(properties, body),
        }
    }

    /// Decides about a Celery task. Checks come in this order: name, times, expiry, `eta`, form of the body,
    /// compression, arguments, request.
    fn judge_task(
        &self,
        task: &Task,
        properties: &BasicProperties,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Verdict {
        let target = self.target(task, properties);
        let done = self.results_in_redis.then_some(now);
        let tell = |failure: &Failure| {
            target.clone().map(|to| Answer {
                to,
                body: celery::failure(task, failure, done),
            })
        };
        let fail = |failure: Failure| match tell(&failure) {
            Some(answer) => Verdict::Fail { answer },
            None => Verdict::Done { rows: 0 },
        };
        if task.name != self.task {
            return Verdict::DeadLetter {
                why: "another task",
                answer: tell(&Failure::not_registered(&task.name)),
            };
        }
        for (name, moment) in [("eta", task.eta), ("expires", task.expires)] {
            if moment == Moment::Unreadable {
                return fail(Failure::new(
                    "ValueError",
                    format!("{name} cannot be read: ISO 8601 is expected"),
                ));
            }
        }
        if task.expires.has_come(now) {
            return fail(Failure::expired());
        }
        if let Moment::At(eta) = task.eta
            && eta > now
        {
            return Verdict::Hold(match task.expires {
                Moment::At(expires) => eta.min(expires),
                _ => eta,
            });
        }
        if let Some(why) = unreadable(properties, body) {
            return Verdict::DeadLetter {
                why,
                answer: tell(&Failure::new(
                    "ValueError",
                    format!("the message cannot be read: {why}"),
                )),
            };
        }
        if task.compressed {
            return fail(Failure::new(
                "NotImplementedError",
                "compressed tasks are not read: leave task_compression unset",
            ));
        }
        let request = match celery::argument(body) {
            Ok(request) => request,
            Err(BodyFault::Failure(failure)) => return fail(failure),
            Err(BodyFault::Unreadable) => {
                let why = "not a body of Celery's protocol 2";
                return Verdict::DeadLetter {
                    why,
                    answer: tell(&Failure::new("ValueError", why)),
                };
            }
        };
        let mut result = Vec::with_capacity(128);
        let rows = match parse_body(request.get().as_bytes()) {
            Ok(Body::One(request)) => {
                write_probabilities(&self.model.answer(&request), &mut result);
                1
            }
            Ok(Body::Many(requests)) => {
                result.push(b'[');
                for request in &requests {
                    if result.len() > 1 {
                        result.push(b',');
                    }
                    write_probabilities(&self.model.answer(request), &mut result);
                }
                result.push(b']');
                requests.len() as u64
            }
            Err(invalid) => return fail(Failure::new("ValueError", invalid.to_string())),
        };
        match target {
            None => Verdict::Done { rows },
            Some(to) => {
                let result = String::from_utf8_lossy(&result);
                let body = celery::success(task, &result, done);
                let answer = Answer { to, body };
                Verdict::Answer { answer, rows }
            }
        }
    }

    /// Decides about a message without Celery's headers.
    fn judge_plain(&self, properties: &BasicProperties, body: &[u8]) -> Verdict {
        let Some(reply_to) = properties.reply_to() else {
            return Verdict::DeadLetter {
                why: "no reply_to",
                answer: None,
            };
        };
        let to = Target::Queue {
            reply_to: reply_to.clone(),
            correlation_id: properties.correlation_id().cloned(),
            persistent: properties.delivery_mode() == Some(PERSISTENT),
        };
        if let Some(why) = unreadable(properties, body) {
            return Verdict::DeadLetter {
                why,
                answer: Some(refusal(to, why)),
            };
        }
        let mut out = Vec::with_capacity(128);
        let rows = match parse_body(body) {
            Ok(Body::One(request)) => {
                write_one(&self.model.answer(&request), &mut out);
                1
            }
            Ok(Body::Many(requests)) => {
                let answers: Vec<_> = requests
                    .iter()
                    .map(|request| self.model.answer(request))
                    .collect();
                write_many(&answers, &mut out);
                answers.len() as u64
            }
            Err(invalid) => {
                return Verdict::DeadLetter {
                    why: "not a request",
                    answer: Some(bad_request(to, &invalid)),
                };
            }
        };
        Verdict::Answer {
            answer: Answer { to, body: out },
            rows,
        }
    }

    /// Destination of a task's result; `None` if nobody wants it.
    fn target(&self, task: &Task, properties: &BasicProperties) -> Option<Target> {
        if task.ignore_result {
            None
        } else if self.results_in_redis {
            Some(Target::Redis(task.id.clone()))
        } else {
            // As Celery's own `rpc://` has it: results are not kept over a restart of the broker.
            Some(Target::Queue {
                reply_to: properties.reply_to()?.clone(),
                correlation_id: Some(properties.correlation_id().unwrap_or(&task.id).clone()),
                persistent: false,
            })
        }
    }
}

/// Reason why the body is not taken for JSON in UTF-8, by its length and the message's properties; `None` if
/// it is. Properties that are missing or empty are taken for JSON in UTF-8.
fn unreadable(properties: &BasicProperties, body: &[u8]) -> Option<&'static str> {
    let is = |value: Option<&String>, known: &[&str]| {
        value.is_none_or(|value| known.iter().any(|known| value.eq_ignore_ascii_case(known)))
    };
    if body.len() > MAX_BODY {
        Some("longer than 2 MiB")
    } else if !is(properties.content_type(), &["application/json", ""]) {
        Some("content_type is not application/json")
    } else if !is(properties.content_encoding(), &["utf-8", "utf8", ""]) {
        Some("content_encoding is not utf-8")
    } else {
        None
    }
}

/// Answer with the body of the service's 400.
fn bad_request(to: Target, invalid: &Invalid) -> Answer {
    refusal(to, &format!("Bad request: {invalid}"))
}

/// Answer `{"body": why, "status": "fail"}` with a line end, as the service refuses requests.
fn refusal(to: Target, why: &str) -> Answer {
    let body = serde_json::json!({"body": why, "status": "fail"});
    Answer {
        to,
        body: format!("{body}\n").into_bytes(),
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
