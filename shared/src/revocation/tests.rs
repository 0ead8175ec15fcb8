use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::testkit::{TestKey, TokenForge};
use crate::time::UnixSeconds;
use crate::token::{ClaimsPolicy, SignedToken, ValidToken};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn valid(token: &SignedToken) -> ValidToken<'_> {
    let policy = ClaimsPolicy {
        issuer: TokenForge::ISSUER.into(),
        audience: TokenForge::AUDIENCE.into(),
        leeway_s: 5,
    };
    token.validate(&policy, UnixSeconds(NOW.0 / 1000)).unwrap()
}

fn token() -> SignedToken {
    TokenForge::new(&TestKey::number(0), NOW)
        .roles(&["subscriber"])
        .claim("ver", 10)
        .claim("rver", 20)
        .signed()
}

fn check(set: &RevocationSet, token: &SignedToken) -> Result<(), Refusal> {
    set.check(valid(token))
        .map(|live| assert!(std::ptr::eq(live.token(), token)))
}

fn holding(fact: Fact) -> RevocationSet {
    let set = RevocationSet::default();
    set.apply(&Revocation {
        fact,
        expires: Some(NOW),
    });
    set
}

#[test]
fn what_a_set_has_found_alive_is_looked_at_again_after_each_fact() {
    let token = token();
    let (set, other) = (RevocationSet::default(), RevocationSet::default());
    for _ in 0..2 {
        assert_eq!(check(&set, &token), Ok(()));
        assert_eq!(check(&other, &token), Ok(()));
    }
    let session = token.claims().session;
    let fact = |session| Revocation {
        fact: Fact::Session { session },
        expires: Some(NOW),
    };
    set.apply(&fact(SessionId::new(NOW)));
    assert_eq!(check(&set, &token), Ok(()));
    set.apply(&fact(session));
    assert_eq!(check(&set, &token), Err(Refusal::Revoked));
    // As many facts as there, and none about this token: what one has found says nothing of the other.
    other.apply_all(&[fact(SessionId::new(NOW))]);
    other.apply_all(&[fact(SessionId::new(NOW))]);
    for _ in 0..2 {
        assert_eq!(check(&other, &token), Ok(()));
        assert_eq!(check(&set, &token), Err(Refusal::Revoked));
    }
}

#[test]
fn each_kind_refuses_what_it_names_and_nothing_else() {
    let token = token();
    let claims = token.claims();
    let (subject, session, id) = (claims.subject, claims.session, claims.token_id);
    let role = |name: &str, min_rver| Fact::Role {
        name: name.into(),
        min_rver,
    };
    let cases = [
        (Fact::Session { session }, Err(Refusal::Revoked)),
        (
            Fact::Session {
                session: SessionId::new(NOW),
            },
            Ok(()),
        ),
        (Fact::Token { token: id }, Err(Refusal::Revoked)),
        (
            Fact::Token {
                token: TokenId::new(NOW),
            },
            Ok(()),
        ),
        (Fact::Key { kid: "test-0".into() }, Err(Refusal::Revoked)),
        (Fact::Key { kid: "test-1".into() }, Ok(())),
        (Fact::Subject { subject, min_ver: 11 }, Err(Refusal::Stale)),
        (Fact::Subject { subject, min_ver: 10 }, Ok(())),
        (
            Fact::Subject {
                subject: SubjectId::new(NOW),
                min_ver: 11,
            },
            Ok(()),
        ),
        (role("subscriber", 21), Err(Refusal::Stale)),
        (role("subscriber", 20), Ok(())),
        (role("subscribe", 21), Ok(())),
    ];
    for (fact, expected) in cases {
        assert_eq!(check(&holding(fact.clone()), &token), expected, "{fact:?}");
    }
}

#[test]
fn a_fact_is_dropped_only_after_its_time() {
    let set = RevocationSet::default();
    set.apply(&Revocation {
        fact: Fact::Session {
            session: SessionId::new(NOW),
        },
        expires: Some(NOW),
    });
    set.apply(&Revocation {
        fact: Fact::Key { kid: "k".into() },
        expires: None,
    });
    set.sweep(UnixMillis(NOW.0 - 1));
    assert_eq!(set.to_sorted().len(), 2);
    set.sweep(NOW);
    assert_eq!(
        set.to_sorted(),
        [Revocation {
            fact: Fact::Key { kid: "k".into() },
            expires: None
        }]
    );
}

