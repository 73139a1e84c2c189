//! Sends requests through a queue, checks every answer to the bit, and writes a ledger: a client for the tests of `work`.
//!
//! ```sh
//! queue_load amqp://guest:guest@localhost fixtures/test_data.expected.ndjson 100000
//! ```
//!
//! Each message is persistent and its publication confirmed; answers come to a durable queue and are acknowledged. A message that was not confirmed when the
//! connection was lost is sent again. The last line is JSON: `confirmed` must be `answered`, `wrong` 0; `twice` counts answers that came again.

#![allow(clippy::unwrap_used, reason = "a tool of tests")]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use amqprs::callbacks::{ChannelCallback, DefaultConnectionCallback};
use amqprs::channel::{
    BasicAckArguments, BasicConsumeArguments, BasicPublishArguments, BasicQosArguments, Channel,
    ConfirmSelectArguments, QueueDeclareArguments,
};
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::{Ack, BasicProperties, Cancel, CloseChannel, Nack, Return};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use url::Url;

const REPLIES: &str = "queue_load.answers";
/// Messages on their way at once.
const WINDOW: usize = 2_000;
/// Time without any progress after which it gives up.
const PATIENCE: Duration = Duration::from_secs(40);

#[derive(Deserialize)]
struct Case<'a> {
    #[serde(borrow)]
    request: &'a RawValue,
}

struct Confirms(UnboundedSender<(u64, bool)>);

#[async_trait]
impl ChannelCallback for Confirms {
    async fn close(&mut self, _: &Channel, _: CloseChannel) -> Result<(), amqprs::error::Error> {
        Ok(())
    }
    async fn cancel(&mut self, _: &Channel, _: Cancel) -> Result<(), amqprs::error::Error> {
        Ok(())
    }
    async fn flow(&mut self, _: &Channel, active: bool) -> Result<bool, amqprs::error::Error> {
        Ok(active)
    }
    async fn publish_ack(&mut self, _: &Channel, ack: Ack) {
        let _ = self.0.send((ack.delivery_tag(), ack.mutiple()));
    }
    async fn publish_nack(&mut self, _: &Channel, _: Nack) {}
    async fn publish_return(&mut self, _: &Channel, _: Return, _: BasicProperties, _: Vec<u8>) {}
}

struct Load {
    /// Bodies and the answers that they must get.
    cases: Vec<(Vec<u8>, Vec<u8>)>,
    queue: String,
    to_send: VecDeque<usize>,
    confirmed: Vec<bool>,
    answered: Vec<bool>,
    confirmations: usize,
    answers: usize,
    twice: u64,
    wrong: u64,
    connections: u64,
    progress: Instant,
    waits: Vec<Option<Instant>>,
    took: Vec<u32>,
}

impl Load {
    fn is_done(&self) -> bool {
        self.confirmations == self.confirmed.len() && self.answers >= self.confirmations
    }

    fn answer(&mut self, id: &str, body: &[u8]) {
        self.progress = Instant::now();
        let Some(id) = id
            .parse::<usize>()
            .ok()
            .filter(|id| *id < self.answered.len())
        else {
            self.wrong += 1;
            return;
        };
        if body != self.cases[id % self.cases.len()].1 {
            self.wrong += 1;
        }
        if std::mem::replace(&mut self.answered[id], true) {
            self.twice += 1;
        } else {
            self.answers += 1;
            if let Some(sent) = self.waits[id].take() {
                self.took.push(sent.elapsed().as_micros() as u32);
            }
        }
    }

