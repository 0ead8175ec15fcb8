mod allocations;
mod films;
mod properties;

use std::time::Duration;

use bytes::Bytes;
use shared::feed::channel::{ChannelPublisher, channel};
use shared::revocation::{Fact, Revocation};
use shared::testkit::{ManualClock, TestKey, TokenForge};
use shared::time::UnixMillis;
use shared::token::ClaimsPolicy;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::keys::{KeySchedule, WatchedKeys};
use crate::policy::{Basis, RulesSource};
use crate::revocation::StalenessBounds;

const START: UnixMillis = UnixMillis(1_795_376_000_000);
const RULES: &str = r#"
default = "allow"

[[rule]]
path = "/films/{*rest}"
roles = ["subscriber", "editor"]

[[rule]]
path = "/me"
authenticated = true
on_stale = "allow"

[[rule]]
path = "/billing"
authenticated = true
audience = "billing"

[[rule]]
path = "/hosted"
hosts = ["movies.example.org"]
anonymous = true

[[rule]]
path = "/labelled/{film_id}"
film = "{film_id}"
"#;

/// A pipeline over real replicas, each fed as in one process, with the time in the test's hand.
struct World {
    runtime: Runtime,
    clock: Arc<ManualClock>,
    jwks: watch::Sender<Bytes>,
    publisher: ChannelPublisher,
    pipeline: Pipeline,
}

impl World {
    fn new(rules: &'static str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let (jwks, watched) = watch::channel(Bytes::new());
        let (publisher, feed) = channel();
        let schedule = KeySchedule {
            refresh: Duration::from_hours(1),
            cooldown: Duration::from_secs(30),
        };
        let bounds = StalenessBounds {
            max_staleness: Duration::from_secs(30),
            leeway: Duration::from_secs(5),
        };
        let claims = ClaimsPolicy {
            issuer: TokenForge::ISSUER.into(),
            audience: TokenForge::AUDIENCE.into(),
            leeway_s: 5,
        };
        let keys = Arc::new(KeyReplica::new(schedule, clock.clone()));
        let revocations = Arc::new(RevocationReplica::new(bounds));
        let shutdown = CancellationToken::new();
        runtime.spawn(Arc::clone(&keys).follow(Box::new(WatchedKeys::new(watched)), shutdown.clone()));
        runtime.spawn(Arc::clone(&revocations).follow(Box::new(feed), clock.clone(), shutdown));
        let pipeline = Pipeline {
            clock: clock.clone(),
            keys,
            revocations,
            policy: Arc::new(
                PolicyStore::open(
                    RulesSource::BuiltIn(rules),
                    Basis {
                        claims,
                        has_labels: true,
                    },
                )
                .unwrap(),
            ),
            token_format: TokenFormat::OURS,
            cache: TokenCache::new(1024 * 1024, std::num::NonZeroUsize::MIN),
            on_stale: OnStale::Deny,
            shadow: None,
        };
        Self {
            runtime,
            clock,
            jwks,
            publisher,
            pipeline,
        }
    }

    /// With key 0 in force and a heartbeat of now.
    fn ready() -> Self {
        let mut world = Self::new(RULES);
        world.set_keys(&[0]);
        world.heartbeat();
        world
    }

    fn set_keys(&mut self, numbers: &[usize]) {
        let keys: Vec<TestKey> = numbers.iter().copied().map(TestKey::number).collect();
        self.jwks
            .send_replace(TestKey::jwks(&keys.iter().collect::<Vec<_>>()).into());
        let keys = &self.pipeline.keys;
        self.runtime.block_on(async {
            while !(keys.current().len() == numbers.len()
                && numbers
                    .iter()
                    .all(|number| keys.current().get(&format!("test-{number}")).is_some()))
            {
                tokio::task::yield_now().await;
            }
        });
    }

    fn revoke(&mut self, fact: Fact) {
        self.runtime.block_on(async {
            self.publisher
                .publish(Revocation { fact, expires: None })
                .await
                .unwrap();
            self.publisher.applied().await.unwrap();
        });
    }

    fn heartbeat(&mut self) {
        self.runtime
            .block_on(self.publisher.heartbeat(self.clock.now()))
            .unwrap();
        // Whatever is applied behind it was taken in behind it.
        let token = shared::id::TokenId::new(START);
        self.revoke(Fact::Token { token });
    }

    fn ask(&self, path: &str, credentials: Credentials<'_>) -> Result<(), Reason> {
        self.ask_with(&question(path, credentials))
    }

