use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use serde::Deserialize;

use super::*;

mod secrets;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Edge {
    listen: Option<OneOrMany<ListenAddress>>,
    threads: Option<u16>,
    fast: bool,
    realm: String,
    origins: Vec<String>,
    max_staleness: HumanDuration,
    cache: Cache,
    redis: Redis,
    limit: Limit<u32>,
    on_stale: OnStale,
    ratio: f64,
    extra: BTreeMap<String, u8>,
    trusted_proxies: TrustedPeers,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cache {
    capacity: ByteSize,
    rate: Option<Rate>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Redis {
    url: Option<Secret>,
    password: Option<Secret>,
    key_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum OnStale {
    #[default]
    Deny,
    Allow,
}

impl Settings for Edge {
    fn check(&self) -> Result<(), Invalid> {
        if self.max_staleness > HumanDuration::from_secs(60) {
            return Err(Invalid::new("max_staleness", "expected a minute at most"));
        }
        Ok(())
    }
}

/// A file in a directory of its own, which is removed with it.
struct File {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

fn file(text: &str) -> File {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("edge.toml");
    std::fs::write(&path, text).unwrap();
    File {
        _directory: directory,
        path,
    }
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn environment(pairs: &[(&str, &str)]) -> Sources {
    Sources::new().variables("VERIFIER", None, variables(pairs))
}

/// The error of a file's text, with the directory taken off its path.
fn refusal(text: &str) -> String {
    let file = file(text);
    let error = load::<Edge>(&Sources::new().file(&file.path))
        .unwrap_err()
        .to_string();
    error.replace(&format!("{}/", file.path.parent().unwrap().display()), "")
}

fn refusal_of(pairs: &[(&str, &str)]) -> String {
    load::<Edge>(&environment(pairs)).unwrap_err().to_string()
}

#[test]
fn each_layer_overrides_the_one_below() {
    let file = file(
        "threads = 2\nrealm = 'file'\nmax_staleness = '2s'\n[cache]\ncapacity = '2MiB'\nrate = '1/1m'\n",
    );
    let sources = Sources::new()
        .flag("--realm", "realm", Some("flag".to_owned()))
        .flag("--threads", "threads", None)
        .variables(
            "VERIFIER",
            None,
            variables(&[
                ("VERIFIER__REALM", "variable"),
                ("VERIFIER__CACHE__CAPACITY", "3MiB"),
                ("OTHER__X", "1"),
            ]),
        )
        .file(&file.path)
        .built_in("threads = 1\nfast = true");
    let edge: Edge = load(&sources).unwrap();
    assert_eq!(
        (edge.threads, edge.fast, edge.realm.as_str()),
        (Some(2), true, "flag")
    );
    assert_eq!(edge.max_staleness, HumanDuration::from_secs(2));
    assert_eq!(
        (edge.cache.capacity, edge.cache.rate),
        (ByteSize::from_mib(3), Some(Rate::per_minute(1)))
    );
}

#[test]
fn variables_take_the_type_that_their_setting_wants() {
    let edge: Edge = load(&environment(&[
        ("VERIFIER__THREADS", "8"),
        ("VERIFIER__FAST", "true"),
        ("VERIFIER__REALM", "12345"),
        ("VERIFIER__ORIGINS", "https://a.example, https://b.example"),
        ("VERIFIER__LISTEN", "127.0.0.1:1,unix:/run/v.sock"),
        ("VERIFIER__REDIS__PASSWORD", "12345"),
        ("VERIFIER__LIMIT", "7"),
        ("VERIFIER__ON_STALE", "allow"),
        ("VERIFIER__RATIO", "0.5"),
        ("VERIFIER__EXTRA", "{ a = 1 }"),
        ("VERIFIER__TRUSTED_PROXIES", ""),
    ]))
    .unwrap();
    assert_eq!(
        (edge.threads, edge.fast, edge.realm.as_str()),
        (Some(8), true, "12345")
    );
    assert_eq!(edge.origins, ["https://a.example", "https://b.example"]);
    assert_eq!(edge.listen.unwrap().0.len(), 2);
    assert_eq!(edge.redis.password.unwrap().expose(), "12345");
    assert_eq!((edge.limit, edge.on_stale), (Limit::At(7), OnStale::Allow));
    assert!((edge.ratio - 0.5).abs() < f64::EPSILON);
    assert_eq!(edge.extra.get("a"), Some(&1));
    assert_eq!(edge.trusted_proxies, TrustedPeers::none());

    let edge: Edge = load(&environment(&[
        ("VERIFIER__ORIGINS", r#"["a,b", "c"]"#),
        ("VERIFIER__LIMIT", "off"),
    ]))
    .unwrap();
    assert_eq!(edge.origins, ["a,b", "c"]);
    assert_eq!(edge.limit, Limit::Off);
}

#[test]
fn one_address_or_a_list() {
    for (text, count) in [
        ("listen = 'localhost:1'", 1),
        ("listen = ['localhost:1', 'unix:/x']", 2),
    ] {
        let file = file(text);
        let edge: Edge = load(&Sources::new().file(&file.path)).unwrap();
        assert_eq!(edge.listen.unwrap().0.len(), count);
    }
    let sources = Sources::new().flag(
        "--listen",
        "listen",
        ["h:1".to_owned(), "h:2".to_owned(), "h:3".to_owned()],
    );
    let listen = load::<Edge>(&sources).unwrap().listen.unwrap();
    let ports: Vec<String> = listen.iter().map(ToString::to_string).collect();
    assert_eq!(ports, ["h:1", "h:2", "h:3"]);
}

#[test]
fn wrong_values_are_named_with_their_place() {
    for (text, expected) in [
        (
            "fast = true\n[cache]\n  capacity = 64",
            "edge.toml:3:14: cache.capacity: expected a size such as `64MiB`, `512KiB` or `1GiB`, got the number 64",
        ),
        (
            "max_staleness = 'soon'",
            "edge.toml:1:17: max_staleness: expected a duration such as `15m`, `30d`, `500ms` or `1h30m`, \
             100 years at most, got the text `soon`",
        ),
        (
            "threads = '2'",
            "edge.toml:1:11: threads: expected a whole number from 0 to 65535, got the text `2`",
        ),
        (
            "threads = 65536",
            "edge.toml:1:11: threads: expected a whole number from 0 to 65535, got the number 65536",
        ),
        (
            "fast = 'yes'",
            "edge.toml:1:8: fast: expected `true` or `false`, got the text `yes`",
        ),
        (
            "realm = 3",
            "edge.toml:1:9: realm: expected a text in quotes, got the number 3",
        ),
        (
            "listen = [\n  'localhost:1',\n  'é', ]",
            "edge.toml:3:3: listen[1]: expected `host:port` such as `127.0.0.1:8080` or `[::1]:8080`, or \
             `unix:/path/of/socket`, got the text `é`",
        ),
        (
            "origins = ['é', 1]",
            "edge.toml:1:17: origins[1]: expected a text in quotes, got the number 1",
        ),
        (
            "cache = 'big'",
            "edge.toml:1:9: cache: expected a table, got the text `big`",
        ),
        (
            "limit = 'none'",
            "edge.toml:1:9: limit: expected a whole number from 0 to 4294967295, got the text `none`",
        ),
        (
            "on_stale = 'alow'",
            "edge.toml:1:12: on_stale: unknown word `alow`; did you mean `allow`?; accepted here: `deny`, `allow`",
        ),
        (
            "max_staleness = '2m'",
            "edge.toml:1:17: max_staleness: expected a minute at most",
        ),
        (
            "fast = ",
            "edge.toml:1:8: not TOML: string values must be quoted, expected literal string",
        ),
        (
            "fast = true\nfast = true",
            "edge.toml:2:1: not TOML: duplicate key",
        ),
        (
            "realm = 'http://u:hidden@h/'\nfast = 'http://u:hidden@h/'",
            "edge.toml:2:8: fast: expected `true` or `false`, got the text `http://[REDACTED]@h/`",
        ),
    ] {
        assert_eq!(refusal(text), expected);
    }
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    assert_eq!(
        refusal("[cache]\ncapactiy = '1B'"),
        "edge.toml:2:1: cache.capactiy: unknown key `capactiy`; did you mean `capacity`?; accepted here: `capacity`, `rate`"
    );
    assert_eq!(
        refusal_of(&[("VERIFIER__REDIS__HOST", "secret?")]),
        "environment variable VERIFIER__REDIS__HOST: redis.host: unknown key `host`; accepted here: `url`, `password`, `key_file`"
    );
    assert!(refusal("realm_file = '/x'").contains("realm: only a secret can be given as `…_file`"));
}

#[test]
fn wrong_variables_and_flags_are_named() {
    assert!(
        refusal_of(&[("VERIFIER__THREADS", "many")])
            .starts_with("environment variable VERIFIER__THREADS: threads: expected a whole number")
    );
    assert!(
        refusal_of(&[("VERIFIER__CACHE", "1"), ("VERIFIER__CACHE__RATE", "off")])
            .contains("another variable")
    );
    assert!(refusal_of(&[("VERIFIER__CACHE____RATE", "off")]).contains("a level of its name is empty"));
    assert!(refusal_of(&[("VERIFIER__ORIGINS", "[1")]).contains("origins: not TOML"));
    let sources = Sources::new().flag("--threads", "threads", Some("x".to_owned()));
    assert!(
        load::<Edge>(&sources)
            .unwrap_err()
            .to_string()
            .starts_with("flag --threads: threads: expected")
    );
    let raw = std::os::unix::ffi::OsStringExt::from_vec(vec![0xff]);
    let sources = Sources::new().variables("VERIFIER", None, [("VERIFIER__REALM".into(), raw)]);
    assert_eq!(
        load::<Edge>(&sources).unwrap_err().to_string(),
        "environment variable VERIFIER__REALM: its value is not UTF-8"
    );
}

#[derive(Debug, Deserialize)]
struct Both {
    verifier: Strict,
}

#[derive(Debug, Deserialize)]
struct Strict {
    rules: PathBuf,
}

impl Settings for Both {
    fn check(&self) -> Result<(), Invalid> {
        let invalid = Invalid::new("rules", "expected another file");
        if *self.verifier.rules == *"bad" {
            Err(invalid.within("verifier"))
        } else {
            Ok(())
        }
    }
}

#[test]
fn one_file_can_hold_the_settings_of_two_programs() {
    let file = file("[verifier]\n");
    let sources = Sources::new().file(&file.path);
    let with = |pairs| {
        sources
            .clone()
            .variables("VERIFIER", Some("verifier"), variables(pairs))
    };
    assert_eq!(
        load::<Both>(&with(&[("VERIFIER__RULES", "r")]))
            .unwrap()
            .verifier
            .rules,
        PathBuf::from("r")
    );
    let missing = load::<Both>(&with(&[])).unwrap_err().to_string();
    assert!(
        missing.contains(":1:1: verifier.rules: required and not set: set it in "),
        "{missing}"
    );
    assert!(
        missing.ends_with("or as the environment variable VERIFIER__RULES"),
        "{missing}"
    );
    let impossible = load::<Both>(&with(&[("VERIFIER__RULES", "bad")]))
        .unwrap_err()
        .to_string();
    assert_eq!(
        impossible,
        "environment variable VERIFIER__RULES: verifier.rules: expected another file"
    );
}

#[test]
fn files_must_be_there_and_be_small() {
    let error = load::<Edge>(&Sources::new().file("/nowhere/at/all"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/nowhere/at/all: cannot read the settings"),
        "{error}"
    );
    let big = file(&format!("#{}", "x".repeat(1024 * 1024)));
    let error = load::<Edge>(&Sources::new().file(&big.path)).unwrap_err();
    assert!(matches!(error, ConfigError::TooLarge { .. }), "{error}");
}
