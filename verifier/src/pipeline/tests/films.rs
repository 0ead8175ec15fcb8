//! What the labels of films decide, and what callers are told of them.

use shared::feed::{FeedEvent, Gap, Heartbeat, LabelUpdate};
use shared::id::FilmId;
use shared::label::{Definition, LabelChange, LabelNames, LabelRole};
use uuid::Uuid;

use super::*;

const FILM_RULES: &str = r#"
default = "allow"

[[rule]]
path = "/films/{film_id}"
film = "{film_id}"

[[rule]]
path = "/stale/{film_id}"
film = "{film_id}"
on_stale = "allow"

[[rule]]
path = "/cast/{film_id}"
film = "{film_id}"
roles = ["user"]

[[rule]]
path = "/mine/{film_id}"
film = "{film_id}"
authenticated = true
"#;

/// Films by what they carry.
const NOTHING: u128 = 0;
const KIDS: u128 = 1;
pub(super) const PREMIUM: u128 = 2;
const BOTH: u128 = 3;
const UNKNOWN: u128 = 4;
const NOBODY: u128 = 5;

fn id(number: u128) -> FilmId {
    FilmId(Uuid::from_u128(number))
}

pub(super) fn at(folder: &str, number: u128) -> String {
    format!("/{folder}/{}", id(number))
}

pub(super) fn film(number: u128, labels: &[&str]) -> LabelChange {
    LabelChange::Film {
        film: id(number),
        labels: Arc::new(LabelNames::new(labels.iter().map(|name| name.parse().unwrap())).unwrap()),
    }
}

pub(super) fn label(name: &str, roles: &[&str], anonymous: bool) -> LabelChange {
    let role = |(id, name): (u128, &&str)| LabelRole {
        id: Uuid::from_u128(id).into(),
        name: (*name).into(),
    };
    LabelChange::Definition {
        name: name.parse().unwrap(),
        definition: Some(Definition {
            anonymous,
            roles: (0..).zip(roles).map(role).collect(),
        }),
    }
}

fn everything() -> Vec<LabelChange> {
    vec![
        label("kids", &[], true),
        label("premium", &["subscriber", "editor"], false),
        label("nobody", &[], false),
        film(KIDS, &["kids"]),
        film(PREMIUM, &["premium"]),
        film(BOTH, &["kids", "premium"]),
        film(UNKNOWN, &["kids", "unknown"]),
        film(NOBODY, &["nobody"]),
    ]
}

impl World {
    /// With key 0 in force, labels, and a heartbeat of now that vouches for both.
    pub(super) fn with_labels() -> Self {
        let mut world = Self::new(FILM_RULES);
        world.set_keys(&[0]);
        world.tell(everything());
        world.vouch();
        world
    }

    pub(super) fn tell(&self, changes: Vec<LabelChange>) {
        let update = FeedEvent::Labels(LabelUpdate::Changes(changes));
        self.pipeline.revocations.take_in(&update, &*self.clock);
    }

    /// A heartbeat of now, which vouches for labels too.
    pub(super) fn vouch(&self) {
        self.hear(Some(self.clock.now()));
    }

    /// A heartbeat of now, which vouches for labels of this time or for none.
    fn hear(&self, labels: Option<UnixMillis>) {
        let heartbeat = Heartbeat {
            epoch: 0,
            term: 0,
            counter: 0,
            seq: 0,
            time: self.clock.now(),
            labels,
            read_at: None,
            signed: None,
        };
        let event = FeedEvent::Heartbeat(heartbeat);
        self.pipeline.revocations.take_in(&event, &*self.clock);
    }

    fn told(&self, credentials: Credentials<'_>) -> String {
        let admitted = self.pipeline.decide(&question("/", credentials)).unwrap();
        admitted.labels.to_str().unwrap().to_owned()
    }
}