#[test]
fn every_check_that_begins_after_apply_sees_the_fact() {
    let token = token();
    let set = Arc::new(RevocationSet::default());
    let revoked = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let certainly_revoked = revoked.load(Ordering::SeqCst);
                    let verdict = check(&set, &token);
                    assert!(!certainly_revoked || verdict == Err(Refusal::Revoked));
                    if verdict.is_err() {
                        break;
                    }
                }
            });
        }
        for _ in 0..1000 {
            let session = SessionId::new(NOW);
            set.apply(&Revocation {
                fact: Fact::Session { session },
                expires: Some(NOW),
            });
        }
        set.apply(&Revocation {
            fact: Fact::Session {
                session: token.claims().session,
            },
            expires: Some(NOW),
        });
        revoked.store(true, Ordering::SeqCst);
    });
}

#[test]
fn several_at_once_are_one_step_and_come_out_again() {
    let set = RevocationSet::default();
    let empty = set.memory_bytes();
    let facts: Vec<_> = (0_u32..5_000)
        .map(|number| {
            let id = SessionId::new(NOW).0;
            let fact = match number % 5 {
                0 => Fact::Session { session: id.into() },
                1 => Fact::Token { token: id.into() },
                2 => Fact::Subject {
                    subject: id.into(),
                    min_ver: number.into(),
                },
                3 => Fact::Role {
                    name: id.to_string().into(),
                    min_rver: number.into(),
                },
                _ => Fact::Key {
                    kid: id.to_string().into(),
                },
            };
            let expires = (number % 3 > 0).then_some(NOW);
            Revocation { fact, expires }
        })
        .collect();
    set.apply_all(&[]);
    assert_eq!(set.generation(), 0);
    set.apply_all(&facts);
    assert_eq!(set.generation(), 1);
    assert_eq!(set.counts().map(|(_, count)| count), [1_000; 5]);
    assert!(set.memory_bytes() > empty);
    let mut sorted = facts;
    sorted.sort();
    assert_eq!(set.to_sorted(), sorted);
    set.sweep(NOW);
    sorted.retain(|revocation| revocation.expires.is_none());
    assert_eq!(set.to_sorted(), sorted);
}

#[test]
fn several_writers_lose_nothing() {
    const EACH: u128 = 4_000;
    let set = RevocationSet::default();
    let session = |number: u128| SessionId(Uuid::from_u128(number << 64));
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let set = &set;
            scope.spawn(move || {
                for number in (0..EACH).map(|number| number * 3 + writer) {
                    set.apply(&Revocation {
                        fact: Fact::Session {
                            session: session(number),
                        },
                        expires: Some(UnixMillis(NOW.0 + 1)),
                    });
                    assert!(set.facts().has_session(session(number)));
                    if number % 1_000 == 0 {
                        set.sweep(NOW);
                    }
                }
            });
        }
    });
    assert_eq!(set.counts()[0].1, 3 * 4_000);
    assert!((0..3 * EACH).all(|number| set.facts().has_session(session(number))));
}

fn revocation() -> impl Strategy<Value = Revocation> {
    let id = (0_u128..4).prop_map(Uuid::from_u128);
    let name = prop_oneof![Just("a"), Just("b")];
    let fact = prop_oneof![
        id.clone().prop_map(|id| Fact::Session {
            session: SessionId(id)
        }),
        (id.clone(), 0_i64..9).prop_map(|(id, min_ver)| Fact::Subject {
            subject: SubjectId(id),
            min_ver
        }),
        (name.clone(), 0_i64..9).prop_map(|(name, min_rver)| Fact::Role {
            name: name.into(),
            min_rver
        }),
        id.prop_map(|id| Fact::Token { token: TokenId(id) }),
        name.prop_map(|kid| Fact::Key { kid: kid.into() }),
    ];
    (fact, proptest::option::of((0_i64..9).prop_map(UnixMillis)))
        .prop_map(|(fact, expires)| Revocation { fact, expires })
}

proptest! {
    #[test]
    fn order_and_repetition_do_not_matter(
        facts in proptest::collection::vec(revocation(), 0..40),
        seed in any::<u64>(),
    ) {
        let in_order = RevocationSet::default();
        for fact in &facts {
            in_order.apply(fact);
        }
        let mut shuffled = [facts.clone(), facts].concat();
        let mut state = seed | 1;
        for index in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(index, usize::try_from(state >> 33).unwrap() % (index + 1));
        }
        let other = RevocationSet::default();
        for fact in &shuffled {
            other.apply(fact);
        }
        prop_assert_eq!(in_order.to_sorted(), other.to_sorted());
    }
}
