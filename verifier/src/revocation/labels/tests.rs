use std::time::Duration;

use shared::feed::{FeedEvent, Gap, Heartbeat};
use shared::id::FilmId;
use shared::label::{Definition, LabelNames, LabelRole};
use shared::role::RoleSet;
use shared::testkit::ManualClock;
use shared::time::Clock;
use uuid::Uuid;

use super::super::RevocationReplica;
use super::*;

const START: UnixMillis = UnixMillis(1_795_376_000_000);
const BOUNDS: StalenessBounds = StalenessBounds {
    max_staleness: Duration::from_secs(30),
    leeway: Duration::from_secs(5),
};

struct Fed {
    replica: RevocationReplica,
    clock: ManualClock,
}

fn fed() -> Fed {
    Fed {
        replica: RevocationReplica::new(BOUNDS),
        clock: ManualClock::at(START),
    }
}

fn id(number: u128) -> FilmId {
    FilmId(Uuid::from_u128(number))
}

fn film(number: u128, labels: &[&str]) -> LabelChange {
    LabelChange::Film {
        film: id(number),
        labels: Arc::new(LabelNames::new(labels.iter().map(|name| name.parse().unwrap())).unwrap()),
    }
}

fn label(name: &str, role: &str) -> LabelChange {
    LabelChange::Definition {
        name: name.parse().unwrap(),
        definition: Some(Definition {
            anonymous: false,
            roles: vec![LabelRole {
                id: Uuid::from_u128(1).into(),
                name: role.into(),
            }],
        }),
    }
}

impl Fed {
    fn tell(&self, update: LabelUpdate) {
        self.replica.take_in(&FeedEvent::Labels(update), &self.clock);
    }

    /// A heartbeat of now, which says how old the labels are.
    fn hear(&self, labels: Option<UnixMillis>) {
        let heartbeat = Heartbeat {
            epoch: 1,
            term: 1,
            counter: 1,
            seq: 0,
            time: self.clock.now(),
            labels,
            read_at: Some(self.clock.boot()),
            signed: None,
        };
        self.replica
            .take_in(&FeedEvent::Heartbeat(heartbeat), &self.clock);
    }

    fn view(&self) -> LabelView {
        self.replica.labels().view(self.clock.now(), self.clock.boot())
    }

    fn freshness(&self) -> Freshness {
        self.view().freshness
    }

