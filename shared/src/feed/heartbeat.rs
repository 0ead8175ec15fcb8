//! Heartbeats: signed statements of how far the feed has come.

use super::chain::Chain;
use super::key::FeedKeys;
use super::table::TableId;
use super::term::{Epoch, Term};
use crate::time::UnixMillis;

/// What is signed begins so, that no signature over anything else can be taken for a heartbeat's.
const CONTEXT: &[u8] = b"usher revocation feed heartbeat v1\0";

/// The form of what follows.
const FORM: u8 = 2;

const STATEMENT_BYTES: usize = 1 + 2 * Term::BYTES + 8 + 40 + 40 + 8 + 1 + LABELS_BYTES;

const LABELS_BYTES: usize = 8 + 8 + TABLE_BYTES;

const TABLE_BYTES: usize = 16 + 8 + 4 + 32;

/// Bytes of a heartbeat with its signature.
pub const SIGNED_BYTES: usize = STATEMENT_BYTES + 64;

/// "Every revocation committed before `time` is at or before `last`, and none that is at or before `floor` can refuse
/// anything any more."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The stream that it is about.
    pub epoch: Epoch,
    /// Whose reign it is.
    pub term: Term,
    /// Grows with each heartbeat of a term.
    pub counter: u64,
    /// The last entry, and the hash of everything up to it.
    pub last: Chain,
    /// Where to begin to read.
    pub floor: Chain,
    /// The database's time, read before the outbox was found empty.
    pub time: UnixMillis,
    /// The same for labels; `None` while a table of them is being written for a new stream.
    pub labels: Option<LabelsStatement>,
}

/// "Every change of labels committed before `time` is in the table, or among the entries from the floor on."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelsStatement {
    /// The database's time, read before nothing was found that had changed.
    pub time: UnixMillis,
    /// Number, in the database, of the last change that is so told: where whoever writes next goes on.
    pub change: u64,
    /// Where everything before is.
    pub table: TableRef,
}

/// A table of all films with their labels, and of all labels, that is kept beside the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableRef {
    /// Where it is.
    pub id: TableId,
    /// Changes in entries up to this one are in the table.
    pub seq: u64,
    /// How many chunks it has.
    pub chunks: u32,
    /// SHA-256 over the chunks' digests, see [`super::table::TableDigest`].
    pub digest: [u8; 32],
}

/// Bytes that are no heartbeat, or none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeartbeat {
    /// Not in a heartbeat's form.
    #[error("a heartbeat cannot be read")]
    Unreadable,
    /// No feed key made the signature.
    #[error("a heartbeat's signature is not the feed key's")]
    BadSignature,
}

impl Statement {
    /// What is signed, without the context.
    #[cfg(feature = "signing")]
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SIGNED_BYTES);
        bytes.push(FORM);
        bytes.extend_from_slice(&self.epoch.to_bytes());
        bytes.extend_from_slice(&self.term.to_bytes());
        bytes.extend_from_slice(&self.counter.to_be_bytes());
        for chain in [self.last, self.floor] {
            bytes.extend_from_slice(&chain.seq.to_be_bytes());
            bytes.extend_from_slice(&chain.hash);
        }
        bytes.extend_from_slice(&self.time.0.to_be_bytes());
        bytes.push(u8::from(self.labels.is_some()));
        bytes.extend_from_slice(&self.labels.map_or([0; LABELS_BYTES], LabelsStatement::to_bytes));
        bytes
    }

    /// The statement with its signature, as it stands in the stream.
    #[cfg(feature = "signing")]
    pub fn sign(self, key: &super::key::FeedSigningKey) -> Vec<u8> {
        let mut bytes = self.to_bytes();
        let signature = key.sign(&[CONTEXT, &bytes].concat());
        bytes.extend_from_slice(&signature);
        bytes
    }

    /// Reads a heartbeat and checks that a feed key signed it: the one way from foreign bytes to a statement.
    ///
    /// # Errors
    ///
    /// [`InvalidHeartbeat`].
    pub fn verify(bytes: &[u8], keys: &FeedKeys) -> Result<Self, InvalidHeartbeat> {
        let (statement, signature) = bytes
            .split_at_checked(STATEMENT_BYTES)
            .ok_or(InvalidHeartbeat::Unreadable)?;
        let parsed = Self::parse(statement).ok_or(InvalidHeartbeat::Unreadable)?;
        if keys.verify(&[CONTEXT, statement].concat(), signature) {
            Ok(parsed)
        } else {
            Err(InvalidHeartbeat::BadSignature)
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let [FORM] = take::<1>(&mut rest)? else {
            return None;
        };
        let epoch = Term::from_bytes(take(&mut rest)?);
        let term = Term::from_bytes(take(&mut rest)?);
        let counter = u64::from_be_bytes(take(&mut rest)?);
        let mut chain = || {
            Some(Chain {
                seq: u64::from_be_bytes(take(&mut rest)?),
                hash: take(&mut rest)?,
            })
        };
        let (last, floor) = (chain()?, chain()?);
        let time = UnixMillis(i64::from_be_bytes(take(&mut rest)?));
        let labels = match (take::<1>(&mut rest)?, take::<LABELS_BYTES>(&mut rest)?) {
            ([0], bytes) if bytes == [0; LABELS_BYTES] => None,
            ([1], bytes) => Some(LabelsStatement::parse(&bytes)?),
            _ => return None,
        };
        rest.is_empty().then_some(Self {
            epoch,
            term,
            counter,
            last,
            floor,
            time,
            labels,
        })
    }

    /// What grows from heartbeat to heartbeat, whoever writes them.
    pub const fn order(&self) -> (u64, u64) {
        (self.term.number, self.counter)
    }
}

