//! One connection to the broker, from the first message to the last acknowledgement.
//!
//! | event | action |
//! | --- | --- |
//! | a delivery | it is judged; its answer is published or stored |
//! | a confirmation of an answer | the message is acknowledged |
//! | a refusal of an answer | the message goes back to the queue after a second |
//! | the time of a held task | it is judged again |
//! | a signal | consuming ends; answers are waited for, up to `--drain-timeout` |
//!
//! All state belongs to one task; only results are stored in tasks of their own. Acknowledgements are sent
//! after each batch of events.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use amqprs::BasicProperties;
use amqprs::channel::{
    BasicAckArguments, BasicCancelArguments, BasicConsumeArguments, BasicNackArguments,
    BasicPublishArguments, BasicQosArguments, BasicRejectArguments, Channel,
    ConfirmSelectArguments, ConsumerMessage, QueueDeclareArguments,
};
use amqprs::connection::Connection;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::callbacks::{OnChannel, OnConnection};
use super::counts::Counts;
use super::event::Event;
use super::message::{Answer, Rules, Target, Verdict};
use super::results::Results;
use super::window::{Delivery, Window};
use crate::log;

/// Messages that are looked at before confirmations are.
const AT_ONCE: usize = 64;
/// Wait before a message whose answer the broker refused is given back to the queue.
const REFUSED_WAIT: Duration = Duration::from_secs(1);

/// Channel, settings and counters of a session.
pub struct Bench<'a> {
    pub queue: &'a str,
    /// Messages that the broker may deliver before they are settled.
    pub prefetch: u16,
    pub rules: &'a Rules,
    /// Redis; `None` if results go to queues.
    pub results: Option<&'a Results>,
    pub counts: &'a Counts,
    /// Time for confirmations after a signal.
    pub drain: Duration,
}

/// Outcome of a session.
pub enum Ended {
    /// As asked for: what could be settled is.
    Stopped,
    /// The connection was lost.
    Lost(String),
}

/// A message that waits for its time.
struct Held {
    delivery: Delivery,
    properties: BasicProperties,
    body: Vec<u8>,
}

/// The state of one connection.
struct Session<'a> {
    bench: &'a Bench<'a>,
    channel: Channel,
    events: UnboundedSender<Event>,
    window: Window,
    /// Times at which messages need attention: held ones are judged again; those that are not in `held` had a
    /// refused answer, and are given back to the queue.
    timers: BinaryHeap<Reverse<(Instant, Delivery)>>,
    held: std::collections::HashMap<Delivery, Held>,
    /// Tasks that store results in Redis. Dropping the session aborts them.
    storing: JoinSet<()>,
}

/// Works the queue over `connection` until `stop` is set or the connection is lost. Messages that are not
/// settled by then are delivered again by the broker.
///
/// # Errors
/// If the channel cannot be opened, the queue cannot be consumed, or a frame cannot be sent. The text is for
/// the log.
pub async fn work(
    connection: &Connection,
    bench: &Bench<'_>,
    stop: &mut watch::Receiver<bool>,
) -> Result<Ended, String> {
    let (events, mut happened) = unbounded_channel();
    let (channel, mut deliveries) = open(connection, bench, &events).await?;
    let mut session = Session {
        bench,
        channel,
        events,
        window: Window::default(),
        timers: BinaryHeap::new(),
        held: std::collections::HashMap::new(),
        storing: JoinSet::new(),
    };
    let mut messages = Vec::new();
    let mut deadline: Option<Instant> = None;
    loop {
        let is_stopping = deadline.is_some();
        if is_stopping && session.is_done(&deliveries) {
            return Ok(Ended::Stopped);
        }
        tokio::select! {
            biased;
            _ = stop.changed(), if !is_stopping => {
                deadline = Some(Instant::now() + bench.drain);
                session.cancel().await?;
            }
            Some(event) = happened.recv() => {
                let mut event = Some(event);
                while let Some(one) = event {
                    if let Some(why) = session.on_event(one) {
                        return Ok(Ended::Lost(why));
                    }
                    event = happened.try_recv().ok();
                }
                session.acknowledge().await?;
            }
            count = deliveries.recv_many(&mut messages, AT_ONCE), if !deliveries.is_closed() || !deliveries.is_empty() => {
                if count == 0 && !is_stopping {
                    return Ok(Ended::Lost("the connection ended".to_owned()));
                }
                for message in messages.drain(..) {
                    session.on_message(message).await?;
                }
                session.acknowledge().await?;
            }
            () = sleep_until(session.next_timer()), if !session.timers.is_empty() => {
                session.on_timer().await?;
                session.acknowledge().await?;
            }
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if is_stopping => {
                log::warn("stopped before all answers were confirmed; the broker delivers those messages again", &[]);
                return Ok(Ended::Stopped);
            }
        }
    }
}

