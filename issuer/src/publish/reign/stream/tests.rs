use shared::feed::entry;
use shared::feed::log::FeedLog;
use shared::id::SessionId;
use shared::revocation::{Fact, Revocation};
use shared::testkit::ModelLog;

use super::*;

const NOW: UnixMillis = UnixMillis(1_795_376_000_000);

struct Written {
    log: ModelLog,
    stream: Stream,
    key: FeedSigningKey,
}

fn with_heartbeat(entries: Vec<(u64, Vec<u8>)>, trim: Option<Cut>) -> Addition {
    Addition {
        entries,
        heartbeat: Some(Says {
            time: NOW,
            labels: None,
        }),
        trim,
        replaced_table: None,
    }
}

fn session() -> Revocation {
    Revocation {
        fact: Fact::Session {
            session: SessionId::new(NOW),
        },
        expires: Some(NOW.plus(Duration::from_hours(1))),
    }
}

/// A stream in force with three entries, each with a heartbeat behind it.
async fn written() -> Written {
    let mut log = ModelLog::default();
    let term = Term::fresh(7);
    assert!(log.claim(term).await.unwrap());
    let mut written = Written {
        log,
        stream: Stream::begun(term, None, BootTime(Duration::ZERO)),
        key: FeedSigningKey::generate().unwrap(),
    };
    for seq in 1..=3 {
        written.prepare(seq);
        assert!(written.stream.flush(&mut written.log).await.unwrap().is_some());
    }
    assert!(written.stream.is_in_force());
    written
}

impl Written {
    fn prepare(&mut self, seq: u64) {
        self.stream.prepare(
            &self.key,
            with_heartbeat(vec![(seq, entry::encode(&session()))], None),
        );
    }

    fn append(&self, id: ItemId, body: LogBody) {
        self.log.with(|log| log.in_force().insert(id, body));
    }

    async fn flush(&mut self) -> Result<(), RoundError> {
        self.stream.flush(&mut self.log).await.map(|_| ())
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_counts_when_the_identical_one_is_there() {
    let mut written = written().await;
    written.prepare(4);
    let lost = written.stream.pending.clone().unwrap();
    written.log.append(lost.append).await.unwrap();
    written.flush().await.unwrap();
    assert_eq!(written.stream.seq(), 4);
    written.prepare(5);
    written.flush().await.unwrap();
    assert!(written.stream.is_whole(&mut written.log).await.unwrap());
}

#[tokio::test]
async fn a_write_in_whose_place_another_stands_needs_a_new_epoch() {
    let mut written = written().await;
    written.prepare(4);
    written.append(ItemId::entry(4), LogBody::Entry(entry::encode(&session())));
    assert!(matches!(written.flush().await, Err(RoundError::Broken(_))));
    assert_eq!(written.stream.seq(), 3, "ours is not there");
}

#[tokio::test]
async fn a_stream_that_has_lost_its_end_or_gone_needs_a_new_epoch() {
    for lose in [1, 100] {
        let mut written = written().await;
        written.log.with(|log| {
            for _ in 0..lose {
                log.in_force().pop_last();
            }
        });
        written.prepare(4);
        assert!(
            matches!(written.flush().await, Err(RoundError::Broken(_))),
            "{lose}"
        );
    }
}

#[tokio::test]
async fn another_term_or_another_epoch_ends_the_writing() {
    let mut written_by_old = written().await;
    assert!(written_by_old.log.claim(Term::fresh(8)).await.unwrap());
    written_by_old.prepare(4);
    assert!(matches!(written_by_old.flush().await, Err(RoundError::Deposed)));
    let mut aside = written().await;
    aside.log.with(|log| log.pointer = Some(Term::fresh(8)));
    aside.prepare(4);
    assert!(matches!(aside.flush().await, Err(RoundError::Broken(_))));
}

#[tokio::test]
async fn the_stream_is_cut_at_a_heartbeat_before_all_that_lives() {
    let mut written = written().await;
    let late = BootTime(TRIM_EVERY);
    assert_eq!(
        written.stream.trim(Some(3), BootTime(Duration::ZERO)),
        None,
        "too soon"
    );
    let (id, floor) = written.stream.trim(Some(3), late).unwrap();
    assert_eq!((id, floor.seq), (ItemId { seq: 2, k: 1 }, 2));
    written
        .stream
        .prepare(&written.key, with_heartbeat(Vec::new(), Some((id, floor))));
    written.flush().await.unwrap();
    let epoch = written.log.pointer().await.unwrap().unwrap();
    let left = written.log.range(epoch, ItemId::default(), 10).await.unwrap();
    let ids: Vec<ItemId> = left.iter().map(|item| item.id).collect();
    assert_eq!(ids[..2], [id, ItemId::entry(3)]);
    assert!(written.stream.is_whole(&mut written.log).await.unwrap());
}

#[tokio::test]
async fn an_entry_that_was_altered_or_removed_is_found() {
    for alter in [true, false] {
        let mut written = written().await;
        written.log.with(|log| {
            let stream = log.in_force();
            stream.remove(&ItemId::entry(2));
            if alter {
                stream.insert(ItemId::entry(2), LogBody::Entry(entry::encode(&session())));
            }
        });
        assert!(
            !written.stream.is_whole(&mut written.log).await.unwrap(),
            "{alter}"
        );
    }
}
