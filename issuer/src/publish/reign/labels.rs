//! Labels in the feed: each change is an entry of the stream, and a table beside it has everything up to one of them.

use std::time::Duration;

use shared::feed::entry;
use shared::feed::heartbeat::{LabelsStatement, Statement, TableRef};
use shared::feed::log::{FeedLog, LogError};
use shared::feed::table::{TableDigest, TableId};
use shared::feed::writer::FeedWriter;
use shared::id::FilmId;
use shared::label::wire::Chunk;
use shared::time::{BootTime, UnixMillis};

use super::stream::Addition;
use super::{Reign, Round, RoundError, Tools};
use crate::publish::database::RelayDatabase;
use crate::store::feed::{Batch, LabelsTaken};

/// The table is written anew after this time if there are any changes behind it: they keep the stream from being trimmed.
const TABLE_AGE_MAX: Duration = Duration::from_hours(1);

/// What is told about labels, and what is under way.
#[derive(Debug)]
pub(super) struct Labels {
    told: Option<LabelsStatement>,
    /// Whether everything was told when the database answered last.
    is_current: bool,
    /// Bytes of the table that is told of; 0 if another issuer wrote it.
    table_bytes: u64,
    /// Bytes of the entries behind it.
    entries_bytes: u64,
    /// The last entry about labels, or one behind it.
    last_entry: u64,
    written_at: BootTime,
    building: Option<Building>,
    audit: Option<TableDigest>,
}

/// A table that is being written.
#[derive(Debug)]
struct Building {
    id: TableId,
    /// The last entry when it was begun.
    seq: u64,
    /// Bytes of the entries that will not be behind it.
    entries_bytes: u64,
    /// What the first page was read as of.
    begun: Option<(UnixMillis, u64)>,
    after: Option<FilmId>,
    digest: TableDigest,
    bytes: u64,
}

impl Labels {
    /// Of a stream that ends with this heartbeat.
    pub(super) fn resumed(tail: &Statement, now: BootTime) -> Self {
        Self {
            told: tail.labels,
            last_entry: tail.last.seq,
            ..Self::begun(now)
        }
    }

    /// Of a stream that is still to be written.
    pub(super) const fn begun(now: BootTime) -> Self {
        Self {
            told: None,
            is_current: false,
            table_bytes: 0,
            entries_bytes: 0,
            last_entry: 0,
            written_at: now,
            building: None,
            audit: None,
        }
    }

    /// What a heartbeat says.
    pub(super) const fn statement(&self) -> Option<LabelsStatement> {
        self.told
    }

    /// Up to when everything is told, if nothing has changed that is not. Whether that is so.
    pub(super) fn saw(&mut self, batch: &Batch) -> bool {
        self.is_current = false;
        if let Some(told) = &mut self.told
            && told.change == batch.label_change
        {
            told.time = batch.now;
            self.is_current = true;
        }
        self.is_current
    }

    /// Nothing was changed up to this time, without the database's saying so.
    fn assume(&mut self, time: UnixMillis) {
        if let Some(told) = &mut self.told {
            told.time = told.time.max(time);
        }
    }

    /// The lowest entry that readers need, of the outbox or about labels.
    pub(super) fn lowest_needed(&self, of_outbox: Option<u64>) -> Option<u64> {
        let of_labels = self.oldest_entry();
        of_outbox.into_iter().chain(of_labels).min()
    }

    /// From where on there may be entries behind the table, if there are any.
    fn oldest_entry(&self) -> Option<u64> {
        let covered = self.told?.table.seq;
        (self.last_entry > covered).then(|| covered.saturating_add(1))
    }

    fn is_table_due(&self, now: BootTime, bytes_min: u64) -> bool {
        let bytes_max = bytes_min.max(self.table_bytes / 2);
        let is_old = self.oldest_entry().is_some() && now.since(self.written_at) > TABLE_AGE_MAX;
        self.told.is_none() || is_old || self.entries_bytes > bytes_max
    }

    /// Whether the table is there as it was written, as far as a chunk of it tells.
    async fn is_table_whole<W: FeedLog>(&mut self, writer: &mut W) -> Result<bool, LogError> {
        let Some(LabelsStatement { table, .. }) = self.told else {
            return Ok(true);
        };
        let digest = self.audit.get_or_insert_default();
        if digest.chunks() < table.chunks {
            let chunk = writer.chunk(table.id, digest.chunks()).await?;
            if let Some(chunk) = &chunk {
                digest.update(chunk);
            }
            return Ok(chunk.is_some());
        }
        Ok(self.audit.take().map(TableDigest::finish) == Some(table.digest))
    }
}