    fn ask_with(&self, question: &Question<'_>) -> Result<(), Reason> {
        self.pipeline.decide(question).map(|_| ())
    }

    fn forge(&self) -> TokenForge {
        TokenForge::new(&TestKey::number(0), self.clock.now())
    }
}

fn question<'a>(path: &'a str, credentials: Credentials<'a>) -> Question<'a> {
    Question {
        method: "GET",
        path,
        host: None,
        credentials: Ok(credentials),
        is_cross_site: false,
    }
}

#[test]
fn anonymous_callers_pass_where_nothing_is_asked_whatever_is_missing() {
    let world = World::new(RULES);
    for (path, verdict) in [
        ("/", Ok(())),
        ("/films/1", Err(Reason::Missing)),
        ("/me", Err(Reason::Missing)),
        ("/hosted", Err(Reason::Request)),
    ] {
        assert_eq!(world.ask(path, Credentials::None), verdict, "{path}");
    }
    let hosted = Question {
        host: Some("movies.example.org"),
        ..question("/hosted", Credentials::None)
    };
    assert_eq!(world.ask_with(&hosted), Ok(()));
}

#[test]
fn a_token_is_judged_by_the_rule() {
    let world = World::ready();
    let plain = world.forge().token();
    let subscriber = world.forge().roles(&["subscriber"]).token();
    let superuser = world.forge().claim("superuser", true).token();
    let billing = world.forge().claim("aud", vec!["billing", "movies"]).token();
    for (path, verdicts) in [
        ("/", [Ok(()), Ok(()), Ok(()), Ok(())]),
        ("/me", [Ok(()), Ok(()), Ok(()), Ok(())]),
        ("/films/1", [Err(Reason::Role), Ok(()), Ok(()), Err(Reason::Role)]),
        (
            "/billing",
            [
                Err(Reason::WrongAudience),
                Err(Reason::WrongAudience),
                Err(Reason::WrongAudience),
                Ok(()),
            ],
        ),
    ] {
        // Twice: the first time the signature is checked, the second time it is known.
        for _ in 0..2 {
            let asked = [&plain, &subscriber, &superuser, &billing]
                .map(|token| world.ask(path, Credentials::Bearer(token)));
            assert_eq!(asked, verdicts, "{path}");
        }
    }
    let admitted = world
        .pipeline
        .decide(&question("/films/1", Credentials::Bearer(&subscriber)))
        .unwrap();
    assert_eq!(admitted.token.unwrap().identity.roles, "subscriber");
}

#[test]
fn a_header_that_is_not_valid_is_refused_even_where_nothing_is_asked_and_a_cookie_is_not() {
    let mut world = World::ready();
    let revoked = world.forge();
    world.revoke(Fact::Session {
        session: revoked.claim_text("sid").parse().unwrap(),
    });
    let expired = TokenForge::new(&TestKey::number(0), START.minus(Duration::from_hours(1)));
    let foreign = TokenForge::new(&TestKey::number(1), START);
    for (token, reason) in [
        ("x".to_owned(), Reason::Malformed),
        (foreign.token(), Reason::UnknownKey),
        (revoked.token(), Reason::Revoked),
        (expired.token(), Reason::Expired),
        (
            world.forge().claim("aud", "others").token(),
            Reason::WrongAudience,
        ),
        (world.forge().claim("iss", "others").token(), Reason::WrongIssuer),
        (
            world.forge().claim("nbf", START.0 / 1000 + 6).token(),
            Reason::NotYetValid,
        ),
        (world.forge().without_claim("sid").token(), Reason::BadClaims),
        (world.forge().header("alg", "none").token(), Reason::Unsupported),
    ] {
        assert_eq!(world.ask("/", Credentials::Bearer(&token)), Err(reason));
        assert_eq!(world.ask("/", Credentials::Cookie(&token)), Ok(()), "{reason}");
        assert_eq!(world.ask("/me", Credentials::Cookie(&token)), Err(reason));
    }
    for (error, open, closed) in [
        (
            CredentialsError::AmbiguousHeader,
            Err(Reason::AmbiguousCredentials),
            Err(Reason::AmbiguousCredentials),
        ),
        (
            CredentialsError::MalformedHeader,
            Err(Reason::Malformed),
            Err(Reason::Malformed),
        ),
        (
            CredentialsError::AmbiguousCookie,
            Ok(()),
            Err(Reason::AmbiguousCredentials),
        ),
    ] {
        let ask = |path| {
            world.ask_with(&Question {
                credentials: Err(error),
                ..question(path, Credentials::None)
            })
        };
        assert_eq!((ask("/"), ask("/me")), (open, closed), "{error}");
    }
}

