//! The frames of HTTP/2, as far as it takes to see a header block that does not end: the library that reads them does not say
//! when one begins.

/// What a client sends before its first frame (RFC 9113 section 3.4), in bytes.
const PREFACE_BYTES: usize = 24;

/// The header of a frame (RFC 9113 section 4.1), in bytes: length (3), type, flags, stream (4).
const HEAD_BYTES: usize = 9;

const HEADERS: u8 = 0x1;
const CONTINUATION: u8 = 0x9;
const END_HEADERS: u8 = 0x4;

/// Whether there is a header block that has begun and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// None.
    Whole,
    /// One that had begun before.
    Begun,
    /// One that has begun just now.
    New,
}

/// Where in the frames of a client its last byte was. What frames carry is skipped.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes until the next frame's header.
    skip: usize,
    head: [u8; HEAD_BYTES],
    head_filled: usize,
    is_in_block: bool,
    /// The block ends with what is skipped.
    is_last: bool,
}

impl Frames {
    pub(super) const fn new() -> Self {
        Self {
            skip: PREFACE_BYTES,
            head: [0; HEAD_BYTES],
            head_filled: 0,
            is_in_block: false,
            is_last: false,
        }
    }

    /// Takes note of the bytes that have come, which go on where those before ended.
    pub(super) fn received(&mut self, mut bytes: &[u8]) -> Block {
        let mut is_new = false;
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if self.skip == 0 && self.is_last {
                (self.is_in_block, self.is_last) = (false, false);
            }
            let Some((first, rest)) = bytes.split_first() else {
                break;
            };
            bytes = rest;
            if let Some(place) = self.head.get_mut(self.head_filled) {
                *place = *first;
                self.head_filled += 1;
            }
            if self.head_filled == HEAD_BYTES {
                self.head_filled = 0;
                is_new |= self.begin_frame();
            }
        }
        match (self.is_in_block, is_new) {
            (false, _) => Block::Whole,
            (true, false) => Block::Begun,
            (true, true) => Block::New,
        }
    }

    /// Reads a frame's header; whether a block begins with it.
    fn begin_frame(&mut self) -> bool {
        let [high, middle, low, kind, flags, ..] = self.head;
        self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let is_of_block = kind == HEADERS || kind == CONTINUATION;
        self.is_last = is_of_block && flags & END_HEADERS != 0;
        let begins = kind == HEADERS;
        self.is_in_block |= begins;
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: u8 = 0x4;
    const DATA: u8 = 0x0;

    fn frame(kind: u8, flags: u8, carries: &[u8]) -> Vec<u8> {
        let [.., middle, low] = carries.len().to_be_bytes();
        [&[0, middle, low, kind, flags, 0, 0, 0, 1], carries].concat()
    }

    /// What is seen when the bytes come in pieces of this length.
    fn seen(bytes: &[u8], length: usize) -> Vec<Block> {
        let mut frames = Frames::new();
        let preface = frames.received(&[b'x'; PREFACE_BYTES]);
        assert_eq!(preface, Block::Whole);
        bytes.chunks(length).map(|piece| frames.received(piece)).collect()
    }

    #[test]
    fn a_block_has_begun_until_its_last_frame_is_whole() {
        let whole = [
            frame(SETTINGS, 0, &[0; 6]),
            frame(HEADERS, END_HEADERS, &[1; 20]),
            frame(DATA, END_HEADERS, &[0; 300]),
        ]
        .concat();
        assert_eq!(seen(&whole, whole.len()), [Block::Whole]);
        let (most, _) = whole.split_at(15 + 9 + 19);
        assert_eq!(seen(most, most.len()), [Block::New]);

        let open = [frame(HEADERS, 0, &[1; 5]), frame(CONTINUATION, 0, &[])].concat();
        assert_eq!(seen(&open, 14), [Block::New, Block::Begun]);
        let ended = [open, frame(CONTINUATION, END_HEADERS, &[])].concat();
        assert_eq!(seen(&ended, 14), [Block::New, Block::Begun, Block::Whole]);
    }

    #[test]
    fn a_block_behind_another_one_is_new() {
        let one = frame(HEADERS, END_HEADERS, &[1; 11]);
        // Each piece ends in the middle of a block, and each time it is another one.
        let [first, second] = [one.as_slice(); 2].map(|one| one.split_at(10));
        let pieces = [first.0, &[first.1, second.0].concat(), second.1];
        let mut frames = Frames::new();
        frames.received(&[0; PREFACE_BYTES]);
        let seen = pieces.map(|piece| frames.received(piece));
        assert_eq!(seen, [Block::New, Block::New, Block::Whole]);
    }

    #[test]
    fn bytes_that_come_alone_are_seen_as_those_that_come_together() {
        let bytes = [
            frame(HEADERS, 0, &[1; 3]),
            frame(CONTINUATION, END_HEADERS, &[2; 3]),
            frame(DATA, 0, &[0; 2]),
        ]
        .concat();
        let alone = seen(&bytes, 1);
        let began = alone.iter().filter(|block| **block == Block::New).count();
        assert_eq!(began, 1);
        for (place, block) in alone.iter().enumerate() {
            let is_in_block = (8..23).contains(&place);
            assert_eq!(*block != Block::Whole, is_in_block, "byte {place}");
        }
    }
}
