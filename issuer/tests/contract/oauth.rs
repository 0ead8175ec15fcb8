//! `POST /oauth2/token`, and what holds for each of the standard endpoints.

use std::time::Duration;

use serde_json::{Value, json};
use shared::keys::KeySet;
use shared::token::CompactToken;

use crate::shape::{assert_id, fields};
use crate::support::{Database, Machine, Site, claims};

crate::on_both_databases!(
    a_service_takes_tokens_in_its_own_name,
    a_client_says_who_it_is_in_one_of_two_ways,
    a_refresh_token_is_exchanged_through_web,
    grants_are_for_those_whom_they_are_for,
    requests_are_as_the_standard_has_them,
    wrong_secrets_are_limited_by_address,
    what_goes_wrong_is_said_in_oauths_words,
);

const CREDENTIALS: [(&str, &str); 1] = [("grant_type", "client_credentials")];

async fn a_service_takes_tokens_in_its_own_name(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    site.role(&root, "subscriber").await;
    let machine = site.machine("film-etl", &["subscriber", "role_editor"]).await;
    let answer = site.oauth("token", &machine, &CREDENTIALS).send().await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    let tokens = answer.ok(200);
    assert_eq!(fields(&tokens), ["access_token", "expires_in", "token_type"]);
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"]),
        (&json!("Bearer"), &json!(900))
    );
    let token = tokens["access_token"].as_str().unwrap();
    let said = Value::Object(claims(token));
    assert_eq!(
        fields(&said),
        [
            "aud",
            "client_id",
            "exp",
            "iat",
            "iss",
            "jti",
            "nbf",
            "roles",
            "rver",
            "sid",
            "sub",
            "ver"
        ]
    );
    assert_eq!(said["client_id"], "film-etl");
    assert_eq!(said["roles"], json!(["role_editor", "subscriber"]));
    assert_eq!(said["sid"], said["jti"]);
    assert_eq!(
        (&said["iss"], &said["aud"]),
        (&json!("https://auth.example.org"), &json!("movies"))
    );
    for id in ["sub", "jti"] {
        assert_id(&said[id]);
    }
    assert_eq!(said["nbf"], said["iat"]);
    let lifetime = said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap();
    assert_eq!(lifetime, 900);
    // As a verifier reads it.
    let set = site.get("/.well-known/jwks.json").send().await;
    let set = KeySet::from_jwks(&set.body, 1).unwrap();
    let compact = CompactToken::parse(token).unwrap();
    let key = set.get(compact.kid()).unwrap();
    compact.verify(key).unwrap();
    // Each is another token of the same service.
    let other = claims(&site.machine_token(&machine).await);
    assert_eq!(other["sub"], said["sub"]);
    assert_ne!(other["jti"], said["jti"]);
}

async fn a_client_says_who_it_is_in_one_of_two_ways(database: Database) {
    let site = Site::start(database).await;
    let machine = site.machine("film-etl", &[]).await;
    let Machine { name, secret } = &machine;
    let ask = || site.post("/oauth2/token");
    let post = |more: &[(&str, &str)]| ask().form(&[&CREDENTIALS[..], more].concat());
    post(&[("client_id", name), ("client_secret", secret)])
        .send()
        .await
        .ok(200);
    ask().basic(name, secret).form(&CREDENTIALS).send().await.ok(200);
    // Encoded as in a form (RFC 6749 section 2.3.1).
    ask()
        .basic("film%2Detl", &secret.replace('_', "%5F"))
        .form(&CREDENTIALS)
        .send()
        .await
        .ok(200);
    // The name alone is no second way, as long as it is the same.
    post(&[("client_id", name)])
        .basic(name, secret)
        .send()
        .await
        .ok(200);
    for twice in [
        post(&[("client_id", name), ("client_secret", secret)]).basic(name, secret),
        post(&[("client_secret", secret)]).basic(name, secret),
        post(&[("client_id", "web")]).basic(name, secret),
        post(&[]).basic(name, secret).basic(name, secret),
    ] {
        twice.send().await.oauth_error(400, "invalid_request");
    }
    for (name, secret) in [
        (name.as_str(), "wrong"),
        ("nobody", secret.as_str()),
        ("FILM-ETL", secret),
        ("film-etl ", secret),
        ("", secret),
        (name, ""),
        ("web", secret),
        ("nobody", "x\0"),
        ("n\0", secret),
    ] {
        let form = [("client_id", name), ("client_secret", secret)];
        post(&form).send().await.oauth_error(401, "invalid_client");
        ask()
            .basic(name, secret)
            .form(&CREDENTIALS)
            .send()
            .await
            .oauth_error(401, "invalid_client");
    }
    for header in ["Basic", "Basic !", "Basic bm9jb2xvbg==", "Digest x", ""] {
        let asked = post(&[]).header("authorization", header);
        asked.send().await.oauth_error(401, "invalid_client");
    }
    // What is in the query is not looked at.
    let query = format!("/oauth2/token?client_id={name}&client_secret={secret}");
    site.post(&query)
        .form(&CREDENTIALS)
        .send()
        .await
        .oauth_error(401, "invalid_client");
}

