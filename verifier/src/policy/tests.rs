use super::*;

fn claims() -> ClaimsPolicy {
    ClaimsPolicy {
        issuer: "https://issuer.example.org".into(),
        audience: "movies".into(),
        leeway_s: 5,
    }
}

fn parse(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(text, "rules.toml", &claims())
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
    assert_eq!(profile.claims().issuer, claims().issuer);
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
        (
            "default = \"allow\"\n[[rule]]\npath = \"/{f}\"\nanonymous = true\nfilm = \"{f}\"",
            "rules.toml:5:8: film rules need the film labels",
        ),
    ] {
        let found = findings(text);
        assert!(
            found.iter().any(|line| line.starts_with(said)),
            "{text}\n--- {found:#?}"
        );
    }
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
        Policy::load(&path, &claims()),
        Err(PolicyError::Read { .. })
    ));
    std::fs::write(&path, DOCUMENTED).unwrap();
    assert_eq!(Policy::load(&path, &claims()).unwrap().rules().len(), 3);
    let padding = "#".repeat(usize::try_from(RULES_BYTES_MAX).unwrap());
    std::fs::write(&path, format!("{DOCUMENTED}\n{padding}")).unwrap();
    assert!(matches!(
        Policy::load(&path, &claims()),
        Err(PolicyError::TooLarge { .. })
    ));
    std::fs::write(&path, b"default = \"\xff\"").unwrap();
    assert!(matches!(
        Policy::load(&path, &claims()),
        Err(PolicyError::Read { .. })
    ));
}
