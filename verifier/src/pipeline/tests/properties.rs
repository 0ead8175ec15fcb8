use std::sync::LazyLock;

use proptest::prelude::*;

use super::films::{at, film, label};
use super::*;

static MUTATED: LazyLock<(World, String)> = LazyLock::new(|| {
    let world = World::ready();
    let token = world.forge().token();
    assert_eq!(world.ask("/me", Credentials::Bearer(&token)), Ok(()));
    (world, token)
});

/// Things that happen between two requests.
#[derive(Clone, Debug)]
enum Event {
    Pass(u64),
    Heartbeat,
    RevokeSession(usize),
    RaiseSubject(usize),
    RaiseRole,
    RevokeToken(usize),
    Keys(Vec<usize>),
    Label(Vec<&'static str>),
    Film(Vec<&'static str>),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_u64..400).prop_map(Event::Pass),
        4 => Just(Event::Heartbeat),
        1 => (0_usize..4).prop_map(Event::RevokeSession),
        1 => (0_usize..4).prop_map(Event::RaiseSubject),
        1 => Just(Event::RaiseRole),
        1 => (0_usize..4).prop_map(Event::RevokeToken),
        2 => prop::sample::select(vec![vec![0], vec![1], vec![0, 1]]).prop_map(Event::Keys),
        2 => prop::sample::subsequence(vec!["editor", "subscriber"], 0..=2).prop_map(Event::Label),
        1 => prop::sample::subsequence(vec!["paid", "unknown"], 0..=2).prop_map(Event::Film),
    ]
}

impl World {
    fn happen(&mut self, event: &Event, forges: &[TokenForge]) {
        match event {
            Event::Pass(seconds) => self.clock.advance(Duration::from_secs(*seconds)),
            Event::Heartbeat => {
                self.heartbeat();
                self.vouch();
            }
            Event::RevokeSession(at) => self.revoke(Fact::Session {
                session: forges[*at].claim_text("sid").parse().unwrap(),
            }),
            Event::RaiseSubject(at) => self.revoke(Fact::Subject {
                subject: forges[*at].claim_text("sub").parse().unwrap(),
                min_ver: START.0 + 1,
            }),
            Event::RaiseRole => self.revoke(Fact::Role {
                name: "editor".into(),
                min_rver: 2,
            }),
            Event::RevokeToken(at) => self.revoke(Fact::Token {
                token: forges[*at].claim_text("jti").parse().unwrap(),
            }),
            Event::Keys(numbers) => self.set_keys(numbers),
            Event::Label(roles) => self.tell(vec![label("paid", roles, false)]),
            Event::Film(labels) => self.tell(vec![film(1, labels)]),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_cached_verdict_is_the_fresh_verdict(events in prop::collection::vec(event(), 1..16)) {
        let mut world = World::ready();
        world.tell(vec![label("paid", &["editor"], false), film(1, &["paid"])]);
        world.vouch();
        let labelled = at("labelled", 1);
        let told = |world: &World, path: &str, credentials| {
            world.pipeline.decide(&question(path, credentials)).map(|admitted| admitted.labels)
        };
        let mut keeps_nothing = TokenCache::new(0, std::num::NonZeroUsize::MIN);
        let forges = [
            world.forge(),
            world.forge().roles(&["subscriber"]),
            world.forge().roles(&["editor"]),
            TokenForge::new(&TestKey::number(1), START).claim("superuser", true),
        ];
        let tokens = forges.each_ref().map(TokenForge::token);
        for event in events {
            world.happen(&event, &forges);
            for token in &tokens {
                for path in ["/", "/me", "/films/1", &labelled] {
                    for credentials in [Credentials::Bearer(token), Credentials::Cookie(token)] {
                        let warm = told(&world, path, credentials);
                        std::mem::swap(&mut world.pipeline.cache, &mut keeps_nothing);
                        let fresh = told(&world, path, credentials);
                        std::mem::swap(&mut world.pipeline.cache, &mut keeps_nothing);
                        prop_assert_eq!(warm, fresh, "{} after {:?}", path, event);
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_changed_byte_of_a_good_token_is_refused(
        at in any::<prop::sample::Index>(),
        byte in 0x20_u8..0x7f,
        way in 0_u8..3,
    ) {
        let (world, token) = &*MUTATED;
        let mut bytes = token.clone().into_bytes();
        let at = at.index(bytes.len());
        match way {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
        let changed = String::from_utf8(bytes).unwrap();
        prop_assume!(changed != *token);
        for path in ["/", "/me"] {
            prop_assert!(world.ask(path, Credentials::Bearer(&changed)).is_err());
        }
    }
}