impl Reign {
    /// Labels are as they were when the database went away, if they were all told then, and nobody has changed any since that he
    /// remembers: until `time`.
    pub(super) async fn labels_without_database<D: RelayDatabase, W: FeedWriter>(
        &mut self,
        tools: &mut Tools<'_, D, W>,
        time: UnixMillis,
    ) -> Result<(), RoundError> {
        let is_sure = self.labels.is_current
            && !tools.status.has_unconfirmed_labels()
            && !tools.writer.are_labels_doubted(self.term()).await?;
        if is_sure {
            self.labels.assume(time);
        }
        Ok(())
    }

    /// Publishes what has changed about labels, and goes on with a table that is being written. Revocations that are committed
    /// meanwhile do not wait for more than one step of it.
    pub(super) async fn labels_round<D: RelayDatabase, W: FeedWriter>(
        &mut self,
        tools: &mut Tools<'_, D, W>,
        batch: &Batch,
        is_idle: bool,
    ) -> Result<Round, RoundError> {
        let has_news = self
            .labels
            .told
            .is_some_and(|told| told.change != batch.label_change);
        if has_news {
            return self.tell_changes(tools).await;
        }
        if self.labels.building.is_some() {
            return self.go_on_with_table(tools).await;
        }
        let is_whole = !is_idle || self.labels.is_table_whole(tools.writer).await?;
        if !is_whole {
            tracing::warn!("the table of labels is not as it was written; it is written anew");
            self.labels.audit = None;
        }
        if is_whole
            && !self
                .labels
                .is_table_due(tools.clock.boot(), tools.settings.label_changes_bytes)
        {
            return Ok(Round::Rest);
        }
        self.labels.building = Some(Building {
            id: TableId::fresh(),
            seq: self.stream.seq(),
            entries_bytes: self.labels.entries_bytes,
            begun: None,
            after: None,
            digest: TableDigest::default(),
            bytes: 0,
        });
        Ok(Round::Again)
    }

    async fn tell_changes<D: RelayDatabase, W: FeedWriter>(
        &mut self,
        tools: &mut Tools<'_, D, W>,
    ) -> Result<Round, RoundError> {
        let Some(mut told) = self.labels.told else {
            return Ok(Round::Rest);
        };
        let taken = tools
            .database
            .take_labels(self.term(), self.published(), told.change)
            .await?;
        let (seq, taken) = match taken {
            LabelsTaken::Deposed => return Err(RoundError::Deposed),
            LabelsTaken::SetBack => return Err(RoundError::SetBack),
            LabelsTaken::Entry(seq, taken) => (seq, taken),
        };
        told.change = taken.change;
        if taken.is_complete {
            told.time = taken.now;
        }
        let mut addition = Addition::default();
        if !taken.changes.is_empty() {
            let bytes = entry::encode_labels(&taken.changes);
            self.labels.entries_bytes += u64::try_from(bytes.len()).unwrap_or(0);
            self.labels.last_entry = seq;
            addition.entries = vec![(seq, bytes)];
        }
        self.labels.told = Some(told);
        addition.heartbeat = Some(self.says());
        self.stream.prepare(tools.key, addition);
        self.flush(tools).await?;
        Ok(Round::Again)
    }

    /// Writes a chunk or, when there are all, tells of the table.
    async fn go_on_with_table<D: RelayDatabase, W: FeedWriter>(
        &mut self,
        tools: &mut Tools<'_, D, W>,
    ) -> Result<Round, RoundError> {
        let (term, Some(mut building)) = (self.term(), self.labels.building.take()) else {
            return Ok(Round::Rest);
        };
        let page = tools.database.label_page(building.after).await?;
        let (time, change) = *building.begun.get_or_insert((page.now, page.change));
        if !page.changes.is_empty() {
            let chunk = Chunk::of(&page.changes).into_bytes();
            let index = building.digest.chunks();
            if !tools.writer.put_chunk(term, building.id, index, &chunk).await? {
                return Err(RoundError::Deposed);
            }
            building.digest.update(&chunk);
            building.bytes += u64::try_from(chunk.len()).unwrap_or(0);
        }
        building.after = page.last;
        if page.last.is_some() {
            self.labels.building = Some(building);
            return Ok(Round::Again);
        }
        let table = TableRef {
            id: building.id,
            seq: building.seq,
            chunks: building.digest.chunks(),
            digest: building.digest.finish(),
        };
        let replaced = self.labels.told;
        let (time, change) = replaced.map_or((time, change), |told| (told.time, told.change));
        self.labels = Labels {
            told: Some(LabelsStatement { time, change, table }),
            is_current: false,
            table_bytes: building.bytes,
            entries_bytes: self.labels.entries_bytes.saturating_sub(building.entries_bytes),
            last_entry: self.labels.last_entry,
            ..Labels::begun(tools.clock.boot())
        };
        self.stream.prepare(
            tools.key,
            Addition {
                heartbeat: Some(self.says()),
                replaced_table: replaced.map(|told| told.table.id),
                ..Addition::default()
            },
        );
        self.flush(tools).await?;
        Ok(Round::Again)
    }
}
