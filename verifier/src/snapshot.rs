//! The snapshot file: what a verifier knows, so that it can start while everything else is down.
//!
//! ```text
//! magic (8) ‖ version (4) ‖ issuer ‖ JWK Set ‖ feed keys ‖ signed heartbeat
//!     ‖ each revocation, in the feed's form ‖ nothing
//!     ‖ whether everything is known of labels (1) ‖ each label and each film that carries some ‖ nothing
//!     ‖ SHA-256 over everything before (32)
//! label or film: kind (1; 1: film, 2: definition) ‖ the same as in the feed
//! ```
//!
//! Numbers are big-endian; what is not of a fixed length has its length before it, in 4 bytes. The digest finds damage, and
//! the heartbeat's signature says how old the revocations and the labels are. Whoever can write the file can have this verifier believe
//! any key, so it belongs to its user alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ring::digest::{Context, SHA256, digest};
use shared::feed::entry::{self, UnreadableEntry};
use shared::feed::heartbeat::{InvalidHeartbeat, Statement};
use shared::feed::key::{FeedKeys, FeedKeysError};
use shared::label::{LabelChange, LabelTable, wire};
use shared::limits::{FEED_KEYS_BYTES_MAX, JWKS_BYTES_MAX, SNAPSHOT_BYTES_MAX};
use shared::revocation::Revocation;

const MAGIC: &[u8; 8] = b"usher-sn";
const VERSION: u32 = 2;
const DIGEST_BYTES: usize = 32;

/// An issuer's name, in bytes: the URLs that browsers take are no longer.
const ISSUER_BYTES_MAX: usize = 2048;

/// A revocation, or a heartbeat, in bytes: the largest has some 270.
const ITEM_BYTES_MAX: usize = 512;

/// A film or a label, in bytes: a label with all the roles that it may have takes some 10 KiB.
const LABEL_ITEM_BYTES_MAX: usize = 16 * 1024;

/// Films and labels that are taken in at once: each time parts of the table are copied.
const LABEL_ITEMS_AT_ONCE: usize = 10_000;

const FILM: u8 = 1;
const DEFINITION: u8 = 2;

/// Only its owner reads and writes it.
const FILE_MODE: u32 = 0o600;

/// What a verifier knew at a heartbeat, beside revocations and labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose keys these are.
    pub issuer: String,
    /// The keys that sign tokens, as they were fetched.
    pub jwks: Bytes,
    /// The keys that sign heartbeats.
    pub feed_keys: FeedKeys,
    /// The newest heartbeat that counted, as it was signed.
    pub heartbeat: Vec<u8>,
}

/// A snapshot that was read: everything about it holds but, perhaps, its age.
#[derive(Debug)]
pub struct ReadSnapshot {
    /// The keys and the heartbeat.
    pub snapshot: Snapshot,
    /// What the heartbeat says.
    pub statement: Statement,
    /// Every revocation up to that heartbeat, and perhaps later ones.
    pub revocations: Vec<Revocation>,
    /// Everything known of labels, of that heartbeat's time or later.
    /// `None`: at that heartbeat, not everything was.
    pub labels: Option<LabelTable>,
}

