//! Messages of the broker that nobody asked for, passed on as [`Event`]s.
//!
//! The client library calls these methods in its own tasks, so they only send events through an unbounded
//! channel. An event that nobody receives is dropped: the session has ended.

use amqprs::callbacks::{ChannelCallback, ConnectionCallback};
use amqprs::channel::Channel;
use amqprs::connection::Connection;
use amqprs::error::Error;
use amqprs::{Ack, BasicProperties, Cancel, Close, CloseChannel, Nack, Return};
use async_trait::async_trait;
use tokio::sync::mpsc::UnboundedSender;

use super::event::Event;

/// Passes a connection's events on. When nobody listens any more, the session has ended.
pub struct OnConnection(pub UnboundedSender<Event>);

/// Passes a channel's events on.
pub struct OnChannel(pub UnboundedSender<Event>);

#[async_trait]
impl ConnectionCallback for OnConnection {
    async fn close(&mut self, _: &Connection, close: Close) -> Result<(), Error> {
        let why = format!("the broker closed the connection: {}", close.reply_text());
        let _ = self.0.send(Event::Closed(why));
        Ok(())
    }

    async fn blocked(&mut self, _: &Connection, _: String) {
        let _ = self.0.send(Event::Blocked(true));
    }

    async fn unblocked(&mut self, _: &Connection) {
        let _ = self.0.send(Event::Blocked(false));
    }

    async fn secret_updated(&mut self, _: &Connection) {}
}

#[async_trait]
impl ChannelCallback for OnChannel {
    async fn close(&mut self, _: &Channel, close: CloseChannel) -> Result<(), Error> {
        let why = format!("the broker closed the channel: {}", close.reply_text());
        let _ = self.0.send(Event::Closed(why));
        Ok(())
    }

    async fn cancel(&mut self, _: &Channel, _: Cancel) -> Result<(), Error> {
        let why = "the broker ended the consumer: the queue was deleted or moved".to_owned();
        let _ = self.0.send(Event::Closed(why));
        Ok(())
    }

    async fn flow(&mut self, _: &Channel, active: bool) -> Result<bool, Error> {
        Ok(active)
    }

    async fn publish_ack(&mut self, _: &Channel, ack: Ack) {
        let _ = self
            .0
            .send(Event::Confirmed(ack.delivery_tag(), ack.mutiple()));
    }

    async fn publish_nack(&mut self, _: &Channel, nack: Nack) {
        let _ = self
            .0
            .send(Event::Refused(nack.delivery_tag(), nack.multiple()));
    }

    async fn publish_return(&mut self, _: &Channel, _: Return, _: BasicProperties, _: Vec<u8>) {
        let _ = self.0.send(Event::Returned);
    }
}
