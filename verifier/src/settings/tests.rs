use shared::config::{self, Settings as _, Sources};

use super::*;

fn loaded(toml: &str) -> Result<Settings, String> {
    config::load(&Sources::new().built_in(toml)).map_err(|error| error.to_string())
}

#[test]
fn the_defaults_are_the_documented_ones_and_can_be_used() {
    let settings = loaded("").unwrap();
    settings.check().unwrap();
    assert_eq!(settings.listen.0, [ListenAddress::tcp("127.0.0.1", 8081)]);
    assert_eq!(settings.admin_listen.0, [ListenAddress::tcp("127.0.0.1", 9081)]);
    assert_eq!(
        (settings.issuer.as_str(), settings.audience.as_str()),
        ("http://127.0.0.1:8080", "movies")
    );
    assert_eq!(settings.jwks_refresh.get(), Duration::from_mins(5));
    assert_eq!(settings.jwks_cooldown.get(), Duration::from_secs(30));
    assert_eq!(settings.max_staleness.get(), Duration::from_secs(30));
    assert_eq!(
        (settings.on_stale, settings.revocations),
        (OnStale::Deny, Revocations::Redis)
    );
    assert_eq!(settings.leeway.get(), Duration::from_secs(5));
    assert_eq!(settings.cache.capacity.bytes(), 64 * 1024 * 1024);
    assert_eq!(settings.cookie, "__Host-access_token");
    assert_eq!(settings.trusted_proxies, TrustedPeers::default());
    assert!(settings.rules.is_none() && settings.jwks_url.is_none() && settings.threads.is_none());
}

#[test]
fn every_setting_can_be_given() {
    let settings = loaded(
        r#"
        listen = ["127.0.0.1:1", "unix:/run/verifier.sock"]
        admin_listen = "127.0.0.1:2"
        admin_hosts = "metrics.example.org"
        issuer = "https://issuer.example.org/"
        audience = "films"
        jwks_url = "https://issuer.example.org/keys?v=1"
        jwks_refresh = "1m"
        jwks_cooldown = "10s"
        revocations = "off"
        max_staleness = "10s"
        on_stale = "allow"
        leeway = "1m"
        rules = "/etc/rules.toml"
        trusted_proxies = ["10.0.0.0/8", "unix"]
        allowed_origins = "https://movies.example.org"
        cookie = "token"
        login_url = "https://issuer.example.org/login"
        allowed_return_hosts = ["movies.example.org"]
        realm = "movies"
        threads = 2
        shutdown_delay = "5s"
        shutdown_grace = "20s"
        redis = { sentinels = ["redis://a", "redis://b:26379"], master = "main" }
        [cache]
        capacity = "1MiB"
        [tls]
        certificate = "c.pem"
        private_key = "k.pem"
        client_ca = "ca.pem"
        "#,
    )
    .unwrap();
    assert_eq!(settings.listen.0.len(), 2);
    assert_eq!(
        settings.issuer, "https://issuer.example.org/",
        "compared byte by byte, so kept so"
    );
    assert_eq!(settings.threads.unwrap().get(), 2);
}

#[test]
fn what_is_impossible_is_refused_with_key_and_remedy() {
    for (toml, key, remedy) in [
        ("listen = []", "listen", "127.0.0.1:8081"),
        ("trusted_proxies = []", "trusted_proxies", "loopback"),
        ("issuer = \"issuer\"", "issuer", "https://issuer.example.org"),
        (
            "issuer = \"https://a/?b\"",
            "issuer",
            "https://issuer.example.org",
        ),
        ("audience = \"\"", "audience", "movies"),
        ("jwks_url = \"/keys\"", "jwks_url", "jwks.json"),
        ("jwks_refresh = \"0s\"", "jwks_refresh", "30s"),
        ("max_staleness = \"0s\"", "max_staleness", "30s"),
        ("leeway = \"61s\"", "leeway", "60"),
        ("leeway = \"1500ms\"", "leeway", "whole seconds"),
        ("cookie = \"a b\"", "cookie", "__Host-access_token"),
        ("realm = \"a\\\"b\"", "realm", "usher"),
        (
            "allowed_origins = [\"https://Movies.example.org/\"]",
            "allowed_origins",
            "\"https://movies.example.org\"",
        ),
        (
            "allowed_origins = [\"*\"]",
            "allowed_origins",
            "https://movies.example.org",
        ),
        (
            "login_url = \"https://a.org/\"",
            "allowed_return_hosts",
            "return to",
        ),
        ("admin_hosts = \"A.org\"", "admin_hosts", "lower case"),
        (
            "allowed_return_hosts = [\"A.org\"]",
            "allowed_return_hosts",
            "lower case",
        ),
        (
            "login_url = \"/login\"\nallowed_return_hosts = [\"a.org\"]",
            "login_url",
            "https://",
        ),
        ("tls.certificate = \"c.pem\"", "tls.private_key", "private key"),
        ("tls.private_key = \"k.pem\"", "tls.certificate", "certificate"),
        ("tls.client_ca = \"ca.pem\"", "tls.client_ca", "tls.certificate"),
        ("on_stale = \"maybe\"", "on_stale", "allow"),
        ("revocations = \"on\"", "revocations", "off"),
        ("redis.url = \"http://redis\"", "redis.url", "redis://HOST:PORT"),
        ("redis.master = \"main\"", "redis.master", "redis.sentinels"),
        ("redis.disabled = true", "redis.disabled", "revocations"),
        ("threads = 0", "threads", ""),
        (
            "snapshot = \"x\"\nrevocations = \"off\"",
            "snapshot",
            "leave it out",
        ),
        ("cache.size = 1", "cache.size", "capacity"),
    ] {
        let error = loaded(toml).unwrap_err();
        assert!(error.contains(key) && error.contains(remedy), "{toml}: {error}");
    }
}
