//! A body taken apart into lines as it comes.

use axum::body::Body;
use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use shared::limits;

use super::super::respond::ApiError;
use crate::service::LineFault;

/// The lines of a body.
pub(super) struct Lines {
    body: Body,
    buffer: BytesMut,
    bytes: usize,
    has_ended: bool,
    /// What is in the buffer belongs to a line that is too long.
    is_cut: bool,
}

impl Lines {
    pub(super) fn of(body: Body) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
            bytes: 0,
            has_ended: false,
            is_cut: false,
        }
    }

    /// The next line, without its end, or why it is none; `None`: there are no more.
    ///
    /// # Errors
    ///
    /// [`ApiError`] if the body ends early, takes too long or is too large.
    pub(super) async fn next(&mut self) -> Result<Option<Result<BytesMut, LineFault>>, ApiError> {
        let mut searched = 0;
        loop {
            let behind = self.buffer.get(searched..).unwrap_or_default();
            if let Some(at) = behind.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(searched + at);
                self.buffer.advance(1);
                return Ok(Some(self.judge(line)));
            }
            if self.has_ended {
                let rest = self.buffer.split();
                let is_line = !rest.is_empty() || self.is_cut;
                return Ok(is_line.then(|| self.judge(rest)));
            }
            if self.buffer.len() > limits::FILM_LINE_BYTES_MAX {
                self.is_cut = true;
                self.buffer.clear();
            }
            searched = self.buffer.len();
            self.read().await?;
        }
    }

    fn judge(&mut self, mut line: BytesMut) -> Result<BytesMut, LineFault> {
        if std::mem::take(&mut self.is_cut) || line.len() > limits::FILM_LINE_BYTES_MAX {
            return Err(LineFault::TooLong);
        }
        let is_space = |byte: &u8| byte.is_ascii_whitespace();
        line.truncate(line.trim_ascii_end().len());
        let blank = line.iter().take_while(|byte| is_space(byte)).count();
        line.advance(blank);
        Ok(line)
    }

    /// Reads what comes next.
    async fn read(&mut self) -> Result<(), ApiError> {
        let frame = tokio::time::timeout(limits::BODY_READ_TIMEOUT, self.body.frame()).await;
        match frame.map_err(|_| ApiError::MalformedBody("the body took too long"))? {
            None => self.has_ended = true,
            Some(Err(_)) => return Err(ApiError::MalformedBody("the body ended early")),
            Some(Ok(frame)) => {
                let data = frame.into_data().unwrap_or_default();
                self.bytes += data.len();
                if self.bytes > limits::BULK_BYTES_MAX {
                    return Err(ApiError::BodyTooLarge);
                }
                self.buffer.extend_from_slice(&data);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::channel::Channel;

    use super::*;

    async fn lines(parts: Vec<Vec<u8>>) -> Vec<Result<String, LineFault>> {
        let (mut sender, body) = Channel::<bytes::Bytes, Infallible>::new(1);
        let sending = tokio::spawn(async move {
            for part in parts {
                sender.send_data(part.into()).await.unwrap();
            }
        });
        let (mut lines, mut found) = (Lines::of(Body::new(body)), Vec::new());
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line.map(|line| String::from_utf8(line.to_vec()).unwrap()));
        }
        sending.await.unwrap();
        found
    }

    #[tokio::test]
    async fn lines_are_the_same_however_the_body_comes() {
        let text = b"a\n\n  b c\r\nd";
        let expected = ["a", "", "b c", "d"].map(|line| Ok(line.to_owned()));
        assert_eq!(lines(vec![text.to_vec()]).await, expected);
        assert_eq!(
            lines(text.iter().map(|byte| vec![*byte]).collect()).await,
            expected
        );
        assert!(lines(vec![]).await.is_empty());
        assert_eq!(lines(vec![b"a\n".to_vec()]).await, [Ok("a".to_owned())]);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_keeps_no_other_from_being_read() {
        let long = vec![b'x'; limits::FILM_LINE_BYTES_MAX + 1];
        let text = [b"a\n".as_slice(), &long, b"\nb\n", &long].concat();
        let expected = [
            Ok("a".to_owned()),
            Err(LineFault::TooLong),
            Ok("b".to_owned()),
            Err(LineFault::TooLong),
        ];
        assert_eq!(lines(vec![text.clone()]).await, expected);
        let parts = text.chunks(700).map(<[u8]>::to_vec).collect();
        assert_eq!(lines(parts).await, expected);
    }
}
