//! A database that was set back gets back what the stream still proves.

use std::time::Duration;

use issuer::store::session::{self, Expiry, Origin};
use issuer::store::{Store, feed, outbox, user};
use shared::id::{SessionId, SubjectId, TokenId};
use shared::revocation::{Fact, Revocation};
use shared::time::UnixMillis;

use super::database::{Database, Kind, on_both};
use super::feed::{OURS, THEIRS, hold, look, open, record, said, take};
use super::world::World;

/// Somebody with two sessions.
struct Ada {
    id: SubjectId,
    sessions: [SessionId; 2],
}

async fn ada(store: &Store) -> Ada {
    let mut work = store.write().await.unwrap();
    let now = work.now().await.unwrap();
    let id = SubjectId::new(now);
    user::insert(&mut work, id, "ada", "hash", false).await.unwrap();
    let sessions = [SessionId::new(now), SessionId::new(now)];
    let expiry = Expiry {
        absolute: now.plus(Duration::from_hours(2)),
        idle: now.plus(Duration::from_hours(1)),
    };
    for session in sessions {
        session::insert(&mut work, session, id, expiry, &Origin::default())
            .await
            .unwrap();
    }
    outbox::record_lifetime(&mut work, 900).await.unwrap();
    work.commit().await.unwrap();
    Ada { id, sessions }
}

async fn restore(store: &Store, facts: &[Revocation], at_least_seq: u64) {
    let mut work = store.write().await.unwrap();
    assert!(feed::restore(&mut work, OURS, facts, at_least_seq).await.unwrap());
    work.commit().await.unwrap();
}

/// Everything in the outbox, numbered.
async fn rows(store: &Store) -> Vec<Revocation> {
    let entries = take(store, 0, 5000).await.entries;
    entries.into_iter().map(|(_, revocation)| revocation).collect()
}

