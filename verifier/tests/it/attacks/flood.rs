//! Many requests, and many connections.

use std::time::Duration;

use shared::encoding::base64url;
use shared::testkit::{TestKey, TokenForge};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use verifier::http::Endpoint;

use super::{RULES, Target, parts};
use crate::support::{Canned, Client, KeyServer, Request, World, until};

/// How many idle connections are held, if not said otherwise: few enough for a machine's usual bound on descriptors.
const IDLE_CONNECTIONS: usize = 2000;

/// The environment variable that says otherwise.
const IDLE_CONNECTIONS_VARIABLE: &str = "USHER_TEST_IDLE_CONNECTIONS";

async fn asks(client: &mut Client, token: &str, status: u16) {
    let request = Request::about(Endpoint::AuthRequest, "GET", "/").bearer(token);
    assert_eq!(client.ask(&request).await.status, status);
}

/// Tokens that were looked for in the cache and not found.
fn misses(world: &World) -> Option<f64> {
    world.metric("verifier_token_cache_lookups_total{result=\"miss\"}")
}

/// Attack: 10 000 tokens in a minute, each of a key that nobody knows.
/// Source: RFC 7517 section 5, CWE-770
/// Result: two fetches at most, and every good token in between is admitted
#[tokio::test]
async fn random_key_ids() {
    let keys = TestKey::jwks(&[&TestKey::number(0)]);
    let server = KeyServer::start(Canned::ok(keys)).await;
    let url = format!("{}/keys", server.origin);
    let mut world = World::fetching(RULES, |settings| settings.jwks_url = Some(url)).await;
    world.is_ready().await;
    let good = world.forge().token();
    let (_, payload, signature) = parts(&good);
    let (payload, signature) = (payload.to_owned(), signature.to_owned());
    let mut client = world.connect().await;
    for number in 0..10_000 {
        world.clock.advance(Duration::from_millis(6));
        if number % 100 == 0 {
            world.heartbeat().await;
            asks(&mut client, &good, 200).await;
        }
        let header = format!("{{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"random-{number}\"}}");
        let token = format!("{}.{payload}.{signature}", base64url(header.as_bytes()));
        asks(&mut client, &token, 401).await;
    }
    // The first was before the flood; what a minute has room for is one at its start and one at the half.
    assert!(
        (2..=3).contains(&server.asked().len()),
        "{}",
        server.asked().len()
    );
    assert_eq!(world.metric("verifier_keys_generation"), Some(1.0));
}

/// Attack: 20 000 distinct tokens that are garbage, forged or malformed.
/// Source: CWE-770
/// Result: nothing of them is kept, and what was kept of good tokens stays
#[tokio::test]
async fn garbage_leaves_the_cache_alone() {
    let target = Target::start().await;
    let good: Vec<String> = (0..50).map(|_| target.forge().token()).collect();
    let mut client = target.world.connect().await;
    for token in good.iter().chain(&good) {
        asks(&mut client, token, 200).await;
    }
    let kept = |world: &World| {
        ["verifier_token_cache_entries", "verifier_token_cache_bytes"].map(|name| world.metric(name))
    };
    until(Duration::from_secs(10), async || {
        target.world.metric("verifier_token_cache_entries") == Some(50.0)
    })
    .await;
    let before = kept(&target.world);
    let (header, payload, signature) = parts(&good[0]);
    for number in 0..20_000 {
        let token = match number % 4 {
            0 => format!(
                "{header}.{}.{signature}",
                base64url(format!("{{\"n\":{number}}}").as_bytes())
            ),
            1 => format!(
                "{header}.{payload}.{}",
                base64url(format!("{number:0>256}").as_bytes())
            ),
            2 => format!("garbage-{number}"),
            _ => format!("{number}.{payload}.{signature}"),
        };
        asks(&mut client, &token, 401).await;
    }
    assert_eq!(kept(&target.world), before);
    let missed = misses(&target.world);
    for token in &good {
        asks(&mut client, token, 200).await;
    }
    assert_eq!(misses(&target.world), missed, "each is found where it was");
}

/// Attack: somebody who may sign in takes so many tokens that they do not fit into the cache.
/// Source: CWE-770
/// Result: the cache stays within its bound, and every good token is admitted
#[tokio::test]
async fn good_tokens_past_the_bound() {
    const CAPACITY: u64 = 64 * 1024;
    let world = World::with(RULES, |settings| {
        settings.cache.capacity = shared::config::ByteSize(CAPACITY);
    })
    .await;
    let mut client = world.connect().await;
    let forge = TokenForge::new(&TestKey::number(0), world.now());
    for number in 0..2000 {
        let token = forge.clone().claim("x", number).token();
        // What comes twice is shared by all threads.
        asks(&mut client, &token, 200).await;
        asks(&mut client, &token, 200).await;
    }
    until(Duration::from_secs(10), async || {
        let bytes = world.metric("verifier_token_cache_bytes").unwrap();
        (1.0..=64.0 * 1024.0).contains(&bytes)
    })
    .await;
}

/// Attack: connections that ask once and then stay open: 2000 of them, or as many as `USHER_TEST_IDLE_CONNECTIONS` says.
/// Source: CVE-2007-6750, CWE-400
/// Result: all of them are held, and a good token is admitted at once
#[tokio::test]
async fn idle_connections() {
    let wanted =
        std::env::var(IDLE_CONNECTIONS_VARIABLE).map_or(IDLE_CONNECTIONS, |number| number.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let served = crate::support::Served::start(
        folder.path(),
        "default = \"allow\"\n",
        &[
            ("VERIFIER__REVOCATIONS", "off"),
            ("VERIFIER__JWKS_URL", "http://127.0.0.1:9/keys"),
        ],
    )
    .await;
    let shared::serve::BoundAddress::Tcp(address) = served.public.clone() else {
        unreachable!("it listens on TCP")
    };
    let request = Request::about(Endpoint::AuthRequest, "GET", "/").to_bytes();
    let mut held = Vec::new();
    for number in 0..wanted {
        // Another address each 5000: the more of its ports are taken, the longer a free one is looked for.
        let from = [127, 0, 0, u8::try_from(2 + number / 5000).unwrap()];
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        stream.write_all(&request).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        held.push(stream);
    }
    // Those and the one that asks.
    let (_, metrics) = served.admin("/metrics").await;
    let open = metrics
        .lines()
        .find_map(|line| line.strip_prefix("verifier_http_connections_open "))
        .unwrap();
    assert_eq!(open.parse::<usize>().unwrap(), wanted);
    assert_eq!(served.verdict("/", None).await.0, 200);
    drop(held);
    served.stop().await;
}
