use super::*;

fn basis() -> Basis {
    let claims = ClaimsPolicy {
        issuer: "https://issuer.example.org".into(),
        audience: "movies".into(),
        leeway_s: 5,
    };
    Basis {
        claims,
        has_labels: true,
    }
}

fn parse(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(text, "rules.toml", &basis())
}

fn findings(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(policy) => panic!("taken: {policy:?}"),
        Err(error) => error.to_string().lines().map(ToOwned::to_owned).collect(),
    }
}

const DOCUMENTED: &str = r#"
default = "allow"

[[rule]]
path    = "/api/v1/films/{film_id}"
methods = ["GET"]
anonymous = true

[[rule]]
path    = "/api/v1/admin/{*rest}"
roles   = ["admin"]                   # any of them
on_stale = "deny"

[[rule]]
path    = "/api/v1/profile/{*rest}"
hosts   = ["movies.example.org"]
authenticated = true
audience = "profiles"
"#;

#[test]
fn the_documented_file_is_taken() {
    let policy = parse(DOCUMENTED).unwrap();
    assert_eq!(policy.warnings(), []);
    assert_eq!(policy.route("/", "GET", None).ask(), &Ask::Nothing);
    assert_eq!(
        policy.rules().iter().map(|rule| rule.line).collect::<Vec<_>>(),
        [5, 10, 15]
    );

    let admin = policy.route("/api/v1/admin", "DELETE", None);
    assert_eq!(admin.ask(), &Ask::AnyRole(Box::new(["admin".into()])));
    assert_eq!(admin.on_stale(), Some(OnStale::Deny));
    assert_eq!(&*admin.claims().audience, "movies");

    let profile = policy.route("/api/v1/profile/x", "GET", Some("movies.example.org"));
    assert_eq!(profile.ask(), &Ask::Authenticated);
    assert_eq!(&*profile.claims().audience, "profiles");
    assert_eq!(profile.claims().issuer, basis().claims.issuer);
    assert!(policy.route("/api/v1/profile", "GET", None).is_host_unknown());

    for (path, method, host) in [
        ("/api/v1/profile", "GET", Some("other.org")),
        ("/api/v1/films/1", "POST", None),
    ] {
        let route = policy.route(path, method, host);
        assert!(route.rule().is_none() && route.ask().is_open() && route.on_stale().is_none());
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_would_be_right() {
    for (text, said) in [
        (
            "",
            r#"rules.toml:1:1: `default` is missing; say what becomes of what no rule names: "allow", "authenticated" or "deny""#,
        ),
        (
            "default = \"permit\"",
            "rules.toml:1:11: unknown variant `permit`, expected one of `allow`, `authenticated`, `deny`",
        ),
        ("default = 1", "rules.toml:1:11: "),
        (
            "default = \"allow\"\nrules = []",
            "rules.toml:2:1: unknown field `rules`, expected `default` or `rule`",
        ),
        (
            "default = \"allow\"\n[[rule]]\npth = \"/\"",
            "rules.toml:3:1: unknown field `pth`, expected one of `path`",
        ),
        (
            "default = \"allow\"\ndefault = \"deny\"",
            "rules.toml:2:1: duplicate key",
        ),
        ("default = \"allow", "rules.toml:1:17: "),
        (
            "default = \"allow\"\n\n[[rule]]\nanonymous = true",
            "rules.toml:3:1: `path` is missing",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/a\"",
            "rules.toml:3:8: the rule asks nothing; add `roles",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"a\"\nanonymous = true",
            "rules.toml:3:8: a path begins with a slash; write \"/a\"",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/a\"\nroles = [\"x\"]\nanonymous = true",
            "rules.toml:5:13: `anonymous` lets everybody pass, which `authenticated` and `roles` contradict",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/a\"\nauthenticated = false",
            "rules.toml:4:17: `authenticated` can only be true; leave it out",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/a\"\nroles = []",
            "rules.toml:4:9: `roles` is empty",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/a\"\nroles = [\"a b\"]",
            "rules.toml:4:10: a role's name",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/a\"\nroles = [\"ab\", \"ab\"]",
            "rules.toml:4:16: \"ab\" stands twice",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/a\"\nroles = [\"é\", 1]",
            "rules.toml:4:15: invalid type: integer",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/a\"\nanonymous = true\nmethods = [\"get\"]",
            "rules.toml:5:12: methods are case-sensitive; write \"GET\"",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/a\"\nanonymous = true\nmethods = [\"*\"]",
            "rules.toml:5:12: \"*\" is no method",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/a\"\nanonymous = true\nhosts = [\"A.org:80\"]",
            "rules.toml:5:10: hosts are matched in lower case without port and trailing dot; write \"a.org\"",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/a\"\nanonymous = true\nhosts = [\"*.org\"]",
            "rules.toml:5:10: \"*.org\" is no host",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/a\"\nauthenticated = true\naudience = \"\"",
            "rules.toml:5:12: `audience` is empty",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/a\"\nauthenticated = true\non_stale = \"maybe\"",
            "rules.toml:5:12: unknown variant `maybe`, expected `deny` or `allow`",
        ),
    ] {
        assert_said(text, said);
    }
}

fn assert_said(text: &str, said: &str) {
    let found = findings(text);
    assert!(
        found.iter().any(|line| line.starts_with(said)),
        "{text}\n--- {found:#?}"
    );
}

#[test]
fn a_film_rule_names_one_segment_and_contradicts_nothing() {
    for (text, said) in [
        (
            "default = \"allow\"\n[[rule]]\npath = \"/{f}\"\nanonymous = true\nfilm = \"{f}\"",
            "rules.toml:4:13: `anonymous` lets everybody pass, which `film` contradicts; leave it out",
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/{f}\"\nfilm = \"{film}\"",
            r#"rules.toml:4:8: "{film}" is no placeholder of one segment in `path`; write"#,
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/{f}\"\nfilm = \"f\"",
            r#"rules.toml:4:8: "f" is no placeholder"#,
        ),
        (
            "default = \"allow\"\n[[rule]]\npath = \"/{*f}\"\nfilm = \"{*f}\"",
            r#"rules.toml:4:8: "{*f}" is no placeholder"#,
        ),
    ] {
        assert_said(text, said);
    }
}

const FILMS: &str = r#"
default = "deny"

[[rule]]
path = "/films/{id}/{part}"
film = "{id}"
roles = ["editor"]

[[rule]]
path = "/films/{id}"
film = "{id}"
on_stale = "allow"
"#;

#[test]
fn a_film_is_a_uuid_in_its_place_in_either_case() {
    const ID: &str = "0192f0c1-2345-7abc-8def-0123456789ab";
    let policy = parse(FILMS).unwrap();
    assert!(policy.asks_labels() && !parse(DOCUMENTED).unwrap().asks_labels());
    let upper = ID.to_uppercase();
    for path in [
        format!("/films/{ID}"),
        format!("/films/{upper}"),
        format!("/films/{ID}/cast"),
    ] {
        let route = policy.route(&path, "GET", None);
        assert_eq!(route.film(), Some(ID.parse().unwrap()), "{path}");
        assert!(!route.is_film_malformed());
    }
    assert!(policy.route(&format!("/films/{ID}"), "GET", None).ask().is_open());
    for id in [
        "1",
        "0192f0c123457abc8def0123456789ab",
        "{0192f0c1-2345-7abc-8def-0123456789ab}",
        "urn:uuid:0192f0c1-2345-7abc-8def-0123456789ab",
        "0192f0c1-2345-7abc-8def-0123456789ag",
        "0192f0c12-345-7abc-8def-0123456789ab",
        " 0192f0c1-2345-7abc-8def-0123456789a",
        "0192f0c1-2345-7abc-8def-0123456789aé",
    ] {
        for path in [format!("/films/{id}"), format!("/films/{id}/{ID}")] {
            let route = policy.route(&path, "GET", None);
            assert!(route.is_film_malformed() && route.film().is_none(), "{path}");
        }
    }
    let other = policy.route(&format!("/actors/{ID}"), "GET", None);
    assert!(other.film().is_none() && !other.is_film_malformed());
}

#[test]
fn without_a_feed_there_are_no_film_rules() {
    let without = Basis {
        has_labels: false,
        ..basis()
    };
    let error = Policy::parse(FILMS, "rules.toml", &without)
        .unwrap_err()
        .to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert!(
        lines.len() == 2
            && lines[0].starts_with("rules.toml:6:8: the labels of films come in the revocation feed")
            && lines[1].starts_with("rules.toml:11:8: "),
        "{error}"
    );
    assert!(Policy::parse(DOCUMENTED, "rules.toml", &without).is_ok());
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let found = findings("[[rule]]\npath = \"a\"\nroles = []\n\n[[rule]]\npath = \"/b\"\n");
    assert_eq!(found.len(), 4, "{found:#?}");
}

#[test]
fn a_covered_rule_is_warned_about() {
    let text = "default = \"deny\"\n[[rule]]\npath = \"/a/{*rest}\"\nauthenticated = true\n\n[[rule]]\npath = \"/a/b\"\nanonymous = true\n";
    let policy = parse(text).unwrap();
    let warnings: Vec<String> = policy.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "rules.toml:7:8: this rule never matches: the one on line 3 takes all of it; put this one before it"
        ]
    );
}

#[test]
fn a_file_is_read_within_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    assert!(matches!(
        Policy::load(&path, &basis()),
        Err(PolicyError::Read { .. })
    ));
    std::fs::write(&path, DOCUMENTED).unwrap();
    assert_eq!(Policy::load(&path, &basis()).unwrap().rules().len(), 3);
    let padding = "#".repeat(usize::try_from(RULES_BYTES_MAX).unwrap());
    std::fs::write(&path, format!("{DOCUMENTED}\n{padding}")).unwrap();
    assert!(matches!(
        Policy::load(&path, &basis()),
        Err(PolicyError::TooLarge { .. })
    ));
    std::fs::write(&path, b"default = \"\xff\"").unwrap();
    assert!(matches!(
        Policy::load(&path, &basis()),
        Err(PolicyError::Read { .. })
    ));
}
