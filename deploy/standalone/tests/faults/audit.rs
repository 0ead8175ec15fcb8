//! What must hold when a fault is over: nothing is lost, and all verifiers know the same.

use std::collections::HashMap;

use serde_json::Value;
use shared::encoding::base64url_decode;
use shared::feed::entry;
use shared::feed::heartbeat::Statement;
use shared::feed::key::{FEED_KEYS_PATH, FeedKeys};
use shared::limits;
use shared::revocation::{Fact, Revocation};
use shared::time::{UnixMillis, UnixSeconds};
use tokio::time::Instant;
use uuid::Uuid;

use crate::drill::{SOON, within};
use crate::history::{History, State, Token};
use crate::stored_feed::StoredFeed;
use crate::world::process::LOOK_EVERY;
use crate::world::{SIGNED_IN, VERIFIERS, World};

/// Asks every verifier about every token once more.
pub(crate) async fn verdicts(world: &World, history: &History) {
    let tokens = history.tokens();
    for (place, verifier) in world.verifiers.iter().enumerate() {
        for (id, token) in tokens.iter().enumerate() {
            let began = Instant::now();
            let verdict = verifier.ask(&world.client, SIGNED_IN, Some(&token.access)).await;
            history.verdict(place, id, began, &verdict);
            assert!(
                !history.undecided()[place],
                "{}: {verdict:?} of token {id}",
                verifier.name
            );
        }
    }
}

/// Waits until every verifier says that it holds as many revocations of each kind as the others.
pub(crate) async fn replicas(world: &World) {
    let held = async |verifier: usize| -> Vec<String> {
        let page = world.verifiers[verifier].metrics(&world.client).await;
        let lines = page
            .lines()
            .filter(|line| line.starts_with("verifier_revocations{"));
        lines.map(str::to_owned).collect()
    };
    let equal = async {
        loop {
            let first = held(0).await;
            assert!(!first.is_empty(), "a verifier says how many revocations it holds");
            let mut others = Vec::new();
            for verifier in 1..VERIFIERS {
                others.push(held(verifier).await);
            }
            if others.iter().all(|other| *other == first) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    within(SOON, "the verifiers hold the same", equal).await;
}

/// Waits until the stream in force ends with a heartbeat that proves all of it, and checks that it has every revocation,
/// for as long as it can refuse anything.
pub(crate) async fn stream(world: &World, history: &History) {
    let keys = feed_keys(world).await;
    let proved = async {
        loop {
            if let Some(facts) = proved_facts(world, &keys).await {
                return facts;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let facts = within(SOON, "the stream is proved", proved).await;
    let mut by_id: HashMap<Uuid, Vec<&Revocation>> = HashMap::new();
    for revocation in &facts {
        match &revocation.fact {
            Fact::Session { session } => by_id.entry(session.0).or_default().push(revocation),
            Fact::Subject { subject, .. } => by_id.entry(subject.0).or_default().push(revocation),
            _ => {}
        }
    }
    for (id, token) in history.tokens().iter().enumerate() {
        if matches!(token.state, State::Revoked(_)) {
            let claims = Claims::of(token);
            let ids = [claims.session, claims.subject];
            let mut about = ids.iter().filter_map(|id| by_id.get(id)).flatten();
            let is_refused = about.any(|revocation| claims.are_refused_by(revocation));
            assert!(is_refused, "token {id} is not in the stream: {claims:?}");
        }
    }
}

async fn feed_keys(world: &World) -> FeedKeys {
    let asked = world
        .client
        .get(format!("http://{}{FEED_KEYS_PATH}", world.front.address()));
    let answer = asked.send().await.unwrap().bytes().await.unwrap();
    FeedKeys::from_jwks(&answer).unwrap()
}

/// The facts of the stream, if a heartbeat at its end agrees with them.
async fn proved_facts(world: &World, keys: &FeedKeys) -> Option<Vec<Revocation>> {
    let mut feed = StoredFeed::of(world).await;
    let epoch = feed.pointer().await?;
    let items = feed.items(&epoch).await;
    let (_, last) = items.last()?;
    let statement = Statement::verify(last.heartbeat()?, keys).ok()?;
    let mut chain = statement.floor;
    let mut facts = Vec::new();
    for (id, item) in items {
        if let Some(bytes) = item.entry()
            && id.seq > chain.seq
        {
            chain = chain.with(id.seq, bytes);
            facts.push(entry::decode(bytes).ok()?);
        }
    }
    (chain == statement.last).then_some(facts)
}

/// What of a token a fact can be about.
#[derive(Debug)]
struct Claims {
    session: Uuid,
    subject: Uuid,
    ver: i64,
    expires: UnixMillis,
}

impl Claims {
    fn of(token: &Token) -> Self {
        let payload = token.access.split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(&base64url_decode(payload.as_bytes()).unwrap()).unwrap();
        let id = |name: &str| claims[name].as_str().unwrap().parse().unwrap();
        Self {
            session: id("sid"),
            subject: id("sub"),
            ver: claims["ver"].as_i64().unwrap(),
            expires: UnixSeconds(claims["exp"].as_i64().unwrap()).to_millis(),
        }
    }

    /// By the token's end, and the greatest leeway after it.
    fn are_refused_by(&self, revocation: &Revocation) -> bool {
        let is_about_us = match &revocation.fact {
            Fact::Session { session } => session.0 == self.session,
            Fact::Subject { subject, min_ver } => subject.0 == self.subject && self.ver < *min_ver,
            _ => false,
        };
        let until = self.expires.plus(limits::LEEWAY_MAX);
        is_about_us && revocation.expires.is_none_or(|expires| expires >= until)
    }
}