#[test]
fn each_film_against_each_caller() {
    use Reason::{Label, Missing, Role};
    let world = World::with_labels();
    let tokens = [
        world.forge().roles(&[]).token(),
        world.forge().roles(&["user"]).token(),
        world.forge().roles(&["user", "editor"]).token(),
        world.forge().roles(&[]).claim("superuser", true).token(),
    ];
    let bearers = tokens.each_ref().map(|token| Credentials::Bearer(token));
    let callers = [Credentials::None, bearers[0], bearers[1], bearers[2], bearers[3]];
    let (yes, closed) = (Ok(()), [Err(Missing), Err(Label), Err(Label), Err(Label), Ok(())]);
    for (film, films, cast, mine) in [
        (
            NOTHING,
            [yes; 5],
            [Err(Missing), Err(Role), yes, yes, yes],
            [Err(Missing), yes, yes, yes, yes],
        ),
        (
            KIDS,
            [yes; 5],
            [Err(Missing), Err(Role), yes, yes, yes],
            [Err(Missing), yes, yes, yes, yes],
        ),
        (
            PREMIUM,
            [Err(Missing), Err(Label), Err(Label), yes, yes],
            [Err(Missing), Err(Role), Err(Label), yes, yes],
            [Err(Missing), Err(Label), Err(Label), yes, yes],
        ),
        (
            BOTH,
            [Err(Missing), Err(Label), Err(Label), yes, yes],
            [Err(Missing), Err(Role), Err(Label), yes, yes],
            [Err(Missing), Err(Label), Err(Label), yes, yes],
        ),
        (
            UNKNOWN,
            closed,
            [Err(Missing), Err(Role), Err(Label), Err(Label), yes],
            closed,
        ),
        (
            NOBODY,
            closed,
            [Err(Missing), Err(Role), Err(Label), Err(Label), yes],
            closed,
        ),
    ] {
        for (folder, expected) in [("films", films), ("stale", films), ("cast", cast), ("mine", mine)] {
            let path = at(folder, film);
            let asked = callers.map(|credentials| world.ask(&path, credentials));
            assert_eq!(asked, expected, "{path}");
            let upper = format!("/{folder}/{}", id(film).to_string().to_uppercase());
            assert_eq!(
                callers.map(|credentials| world.ask(&upper, credentials)),
                expected
            );
        }
    }
    for credentials in callers {
        assert_eq!(world.ask("/films/1", credentials), Err(Reason::Request));
    }
}

#[test]
fn a_change_of_labels_decides_from_then_on() {
    let world = World::with_labels();
    let token = world.forge().roles(&["subscriber"]).token();
    let ask = || {
        [Credentials::None, Credentials::Bearer(&token)]
            .map(|who| world.ask(&at("films", PREMIUM), who).is_ok())
    };
    assert_eq!(ask(), [false, true]);
    world.tell(vec![label("premium", &["editor"], false)]);
    assert_eq!(ask(), [false, false]);
    world.tell(vec![label("premium", &[], true)]);
    assert_eq!(ask(), [true, true]);
    world.tell(vec![LabelChange::Definition {
        name: "premium".parse().unwrap(),
        definition: None,
    }]);
    assert_eq!(ask(), [false, false]);
    world.tell(vec![film(PREMIUM, &[])]);
    assert_eq!(ask(), [true, true]);
    world.tell(vec![film(PREMIUM, &["nobody"])]);
    assert_eq!(ask(), [false, false]);
}

#[test]
fn a_cookie_that_says_nothing_is_judged_by_what_the_film_asks_of_anybody() {
    let world = World::with_labels();
    let expired = TokenForge::new(&TestKey::number(0), START.minus(Duration::from_hours(1))).token();
    for (film, verdict) in [
        (NOTHING, Ok(())),
        (KIDS, Ok(())),
        (PREMIUM, Err(Reason::Expired)),
        (UNKNOWN, Err(Reason::Expired)),
    ] {
        let path = at("films", film);
        assert_eq!(world.ask(&path, Credentials::Cookie(&expired)), verdict, "{path}");
        assert_eq!(
            world.ask(&path, Credentials::Bearer(&expired)),
            Err(Reason::Expired)
        );
        let ambiguous = Question {
            credentials: Err(CredentialsError::AmbiguousCookie),
            ..question(&path, Credentials::None)
        };
        let verdict = verdict.map_err(|_| Reason::AmbiguousCredentials);
        assert_eq!(world.ask_with(&ambiguous), verdict, "{path}");
    }
    assert_eq!(
        world.ask(&at("mine", NOTHING), Credentials::Cookie(&expired)),
        Err(Reason::Expired)
    );
    world.clock.advance(Duration::from_secs(31));
    assert_eq!(
        world.ask(&at("films", NOTHING), Credentials::Cookie(&expired)),
        Err(Reason::StaleReplica)
    );
    assert_eq!(
        world.ask(&at("films", NOTHING), Credentials::Bearer(&expired)),
        Err(Reason::Expired)
    );
}