    async fn session(
        &mut self,
        arguments: &OpenConnectionArguments,
    ) -> Result<(), amqprs::error::Error> {
        let connection = Connection::open(arguments).await?;
        connection
            .register_callback(DefaultConnectionCallback)
            .await?;
        self.connections += 1;
        let channel = connection.open_channel(None).await?;
        let (tell, mut confirms) = unbounded_channel();
        channel.register_callback(Confirms(tell)).await?;
        channel
            .confirm_select(ConfirmSelectArguments::default())
            .await?;
        channel
            .queue_declare(QueueDeclareArguments::durable_client_named(REPLIES))
            .await?;
        channel
            .basic_qos(BasicQosArguments::new(0, 2_000, false))
            .await?;
        let (_, mut replies) = channel
            .basic_consume_rx(BasicConsumeArguments::new(REPLIES, "load"))
            .await?;
        let mut sent: VecDeque<Option<usize>> = VecDeque::new();
        let mut first = 1;
        let mut messages = Vec::new();
        let ended = loop {
            if self.is_done() || self.progress.elapsed() > PATIENCE {
                break Ok(());
            }
            // Answers may come before their confirmations.
            let outstanding = sent
                .iter()
                .flatten()
                .count()
                .max(self.confirmations.saturating_sub(self.answers));
            if outstanding < WINDOW
                && let Some(id) = self.to_send.pop_front()
            {
                let mut properties = BasicProperties::default();
                properties
                    .with_content_type("application/json")
                    .with_reply_to(REPLIES)
                    .with_correlation_id(&id.to_string())
                    .with_persistence(true);
                sent.push_back(Some(id));
                self.waits[id] = Some(Instant::now());
                let body = self.cases[id % self.cases.len()].0.clone();
                if let Err(why) = channel
                    .basic_publish(
                        properties,
                        body,
                        BasicPublishArguments::new("", &self.queue),
                    )
                    .await
                {
                    break Err(why);
                }
                if confirms.is_empty()
                    && replies.is_empty()
                    && outstanding + 1 < WINDOW
                    && !self.to_send.is_empty()
                {
                    continue;
                }
            }
            tokio::select! {
                Some((tag, multiple)) = confirms.recv() => {
                    self.progress = Instant::now();
                    let last = (tag - first) as usize;
                    for place in sent.range_mut(if multiple { 0 } else { last }..=last) {
                        if let Some(id) = place.take() && !std::mem::replace(&mut self.confirmed[id], true) {
                            self.confirmations += 1;
                        }
                    }
                    while sent.front() == Some(&None) {
                        sent.pop_front();
                        first += 1;
                    }
                }
                count = replies.recv_many(&mut messages, 256) => {
                    if count == 0 {
                        break Ok(());
                    }
                    let mut upto = 0;
                    for message in messages.drain(..) {
                        let (properties, body) = (message.basic_properties.unwrap(), message.content.unwrap());
                        self.answer(properties.correlation_id().map_or("", |id| id), &body);
                        upto = message.deliver.unwrap().delivery_tag();
                    }
                    if let Err(why) = channel.basic_ack(BasicAckArguments::new(upto, true)).await {
                        break Err(why);
                    }
                }
                () = tokio::time::sleep(Duration::from_millis(if self.to_send.is_empty() { 200 } else { 2 })) => {}
            }
        };
        // Nobody knows what became of these.
        self.to_send.extend(sent.into_iter().flatten());
        if self.is_done() {
            let _ = channel.close().await;
            let _ = connection.close().await;
        }
        ended
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, url, file, count, queue @ ..] = &args[..] else {
        panic!("queue_load amqp://user:password@host:port CASES COUNT [QUEUE]");
    };
    let url = Url::parse(url).unwrap();
    let arguments = OpenConnectionArguments::new(
        url.host_str().unwrap(),
        url.port().unwrap_or(5672),
        url.username(),
        url.password().unwrap_or("guest"),
    );
    let text = std::fs::read_to_string(file).unwrap();
    let cases = text.lines().map(|line| {
        let case: Case<'_> = serde_json::from_str(line).unwrap();
        let body = case.request.get().as_bytes().to_vec();
        let request = pick_regno::request::parse_object(&body).unwrap();
        let mut answer = Vec::new();
        pick_regno::answer::write_one(&pick_regno::pick_regno::pick_regno(&request), &mut answer);
        (body, answer)
    });
    let count: usize = count.parse().unwrap();
    let mut load = Load {
        cases: cases.collect(),
        queue: queue.first().map_or("pick_regno", |queue| queue).to_owned(),
        to_send: (0..count).collect(),
        confirmed: vec![false; count],
        answered: vec![false; count],
        confirmations: 0,
        answers: 0,
        twice: 0,
        wrong: 0,
        connections: 0,
        progress: Instant::now(),
        waits: vec![None; count],
        took: Vec::new(),
    };
    let started = Instant::now();
    while !load.is_done() && load.progress.elapsed() < PATIENCE {
        if load.session(&arguments).await.is_err() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    load.took.sort_unstable();
    let at = |share: f64| {
        load.took
            .get(((load.took.len() as f64 * share) as usize).min(load.took.len().saturating_sub(1)))
    };
    println!(
        "{}",
        serde_json::json!({
            "confirmed": load.confirmations, "answered": load.answers, "twice": load.twice, "wrong": load.wrong,
            "connections": load.connections, "seconds": seconds, "per_second": load.answers as f64 / seconds,
            "p50_us": at(0.5), "p99_us": at(0.99),
        })
    );
}