    /// Whether a film is open to somebody with this role, by what is known.
    fn is_open(&self, number: u128, role: &str) -> bool {
        let view = self.view();
        let known = view.known().expect("something is known");
        let roles: RoleSet = [role].into_iter().collect();
        known
            .table
            .is_open(id(number), &known.definitions.satisfied_by(&roles))
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn it_is_loading_until_a_heartbeat_vouches_for_labels() {
    let fed = fed();
    fed.tell(LabelUpdate::TableBegins);
    fed.tell(LabelUpdate::TablePart(vec![
        film(1, &["paid"]),
        label("paid", "subscriber"),
    ]));
    fed.tell(LabelUpdate::TableEnds);
    for _ in 0..2 {
        assert_eq!(fed.freshness(), Freshness::Loading);
        assert!(fed.view().known().is_none() && !fed.replica.labels().is_loaded());
        fed.hear(None);
    }
    assert!(fed.replica.is_loaded(), "the revocations alone");
    fed.hear(Some(START));
    assert_eq!(fed.freshness(), Freshness::Fresh { age: seconds(0) });
    assert!(fed.view().trusted().is_some() && fed.replica.labels().is_loaded());
    assert_eq!(fed.replica.labels().entries(), [("film", 1), ("definition", 1)]);
    assert!(fed.is_open(1, "subscriber") && !fed.is_open(1, "user") && fed.is_open(2, "user"));
}

#[test]
fn its_age_is_that_of_the_labels_and_not_of_the_heartbeat() {
    let fed = fed();
    fed.hear(Some(START.minus(seconds(20))));
    assert_eq!(fed.freshness(), Freshness::Fresh { age: seconds(20) });
    fed.clock.advance(seconds(10));
    fed.hear(None);
    assert_eq!(fed.freshness(), Freshness::Fresh { age: seconds(30) });
    fed.clock.advance(seconds(1));
    fed.hear(None);
    assert_eq!(fed.freshness(), Freshness::Stale { age: seconds(31) });
    let view = fed.view();
    assert!(view.trusted().is_none() && view.known().is_some());
    let own = fed.replica.view(fed.clock.now(), fed.clock.boot()).freshness;
    assert_eq!(
        own,
        Freshness::Fresh { age: seconds(0) },
        "the revocations are young"
    );
    fed.hear(Some(fed.clock.now()));
    assert_eq!(fed.freshness(), Freshness::Fresh { age: seconds(0) });
}

#[test]
fn a_heartbeat_from_the_future_vouches_for_nothing() {
    let fed = fed();
    fed.clock.step_wall(START.plus(seconds(6)));
    let ahead = fed.clock.now();
    fed.clock.step_wall(START);
    let heartbeat = Heartbeat {
        epoch: 1,
        term: 1,
        counter: 1,
        seq: 0,
        time: ahead,
        labels: Some(START),
        read_at: None,
        signed: None,
    };
    fed.replica.take_in(&FeedEvent::Heartbeat(heartbeat), &fed.clock);
    assert_eq!(fed.freshness(), Freshness::Loading);
}

#[test]
fn a_table_counts_when_it_has_ended_and_then_alone() {
    let fed = fed();
    fed.tell(LabelUpdate::Changes(vec![
        label("paid", "subscriber"),
        film(1, &["paid"]),
    ]));
    fed.hear(Some(START));
    fed.tell(LabelUpdate::TableBegins);
    fed.tell(LabelUpdate::TablePart(vec![
        film(2, &["paid"]),
        label("paid", "user"),
    ]));
    assert!(
        fed.is_open(2, "nobody") && fed.is_open(1, "subscriber"),
        "it has not ended"
    );
    fed.tell(LabelUpdate::Changes(vec![film(3, &["paid"])]));
    assert!(!fed.is_open(3, "nobody"), "a change is one of what is in force");
    assert_eq!(fed.freshness(), Freshness::Fresh { age: seconds(0) });
    fed.tell(LabelUpdate::TableEnds);
    assert!(fed.is_open(1, "nobody") && fed.is_open(3, "nobody"));
    assert!(!fed.is_open(2, "nobody") && fed.is_open(2, "user"));
    fed.tell(LabelUpdate::TableEnds);
    assert!(!fed.is_open(2, "nobody"), "without a beginning there is no end");
}

#[test]
fn behind_a_gap_nothing_is_trusted_until_labels_are_vouched_for_again() {
    let fed = fed();
    fed.tell(LabelUpdate::Changes(vec![film(1, &["paid"])]));
    fed.hear(Some(START));
    fed.tell(LabelUpdate::TableBegins);
    fed.replica.take_in(&FeedEvent::Lost(Gap::Chain), &fed.clock);
    fed.hear(None);
    assert_eq!(fed.freshness(), Freshness::Loading);
    assert!(
        fed.view().trusted().is_none() && !fed.is_open(1, "user"),
        "what is known stays"
    );
    fed.hear(Some(START));
    assert_eq!(fed.freshness(), Freshness::Fresh { age: seconds(0) });
    assert!(fed.replica.labels().is_loaded());
}

#[test]
fn a_table_goes_on_behind_a_gap_or_begins_anew() {
    let fed = fed();
    fed.tell(LabelUpdate::TableBegins);
    fed.tell(LabelUpdate::TablePart(vec![film(1, &["paid"])]));
    fed.replica.take_in(&FeedEvent::Lost(Gap::Chain), &fed.clock);
    fed.tell(LabelUpdate::TablePart(vec![film(2, &["paid"])]));
    fed.tell(LabelUpdate::TableEnds);
    fed.hear(Some(START));
    assert!(!fed.is_open(1, "user") && !fed.is_open(2, "user"));

    fed.tell(LabelUpdate::TableBegins);
    fed.tell(LabelUpdate::TablePart(vec![film(3, &["paid"])]));
    fed.tell(LabelUpdate::TableBegins);
    fed.tell(LabelUpdate::TablePart(vec![film(4, &["paid"])]));
    fed.tell(LabelUpdate::TableEnds);
    assert!(fed.is_open(3, "user") && !fed.is_open(4, "user"));
}

#[test]
fn without_a_feed_nothing_is_known() {
    let view = RevocationReplica::off(BOUNDS)
        .labels()
        .view(START, BootTime(seconds(1)));
    assert_eq!(view.freshness, Freshness::Off);
    assert!(view.known().is_none() && view.trusted().is_none());
}

#[test]
fn what_is_restored_counts_with_its_heartbeat() {
    let fed = fed();
    let table = LabelTable::default();
    table.apply(&[film(1, &["paid"])]);
    fed.replica.labels().restore(table);
    assert!(fed.view().known().is_none());
    fed.hear(Some(START.minus(seconds(29))));
    assert_eq!(fed.freshness(), Freshness::Fresh { age: seconds(29) });
    assert!(!fed.is_open(1, "user"));
}
