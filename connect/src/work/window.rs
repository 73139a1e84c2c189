//! Delivered messages that are not settled yet, and the acknowledgements that follow from confirmed answers.
//!
//! The broker numbers deliveries, and the answers published on the same channel, from 1 on. An acknowledgement of a
//! number can stand for all earlier ones: most messages are settled in order, so one frame acknowledges many.
//!
//! | call | message |
//! | --- | --- |
//! | [`Window::delivered`] | open |
//! | [`Window::published`] | open, and its answer has a number |
//! | [`Window::confirmed`], then [`Window::answered`] | may be acknowledged |
//! | [`Window::rejected`] | settled, without an acknowledgement |
//! | [`Window::take_acks`] | settled |

use std::collections::VecDeque;

/// Number of a delivery on its channel (AMQP's delivery tag), from 1 on.
pub type Delivery = u64;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Waits for its answer, or for its time.
    Open,
    /// Its answer is confirmed: it can be acknowledged.
    Answered,
    /// It was rejected, or acknowledged by itself.
    Settled,
}

/// Acknowledgement to be sent.
#[derive(Debug, PartialEq, Clone, Copy)]
pub struct Ack {
    pub delivery: Delivery,
    /// True if it includes all earlier deliveries.
    pub multiple: bool,
}

/// Unsettled messages of one channel.
#[derive(Default)]
pub struct Window {
    /// States of deliveries, beginning with number `settled + 1`.
    states: VecDeque<State>,
    /// All deliveries up to this number are settled.
    settled: Delivery,
    /// Deliveries of the published answers, beginning with answer `confirmed + 1`; `None` if the answer no longer
    /// matters.
    published: VecDeque<Option<Delivery>>,
    /// All answers up to this number are confirmed.
    confirmed: u64,
    /// Messages that were answered since the last acknowledgements.
    answered: Vec<Delivery>,
}

impl Window {
    /// Number of unsettled messages.
    pub fn open(&self) -> usize {
        let open = |state: &&State| **state != State::Settled;
        self.states.iter().filter(open).count()
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Adds a delivered message; numbers arrive in order.
    pub fn delivered(&mut self, delivery: Delivery) {
        debug_assert_eq!(delivery, self.settled + self.states.len() as u64 + 1);
        self.states.push_back(State::Open);
    }

    /// Adds an answer that is published next; the broker numbers answers from 1 on. `delivery` is the message
    /// that it settles, if any.
    pub fn published(&mut self, delivery: Option<Delivery>) {
        self.published.push_back(delivery);
    }

    /// Confirms answer `number`, and with `multiple` all earlier ones. Returns the deliveries that they belong to.
    pub fn confirmed(&mut self, number: u64, multiple: bool) -> Vec<Delivery> {
        let Some(last) = number.checked_sub(self.confirmed + 1) else {
            return Vec::new();
        };
        let last = last as usize;
        let first = if multiple { 0 } else { last };
        let range = first..=last.min(self.published.len().saturating_sub(1));
        let deliveries = match self.published.is_empty() {
            true => Vec::new(),
            false => {
                let taken = self.published.range_mut(range).filter_map(Option::take);
                taken.collect()
            }
        };
        while self.published.front() == Some(&None) {
            self.published.pop_front();
            self.confirmed += 1;
        }
        deliveries
    }

    /// Marks a message as answered. Nothing happens if it is settled, or was never delivered.
    pub fn answered(&mut self, delivery: Delivery) {
        if self.set(delivery, State::Answered) {
            self.answered.push(delivery);
        }
    }

    /// Marks a message as rejected or requeued.
    pub fn rejected(&mut self, delivery: Delivery) {
        self.set(delivery, State::Settled);
        self.drop_settled();
    }

    /// Returns the due acknowledgements, in the order in which they must be sent.
    pub fn take_acks(&mut self) -> Vec<Ack> {
        let mut upto = None;
        while let Some(State::Answered | State::Settled) = self.states.front() {
            self.settled += 1;
            if self.states.pop_front() == Some(State::Answered) {
                upto = Some(self.settled);
            }
        }
        let mut acks = Vec::new();
        acks.extend(upto.map(|delivery| Ack {
            delivery,
            multiple: true,
        }));
        for delivery in std::mem::take(&mut self.answered) {
            // The others are among those before `upto`.
            if delivery > self.settled {
                self.set(delivery, State::Settled);
                acks.push(Ack {
                    delivery,
                    multiple: false,
                });
            }
        }
        acks
    }

    /// Sets the state of a message. Returns true if it was not settled.
    fn set(&mut self, delivery: Delivery, state: State) -> bool {
        let index = delivery.checked_sub(self.settled + 1);
        let held = index.and_then(|index| self.states.get_mut(index as usize));
        match held {
            Some(held) if *held != State::Settled => {
                *held = state;
                true
            }
            _ => false,
        }
    }

    /// Forgets the settled messages before the first open one.
    fn drop_settled(&mut self) {
        while self.states.front() == Some(&State::Settled) {
            self.states.pop_front();
            self.settled += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(delivery: Delivery, multiple: bool) -> Ack {
        Ack { delivery, multiple }
    }

    fn window(deliveries: u64) -> Window {
        let mut window = Window::default();
        for delivery in 1..=deliveries {
            window.delivered(delivery);
        }
        window
    }

    #[test]
    fn what_is_settled_in_order_is_acknowledged_at_once() {
        let mut window = window(5);
        for delivery in 1..=4 {
            window.published(Some(delivery));
        }
        for delivery in window.confirmed(3, true) {
            window.answered(delivery);
        }
        assert_eq!(window.take_acks(), [ack(3, true)]);
        assert_eq!(window.take_acks(), []);
        assert_eq!(window.confirmed(4, false), [4]);
        assert!(window.confirmed(4, false).is_empty());
        assert_eq!(window.open(), 2);
    }

    #[test]
    fn one_that_waits_holds_up_no_other() {
        let mut window = window(4);
        for delivery in [3, 2, 4] {
            window.answered(delivery);
        }
        assert_eq!(
            window.take_acks(),
            [ack(3, false), ack(2, false), ack(4, false)]
        );
        assert_eq!(window.open(), 1);
        window.answered(1);
        assert_eq!(window.take_acks(), [ack(1, true)]);
        assert!(window.is_empty());
    }

    /// The broker closes the channel over an acknowledgement of a message that was rejected.
    #[test]
    fn no_acknowledgement_ends_at_a_rejected_message() {
        let mut window = window(3);
        window.rejected(2);
        window.answered(1);
        assert_eq!(window.take_acks(), [ack(1, true)]);
        window.rejected(3);
        assert!(window.is_empty());
        assert_eq!(window.take_acks(), []);
        window.delivered(4);
        window.answered(4);
        assert_eq!(window.take_acks(), [ack(4, true)]);
    }

    #[test]
    fn answers_that_settle_nothing_are_numbered_all_the_same() {
        let mut window = window(2);
        window.published(None);
        window.published(Some(2));
        window.published(Some(1));
        assert_eq!(window.confirmed(3, false), [1]);
        assert_eq!(window.confirmed(2, true), [2]);
        assert!(window.confirmed(9, true).is_empty());
    }
}
