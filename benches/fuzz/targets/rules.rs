//! The rules file: the tree of its rules finds what a scan of the file finds.
#![no_main]
#![expect(clippy::panic, reason = "what cannot go on fails the fuzzing")]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use shared::token::ClaimsPolicy;
use verifier::policy::cases::Cases;
use verifier::policy::rule::Rule;
use verifier::policy::template::Segment;
use verifier::policy::{Basis, Policy, PolicyError};

static BASIS: LazyLock<Basis> = LazyLock::new(|| Basis {
    claims: ClaimsPolicy {
        issuer: "https://issuer.example.org".into(),
        audience: "movies".into(),
        leeway_s: 0,
    },
    has_labels: true,
});

const HOSTS: [Option<&str>; 2] = [None, Some("movies.example.org")];

fuzz_target!(|text: &str| {
    if let Err(error) = Cases::parse(text, "cases.toml") {
        told(&error, text);
    }
    let policy = match Policy::parse(text, "rules.toml", &BASIS) {
        Ok(policy) => policy,
        Err(error) => return told(&error, text),
    };
    for rule in policy.rules() {
        for path in paths(rule) {
            for host in HOSTS {
                let scanned = policy.rules().iter().find(|rule| matches(rule, &path, host));
                let found = policy.route(&path, "GET", host).rule();
                assert_eq!(
                    found.map(|rule| rule.line),
                    scanned.map(|rule| rule.line),
                    "{path}"
                );
            }
        }
    }
});

/// Whoever wrote the file is told where to look.
fn told(error: &PolicyError, text: &str) {
    let PolicyError::Findings(findings) = error else {
        panic!("{error}");
    };
    assert!(!findings.is_empty());
    let lines = text.split('\n').count();
    assert!(
        findings
            .iter()
            .all(|finding| (1..=lines).contains(&finding.line) && finding.column > 0)
    );
}

/// Paths that a rule is about, or nearly.
fn paths(rule: &Rule) -> [String; 2] {
    let segments = rule.template.segments().iter().map(|segment| match segment {
        Segment::Literal(text) => text,
        Segment::One(_) => "x",
    });
    let path = format!("/{}", segments.collect::<Vec<_>>().join("/"));
    let longer = format!("{}/x", path.trim_end_matches('/'));
    [path, longer]
}

/// Whether a rule matches, read off the definition.
fn matches(rule: &Rule, path: &str, host: Option<&str>) -> bool {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let own = rule.template.segments();
    let has_length = segments.len() == own.len() || (rule.template.has_rest() && segments.len() > own.len());
    has_length
        && rule.has_method("GET")
        && host.is_none_or(|host| rule.has_host(host))
        && own.iter().zip(segments).all(|(own, segment)| match own {
            Segment::Literal(text) => **text == *segment,
            Segment::One(_) => true,
        })
}
