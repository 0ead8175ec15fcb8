use super::*;

#[test]
fn secrets_can_be_files() {
    let secret = file("p4ss word\n");
    let text = format!(
        "[redis]\npassword_file = '{}'\nkey_file = '/k'",
        secret.path.display()
    );
    let settings = file(&text);
    let edge: Edge = load(&Sources::new().file(&settings.path)).unwrap();
    assert_eq!(edge.redis.password.unwrap().expose(), "p4ss word");
    assert_eq!(edge.redis.key_file, Some("/k".into()));

    // A higher layer replaces the file by a text, and a text by a file.
    let overridden = Sources::new().file(&settings.path).variables(
        "VERIFIER",
        None,
        variables(&[("VERIFIER__REDIS__PASSWORD", "other")]),
    );
    assert_eq!(
        load::<Edge>(&overridden)
            .unwrap()
            .redis
            .password
            .unwrap()
            .expose(),
        "other"
    );
    let overridden = Sources::new()
        .built_in("redis.password = 'x'")
        .file(&settings.path);
    assert_eq!(
        load::<Edge>(&overridden)
            .unwrap()
            .redis
            .password
            .unwrap()
            .expose(),
        "p4ss word"
    );
}

#[test]
fn errors_about_secrets_do_not_show_them() {
    let both = refusal("redis.password = 'hidden'\nredis.password_file = '/hidden'");
    assert_eq!(
        both,
        "edge.toml:2:7: redis.password: both `password` and `password_file` are given: keep one of them"
    );
    assert_eq!(
        refusal("redis.password = 12345"),
        "edge.toml:1:18: redis.password: expected a text in quotes"
    );
    let missing = refusal("redis.password_file = '/nowhere/at/all'");
    assert!(
        missing.starts_with("edge.toml:1:23: redis.password: cannot read /nowhere/at/all"),
        "{missing}"
    );
    let edge: Edge = load(&environment(&[("VERIFIER__REDIS__URL", "redis://:hidden@h")])).unwrap();
    assert!(!format!("{edge:?}").contains("hidden"));
}