async fn a_refresh_token_is_exchanged_through_web(database: Database) {
    // Grace is on the database's clock, which a test cannot shift: there is none.
    let site = Site::start_with(database, "tokens.refresh_grace = \"0s\"").await;
    let neo = site.register("neo").await;
    let exchange = |token: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        site.web("token", &form).send()
    };
    let tokens = exchange(&neo.refresh).await.ok(200);
    assert_eq!(
        fields(&tokens),
        ["access_token", "expires_in", "refresh_token", "token_type"]
    );
    let said = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(
        (&said["client_id"], &said["sub"]),
        (&json!("web"), &json!(neo.id))
    );
    assert_eq!(said["sid"], neo.session());
    // The same use case as at `/api/v1/token/refresh`: a lost answer is given again, there as here.
    let next = tokens["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(site.refresh(&neo).await.refresh, next);
    assert_eq!(exchange(&neo.refresh).await.ok(200)["refresh_token"], next);
    // An empty secret is none, in a header as well.
    let form = [("grant_type", "refresh_token"), ("refresh_token", next.as_str())];
    let newest = site
        .post("/oauth2/token")
        .basic("web", "")
        .form(&form)
        .send()
        .await
        .ok(200);
    for token in ["", "x", neo.access.as_str(), &neo.refresh[1..]] {
        let wanted = if token.is_empty() {
            "invalid_request"
        } else {
            "invalid_grant"
        };
        exchange(token).await.oauth_error(400, wanted);
    }
    // Time by which the successor's use is surely past, however coarse it is kept.
    let used_at = site.now();
    while site.now() <= used_at.plus(Duration::from_millis(2)) {
        tokio::task::yield_now().await;
    }
    exchange(&neo.refresh).await.oauth_error(400, "invalid_grant");
    let newest = newest["refresh_token"].as_str().unwrap();
    exchange(newest).await.oauth_error(400, "invalid_grant");
    site.get("/api/v1/user/me")
        .bearer(&neo.access)
        .send()
        .await
        .unauthorised("revoked");
}

async fn grants_are_for_those_whom_they_are_for(database: Database) {
    let site = Site::start(database).await;
    let (neo, machine) = (site.register("neo").await, site.machine("film-etl", &[]).await);
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", neo.refresh.as_str()),
    ];
    let as_service = site.oauth("token", &machine, &refresh).send().await;
    as_service.oauth_error(400, "unauthorized_client");
    let as_web = site.web("token", &CREDENTIALS).send().await;
    as_web.oauth_error(400, "unauthorized_client");
    for grant in [
        "password",
        "authorization_code",
        "implicit",
        "Refresh_Token",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
    ] {
        for asked in [
            site.web("token", &[("grant_type", grant)]),
            site.oauth("token", &machine, &[("grant_type", grant)]),
        ] {
            asked.send().await.oauth_error(400, "unsupported_grant_type");
        }
    }
    // There are no scopes, and to give a token of none for one that was asked for would have to be said in a way that the
    // standard does not have.
    let scoped = [&CREDENTIALS[..], &[("scope", "films")]].concat();
    site.oauth("token", &machine, &scoped)
        .send()
        .await
        .oauth_error(400, "invalid_scope");
    let scoped = [&refresh[..], &[("scope", "films")]].concat();
    site.web("token", &scoped)
        .send()
        .await
        .oauth_error(400, "invalid_scope");
    let unscoped = [&CREDENTIALS[..], &[("scope", "")]].concat();
    site.oauth("token", &machine, &unscoped).send().await.ok(200);
    site.refresh(&neo).await;
}

