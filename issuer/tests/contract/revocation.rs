//! `POST /oauth2/revoke` (RFC 7009).

use serde_json::json;
use shared::revocation::Fact;

use crate::support::{Database, Site, claims};

crate::on_both_databases!(
    web_ends_a_session_by_either_of_its_tokens,
    a_service_revokes_its_own_tokens,
    what_is_not_there_is_as_it_is_wanted,
    nobody_revokes_what_is_anothers,
);

/// Every fact, in order.
async fn facts(site: &Site) -> Vec<Fact> {
    let mut work = site.service.store.read().await.unwrap();
    let live = issuer::store::outbox::live_after(&mut work, 0).await.unwrap();
    live.into_iter().map(|entry| entry.revocation.fact).collect()
}

async fn web_ends_a_session_by_either_of_its_tokens(database: Database) {
    let site = Site::start(database).await;
    let mut ended = Vec::new();
    for (login, by, hint) in [
        ("one", "access", "access_token"),
        ("two", "access", "refresh_token"),
        ("three", "refresh", "refresh_token"),
        ("four", "refresh", "nonsense"),
        ("five", "expired", "access_token"),
        ("six", "spent", "refresh_token"),
    ] {
        let first = site.register(login).await;
        let person = site.refresh(&first).await;
        let other = site.login(login).await;
        let token = match by {
            "access" => person.access.clone(),
            "expired" => site.expired(&person.access),
            "spent" => first.refresh.clone(),
            _ => person.refresh.clone(),
        };
        for _ in 0..2 {
            let form = [("token", token.as_str()), ("token_type_hint", hint)];
            let answer = site.web("revoke", &form).send().await;
            answer.is(200);
            assert!(answer.body.is_empty(), "{}", answer.text());
        }
        let me = |token: &str| site.get("/api/v1/user/me").bearer(token).send();
        me(&person.access).await.unauthorised("revoked");
        site.try_refresh(&person.refresh)
            .await
            .refused(401, "invalid-refresh-token");
        me(&other.access).await.ok(200);
        ended.push(Fact::Session {
            session: person.session().parse().unwrap(),
        });
        assert_eq!(facts(&site).await, ended, "{by}");
    }
}

async fn a_service_revokes_its_own_tokens(database: Database) {
    let site = Site::start(database).await;
    let machine = site.machine("film-etl", &[]).await;
    let (one, two) = (
        site.machine_token(&machine).await,
        site.machine_token(&machine).await,
    );
    for _ in 0..2 {
        let answer = site.oauth("revoke", &machine, &[("token", &one)]).send().await;
        answer.is(200);
    }
    let token = claims(&one)["jti"].as_str().unwrap().parse().unwrap();
    assert_eq!(facts(&site).await, [Fact::Token { token }]);
    let ask = |token: &str| site.get("/api/v1/role").bearer(token).send();
    ask(&one).await.unauthorised("revoked");
    ask(&two).await.ok(200);
    let expired = site.expired(&two);
    site.oauth("revoke", &machine, &[("token", &expired)])
        .send()
        .await
        .is(200);
    assert_eq!(facts(&site).await.len(), 1, "it refuses itself");
}

async fn what_is_not_there_is_as_it_is_wanted(database: Database) {
    let site = Site::start(database).await;
    let (neo, machine) = (site.register("neo").await, site.machine("film-etl", &[]).await);
    let (signed, signature) = neo.access.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", &signature[4..]);
    for token in [
        "garbage",
        "\0",
        "usher_rt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        &forged,
        &site.resigned(&neo.access, "iss", "https://evil.example"),
        &site.resigned(&neo.access, "aud", "games"),
    ] {
        site.web("revoke", &[("token", token)]).send().await.is(200);
        site.oauth("revoke", &machine, &[("token", token)])
            .send()
            .await
            .is(200);
    }
    // A secret that was lost is not done with by this.
    for asked in [
        site.web("revoke", &[("token", &machine.secret)]),
        site.oauth("revoke", &machine, &[("token", &machine.secret)]),
    ] {
        asked.send().await.oauth_error(400, "unsupported_token_type");
    }
    assert_eq!(facts(&site).await, []);
    site.refresh(&neo).await;
}

async fn nobody_revokes_what_is_anothers(database: Database) {
    let site = Site::start(database).await;
    let neo = site.register("neo").await;
    let (machine, other) = (
        site.machine("film-etl", &["admin"]).await,
        site.machine("other", &[]).await,
    );
    let token = site.machine_token(&machine).await;
    for asked in [
        site.oauth("revoke", &machine, &[("token", &neo.access)]),
        site.oauth("revoke", &machine, &[("token", &neo.refresh)]),
        site.oauth("revoke", &other, &[("token", &token)]),
        site.web("revoke", &[("token", &token)]),
    ] {
        asked.send().await.oauth_error(400, "unauthorized_client");
    }
    assert_eq!(facts(&site).await, []);
    let me = site.get("/api/v1/user/me").bearer(&neo.access).send().await;
    assert_eq!(me.ok(200)["login"], json!("neo"));
    site.get("/api/v1/role").bearer(&token).send().await.ok(200);
}
