//! Where a verifier fetches the keys of tokens and of the feed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use shared::feed::key::FEED_KEYS_PATH;

/// Answers every request with a key set, until the program ends; the URL of the tokens' keys.
pub fn publish(jwks: String, feed_keys: Vec<u8>) -> anyhow::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let url = format!("http://{}/.well-known/jwks.json", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A verifier that hangs up asks again.
            let _ = answer(&stream, jwks.as_bytes(), &feed_keys);
        }
    });
    Ok(url)
}

fn answer(stream: &TcpStream, jwks: &[u8], feed_keys: &[u8]) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let is_for_feed = request.split(' ').nth(1) == Some(FEED_KEYS_PATH);
    let body = if is_for_feed { feed_keys } else { jwks };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    stream.write_all(&[head.as_bytes(), body].concat())
}
