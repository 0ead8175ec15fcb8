//! Frames of HTTP/2 (RFC 9113 section 6) and a client that sends any of them.

use shared::serve::BoundAddress;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

/// The error code by which a server says that it was too much (RFC 9113 section 7).
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// One frame.
pub(super) struct Frame(Vec<u8>);

impl Frame {
    fn new(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Self {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        Self([&head, payload].concat())
    }

    /// `GET /authz/ext-authz/x`, whole.
    pub(super) fn request(stream: u32) -> Self {
        Self::new(1, END_STREAM | END_HEADERS, stream, &head(0x82))
    }

    /// `POST` likewise, with a body to come.
    pub(super) fn request_with_body(stream: u32) -> Self {
        Self::new(1, END_HEADERS, stream, &head(0x83))
    }

    /// A request whose headers go on.
    pub(super) fn unfinished_request(stream: u32) -> Self {
        Self::new(1, END_STREAM, stream, &head(0x82))
    }

    /// A field of these bytes, as far as the headers of a request go on.
    pub(super) fn continuation(stream: u32, value: &[u8]) -> Self {
        if value.is_empty() {
            return Self::new(9, 0, stream, b"");
        }
        let mut field = vec![0, 1, b'x'];
        field.extend(length(value.len()));
        field.extend(value);
        Self::new(9, 0, stream, &field)
    }

    /// A request with one long field that is told once and named 4000 times.
    pub(super) fn bomb(stream: u32) -> Self {
        let mut block = head(0x82);
        block.extend([0x40, 1, b'x']);
        block.extend(length(3000));
        block.extend([b'y'; 3000]);
        // The newest entry of the dynamic table.
        block.extend([0xbe; 4000]);
        Self::new(1, END_STREAM | END_HEADERS, stream, &block)
    }

    pub(super) fn data(stream: u32, bytes: &[u8]) -> Self {
        Self::new(0, 0, stream, bytes)
    }

    pub(super) fn reset(stream: u32) -> Self {
        Self::new(3, 0, stream, &8_u32.to_be_bytes())
    }

    pub(super) fn window(stream: u32, more: u32) -> Self {
        Self::new(8, 0, stream, &more.to_be_bytes())
    }

    pub(super) fn ping(number: u32) -> Self {
        Self::new(6, 0, 0, &u64::from(number).to_be_bytes())
    }

    pub(super) fn settings() -> Self {
        Self::new(4, 0, 0, &[0, 3, 0, 0, 0, 100])
    }

    pub(super) fn priority(stream: u32, on: u32) -> Self {
        Self::new(2, 0, stream, &[&on.to_be_bytes()[..], &[7]].concat())
    }
}

/// An integer with a prefix of seven bits (RFC 7541 section 5.1).
fn length(mut length: usize) -> Vec<u8> {
    if length < 127 {
        return vec![u8::try_from(length).unwrap()];
    }
    length -= 127;
    let mut bytes = vec![127];
    while length >= 128 {
        bytes.push(u8::try_from(length % 128).unwrap() | 0x80);
        length /= 128;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes
}

/// The fields of a request to `/authz/ext-authz/x` (RFC 7541), `method` from the static table.
fn head(method: u8) -> Vec<u8> {
    let path = b"/authz/ext-authz/x";
    let mut block = vec![method, 0x86, 0x04];
    block.extend(length(path.len()));
    block.extend(path);
    block.extend([0x01, 1, b'a']);
    block
}

/// What became of a connection.
#[derive(Debug)]
pub(super) struct Flooded {
    /// Steps that were sent before it was ended.
    pub(super) sent: u32,
    /// The code of GOAWAY, where there was one.
    pub(super) goodbye: Option<u32>,
    /// Streams that the server reset or refused, and answers of 4xx.
    pub(super) refused: u32,
    /// Whether it was closed by the server.
    pub(super) is_closed: bool,
}

impl Flooded {
    /// Whether the server ended it.
    pub(super) fn is_ended(&self) -> bool {
        self.is_closed || self.goodbye.is_some_and(|code| code != 0)
    }
}

/// Sends the frames of each of so many steps, for as long as the server takes them, and reads what it says.
pub(super) async fn flood(
    address: BoundAddress,
    steps: u32,
    mut frames: impl FnMut(u32) -> Vec<Frame>,
) -> Flooded {
    let BoundAddress::Tcp(address) = address else {
        unreachable!("the tests listen on TCP")
    };
    let (reading, mut writing) = TcpStream::connect(address).await.unwrap().into_split();
    let heard = tokio::spawn(hear(reading));
    let mut bytes = [PREFACE, &Frame::new(4, 0, 0, b"").0].concat();
    let mut sent = 0;
    for step in 0..steps {
        bytes.extend(frames(step).into_iter().flat_map(|frame| frame.0));
        // Together, so that a server which is slow to notice is told of many at once.
        if bytes.len() > 16 * 1024 || step + 1 == steps {
            if writing.write_all(&bytes).await.is_err() {
                break;
            }
            bytes.clear();
        }
        sent = step + 1;
        if heard.is_finished() {
            break;
        }
    }
    let is_open = writing.shutdown().await.is_ok();
    let (goodbye, refused) = heard.await.unwrap();
    Flooded {
        sent,
        goodbye,
        refused,
        is_closed: !is_open,
    }
}

/// Reads frames until the connection ends: the code of GOAWAY, and how many streams were refused.
async fn hear(mut reading: OwnedReadHalf) -> (Option<u32>, u32) {
    let (mut goodbye, mut refused) = (None, 0);
    let mut head = [0; 9];
    while reading.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        if reading.read_exact(&mut payload).await.is_err() {
            break;
        }
        match head[3] {
            3 => refused += 1,
            7 => goodbye = code_in(&payload),
            // 431, not in the static table, so spelt out behind the name of `:status`.
            1 if payload.windows(3).any(|three| three == b"431") || payload.first() == Some(&0x8c) => {
                refused += 1;
            }
            _ => {}
        }
    }
    (goodbye, refused)
}

/// The error code in the payload of GOAWAY (RFC 9113 section 6.8).
fn code_in(payload: &[u8]) -> Option<u32> {
    let code = payload.get(4..8)?;
    Some(u32::from_be_bytes(code.try_into().unwrap()))
}
