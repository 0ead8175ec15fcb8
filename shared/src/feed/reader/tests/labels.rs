//! Labels: told when they are proved, and never half a table.

use super::world::{World, revocation};
use super::*;
use crate::feed::LabelUpdate;
use crate::feed::heartbeat::{LabelsStatement, TableRef};
use crate::feed::log::LogBody;
use crate::feed::table::{TableDigest, TableId};
use crate::id::FilmId;
use crate::label::wire::Chunk;
use crate::label::{LabelChange, LabelNames};

fn film(number: u128, label: &str) -> LabelChange {
    let names = (!label.is_empty()).then(|| label.parse().unwrap());
    LabelChange::Film {
        film: FilmId(uuid::Uuid::from_u128(number)),
        labels: Arc::new(LabelNames::new(names).unwrap()),
    }
}

impl World {
    /// Puts a table of these chunks there, which the next heartbeat names.
    fn table(&mut self, chunks: &[Vec<LabelChange>]) -> TableId {
        let (id, mut digest) = (TableId::fresh(), TableDigest::default());
        for chunk in chunks {
            let bytes = Chunk::of(chunk).into_bytes();
            let at = (id.0, digest.chunks());
            digest.update(&bytes);
            self.log.model.with(|model| model.tables.insert(at, bytes));
        }
        self.writer.labels = Some(LabelsStatement {
            time: START,
            change: 1,
            table: TableRef {
                id,
                seq: self.writer.chain.seq,
                chunks: digest.chunks(),
                digest: digest.finish(),
            },
        });
        id
    }

    /// Writes an entry about labels.
    fn change(&mut self, changes: &[LabelChange]) {
        let bytes = entry::encode_labels(changes);
        self.writer.put_entry(bytes);
    }

    async fn told(&mut self) -> LabelUpdate {
        match self.next().await {
            FeedEvent::Labels(update) => update,
            other => panic!("{other:?}"),
        }
    }

    /// The next events are this table, whole.
    async fn loads(&mut self, chunks: &[Vec<LabelChange>]) {
        for chunk in chunks {
            assert_eq!(self.told().await, LabelUpdate::TablePart(chunk.clone()));
        }
        assert_eq!(self.told().await, LabelUpdate::TableEnds);
    }

    /// The next events are a heartbeat that does not speak of labels, and that a table begins before it.
    async fn begins(&mut self) {
        assert_eq!(self.told().await, LabelUpdate::TableBegins);
        assert_eq!(self.heard().await.labels, None, "half a table is none");
    }

