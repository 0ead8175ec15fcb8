use bytes::Bytes;
use shared::feed::chain::Chain;
use shared::feed::heartbeat::{LabelsStatement, TableRef};
use shared::feed::table::{TableDigest, TableId};
use shared::feed::term::Term;
use shared::testkit::ManualClock;
use shared::time::UnixMillis;

use super::*;

const START: UnixMillis = UnixMillis(1_795_376_000_000);

#[test]
fn a_heartbeat_vouches_for_labels_that_are_there_and_no_others() {
    let term = Term::fresh(3);
    let statement = Statement {
        epoch: term,
        term,
        counter: 9,
        last: Chain::START,
        floor: Chain::START,
        time: START,
        labels: Some(LabelsStatement {
            time: START.minus(Duration::from_secs(3)),
            change: 4,
            table: TableRef {
                id: TableId::fresh(),
                seq: 0,
                chunks: 0,
                digest: TableDigest::default().finish(),
            },
        }),
    };
    let snapshot = Snapshot {
        issuer: "https://issuer.example.org".to_owned(),
        jwks: Bytes::new(),
        feed_keys: FeedKeys::default(),
        heartbeat: Vec::new(),
    };
    let clock = ManualClock::at(START.plus(Duration::from_secs(7)));
    let with = heartbeat(&snapshot, &statement, true, &clock);
    assert_eq!(with.labels, Some(START.minus(Duration::from_secs(3))));
    let age = clock.boot().since(with.read_at.unwrap());
    assert_eq!(age, Duration::from_secs(7), "it has grown old in the file");
    // When it was written, the signed statement was here and the labels were still on their way.
    let without = heartbeat(&snapshot, &statement, false, &clock);
    assert_eq!((without.labels, without.time), (None, START));
}
