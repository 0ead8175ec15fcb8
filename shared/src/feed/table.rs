//! A table of labels beside the stream: everything about them, so that a label of last year is there for a reader that starts
//! today.
//!
//! It is written chunk by chunk, each in the form of [`crate::label::wire`], before a heartbeat names it and says its digest. It is
//! never changed then: what changes later is in the stream, until another table takes its place.

use std::fmt;

use ring::digest::{Context, SHA256, digest};

use crate::crypto::random;

/// Where a table is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TableId(pub [u8; 16]);

impl TableId {
    /// One that no other table has.
    pub fn fresh() -> Self {
        Self(random::bytes())
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The digest of a table, chunk by chunk: SHA-256 over the SHA-256 of each.
#[derive(Clone)]
pub struct TableDigest {
    context: Context,
    chunks: u32,
}

impl Default for TableDigest {
    fn default() -> Self {
        Self {
            context: Context::new(&SHA256),
            chunks: 0,
        }
    }
}

impl TableDigest {
    /// Takes the next chunk in.
    pub fn update(&mut self, chunk: &[u8]) {
        self.context.update(digest(&SHA256, chunk).as_ref());
        self.chunks = self.chunks.saturating_add(1);
    }

    /// How many chunks were taken in.
    pub const fn chunks(&self) -> u32 {
        self.chunks
    }

    /// The digest over all of them.
    pub fn finish(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        // A SHA-256 digest has this length.
        bytes.copy_from_slice(self.context.finish().as_ref());
        bytes
    }
}

impl fmt::Debug for TableDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableDigest")
            .field("chunks", &self.chunks)
            .finish_non_exhaustive()
    }
}
