//! Results of tasks in Redis, as Celery's `redis://` backend keeps them.
//!
//! A result is the value of the key `celery-task-meta-ID` for a limited time, and a message on the channel of
//! the same name, which clients that wait have subscribed to.

use std::time::Duration;

use metrics::Counter;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use super::event::Event;
use super::window::Delivery;
use crate::log;
use crate::retry::Backoff;

/// Time for Redis to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Connection to Redis, which is opened again by itself. Clones share it.
#[derive(Clone)]
pub struct Results {
    redis: ConnectionManager,
    /// Seconds that a result is kept.
    keep: u64,
    /// Number of failed attempts to store a result.
    retries: Counter,
}

impl Results {
    /// Checks an address, which is `redis://[user:password@]host[:port][/database]`.
    ///
    /// # Errors
    /// A sentence that does not repeat the address, which may hold a password.
    pub fn check(url: &str) -> Result<(), String> {
        match redis::Client::open(url) {
            Ok(_) => Ok(()),
            Err(_) => {
                Err("--results: an address of Redis is redis://host:port/database".to_owned())
            }
        }
    }

    /// Connects. `keep` is the lifetime of results, in whole seconds, at least one; `retries` counts failed attempts to
    /// store one.
    ///
    /// # Errors
    /// If Redis cannot be reached.
    pub async fn connect(url: &str, keep: Duration, retries: &Counter) -> Result<Results, String> {
        let client = redis::Client::open(url).map_err(|why| why.to_string())?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(TIMEOUT))
            .set_connection_timeout(Some(TIMEOUT));
        let redis = ConnectionManager::new_with_config(client, config)
            .await
            .map_err(|why| why.to_string())?;
        Ok(Results {
            redis,
            keep: keep.as_secs().max(1),
            retries: retries.clone(),
        })
    }

    /// Stores and announces the result of task `id` in the background, in a new task of `tasks`. Failures are
    /// tried again without end, with delays of [`Backoff`]. Afterwards `events` has [`Event::Stored`] with
    /// `delivery`.
    pub fn store(
        &self,
        tasks: &mut JoinSet<()>,
        events: &UnboundedSender<Event>,
        delivery: Delivery,
        id: &str,
        result: Vec<u8>,
    ) {
        let (results, events) = (self.clone(), events.clone());
        let key = format!("celery-task-meta-{id}");
        tasks.spawn(async move {
            let mut backoff = Backoff::default();
            while let Err(why) = results.set(&key, &result).await {
                results.retries.increment(1);
                if backoff.is_first() {
                    log::warn("Redis did not take a result", &[("why", &why.to_string())]);
                }
                tokio::time::sleep(backoff.next()).await;
            }
            // Nobody listens any more if the connection to the broker was lost: then the message comes again.
            let _ = events.send(Event::Stored(delivery));
        });
    }

    /// Sends SETEX and PUBLISH in one pipeline. Repeating it is harmless.
    async fn set(&self, key: &str, result: &[u8]) -> redis::RedisResult<()> {
        let mut redis = self.redis.clone();
        redis::pipe()
            .cmd("SETEX")
            .arg(key)
            .arg(self.keep)
            .arg(result)
            .ignore()
            .cmd("PUBLISH")
            .arg(key)
            .arg(result)
            .ignore()
            .query_async(&mut redis)
            .await
    }
}