/// Why a snapshot is not used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be read or written.
    #[error("it cannot be read or written")]
    Io(#[from] io::Error),
    /// More bytes than [`SNAPSHOT_BYTES_MAX`].
    #[error("it has more than {SNAPSHOT_BYTES_MAX} bytes")]
    TooLarge,
    /// Something else, or of another version of this program.
    #[error("it is no snapshot of this version")]
    Foreign,
    /// Cut off or altered.
    #[error("it is damaged")]
    Damaged,
    /// About tokens of somebody else.
    #[error("it is of the issuer {0:?}")]
    AnotherIssuer(String),
    /// Feed keys that cannot be used.
    #[error(transparent)]
    FeedKeys(#[from] FeedKeysError),
    /// A heartbeat that its feed keys did not sign.
    #[error(transparent)]
    Heartbeat(#[from] InvalidHeartbeat),
    /// A revocation that cannot be read.
    #[error(transparent)]
    Entry(#[from] UnreadableEntry),
    /// A film or a label that cannot be read.
    #[error(transparent)]
    Label(#[from] wire::UnreadableChange),
}

impl Snapshot {
    /// Reads a file, and checks everything but the age. Blocks.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`]; [`io::ErrorKind::NotFound`] within if there is no file.
    pub fn read(path: &Path, issuer: &str) -> Result<ReadSnapshot, SnapshotError> {
        let file = File::open(path)?;
        let bytes_max = u64::try_from(SNAPSHOT_BYTES_MAX).unwrap_or(u64::MAX);
        if file.metadata()?.len() > bytes_max {
            return Err(SnapshotError::TooLarge);
        }
        let mut bytes = Vec::new();
        // It may grow meanwhile.
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() > SNAPSHOT_BYTES_MAX {
            return Err(SnapshotError::TooLarge);
        }
        let (snapshot, revocations, labels) = Self::from_bytes(&bytes)?;
        if snapshot.issuer != issuer {
            return Err(SnapshotError::AnotherIssuer(snapshot.issuer));
        }
        let statement = Statement::verify(&snapshot.heartbeat, &snapshot.feed_keys)?;
        Ok(ReadSnapshot {
            snapshot,
            statement,
            revocations,
            labels,
        })
    }

    /// Writes it in place of what is there, wholly or not at all, with these labels and the revocations that `hand_out` gives
    /// one by one: all of them at once would take as much memory again as those in force. Blocks.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Io`], or [`SnapshotError::TooLarge`] before anything is replaced.
    pub fn write(
        &self,
        path: &Path,
        labels: Option<&LabelTable>,
        hand_out: impl FnOnce(&mut dyn FnMut(Revocation)),
    ) -> Result<(), SnapshotError> {
        let beside = beside(path)?;
        let written = self.write_new(&beside, labels, hand_out).and_then(|()| {
            fs::rename(&beside, path)?;
            // The name is on the disk only when the folder is.
            folder_of(path).map_or(Ok(()), |folder| File::open(folder)?.sync_all())?;
            Ok(())
        });
        if written.is_err() {
            // What is left of it helps nobody; that it may not be there is no news.
            let _ = fs::remove_file(&beside);
        }
        written
    }

    fn write_new(
        &self,
        path: &Path,
        labels: Option<&LabelTable>,
        hand_out: impl FnOnce(&mut dyn FnMut(Revocation)),
    ) -> Result<(), SnapshotError> {
        match fs::remove_file(path) {
            // It may be left over from a program that was killed.
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(FILE_MODE).open(path)?;
        let mut writer = Digesting {
            inner: BufWriter::new(file),
            digest: Context::new(&SHA256),
            bytes: 0,
        };
        self.write_to(&mut writer, hand_out)?;
        write_labels(&mut writer, labels)?;
        let Digesting {
            mut inner,
            digest,
            bytes,
        } = writer;
        if bytes + DIGEST_BYTES > SNAPSHOT_BYTES_MAX {
            return Err(SnapshotError::TooLarge);
        }
        inner.write_all(digest.finish().as_ref())?;
        let file = inner.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(file.sync_all()?)
    }

    fn write_to(
        &self,
        writer: &mut impl Write,
        hand_out: impl FnOnce(&mut dyn FnMut(Revocation)),
    ) -> io::Result<()> {
        writer.write_all(MAGIC)?;
        writer.write_all(&VERSION.to_be_bytes())?;
        write_part(writer, self.issuer.as_bytes())?;
        write_part(writer, &self.jwks)?;
        write_part(writer, &self.feed_keys.to_jwks())?;
        write_part(writer, &self.heartbeat)?;
        let mut written = Ok(());
        hand_out(&mut |revocation| {
            if written.is_ok() {
                written = write_part(writer, &entry::encode(&revocation));
            }
        });
        written?;
        // No revocation is empty.
        write_part(writer, &[])
    }

    fn from_bytes(bytes: &[u8]) -> Result<(Self, Vec<Revocation>, Option<LabelTable>), SnapshotError> {
        let mut rest = Rest(bytes.strip_prefix(MAGIC).ok_or(SnapshotError::Foreign)?);
        if rest.take::<4>()? != VERSION.to_be_bytes() {
            return Err(SnapshotError::Foreign);
        }
        let (content, said) = bytes
            .split_last_chunk::<DIGEST_BYTES>()
            .ok_or(SnapshotError::Damaged)?;
        if digest(&SHA256, content).as_ref() != said {
            return Err(SnapshotError::Damaged);
        }
        let issuer = rest.part(ISSUER_BYTES_MAX)?.to_vec();
        let issuer = String::from_utf8(issuer).map_err(|_| SnapshotError::Damaged)?;
        let jwks = Bytes::copy_from_slice(rest.part(JWKS_BYTES_MAX)?);
        let feed_keys = FeedKeys::from_jwks(rest.part(FEED_KEYS_BYTES_MAX)?)?;
        let heartbeat = rest.part(ITEM_BYTES_MAX)?.to_vec();
        let mut revocations = Vec::new();
        loop {
            let part = rest.part(ITEM_BYTES_MAX)?;
            if part.is_empty() {
                break;
            }
            revocations.push(entry::decode(part)?);
        }
        let labels = rest.labels()?;
        if rest.0.len() != DIGEST_BYTES {
            return Err(SnapshotError::Damaged);
        }
        let snapshot = Self {
            issuer,
            jwks,
            feed_keys,
            heartbeat,
        };
        Ok((snapshot, revocations, labels))
    }
}

/// Where a file is written before it takes a path: in the same folder, so that it can be renamed.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".new");
    Ok(path.with_file_name(hidden))
}

fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().map(|folder| {
        if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        }
    })
}

fn write_labels(writer: &mut impl Write, labels: Option<&LabelTable>) -> io::Result<()> {
    writer.write_all(&[u8::from(labels.is_some())])?;
    let Some(table) = labels else { return Ok(()) };
    let (mut written, mut item) = (Ok(()), Vec::new());
    table.for_each(|change| {
        if written.is_err() {
            return;
        }
        item.clear();
        match &change {
            LabelChange::Film { film, labels } => {
                item.push(FILM);
                wire::write_film(&mut item, *film, labels);
            }
            LabelChange::Definition { name, definition } => {
                item.push(DEFINITION);
                wire::write_definition(&mut item, name, definition.as_ref());
            }
        }
        written = write_part(writer, &item);
    });
    written?;
    // No item is empty.
    write_part(writer, &[])
}

fn write_part(writer: &mut impl Write, part: &[u8]) -> io::Result<()> {
    let length = u32::try_from(part.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a part is too long"))?;
    writer.write_all(&length.to_be_bytes())?;
    writer.write_all(part)
}

/// Writes, and keeps the digest of what was written.
struct Digesting<W> {
    inner: W,
    digest: Context,
    bytes: usize,
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        self.bytes = self.bytes.saturating_add(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(SnapshotError::Damaged)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn part(&mut self, bytes_max: usize) -> Result<&'a [u8], SnapshotError> {
        let length = usize::try_from(u32::from_be_bytes(self.take()?)).unwrap_or(usize::MAX);
        if length > bytes_max {
            return Err(SnapshotError::Damaged);
        }
        let (part, rest) = self.0.split_at_checked(length).ok_or(SnapshotError::Damaged)?;
        self.0 = rest;
        Ok(part)
    }

    fn labels(&mut self) -> Result<Option<LabelTable>, SnapshotError> {
        match self.take()? {
            [0] => return Ok(None),
            [1] => {}
            _ => return Err(SnapshotError::Damaged),
        }
        let table = LabelTable::default();
        let mut changes = Vec::new();
        loop {
            let change = match self.part(LABEL_ITEM_BYTES_MAX)?.split_first() {
                None => break,
                Some((&FILM, film)) => wire::read_film(film)?,
                Some((&DEFINITION, definition)) => wire::read_definition(definition)?,
                Some(_) => return Err(SnapshotError::Damaged),
            };
            changes.push(change);
            if changes.len() == LABEL_ITEMS_AT_ONCE {
                table.apply(&changes);
                changes.clear();
            }
        }
        table.apply(&changes);
        Ok(Some(table))
    }
}

#[cfg(test)]
mod tests;
