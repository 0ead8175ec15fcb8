//! The five bytes before a message: whether it is compressed, and its length.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;

/// The bytes before a message.
pub(super) const PREFIX_BYTES: usize = 5;

/// Why bytes are not one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameError {
    /// No message, or several.
    NotOne,
    /// A compressed one.
    Compressed,
    /// One that breaks off, or a prefix that is none.
    Broken,
}

/// The one message in these bytes.
pub(super) fn unframe(mut bytes: Bytes) -> Result<Bytes, FrameError> {
    if bytes.is_empty() {
        return Err(FrameError::NotOne);
    }
    if bytes.len() < PREFIX_BYTES {
        return Err(FrameError::Broken);
    }
    match bytes.get_u8() {
        0 => {}
        1 => return Err(FrameError::Compressed),
        _ => return Err(FrameError::Broken),
    }
    let length = usize::try_from(bytes.get_u32()).map_err(|_| FrameError::Broken)?;
    match bytes.len().cmp(&length) {
        std::cmp::Ordering::Less => Err(FrameError::Broken),
        std::cmp::Ordering::Equal => Ok(bytes),
        std::cmp::Ordering::Greater => Err(FrameError::NotOne),
    }
}

/// A message with its prefix.
pub(super) fn frame(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX_BYTES + length);
    bytes.put_u8(0);
    // What we answer is far below 4 GiB.
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    // There is room, so this cannot fail.
    let _ = message.encode(&mut bytes);
    bytes.freeze()
}