impl LabelsStatement {
    #[cfg(feature = "signing")]
    fn to_bytes(self) -> [u8; LABELS_BYTES] {
        let mut bytes = [0; LABELS_BYTES];
        let table = self.table;
        let parts = [
            &self.time.0.to_be_bytes()[..],
            &self.change.to_be_bytes(),
            &table.id.0,
            &table.seq.to_be_bytes(),
            &table.chunks.to_be_bytes(),
            &table.digest,
        ];
        // The parts are as long as that.
        bytes.copy_from_slice(&parts.concat());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        Some(Self {
            time: UnixMillis(i64::from_be_bytes(take(&mut rest)?)),
            change: u64::from_be_bytes(take(&mut rest)?),
            table: TableRef {
                id: TableId(take(&mut rest)?),
                seq: u64::from_be_bytes(take(&mut rest)?),
                chunks: u32::from_be_bytes(take(&mut rest)?),
                digest: take(&mut rest)?,
            },
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::key::FeedSigningKey;

    fn statement() -> Statement {
        Statement {
            epoch: Term::fresh(3),
            term: Term::fresh(4),
            counter: 5,
            last: Chain::START.with(7, b"entry"),
            floor: Chain::START,
            time: UnixMillis(1_795_376_000_000),
            labels: Some(LabelsStatement {
                time: UnixMillis(1_795_375_999_000),
                change: 6,
                table: TableRef {
                    id: TableId([8; 16]),
                    seq: 7,
                    chunks: 9,
                    digest: [10; 32],
                },
            }),
        }
    }

    #[test]
    fn what_a_feed_key_signed_is_read_again() {
        let key = FeedSigningKey::generate().unwrap();
        let signed = statement().sign(&key);
        assert_eq!(signed.len(), SIGNED_BYTES);
        let read = Statement::verify(&signed, &key.public()).unwrap();
        assert_eq!(read.to_bytes(), signed[..STATEMENT_BYTES]);
        assert_eq!((read.counter, read.labels), (5, statement().labels));
        let without = Statement {
            labels: None,
            ..statement()
        };
        assert_eq!(Statement::verify(&without.sign(&key), &key.public()), Ok(without));
    }

    #[test]
    fn no_byte_can_be_changed_and_no_other_key_will_do() {
        let key = FeedSigningKey::generate().unwrap();
        let signed = statement().sign(&key);
        for index in 0..signed.len() {
            let mut altered = signed.clone();
            altered[index] ^= 1;
            assert!(
                Statement::verify(&altered, &key.public()).is_err(),
                "byte {index}"
            );
            assert!(
                Statement::verify(&signed[..index], &key.public()).is_err(),
                "cut at {index}"
            );
        }
        let other = FeedSigningKey::generate().unwrap().public();
        assert_eq!(
            Statement::verify(&signed, &other),
            Err(InvalidHeartbeat::BadSignature)
        );
        assert_eq!(
            Statement::verify(&signed, &FeedKeys::default()),
            Err(InvalidHeartbeat::BadSignature)
        );
    }
}