/// Opens the channel and begins to consume.
async fn open(
    connection: &Connection,
    bench: &Bench<'_>,
    events: &UnboundedSender<Event>,
) -> Result<(Channel, UnboundedReceiver<ConsumerMessage>), String> {
    let failed = |what: &'static str| move |why| format!("{what}: {why}");
    connection
        .register_callback(OnConnection(events.clone()))
        .await
        .map_err(failed("cannot register"))?;
    declare(connection, bench.queue).await?;
    let channel = connection
        .open_channel(None)
        .await
        .map_err(failed("cannot open a channel"))?;
    channel
        .register_callback(OnChannel(events.clone()))
        .await
        .map_err(failed("cannot register"))?;
    channel
        .confirm_select(ConfirmSelectArguments::default())
        .await
        .map_err(failed("the broker does not confirm"))?;
    channel
        .basic_qos(BasicQosArguments::new(0, bench.prefetch, false))
        .await
        .map_err(failed("--prefetch is refused"))?;
    let (_, deliveries) = channel
        .basic_consume_rx(BasicConsumeArguments::new(bench.queue, TAG))
        .await
        .map_err(failed("cannot consume"))?;
    Ok((channel, deliveries))
}

/// The consumer's name on its channel.
const TAG: &str = "pick-regno-connect";

/// Declares the queue where it does not exist: durable, without arguments, as Celery does. One that exists is taken as it is.
async fn declare(connection: &Connection, queue: &str) -> Result<(), String> {
    let look = connection
        .open_channel(None)
        .await
        .map_err(|why| format!("cannot open a channel: {why}"))?;
    let passive = QueueDeclareArguments::new(queue).passive(true).finish();
    if look.queue_declare(passive).await.is_ok() {
        let _ = look.close().await;
        return Ok(());
    }
    let make = connection
        .open_channel(None)
        .await
        .map_err(|why| format!("cannot open a channel: {why}"))?;
    make.queue_declare(QueueDeclareArguments::durable_client_named(queue))
        .await
        .map_err(|why| format!("queue {queue}: cannot be declared: {why}"))?;
    let _ = make.close().await;
    Ok(())
}

