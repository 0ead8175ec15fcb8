//! A file taken apart into lines, none of them kept for longer than it is looked at.

use std::io::{self, BufRead};

/// What some editors put before the first line.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A line has more bytes than a good one can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::command) struct LineTooLong;

/// The lines of a file.
#[derive(Debug)]
pub(in crate::command) struct Lines<R> {
    source: R,
    bytes_max: usize,
    line: Vec<u8>,
    bytes: u64,
}

impl<R: BufRead> Lines<R> {
    /// Lines of at most so many bytes.
    pub(in crate::command) fn of(source: R, bytes_max: usize) -> Self {
        Self {
            source,
            bytes_max,
            line: Vec::new(),
            bytes: 0,
        }
    }

    /// Bytes read so far.
    pub(in crate::command) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next line, without its end and the space around it, or why it is none; `None`: there are no more.
    pub(in crate::command) fn next(&mut self) -> io::Result<Option<Result<&[u8], LineTooLong>>> {
        let (is_first, mut is_cut) = (self.bytes == 0, false);
        self.line.clear();
        loop {
            let chunk = self.source.fill_buf()?;
            if chunk.is_empty() {
                if self.line.is_empty() && !is_cut {
                    return Ok(None);
                }
                break;
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            if self.line.len() + part.len() > self.bytes_max {
                is_cut = true;
                self.line.clear();
            } else if !is_cut {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.source.consume(used);
            self.bytes += u64::try_from(used).unwrap_or(0);
            if end.is_some() {
                break;
            }
        }
        if is_cut {
            return Ok(Some(Err(LineTooLong)));
        }
        let line = self.line.as_slice();
        let line = if is_first {
            line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
        } else {
            line
        };
        Ok(Some(Ok(line.trim_ascii())))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    const BYTES_MAX: usize = 4096;

    fn lines(text: &[u8], buffer: usize) -> Vec<Result<String, LineTooLong>> {
        let mut lines = Lines::of(BufReader::with_capacity(buffer, text), BYTES_MAX);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push(line.map(|line| String::from_utf8(line.to_vec()).unwrap()));
        }
        assert_eq!(lines.bytes(), text.len() as u64);
        found
    }

    #[test]
    fn lines_are_the_same_however_the_file_comes() {
        let long = vec![b'x'; BYTES_MAX + 1];
        let text = [
            "\u{feff}a\n\n  b c\r\n".as_bytes(),
            &long,
            b"\nd\n",
            &long[1..],
            b"\n",
            &long,
        ]
        .concat();
        let expected = [
            Ok("a".to_owned()),
            Ok(String::new()),
            Ok("b c".to_owned()),
            Err(LineTooLong),
            Ok("d".to_owned()),
            Ok("x".repeat(BYTES_MAX)),
            Err(LineTooLong),
        ];
        for buffer in [1, 7, 700, 1_000_000] {
            assert_eq!(lines(&text, buffer), expected, "{buffer}");
        }
        assert!(lines(b"", 8).is_empty());
        assert_eq!(lines(b"a\n", 8), [Ok("a".to_owned())]);
    }
}