#[test]
fn without_keys_whoever_presents_a_token_is_asked_to_come_back() {
    let mut world = World::new(RULES);
    world.heartbeat();
    let token = world.forge().token();
    for credentials in [Credentials::Bearer(&token), Credentials::Cookie(&token)] {
        assert_eq!(world.ask("/", credentials), Err(Reason::NoKeys));
    }
    assert_eq!(world.ask("/me", Credentials::Bearer("x")), Err(Reason::Malformed));
    world.set_keys(&[0]);
    assert_eq!(world.ask("/me", Credentials::Bearer(&token)), Ok(()));
}

#[test]
fn a_stale_replica_refuses_to_decide_about_tokens_unless_told_otherwise() {
    let mut world = World::new(RULES);
    world.set_keys(&[0]);
    let token = world.forge().token();
    let bearer = Credentials::Bearer(&token);
    assert_eq!(
        world.ask("/", bearer),
        Err(Reason::StaleReplica),
        "it is still loading"
    );
    world.heartbeat();
    assert_eq!(world.ask("/", bearer), Ok(()));
    world.clock.advance(Duration::from_secs(31));
    assert_eq!(world.ask("/", bearer), Err(Reason::StaleReplica));
    assert_eq!(
        world.ask("/", Credentials::Cookie(&token)),
        Err(Reason::StaleReplica)
    );
    assert_eq!(
        world.ask("/films/1", bearer),
        Err(Reason::StaleReplica),
        "what is not sure is not a 403"
    );
    assert_eq!(world.ask("/me", bearer), Ok(()), "the rule says allow");
    assert_eq!(world.ask("/", Credentials::None), Ok(()));
    let superuser = world.forge().claim("superuser", true).token();
    assert_eq!(
        world.ask("/", Credentials::Bearer(&superuser)),
        Err(Reason::StaleReplica)
    );
    world.revoke(Fact::Key { kid: "test-0".into() });
    assert_eq!(
        world.ask("/", bearer),
        Err(Reason::Revoked),
        "what is known is said all the same"
    );
    world.pipeline.on_stale = OnStale::Allow;
    let rekeyed = TokenForge::new(&TestKey::number(1), world.clock.now()).token();
    world.set_keys(&[1]);
    assert_eq!(world.ask("/", Credentials::Bearer(&rekeyed)), Ok(()));
}

#[test]
fn a_cookie_from_another_site_is_refused() {
    let world = World::ready();
    let token = world.forge().token();
    let ask = |credentials| {
        world.ask_with(&Question {
            is_cross_site: true,
            ..question("/me", credentials)
        })
    };
    assert_eq!(ask(Credentials::Cookie(&token)), Err(Reason::CrossSite));
    assert_eq!(
        ask(Credentials::Bearer(&token)),
        Ok(()),
        "no browser sends this one unasked"
    );
    let open = Question {
        is_cross_site: true,
        ..question("/", Credentials::Cookie("x"))
    };
    assert_eq!(
        world.ask_with(&open),
        Ok(()),
        "a cookie that counts for nothing proves nothing"
    );
}

#[test]
fn a_withdrawn_key_takes_what_it_proved_along() {
    let mut world = World::ready();
    let token = world.forge().token();
    assert_eq!(world.ask("/me", Credentials::Bearer(&token)), Ok(()));
    world.set_keys(&[0, 1]);
    assert_eq!(world.ask("/me", Credentials::Bearer(&token)), Ok(()));
    assert_eq!(
        world.pipeline.cache.hits_and_misses(),
        (1, 1),
        "another key's coming changes nothing"
    );
    world.set_keys(&[1]);
    assert_eq!(
        world.ask("/me", Credentials::Bearer(&token)),
        Err(Reason::UnknownKey)
    );
    world.set_keys(&[0, 1]);
    assert_eq!(world.ask("/me", Credentials::Bearer(&token)), Ok(()));
}

#[test]
fn failures_are_not_cached() {
    let world = World::ready();
    let foreign = TokenForge::new(&TestKey::number(1).with_kid("test-0"), START).token();
    for _ in 0..3 {
        assert_eq!(
            world.ask("/", Credentials::Bearer(&foreign)),
            Err(Reason::BadSignature)
        );
    }
    assert_eq!(world.pipeline.cache.hits_and_misses(), (0, 3));
}