impl Session<'_> {
    /// Returns true once all that can be finished is: held messages are given back by closing the channel.
    fn is_done(&self, deliveries: &UnboundedReceiver<ConsumerMessage>) -> bool {
        deliveries.is_empty() && self.window.open() <= self.held.len()
    }

    /// Ends consuming. Messages that have arrived are still judged.
    async fn cancel(&mut self) -> Result<(), String> {
        let cancelled = self.channel.basic_cancel(BasicCancelArguments::new(TAG));
        cancelled
            .await
            .map_err(|why| format!("cannot cancel: {why}"))?;
        Ok(())
    }

    /// Takes note of an event; a reason if the connection is of no more use.
    fn on_event(&mut self, event: Event) -> Option<String> {
        let counts = self.bench.counts;
        match event {
            Event::Confirmed(number, multiple) => {
                for delivery in self.window.confirmed(number, multiple) {
                    self.window.answered(delivery);
                }
            }
            Event::Refused(number, multiple) => {
                for delivery in self.window.confirmed(number, multiple) {
                    counts.refused.increment(1);
                    let then = Instant::now() + REFUSED_WAIT;
                    self.timers.push(Reverse((then, delivery)));
                }
            }
            Event::Stored(delivery) => self.window.answered(delivery),
            Event::Returned => counts.returned.increment(1),
            Event::Blocked(blocked) => {
                counts.blocked.set(f64::from(u8::from(blocked)));
                if blocked {
                    log::warn(
                        "the broker takes nothing more for now: it is short of memory or disk",
                        &[],
                    );
                }
            }
            Event::Closed(why) => return Some(why),
        }
        None
    }

    async fn on_message(&mut self, message: ConsumerMessage) -> Result<(), String> {
        let (Some(deliver), Some(properties), Some(body)) =
            (message.deliver, message.basic_properties, message.content)
        else {
            return Err("a delivery without its parts".to_owned());
        };
        if deliver.redelivered() {
            self.bench.counts.redelivered.increment(1);
        }
        let delivery = deliver.delivery_tag();
        self.window.delivered(delivery);
        let held = Held {
            delivery,
            properties,
            body,
        };
        self.settle(held).await
    }

    /// Decides about a message, and does what was decided. A panic while judging dead-letters the message:
    /// its repetition would panic again.
    async fn settle(&mut self, message: Held) -> Result<(), String> {
        let Bench { rules, counts, .. } = self.bench;
        let delivery = message.delivery;
        let now = Utc::now();
        let judged = catch_unwind(AssertUnwindSafe(|| {
            rules.judge(&message.properties, &message.body, now)
        }));
        let verdict = judged.unwrap_or_else(|_| {
            counts.panics.increment(1);
            Verdict::DeadLetter {
                why: "the worker failed at it",
                answer: None,
            }
        });
        match verdict {
            Verdict::Answer { answer, rows } => {
                counts.answered.increment(1);
                counts.rows.increment(rows);
                self.send(answer, Some(delivery)).await?;
            }
            Verdict::Fail { answer } => {
                counts.failed.increment(1);
                self.send(answer, Some(delivery)).await?;
            }
            Verdict::Done { rows } => {
                counts.unanswered.increment(1);
                counts.rows.increment(rows);
                self.window.answered(delivery);
            }
            Verdict::DeadLetter { why, answer } => {
                counts.dead_lettered.increment(1);
                log::warn("a message was rejected", &[("why", why)]);
                if let Some(answer) = answer {
                    self.send(answer, None).await?;
                }
                let reject = BasicRejectArguments::new(delivery, false);
                self.channel.basic_reject(reject).await.map_err(lost)?;
                self.window.rejected(delivery);
            }
            Verdict::Hold(until) => {
                self.timers.push(Reverse((instant(until, now), delivery)));
                self.held.insert(delivery, message);
                counts.held.set(self.held.len() as f64);
            }
        }
        Ok(())
    }

    /// Sends an answer; `settles` is the message that is acknowledged when the answer has arrived.
    async fn send(&mut self, answer: Answer, settles: Option<Delivery>) -> Result<(), String> {
        match answer.to {
            Target::Queue {
                reply_to,
                correlation_id,
                persistent,
            } => {
                let mut properties = BasicProperties::default();
                properties
                    .with_content_type("application/json")
                    .with_content_encoding("utf-8")
                    .with_persistence(persistent);
                if let Some(id) = &correlation_id {
                    properties.with_correlation_id(id);
                }
                let publish = BasicPublishArguments::new("", &reply_to)
                    .mandatory(true)
                    .finish();
                self.window.published(settles);
                self.channel
                    .basic_publish(properties, answer.body, publish)
                    .await
                    .map_err(lost)
            }
            Target::Redis(id) => {
                if let Some(results) = self.bench.results {
                    // Of a message that is rejected anyway, nothing waits for the result.
                    let delivery = settles.unwrap_or(0);
                    results.store(&mut self.storing, &self.events, delivery, &id, answer.body);
                }
                Ok(())
            }
        }
    }

    /// Sends the acknowledgements that are due, and forgets finished tasks.
    async fn acknowledge(&mut self) -> Result<(), String> {
        for ack in self.window.take_acks() {
            let args = BasicAckArguments::new(ack.delivery, ack.multiple);
            self.channel.basic_ack(args).await.map_err(lost)?;
        }
        while self.storing.try_join_next().is_some() {}
        self.bench.counts.in_flight.set(self.window.open() as f64);
        Ok(())
    }

    fn next_timer(&self) -> Instant {
        let next = self.timers.peek();
        next.map_or_else(Instant::now, |Reverse((then, _))| *then)
    }

    /// Looks again at messages whose time has come, and gives those back whose answer was refused.
    async fn on_timer(&mut self) -> Result<(), String> {
        let now = Instant::now();
        while let Some(&Reverse((then, delivery))) = self.timers.peek()
            && then <= now
        {
            self.timers.pop();
            match self.held.remove(&delivery) {
                Some(message) => self.settle(message).await?,
                None => {
                    let nack = BasicNackArguments::new(delivery, false, true);
                    self.channel.basic_nack(nack).await.map_err(lost)?;
                    self.window.rejected(delivery);
                }
            }
        }
        self.bench.counts.held.set(self.held.len() as f64);
        Ok(())
    }
}

fn lost(why: amqprs::error::Error) -> String {
    format!("the connection was lost: {why}")
}

/// The moment at which a clock that shows `now` will show `until`. Looked at again after a day at the latest.
fn instant(until: DateTime<Utc>, now: DateTime<Utc>) -> Instant {
    let wait = (until - now).to_std().unwrap_or(Duration::ZERO);
    Instant::now() + wait.min(Duration::from_secs(86_400)) + Duration::from_millis(1)
}
