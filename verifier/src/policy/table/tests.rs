use proptest::prelude::*;

use super::*;
use crate::policy::rule::Ask;

fn rule(path: &str, methods: &[&str], hosts: &[&str]) -> Rule {
    let boxed = |items: &[&str]| items.iter().map(|item| (*item).into()).collect();
    Rule {
        line: 1,
        template: Template::parse(path).unwrap(),
        methods: boxed(methods),
        hosts: boxed(hosts),
        film_at: None,
        ask: Ask::Nothing,
        on_stale: None,
        claims: None,
    }
}

fn table(paths: &[&str]) -> Table {
    Table::new(paths.iter().map(|path| rule(path, &[], &[])).collect())
}

fn found(table: &Table, path: &str) -> Option<usize> {
    table.find(path, "GET", None).map(|found| found.position)
}

#[test]
fn the_first_in_file_order_wins_over_the_more_specific() {
    let table = table(&["/a/{x}", "/a/b", "/a/{*rest}", "/{*rest}", "/"]);
    for (path, position) in [
        ("/a/b", 0),
        ("/a/c", 0),
        ("/a", 2),
        ("/a/b/c", 2),
        ("/", 3),
        ("/b", 3),
    ] {
        assert_eq!(found(&table, path), Some(position), "{path}");
    }
    let reversed = self::table(&["/a/b", "/a/{x}"]);
    assert_eq!(
        (
            found(&reversed, "/a/b"),
            found(&reversed, "/a/c"),
            found(&reversed, "/a")
        ),
        (Some(0), Some(1), None)
    );
}

#[test]
fn a_branch_that_ends_nowhere_does_not_hide_another() {
    let table = table(&["/a/b/c", "/{x}/b/{y}/d", "/a/{x}/c/d"]);
    assert_eq!(found(&table, "/a/b/c"), Some(0));
    assert_eq!(found(&table, "/a/b/c/d"), Some(1));
    assert_eq!(found(&table, "/a/z/c/d"), Some(2));
    assert_eq!(found(&table, "/a/b"), None);
}

#[test]
fn methods_and_hosts_are_part_of_the_match() {
    let table = Table::new(vec![
        rule("/a", &["GET", "HEAD"], &[]),
        rule("/a", &[], &["x.org"]),
        rule("/a", &["POST"], &[]),
        rule("/{*rest}", &[], &["y.org"]),
    ]);
    let found = |method, host| {
        table
            .find("/a", method, host)
            .map(|found| (found.position, found.is_host_unknown))
    };
    assert_eq!(found("GET", None), Some((0, false)));
    assert_eq!(found("POST", Some("x.org")), Some((1, false)));
    assert_eq!(found("POST", Some("z.org")), Some((2, false)));
    assert_eq!(
        found("POST", None),
        Some((1, true)),
        "the first rule that could match decides, and it asks for a host"
    );
    assert_eq!(found("PUT", Some("y.org")), Some((3, false)));
    assert_eq!(found("PUT", Some("z.org")), None);
    assert_eq!(found("get", Some("z.org")), None, "methods are case-sensitive");
}

#[test]
fn a_rule_that_never_matches_is_found() {
    for (earlier, later, covered) in [
        (rule("/a", &[], &[]), rule("/a/", &["GET"], &[]), true),
        (rule("/{x}", &[], &[]), rule("/a", &[], &["x.org"]), true),
        (rule("/a", &[], &[]), rule("/{x}", &[], &[]), false),
        (rule("/{*r}", &["GET"], &[]), rule("/a/{*r}", &["GET"], &[]), true),
        (rule("/{*r}", &["GET"], &[]), rule("/a", &[], &[]), false),
        (rule("/a/{*r}", &[], &[]), rule("/a", &[], &[]), true),
        (rule("/a/{*r}", &[], &[]), rule("/{*r}", &[], &[]), false),
        (rule("/a/{x}", &[], &[]), rule("/a/{*r}", &[], &[]), false),
        (
            rule("/a/{x}/{*r}", &[], &[]),
            rule("/a/{y}/b/{*r}", &[], &[]),
            true,
        ),
        (
            rule("/a", &[], &["x.org"]),
            rule("/a", &[], &["x.org", "y.org"]),
            false,
        ),
        (
            rule("/a", &[], &["x.org", "y.org"]),
            rule("/a", &[], &["x.org"]),
            true,
        ),
    ] {
        let shown = format!("{earlier:?} {later:?}");
        let table = Table::new(vec![earlier, later]);
        assert_eq!(table.covering(1).is_some(), covered, "{shown}");
        assert!(table.covering(0).is_none());
    }
}

/// Whether a template matches a path, read off the definition.
fn matches(template: &Template, path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let own = template.segments();
    (segments.len() == own.len() || (template.has_rest() && segments.len() > own.len()))
        && own.iter().zip(segments).all(|(own, segment)| match own {
            Segment::Literal(text) => **text == *segment,
            Segment::One(_) => true,
        })
}

fn path(max: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 0..max)
        .prop_map(|segments| format!("/{}", segments.join("/")))
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let segments = prop::collection::vec(prop::sample::select(vec!["a", "b", "{}"]), 0..4);
    let some = |from: Vec<&'static str>| prop::collection::vec(prop::sample::select(from), 0..2);
    (
        segments,
        any::<bool>(),
        some(vec!["GET", "POST"]),
        some(vec!["x.org", "y.org"]),
    )
        .prop_map(|(segments, has_rest, methods, hosts)| {
            let mut parts: Vec<String> = Vec::new();
            for (at, segment) in segments.iter().enumerate() {
                parts.push(if *segment == "{}" {
                    format!("{{p{at}}}")
                } else {
                    (*segment).to_owned()
                });
            }
            if has_rest {
                parts.push("{*rest}".to_owned());
            }
            rule(&format!("/{}", parts.join("/")), &methods, &hosts)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn the_tree_finds_what_a_scan_of_the_file_finds(
        rules in prop::collection::vec(any_rule(), 0..24),
        paths in prop::collection::vec(path(6), 1..12),
        method in prop::sample::select(vec!["GET", "POST", "PUT"]),
        host in prop::option::of(prop::sample::select(vec!["x.org", "y.org", "z.org"])),
    ) {
        let table = Table::new(rules.clone());
        for path in paths {
            let scanned = rules.iter().position(|rule| {
                matches(&rule.template, &path)
                    && (rule.methods.is_empty() || rule.methods.iter().any(|own| **own == *method))
                    && (rule.hosts.is_empty() || host.is_none_or(|host| rule.hosts.iter().any(|own| **own == *host)))
            });
            let found = table.find(&path, method, host);
            prop_assert_eq!(found.map(|found| found.position), scanned, "{}", path);
            if let Some(found) = found {
                prop_assert_eq!(found.is_host_unknown, host.is_none() && !found.rule.hosts.is_empty());
                // A rule that is said never to match never does.
                prop_assert!(table.covering(found.position).is_none());
            }
        }
    }
}
