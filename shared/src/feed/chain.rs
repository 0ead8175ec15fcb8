//! The hash chain over the entries of an epoch: whoever agrees on its end agrees on everything before.

use ring::digest;

/// A point of the chain: the number of the last entry, and `H(n) = SHA-256(H(n−1) ‖ n ‖ entry n)`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// Number of the last entry.
    pub seq: u64,
    /// The hash over everything up to it.
    pub hash: [u8; 32],
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [h0, h1, h2, h3, ..] = self.hash;
        write!(f, "{}:{h0:02x}{h1:02x}{h2:02x}{h3:02x}", self.seq)
    }
}

impl Chain {
    /// Where an epoch begins: before every entry.
    pub const START: Self = Self {
        seq: 0,
        hash: [0; 32],
    };

    /// The chain with one more entry.
    #[must_use]
    pub fn with(self, seq: u64, entry: &[u8]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.hash);
        context.update(&seq.to_be_bytes());
        context.update(entry);
        let mut hash = [0; 32];
        // A SHA-256 digest has this length.
        hash.copy_from_slice(context.finish().as_ref());
        Self { seq, hash }
    }
}