#[test]
fn before_labels_were_ever_vouched_for_nobody_is_let_in_by_them() {
    let mut world = World::new(FILM_RULES);
    world.set_keys(&[0]);
    world.tell(everything());
    world.hear(None);
    let user = world.forge().roles(&["user"]).token();
    let superuser = world.forge().claim("superuser", true).token();
    for folder in ["films", "stale", "cast"] {
        for film in [NOTHING, KIDS, NOBODY] {
            let path = at(folder, film);
            let expected = if folder == "cast" {
                Reason::Missing
            } else {
                Reason::StaleReplica
            };
            assert_eq!(world.ask(&path, Credentials::None), Err(expected), "{path}");
            assert_eq!(
                world.ask(&path, Credentials::Bearer(&user)),
                Err(Reason::StaleReplica)
            );
            assert_eq!(world.ask(&path, Credentials::Bearer(&superuser)), Ok(()));
        }
    }
    assert_eq!(world.ask("/films/x", Credentials::None), Err(Reason::Request));
    assert_eq!(world.told(Credentials::None), "");
    assert_eq!(world.told(Credentials::Bearer(&superuser)), "");
}

#[test]
fn labels_that_are_too_old_decide_only_where_the_rule_says_so() {
    let mut world = World::with_labels();
    let token = world.forge().roles(&["editor"]).token();
    let ask = |world: &World, folder, film| {
        [Credentials::None, Credentials::Bearer(&token)].map(|who| world.ask(&at(folder, film), who))
    };
    let stale = [Err(Reason::StaleReplica); 2];
    // The revocations stay fresh, the labels do not.
    for seconds in [20, 20] {
        world.clock.advance(Duration::from_secs(seconds));
        world.hear(None);
    }
    assert_eq!(ask(&world, "films", NOTHING), stale);
    assert_eq!(ask(&world, "films", PREMIUM), stale);
    assert_eq!(ask(&world, "stale", NOTHING), [Ok(()); 2]);
    assert_eq!(ask(&world, "stale", PREMIUM), [Err(Reason::Missing), Ok(())]);
    assert_eq!(world.told(Credentials::None), "", "nor is anything told by them");
    world.vouch();
    assert_eq!(ask(&world, "films", PREMIUM), [Err(Reason::Missing), Ok(())]);

    let lost = FeedEvent::Lost(Gap::Chain);
    world.pipeline.revocations.take_in(&lost, &*world.clock);
    world.hear(None);
    assert_eq!(ask(&world, "films", KIDS), stale);
    assert_eq!(ask(&world, "stale", KIDS), [Ok(()); 2]);
    world.pipeline.on_stale = OnStale::Allow;
    assert_eq!(ask(&world, "films", KIDS), [Ok(()); 2]);
}

#[test]
fn everybody_is_told_the_labels_that_they_satisfy() {
    let world = World::with_labels();
    let user = world.forge().roles(&["user"]).token();
    let editor = world.forge().roles(&["editor"]).token();
    let superuser = world.forge().claim("superuser", true).token();
    let told = || {
        [
            Credentials::None,
            Credentials::Cookie("x"),
            Credentials::Bearer(&user),
            Credentials::Bearer(&editor),
            Credentials::Bearer(&superuser),
        ]
        .map(|credentials| world.told(credentials))
    };
    for _ in 0..2 {
        assert_eq!(
            told(),
            ["kids", "kids", "kids", "kids,premium", "kids,nobody,premium"]
        );
    }
    world.tell(vec![
        label("premium", &["user"], false),
        label("kids", &[], false),
    ]);
    assert_eq!(told(), ["", "", "premium", "", "kids,nobody,premium"]);
}

#[test]
fn what_is_kept_of_labels_with_a_token_is_counted() {
    let world = World::with_labels();
    let token = world.forge().roles(&["editor"]).token();
    // What comes twice is shared by all threads, and counted.
    world.told(Credentials::Bearer(&token));
    world.told(Credentials::Bearer(&token));
    let before = world.pipeline.cache.entries_and_bytes();
    let long = "x".repeat(60);
    world.tell(vec![label(&long, &["editor"], false)]);
    assert_eq!(
        world.told(Credentials::Bearer(&token)),
        format!("kids,premium,{long}")
    );
    let after = world.pipeline.cache.entries_and_bytes();
    assert_eq!((before.0, after.0), (1, 1));
    assert!(after.1 >= before.1 + 60, "{before:?} {after:?}");
}