    /// A reader that has this table.
    async fn with_table(chunks: &[Vec<LabelChange>]) -> Self {
        let mut world = Self::unread(0);
        world.table(chunks);
        world.writer.heartbeat();
        world.read(None);
        world.begins().await;
        world.loads(chunks).await;
        world.writer.heartbeat();
        assert_eq!(world.heard().await.labels, Some(START));
        world
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_is_told_chunk_by_chunk_and_changes_behind_it() {
    let chunks = [vec![film(1, "paid"), film(2, "paid")], vec![film(3, "adult")]];
    let mut world = World::unread(0);
    world.table(&chunks);
    world.change(&[film(2, "")]);
    world.writer.heartbeat();
    world.read(None);
    world.begins().await;
    world.loads(&chunks).await;
    assert_eq!(world.told().await, LabelUpdate::Changes(vec![film(2, "")]));
    world.change(&[film(4, "paid")]);
    world.change(&[film(4, "adult")]);
    world.writer.heartbeat();
    let both = vec![film(4, "paid"), film(4, "adult")];
    assert_eq!(world.told().await, LabelUpdate::Changes(both));
    assert_eq!(world.heard().await.labels, Some(START));
}

#[tokio::test(start_paused = true)]
async fn no_revocation_waits_for_a_table() {
    let chunks: Vec<_> = (0..64).map(|number| vec![film(number, "paid")]).collect();
    let mut world = World::unread(0);
    world.table(&chunks);
    world.writer.heartbeat();
    world.read(None);
    world.begins().await;
    assert_eq!(world.told().await, LabelUpdate::TablePart(chunks[0].clone()));
    world.writer.entry(1);
    let mut parts = 1;
    loop {
        match world.next().await {
            FeedEvent::Labels(LabelUpdate::TablePart(_)) => parts += 1,
            FeedEvent::Entries { revocations, .. } => {
                assert_eq!(revocations, [revocation(1)]);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    // What was in the channel already, and not the rest of the table.
    assert!(parts < 64, "the entry came behind {parts} chunks");
}

#[tokio::test(start_paused = true)]
async fn an_unproved_change_is_not_told() {
    let mut world = World::with_table(&[]).await;
    let mut stranger = world.writer.clone();
    stranger.put_entry(entry::encode_labels(&[film(1, "")]));
    world.quiet().await;
    world.writer.last = ItemId::entry(1);
    world.writer.heartbeat();
    world.lost(Gap::BadHeartbeat).await;
}

#[tokio::test(start_paused = true)]
async fn a_damaged_table_is_not_told_and_the_next_one_is() {
    for damage in 0..3 {
        let chunks = [vec![film(1, "paid")], vec![film(2, "paid")]];
        let mut world = World::unread(0);
        let id = world.table(&chunks);
        world.writer.heartbeat();
        world.log.model.with(|model| match damage {
            0 => model.tables.remove(&(id.0, 1)),
            1 => model
                .tables
                .insert((id.0, 1), Chunk::of(&[film(2, "")]).into_bytes()),
            _ => model.tables.insert((id.0, 1), b"\x00".to_vec()),
        });
        world.read(None);
        world.begins().await;
        while let Ok(event) = tokio::time::timeout(Duration::from_secs(5), world.next()).await {
            let is_part = matches!(event, FeedEvent::Labels(LabelUpdate::TablePart(_)));
            assert!(is_part, "{event:?}");
        }
        world.table(&chunks);
        world.writer.heartbeat();
        world.begins().await;
        world.loads(&chunks).await;
    }
}

#[tokio::test(start_paused = true)]
async fn behind_a_gap_the_table_is_kept_if_nothing_between_was_trimmed() {
    let mut world = World::with_table(&[vec![film(1, "paid")]]).await;
    world.change(&[film(1, "")]);
    world.writer.heartbeat();
    assert_eq!(world.told().await, LabelUpdate::Changes(vec![film(1, "")]));
    world.heard().await;
    world.clock.step_wall(START.plus(Duration::from_mins(1)));
    assert_eq!(world.next().await, FeedEvent::Lost(Gap::ClockStep));
    world.change(&[film(2, "paid")]);
    world.writer.heartbeat();
    // Not the first change again, which might be older than what is known by now.
    assert_eq!(world.told().await, LabelUpdate::Changes(vec![film(2, "paid")]));
    assert_eq!(world.heard().await.labels, Some(START));
}

#[tokio::test(start_paused = true)]
async fn a_table_is_loaded_again_where_something_between_was_trimmed() {
    let mut world = World::with_table(&[vec![film(1, "paid")]]).await;
    let is_cut = world.log.is_cut.clone();
    is_cut.send_replace(true);
    assert!(matches!(world.next().await, FeedEvent::Away(_)));
    world.change(&[film(1, "")]);
    world.writer.heartbeat();
    world.writer.floor = world.writer.chain;
    let chunks = [vec![film(3, "paid")]];
    world.table(&chunks);
    world.writer.heartbeat();
    let keep = world.writer.last;
    world.tamper(|stream| stream.retain(|id, _| *id >= keep));
    world.tamper(|stream| _ = stream.insert(keep, stream[&keep].clone()));
    is_cut.send_replace(false);
    loop {
        match world.next().await {
            FeedEvent::Labels(LabelUpdate::TableBegins) => break,
            FeedEvent::Lost(_) | FeedEvent::Away(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_epoch_brings_its_own_table() {
    let mut world = World::with_table(&[vec![film(1, "paid")]]).await;
    let number = world.writer.term.number + 1;
    world.writer = world::Writer::begin(&world.log.model, &world.writer.key, number, 0);
    assert_eq!(world.heard_again().await.labels, None, "it has no table yet");
    let chunks = [vec![film(2, "paid")]];
    world.table(&chunks);
    world.writer.heartbeat();
    world.begins().await;
    world.loads(&chunks).await;
    world.writer.heartbeat();
    assert_eq!(world.heard().await.labels, Some(START));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_cannot_be_read_is_a_gap() {
    let mut world = World::with_table(&[]).await;
    world
        .writer
        .put(ItemId::entry(1), LogBody::Entry(b"\x06\x00".to_vec()));
    world.lost(Gap::Foreign).await;
}
