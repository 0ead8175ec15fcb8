//! Signing keys: of issuers that rotate at once one does, what one does the others know when they sign, and what is
//! revoked is gone.

use std::sync::Arc;

use issuer::app::open_keys;
use issuer::service::ServiceError;
use issuer::signing::{OperateError, Revoked, SealingKey, SigningKeys, rewrap};
use issuer::store::session::Origin;
use secrecy::ExposeSecret;
use shared::config::{HumanDuration, Limit};
use shared::encoding::base64;
use shared::limits::{KEY_MARGIN, LEEWAY_MAX, SIGNING_KEYS_MAX};
use shared::reason::Reason;
use shared::revocation::Fact;
use shared::time::SystemClock;

use super::database::{Database, Kind, on_both, within};
use super::world::{PASSWORD, World, lend_key, settings};

/// Issuers at once.
const ISSUERS: usize = 4;

/// Keys of another issuer on the database.
async fn keys(database: &Database) -> SigningKeys {
    let mut settings = settings(database);
    settings.keys.rotate_every = Limit::At(HumanDuration::from_secs(3600));
    settings.keys.publish_ahead = HumanDuration::from_secs(60);
    open_keys(&settings, Arc::new(SystemClock)).await.unwrap()
}

async fn issuers(database: &Database) -> Vec<Arc<SigningKeys>> {
    lend_key(database).await;
    let mut issuers = Vec::new();
    for _ in 0..ISSUERS {
        issuers.push(Arc::new(keys(database).await));
    }
    issuers
}

/// All of them do their round at once.
async fn rounds(issuers: &[Arc<SigningKeys>]) {
    let mut rounds = tokio::task::JoinSet::new();
    for issuer in issuers {
        let issuer = Arc::clone(issuer);
        rounds.spawn(async move { issuer.round().await });
    }
    for outcome in within(rounds.join_all()).await {
        outcome.unwrap();
    }
}

async fn states(database: &Database) -> Vec<String> {
    database
        .texts("SELECT state FROM signing_keys ORDER BY created_at, kid")
        .await
}

async fn active(database: &Database) -> String {
    database
        .texts("SELECT kid FROM signing_keys WHERE state = 'active'")
        .await
        .remove(0)
}

/// Moves a time of the keys into the past.
async fn passes(database: &Database, column: &str) {
    database
        .run_each(
            &format!("UPDATE signing_keys SET {column} = {column} - interval '1 day'; UPDATE signing_key_version SET version = version + 1"),
            &format!("UPDATE signing_keys SET {column} = {column} - 86400000; UPDATE signing_key_version SET version = version + 1"),
        )
        .await;
}

