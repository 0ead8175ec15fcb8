//! Terms, epochs, and the places of the stream.

use std::fmt;
use std::str::FromStr;

use crate::crypto::random;

/// The reign of one holder of the relay's lease.
///
/// Terms are ordered by their number. Two holders that took the same number, because a database was set back, are told
/// apart by the nonce: equality is of the whole.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Term {
    /// Grows with each holder; at most 2⁶³ − 1, which is what the databases hold.
    pub number: u64,
    /// Random, so that no two holders have the same term.
    pub nonce: [u8; 16],
}

/// A stream is begun by a term, and named after it. It may go on under later terms.
pub type Epoch = Term;

/// What is no term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a term: expected a number, a dash and 32 hexadecimal digits")]
pub struct InvalidTerm;

impl Term {
    /// Bytes of a term on the wire.
    pub const BYTES: usize = 24;

    /// A term of this number that nobody else has.
    pub fn fresh(number: u64) -> Self {
        Self {
            number,
            nonce: random::bytes(),
        }
    }

    /// The number, big-endian, and the nonce.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (number, nonce) = bytes.split_at_mut(8);
        number.copy_from_slice(&self.number.to_be_bytes());
        nonce.copy_from_slice(&self.nonce);
        bytes
    }

    /// The inverse of [`Term::to_bytes`].
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let [n0, n1, n2, n3, n4, n5, n6, n7, nonce @ ..] = bytes;
        Self {
            number: u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
            nonce,
        }
    }
}

/// As it stands in Redis: the number, a dash, and the nonce in hexadecimal.
impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:032x}", self.number, u128::from_be_bytes(self.nonce))
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Term {
    type Err = InvalidTerm;

    fn from_str(text: &str) -> Result<Self, InvalidTerm> {
        let (number, nonce) = text.split_once('-').ok_or(InvalidTerm)?;
        let digits_only = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if nonce.len() != 32 || !digits_only(nonce) || !digits_only(number) {
            return Err(InvalidTerm);
        }
        let term = Self {
            number: number.parse().map_err(|_| InvalidTerm)?,
            nonce: u128::from_str_radix(nonce, 16)
                .map_err(|_| InvalidTerm)?
                .to_be_bytes(),
        };
        // One text for each term.
        if term.to_string() == text {
            Ok(term)
        } else {
            Err(InvalidTerm)
        }
    }
}

/// A place in the stream, as Redis numbers it: `seq-0` is an entry, `seq-k` the k-th heartbeat behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId {
    /// The entry's number, or that of the last entry before a heartbeat.
    pub seq: u64,
    /// Zero for an entry.
    pub k: u64,
}

impl ItemId {
    /// The place of an entry.
    pub const fn entry(seq: u64) -> Self {
        Self { seq, k: 0 }
    }

    /// The place of the next heartbeat behind this.
    pub const fn next_heartbeat(self) -> Self {
        Self {
            seq: self.seq,
            k: self.k.saturating_add(1),
        }
    }

    /// The last place before this, if there is one.
    pub fn before(self) -> Option<Self> {
        match (self.seq, self.k) {
            (0, 0) => None,
            (seq, 0) => Some(Self {
                seq: seq - 1,
                k: u64::MAX,
            }),
            (seq, k) => Some(Self { seq, k: k - 1 }),
        }
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.seq, self.k)
    }
}

/// What is no place in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a stream entry")]
pub struct InvalidItemId;

impl FromStr for ItemId {
    type Err = InvalidItemId;

    fn from_str(text: &str) -> Result<Self, InvalidItemId> {
        let (seq, k) = text.split_once('-').ok_or(InvalidItemId)?;
        Ok(Self {
            seq: seq.parse().map_err(|_| InvalidItemId)?,
            k: k.parse().map_err(|_| InvalidItemId)?,
        })
    }
}
