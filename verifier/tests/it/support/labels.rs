//! Labels in the test's hand: told beside what comes over the channel.

use std::sync::Arc;

use shared::feed::channel::ChannelFeed;
use shared::feed::{FeedEvent, Heartbeat, LabelUpdate, NextEvent, RevocationFeed};
use shared::label::{Definition, LabelChange, LabelNames, LabelRole};
use shared::time::UnixMillis;
use tokio::sync::mpsc;
use uuid::Uuid;

/// What is told of labels goes before whatever is in the channel by then.
pub(crate) struct FeedWithLabels {
    channel: ChannelFeed,
    told: mpsc::UnboundedReceiver<FeedEvent>,
}

/// Who tells it.
pub(crate) struct LabelTeller(mpsc::UnboundedSender<FeedEvent>);

impl FeedWithLabels {
    pub(crate) fn beside(channel: ChannelFeed) -> (LabelTeller, Self) {
        let (teller, told) = mpsc::unbounded_channel();
        (LabelTeller(teller), Self { channel, told })
    }
}

impl RevocationFeed for FeedWithLabels {
    fn next(&mut self) -> NextEvent<'_> {
        let next = self.channel.next();
        Box::pin(async {
            tokio::select! {
                biased;
                Some(event) = self.told.recv() => Ok(event),
                event = next => event,
            }
        })
    }
}

impl LabelTeller {
    pub(crate) fn tell(&self, changes: Vec<LabelChange>) {
        self.0
            .send(FeedEvent::Labels(LabelUpdate::Changes(changes)))
            .unwrap();
    }

    /// A heartbeat of this time, which vouches for labels of that time or for none.
    pub(crate) fn hear(&self, time: UnixMillis, labels: Option<UnixMillis>) {
        let heartbeat = Heartbeat {
            epoch: 0,
            term: 0,
            counter: 0,
            seq: 0,
            time,
            labels,
            read_at: None,
            signed: None,
        };
        self.0.send(FeedEvent::Heartbeat(heartbeat)).unwrap();
    }
}

/// The id of a film of the tests.
pub(crate) fn film_id(number: u128) -> String {
    Uuid::from_u128(number).to_string()
}

pub(crate) fn film(number: u128, labels: &[&str]) -> LabelChange {
    LabelChange::Film {
        film: Uuid::from_u128(number).into(),
        labels: Arc::new(LabelNames::new(labels.iter().map(|name| name.parse().unwrap())).unwrap()),
    }
}

/// A label that these roles satisfy, or everybody.
pub(crate) fn label(name: &str, roles: &[&str], anonymous: bool) -> LabelChange {
    let role = |(id, name): (u128, &&str)| LabelRole {
        id: Uuid::from_u128(id).into(),
        name: (*name).into(),
    };
    LabelChange::Definition {
        name: name.parse().unwrap(),
        definition: Some(Definition {
            anonymous,
            roles: (0..).zip(roles).map(role).collect(),
        }),
    }
}