on_both! {
    async fn lost_facts_come_back_and_take_effect(database: &Database) {
        let store = open(database).await;
        let ada = ada(&store).await;
        hold(&store).await;
        let kept = record(&store).await;
        take(&store, 0, 10).await;
        let now = look(&store).await.now;
        let (soon, late) = (now.plus(Duration::from_secs(1)), now.plus(Duration::from_hours(9)));
        let min_ver = now.0 + 1_000_000;
        let lost = |fact, expires| Revocation { fact, expires };
        let facts = [
            lost(Fact::Key { kid: "key".into() }, None),
            lost(Fact::Token { token: TokenId::new(now) }, Some(late)),
            lost(Fact::Role { name: "member".into(), min_rver: 41 }, Some(soon)),
            lost(Fact::Role { name: "guest".into(), min_rver: 17 }, Some(soon)),
            lost(Fact::Session { session: ada.sessions[0] }, Some(soon)),
            lost(Fact::Subject { subject: ada.id, min_ver }, Some(soon)),
            // Of those who are gone, or were never there.
            lost(Fact::Session { session: SessionId::new(now) }, Some(soon)),
            lost(Fact::Subject { subject: SubjectId::new(now), min_ver }, Some(soon)),
            // The same fact twice is one, kept the longer.
            lost(Fact::Session { session: ada.sessions[0] }, Some(late)),
            lost(kept.clone(), Some(soon)),
        ];
        let mut work = store.write().await.unwrap();
        assert!(!feed::restore(&mut work, THEIRS, &facts, 90).await.unwrap());
        work.commit().await.unwrap();
        assert_eq!(database.number("SELECT COUNT(*) FROM outbox").await, 1);
        assert_eq!(look(&store).await.last_seq, 1);

        restore(&store, &facts, 90).await;
        assert_eq!(database.number("SELECT COUNT(*) FROM outbox").await, 9);
        assert_eq!(database.number("SELECT COUNT(*) FROM outbox WHERE seq IS NULL").await, 8);
        assert_eq!(look(&store).await.last_seq, 90);
        assert!(look(&store).await.unpublished_since.is_some());
        let mut work = store.read().await.unwrap();
        assert_eq!(session::owner_of_live(&mut work, ada.sessions[0]).await.unwrap(), None);
        assert_eq!(session::owner_of_live(&mut work, ada.sessions[1]).await.unwrap(), Some(ada.id));
        drop(work);
        assert_eq!(database.number("SELECT ver FROM users").await, min_ver);
        assert_eq!(database.number("SELECT rver FROM role_version").await, 41);

        let state = database.dump().await;
        restore(&store, &facts, 5).await;
        assert_eq!(database.dump().await, state, "twice is once");
        assert_eq!(look(&store).await.last_seq, 90);

        let batch = take(&store, 90, 10).await;
        assert_eq!((batch.entries.first().unwrap().0, batch.last_seq), (91, 98));
        let expected: std::collections::BTreeSet<_> = facts[..8].iter().map(|one| one.fact.clone()).collect();
        assert_eq!(said(&batch.entries).into_iter().map(|(_, fact)| fact).collect::<std::collections::BTreeSet<_>>(), expected);
        for (_, revocation) in &batch.entries {
            let own = facts.iter().filter(|one| one.fact == revocation.fact).map(|one| one.expires);
            match own.max().unwrap() {
                None => assert_eq!(revocation.expires, None),
                // A token signed just before, from what the database had forgotten, does not outlive it.
                Some(own) if own == soon => assert!(revocation.expires.unwrap() > now.plus(Duration::from_mins(15))),
                Some(own) => assert_eq!(revocation.expires, Some(own)),
            }
        }
        store.close().await;
    }

    async fn a_secret_that_was_replaced_does_not_come_back(database: &Database) {
        let world = World::open(database).await;
        let (name, other) = ("film-etl".parse().unwrap(), world.client("other", &[]).await);
        let secret = world.client("film-etl", &[]).await;
        let token = world.client_token("film-etl", &secret).await.unwrap();
        let before = database.texts("SELECT CAST(ver AS text) FROM clients WHERE name = 'film-etl'").await.remove(0);
        database.run("CREATE TABLE old AS SELECT secret_digest FROM clients WHERE name = 'film-etl'").await;
        world.service.rotate_client_secret(&name).await.unwrap();
        let (facts, _) = world.facts_after(0).await;
        // The database forgets the rotation; the stream has it.
        database.run(&format!(
            "DELETE FROM outbox; UPDATE clients SET ver = {before}, secret_digest = (SELECT secret_digest FROM old) \
             WHERE name = 'film-etl'"
        )).await;
        assert!(world.client_token("film-etl", &secret).await.is_some());
        let store = &world.service.store;
        hold(store).await;
        let expires = Some(look(store).await.now.plus(Duration::from_hours(1)));
        let proved: Vec<_> = facts.into_iter().map(|fact| Revocation { fact, expires }).collect();
        restore(store, &proved, 1).await;
        assert!(world.client_token("film-etl", &secret).await.is_none());
        assert!(world.refusal_of(&token).await.is_some());
        assert!(world.client_token("other", &other).await.is_some());
        let renewed = world.service.rotate_client_secret(&name).await.unwrap();
        let token = world.client_token("film-etl", renewed.text()).await.unwrap();
        assert_eq!(world.refusal_of(&token).await, None);
    }

    async fn what_is_ahead_of_the_stream_stays(database: &Database) {
        let store = open(database).await;
        let ada = ada(&store).await;
        hold(&store).await;
        let mut work = store.write().await.unwrap();
        user::outdate_tokens(&mut work, ada.id).await.unwrap();
        issuer::store::role::outdate_name(&mut work, "member").await.unwrap();
        session::end(&mut work, ada.sessions[0]).await.unwrap();
        work.commit().await.unwrap();
        let known = rows(&store).await;
        let state = database.dump().await;
        let older = |fact| Revocation { fact, expires: known[0].expires };
        let facts = [
            older(Fact::Subject { subject: ada.id, min_ver: 3 }),
            older(Fact::Role { name: "member".into(), min_rver: 1 }),
        ];
        restore(&store, &known, 2).await;
        assert_eq!(database.dump().await, state);
        restore(&store, &facts, 2).await;
        let unlike_outbox = |lines: Vec<String>| {
            lines.into_iter().filter(|line| !line.starts_with("outbox")).collect::<Vec<_>>()
        };
        assert_eq!(unlike_outbox(database.dump().await), unlike_outbox(state));
        assert_eq!(rows(&store).await.len(), known.len() + 2);
        assert_eq!(look(&store).await.last_seq, 5);
        store.close().await;
    }

    async fn a_fact_that_would_be_forgotten_too_soon_is_kept_longer(database: &Database) {
        let store = open(database).await;
        hold(&store).await;
        let fact = record(&store).await;
        let later = rows(&store).await[0].expires.unwrap().plus(Duration::from_hours(1));
        for _ in 0..2 {
            restore(&store, &[Revocation { fact: fact.clone(), expires: Some(later) }], 0).await;
            let kept = rows(&store).await;
            assert_eq!(kept.len(), 2);
            assert_eq!((&kept[1].fact, kept[1].expires), (&fact, Some(later)));
        }
        store.close().await;
    }

    async fn more_than_a_page_of_facts_is_restored_once(database: &Database) {
        let store = open(database).await;
        hold(&store).await;
        let expires = Some(UnixMillis(9_000_000_000_000));
        let facts: Vec<_> = (0..1001)
            .map(|at| Revocation { fact: Fact::Token { token: TokenId::new(UnixMillis(at)) }, expires })
            .collect();
        for _ in 0..2 {
            restore(&store, &facts, 0).await;
            assert_eq!(rows(&store).await.len(), facts.len());
        }
        restore(&store, &[], 0).await;
        assert_eq!(look(&store).await.last_seq, 1001);
        store.close().await;
    }
}