on_both! {
    async fn issuers_that_rotate_at_once_agree(database: &Database) {
        let issuers = issuers(database).await;
        let first = active(database).await;
        rounds(&issuers).await;
        assert_eq!(states(database).await, ["active"], "nothing is due");

        passes(database, "activated_at").await;
        rounds(&issuers).await;
        assert_eq!(states(database).await, ["active", "next"]);
        assert_eq!(active(database).await, first, "it is published first");
        let next = database.texts("SELECT kid FROM signing_keys WHERE state = 'next'").await.remove(0);
        for issuer in &issuers {
            assert!(issuer.current().set().get(&next).is_some() && issuer.current().kid() == first);
        }

        passes(database, "signs_at").await;
        rounds(&issuers).await;
        assert_eq!(states(database).await, ["retired", "active"]);
        assert_eq!(active(database).await, next);
        for issuer in &issuers {
            assert!(issuer.current().set().get(&first).is_some() && issuer.current().kid() == next);
        }

        passes(database, "withdraw_at").await;
        rounds(&issuers).await;
        assert_eq!(states(database).await, ["active"]);
        for issuer in &issuers {
            assert!(issuer.current().set().get(&first).is_none() && issuer.current().kid() == next);
        }
    }

    async fn operators_who_act_at_once_agree(database: &Database) {
        let issuers = issuers(database).await;
        for at_once in [false, true, true] {
            let mut acts = tokio::task::JoinSet::new();
            for issuer in &issuers {
                let issuer = Arc::clone(issuer);
                acts.spawn(async move { issuer.rotate(at_once).await });
            }
            let rotated: Vec<_> = within(acts.join_all()).await.into_iter().map(Result::unwrap).collect();
            if !at_once {
                // One is made, and it is the same for all of them.
                assert!(rotated.iter().all(|one| *one == rotated[0]), "{rotated:?}");
                assert_eq!(states(database).await, ["active", "next"]);
            }
            assert_eq!(states(database).await.iter().filter(|state| *state == "active").count(), 1);
        }
        let kid = active(database).await;
        let mut acts = tokio::task::JoinSet::new();
        for issuer in &issuers {
            let (issuer, kid) = (Arc::clone(issuer), kid.clone());
            acts.spawn(async move { issuer.revoke(&kid).await });
        }
        let revoked: Vec<_> = within(acts.join_all()).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(revoked.iter().filter(|one| matches!(one, Revoked::Now { .. })).count(), 1, "{revoked:?}");
        assert_eq!(states(database).await.iter().filter(|state| *state == "active").count(), 1);
        assert_eq!(database.number("SELECT COUNT(*) FROM outbox WHERE kind = 'key'").await, 1);
    }

    async fn a_retired_key_outlives_its_tokens(database: &Database) {
        let world = World::open(database).await;
        let before = world.person("person").await;
        world.service.keys.rotate(true).await.unwrap();
        let after = world.login("person", PASSWORD).await.unwrap();
        assert_ne!(world.signed(&before.pair).kid(), world.signed(&after).kid());
        for pair in [&before.pair, &after] {
            world.service.authenticate(pair.access_token.expose_secret(), Origin::default()).await.unwrap();
            assert_eq!(world.refusal(pair).await, None);
        }
        let least = world.claims(&before.pair).expires_at.to_millis().plus(LEEWAY_MAX).plus(KEY_MARGIN);
        let withdrawn_in_time = database.number(&match database.kind {
            Kind::Postgres => format!("SELECT COUNT(*) FROM signing_keys WHERE withdraw_at < to_timestamp({} / 1000.0)", least.0 - 1000),
            Kind::Sqlite => format!("SELECT COUNT(*) FROM signing_keys WHERE withdraw_at < {}", least.0 - 1000),
        }).await;
        assert_eq!(withdrawn_in_time, 0, "it would be withdrawn under its tokens");
    }

    async fn an_issuer_signs_with_what_another_has_just_activated(database: &Database) {
        let (here, there) = (World::open(database).await, World::open(database).await);
        for round in 0..3 {
            let rotated = here.service.keys.rotate(true).await.unwrap();
            // It has not looked since.
            let person = there.person(&format!("person-{round}")).await;
            assert_eq!(there.signed(&person.pair).kid(), rotated.kid);
            // And neither has this one.
            here.service.authenticate(person.pair.access_token.expose_secret(), Origin::default()).await.unwrap();
        }
    }

    async fn what_is_revoked_is_refused_by_every_issuer_and_signs_no_more(database: &Database) {
        let (here, there) = (World::open(database).await, World::open(database).await);
        let person = there.person("person").await;
        let kid = there.signed(&person.pair).kid().to_owned();
        let Revoked::Now { successor: Some(successor) } = here.service.keys.revoke(&kid).await.unwrap() else {
            panic!("it was active");
        };
        let refused = there.service.authenticate(person.pair.access_token.expose_secret(), Origin::default()).await;
        assert!(
            matches!(refused, Err(ServiceError::InvalidToken(Reason::Revoked | Reason::UnknownKey))),
            "{refused:?}"
        );
        let pair = there.service.refresh(&person.pair.refresh_token, &Origin::default()).await.unwrap();
        assert_eq!(there.signed(&pair).kid(), successor);
        assert!(there.service.keys.current().set().get(&kid).is_none());
        let (facts, _) = there.facts_after(0).await;
        assert!(facts.contains(&Fact::Key { kid: kid.as_str().into() }), "{facts:?}");
        assert_eq!(
            database.number("SELECT COUNT(*) FROM outbox WHERE kind = 'key' AND expires_at IS NULL").await,
            1,
            "it is never forgotten"
        );
        assert_eq!(here.service.keys.revoke(&kid).await.unwrap(), Revoked::Before);
        let unknown = here.service.keys.revoke("nobody's").await;
        assert!(matches!(unknown, Err(OperateError::NoSuchKey(_))), "{unknown:?}");

        // The next one can be revoked too, and what follows is another.
        let next = here.service.keys.rotate(false).await.unwrap();
        assert_eq!(here.service.keys.revoke(&next.kid).await.unwrap(), Revoked::Now { successor: None });
        assert_ne!(here.service.keys.rotate(false).await.unwrap().kid, next.kid);
        assert_eq!(active(database).await, successor);
    }

    async fn a_published_key_takes_over_from_a_revoked_one(database: &Database) {
        let world = World::open(database).await;
        let next = world.service.keys.rotate(false).await.unwrap();
        let revoked = world.service.keys.revoke(&active(database).await).await.unwrap();
        assert_eq!(revoked, Revoked::Now { successor: Some(next.kid.clone()) });
        assert_eq!(states(database).await, ["active"]);
        assert_eq!(active(database).await, next.kid);
    }

    async fn there_are_never_more_keys_than_verifiers_take(database: &Database) {
        let world = World::open(database).await;
        let copies = SIGNING_KEYS_MAX - 1;
        database.run_each(
            &format!("INSERT INTO signing_keys (kid, state, modulus, exponent, sealed, created_at, withdraw_at) \
                SELECT 'copy-' || n, 'retired', modulus, exponent, sealed, created_at, now() + interval '1 day' \
                FROM signing_keys, generate_series(1, {copies}) n"),
            &format!("INSERT INTO signing_keys (kid, state, modulus, exponent, sealed, created_at, withdraw_at) \
                WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT {copies}) \
                SELECT 'copy-' || n, 'retired', modulus, exponent, sealed, created_at, 9000000000000 FROM signing_keys, n"),
        ).await;
        let refused = world.service.keys.rotate(true).await;
        assert!(matches!(refused, Err(OperateError::TooMany)), "{refused:?}");
        // That there are many is no reason to keep one that is known to somebody else.
        let kid = active(database).await;
        assert!(matches!(world.service.keys.revoke(&kid).await.unwrap(), Revoked::Now { successor: Some(_) }));
        assert_eq!(states(database).await.len(), SIGNING_KEYS_MAX);
    }

    async fn everything_is_sealed_anew_under_a_running_issuer(database: &Database) {
        let world = World::open(database).await;
        let person = world.person("person").await;
        let file = settings(database).keys.encryption_key_file.unwrap();
        let (old, new) = (SealingKey::read(&file).unwrap(), SealingKey::from_bytes(&[8; 32]).unwrap());
        let sealed = "SELECT COUNT(*) FROM signing_keys WHERE sealed IS NOT NULL";
        let wrong = rewrap(&world.service.store, &new, &SealingKey::from_bytes(&[9; 32]).unwrap()).await;
        assert!(matches!(wrong, Err(OperateError::Neither(_))), "{wrong:?}");
        std::fs::write(&file, base64(&[8; 32])).unwrap();
        let outcome = rewrap(&world.service.store, &old, &new).await.unwrap();
        assert_eq!((outcome.rewrapped, outcome.kept), (3, 0));
        assert_eq!(database.number(sealed).await, 1);
        // The issuer reads the file again, goes on, and seals with the new key what it makes.
        world.service.keys.round().await.unwrap();
        world.service.keys.rotate(true).await.unwrap();
        let pair = world.login("person", PASSWORD).await.unwrap();
        let other = World::open(database).await;
        for pair in [&person.pair, &pair] {
            other.service.authenticate(pair.access_token.expose_secret(), Origin::default()).await.unwrap();
        }
        other.service.refresh(&person.pair.refresh_token, &Origin::default()).await.unwrap();
        let outcome = rewrap(&world.service.store, &old, &new).await.unwrap();
        assert_eq!((outcome.rewrapped, outcome.kept), (0, 4));
    }
}
