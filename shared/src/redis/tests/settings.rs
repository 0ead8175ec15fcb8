use crate::config::{Settings, Sources, load};

use super::*;

#[derive(Debug, serde::Deserialize)]
struct Program {
    #[serde(default)]
    redis: RedisSettings,
}

impl Settings for Program {
    fn check(&self) -> Result<(), Invalid> {
        self.redis.check().map_err(|invalid| invalid.within("redis"))
    }
}

fn read(toml: &str) -> Result<RedisSettings, String> {
    load::<Program>(&Sources::new().built_in(toml))
        .map(|program| program.redis)
        .map_err(|error| error.to_string())
}

#[test]
fn each_way_can_be_written() {
    for (toml, shown) in [
        ("redis.url = 'redis://redis'", "redis:6379"),
        ("redis.url = 'rediss://[::1]:7/3'", "::1:7"),
        ("redis.url = 'unix:/run/redis.sock?db=1'", "/run/redis.sock"),
        ("redis.url = 'redis://:pw@redis'", "redis:6379"),
        (
            "redis = { sentinels = ['redis://a:1', 'redis://b:2'], master = 'main', username = 'u', password = 'p' }",
            "a:1, b:2",
        ),
        ("redis.cluster = ['redis://a:1', 'redis://b:2']", "a:1, b:2"),
        ("redis.cluster = 'redis://a:1'", "a:1"),
    ] {
        let settings = read(toml).unwrap();
        assert!(settings.is_given());
        assert_eq!(RedisClient::open(&settings).unwrap().to_string(), shown, "{toml}");
    }
    let none = read("").unwrap();
    assert!(!none.is_given());
    let error = RedisClient::open(&none).unwrap_err().to_string();
    assert!(error.contains("url: is missing"), "{error}");
}

#[test]
fn what_cannot_be_is_told_by_its_key_and_without_passwords() {
    let url = "redis.url = 'redis://redis'\n";
    let tls = "redis.url = 'rediss://redis'\n";
    for (toml, key) in [
        ("redis.url = 'pw-redis'".to_owned(), "redis.url: expected"),
        ("redis.url = 'http://u:pw-x@redis'".into(), "redis.url"),
        ("redis.url = 'redis://:pw-x@'".into(), "redis.url"),
        ("redis.url = 'redis://:pw-x@redis/x'".into(), "redis.url"),
        ("redis.url = 'rediss://redis/#insecure'".into(), "redis.url"),
        ("redis.url = 'redis://redis?protocol=3'".into(), "redis.url"),
        ("redis.url = 'unix:/s?pass=pw-x'".into(), "redis.url"),
        ("redis.url = 'unix:'".into(), "redis.url"),
        ("redis.url = 'redis://user@redis'".into(), "redis.url"),
        ("redis.username = 'u'".into(), "redis.username"),
        ("redis.password = 'pw-x'".into(), "redis.password"),
        (format!("{url}redis.cluster = 'redis://a'"), "redis.url"),
        (
            "redis = { cluster = 'redis://a', sentinels = 'redis://a', master = 'm' }".into(),
            "redis.sentinels",
        ),
        ("redis.sentinels = ['redis://a']".into(), "redis.master"),
        (format!("{url}redis.master = 'm'"), "redis.master"),
        (
            "redis = { sentinels = ['redis://a', 'unix:/s'], master = 'm' }".into(),
            "redis.sentinels[1]",
        ),
        (
            "redis.cluster = ['redis://a', 'redis://:pw-x@b']".into(),
            "redis.cluster[1]",
        ),
        (
            "redis.cluster = ['redis://a', 'rediss://b']".into(),
            "redis.cluster[1]",
        ),
        ("redis.cluster = ['redis://a/1']".into(), "redis.cluster[0]"),
        (format!("{url}redis.username = 'u'"), "redis.username"),
        (
            "redis = { url = 'redis://:pw-x@redis', password = 'pw-y' }".into(),
            "redis.url",
        ),
        (format!("{url}redis.ca = 'ca.pem'"), "redis.ca"),
        (
            format!("{tls}redis.client_certificate = 'c.pem'"),
            "redis.client_key",
        ),
        (
            format!("{tls}redis.client_key = 'c.pem'"),
            "redis.client_certificate",
        ),
        (format!("{url}redis.disabled = true"), "redis.disabled"),
        (format!("{url}redis.sentinel = 'x'"), "redis.sentinel"),
    ] {
        let error = read(&toml).unwrap_err();
        assert!(error.contains(key), "{toml}: {error}");
        assert!(!error.contains("pw-"), "{toml}: {error}");
    }
}

#[test]
fn a_password_can_be_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "sesame\n").unwrap();
    let settings = read(&format!(
        "redis.url = 'redis://redis'\nredis.password_file = '{}'",
        file.display()
    ))
    .unwrap();
    assert_eq!(settings.password.unwrap().expose(), "sesame");
}
