use std::time::Duration;

use shared::credentials::Credentials;
use shared::token::ClaimsPolicy;

use super::*;
use crate::policy::{Basis, RulesSource};

fn store(rules: &'static str) -> PolicyStore {
    let claims = ClaimsPolicy {
        issuer: "http://a.org".into(),
        audience: "movies".into(),
        leeway_s: 5,
    };
    PolicyStore::open(
        RulesSource::BuiltIn(rules),
        Basis {
            claims,
            has_labels: true,
        },
    )
    .unwrap()
}

#[test]
fn what_differs_is_counted_by_what_it_is_and_would_have_been() {
    let shadow = Shadow::new(store("default = \"deny\""));
    let policy = shadow.rules.current();
    let question = Question {
        method: "GET",
        path: "/a",
        host: None,
        credentials: Ok(Credentials::None),
        is_cross_site: false,
    };
    let boot = BootTime(Duration::from_secs(7));
    for (enforced, other) in [
        (Ok(()), Err(Reason::Missing)),
        (Ok(()), Ok(())),
        (Err(Reason::Role), Ok(())),
        (Ok(()), Err(Reason::Missing)),
        (Err(Reason::Role), Err(Reason::Denied)),
    ] {
        shadow.compare(
            &question,
            (&policy.policy, enforced),
            (&policy.policy, other),
            boot,
        );
    }
    assert_eq!(shadow.agreed(), 1);
    let mut differed: Vec<_> = shadow.differed().collect();
    differed.sort_unstable();
    assert_eq!(
        differed,
        [
            ("allowed", "missing", 2),
            ("role", "allowed", 1),
            ("role", "denied", 1)
        ]
    );
}

#[test]
fn the_log_is_bounded_and_says_what_it_left_out() {
    let lines = Lines::default();
    let at = |second| BootTime(Duration::from_secs(second));
    for _ in 0..SHADOW_LINES_PER_SECOND {
        assert_eq!(lines.next(at(0)), Some(0));
    }
    assert_eq!((lines.next(at(0)), lines.next(at(0))), (None, None));
    assert_eq!((lines.next(at(1)), lines.next(at(1))), (Some(2), Some(0)));
}