async fn requests_are_as_the_standard_has_them(database: Database) {
    let site = Site::start(database).await;
    let machine = site.machine("film-etl", &[]).await;
    for endpoint in ["token", "introspect", "revoke"] {
        let path = format!("/oauth2/{endpoint}");
        let ask = || site.post(&path).basic(&machine.name, &machine.secret);
        let good = [("grant_type", "client_credentials"), ("token", "x")];
        // Unknown parameters are left alone, and the trailing slash makes no difference.
        let more = [&good[..], &[("resource", "films")]].concat();
        ask().form(&more).send().await.is(200);
        let slash = site
            .post(&format!("{path}/"))
            .basic(&machine.name, &machine.secret);
        slash.form(&good).send().await.is(200);
        ask()
            .header("content-type", "application/x-www-form-urlencoded; charset=UTF-8")
            .body("grant_type=client_credentials&token=x")
            .send()
            .await
            .is(200);
        for twice in [("grant_type", "client_credentials"), ("token", "x")] {
            let doubled = [&good[..], &[twice]].concat();
            ask()
                .form(&doubled)
                .send()
                .await
                .oauth_error(400, "invalid_request");
        }
        ask()
            .form(&[&good[..], &[("x", "1"), ("x", "2")]].concat())
            .send()
            .await
            .oauth_error(400, "invalid_request");
        for missing in [
            ask(),
            ask().form(&[]),
            ask().form(&[("grant_type", ""), ("token", "")]),
        ] {
            missing.send().await.oauth_error(400, "invalid_request");
        }
        let body = "grant_type=client_credentials&token=x";
        for media_type in ["application/json", "text/plain", "multipart/form-data"] {
            let typed = ask().header("content-type", media_type).body(body);
            typed.send().await.oauth_error(415, "invalid_request");
        }
        ask().body(body).send().await.oauth_error(415, "invalid_request");
        let large = "x".repeat(64 * 1024);
        let asked = ask().form(&[
            ("grant_type", "client_credentials"),
            ("token", "x"),
            ("y", &large),
        ]);
        asked.send().await.oauth_error(413, "invalid_request");
        for method in ["GET", "PUT", "DELETE"] {
            let answer = site.request(method, &path).send().await;
            answer.oauth_error(405, "invalid_request");
            assert_eq!(answer.header("allow"), Some("POST"), "{method} {path}");
        }
        site.request("HEAD", &path).send().await.is(405);
    }
    site.post("/oauth2/authorize")
        .send()
        .await
        .oauth_error(404, "invalid_request");
}

async fn wrong_secrets_are_limited_by_address(database: Database) {
    let site = Site::start_with(database, "limits.client_per_ip = \"3/1h\"").await;
    let machine = site.machine("film-etl", &[]).await;
    let from = |ip: &'static str, secret: &str| {
        let asked = site.post("/oauth2/token").header("x-forwarded-for", ip);
        asked.basic("film-etl", secret).form(&CREDENTIALS).send()
    };
    // Who is right costs nothing.
    for _ in 0..10 {
        from("192.0.2.1", &machine.secret).await.ok(200);
    }
    for _ in 0..3 {
        from("192.0.2.1", "wrong")
            .await
            .oauth_error(401, "invalid_client");
    }
    for secret in ["wrong", &machine.secret] {
        let answer = from("192.0.2.1", secret).await;
        answer.oauth_error(429, "temporarily_unavailable");
        let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=20 * 60).contains(&after), "{after}");
    }
    // By whatever name, at each endpoint, and in either way.
    for endpoint in ["token", "introspect", "revoke"] {
        let form = [("client_id", "other"), ("client_secret", "x"), ("token", "x")];
        let asked = site
            .post(&format!("/oauth2/{endpoint}"))
            .header("x-forwarded-for", "192.0.2.1");
        asked
            .form(&form)
            .send()
            .await
            .oauth_error(429, "temporarily_unavailable");
    }
    // Others go on, and so do people through `web`.
    from("192.0.2.2", &machine.secret).await.ok(200);
    let neo = site.register("neo").await;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", neo.refresh.as_str()),
    ];
    let asked = site.web("token", &form).header("x-forwarded-for", "192.0.2.1");
    asked.send().await.ok(200);
    site.clock.shift_boot(Duration::from_mins(21));
    from("192.0.2.1", &machine.secret).await.ok(200);
}

async fn what_goes_wrong_is_said_in_oauths_words(database: Database) {
    let site = Site::start(database).await;
    let machine = site.machine("film-etl", &[]).await;
    // Without a table that it reads, whatever it is called.
    site.database
        .run("ALTER TABLE clients RENAME TO clients_away")
        .await;
    for endpoint in ["token", "introspect", "revoke"] {
        let form = [("grant_type", "client_credentials"), ("token", "x")];
        let answer = site.oauth(endpoint, &machine, &form).may_fail().send().await;
        let said = answer.oauth_error(500, "server_error");
        assert!(!said.to_string().contains("clients"), "{said}");
    }
    site.service.store.close().await;
    let answer = site
        .oauth("token", &machine, &CREDENTIALS)
        .may_fail()
        .send()
        .await;
    answer.oauth_error(503, "temporarily_unavailable");
    assert!(answer.header("retry-after").is_some());
}
