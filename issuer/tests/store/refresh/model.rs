//! Exchanges in any order, against a model of them, and against what nobody may lose: the session of whoever keeps to the
//! protocol, and that of each session one token alone can be exchanged for something new.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use shared::time::UnixMillis;

use super::*;

/// Orders of steps that are tried of whoever keeps to the protocol, on each database.
const HONEST_CASES: u32 = 12;

/// One step of those who have tokens of a session.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The holder presents what it holds. Of a lost answer it knows nothing.
    Refresh { is_lost: bool },
    /// So many tabs of the holder present it at once. One answer arrives, or all are lost.
    Tabs { count: usize, are_lost: bool },
    /// Anybody presents the token number `n` (of those given out so far).
    Present(usize),
    /// Lets so many seconds pass.
    Wait(u64),
}

/// What whoever keeps to the protocol may do, and what may happen to it.
fn honest() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any::<bool>().prop_map(|is_lost| Step::Refresh { is_lost }),
        1 => (2..5_usize, any::<bool>()).prop_map(|(count, are_lost)| Step::Tabs { count, are_lost }),
        1 => (0..16_u64).prop_map(Step::Wait),
    ]
}

/// What should come of it: tokens given out by number, when each was first exchanged, and whether all is over.
#[derive(Debug)]
struct Model {
    used_at: Vec<Option<u64>>,
    now: u64,
    ended: bool,
}

impl Model {
    /// The number of the token to be given, or `None` for a refusal.
    fn present(&mut self, n: usize) -> Option<usize> {
        let newest = self.used_at.len() - 1;
        if self.ended {
            return None;
        }
        if n == newest {
            self.used_at[n] = Some(self.now);
            self.used_at.push(None);
            return Some(n + 1);
        }
        match self.used_at[n + 1] {
            None => Some(n + 1),
            Some(used_at) if self.now - used_at <= GRACE.as_secs() => Some(newest),
            Some(_) => {
                self.ended = true;
                None
            }
        }
    }
}

/// A session, its tokens by number, and which of them its holder has.
struct Followed<'a> {
    world: &'a World,
    time: &'a Time<'a>,
    person: Person,
    tokens: Vec<SecretString>,
    held: usize,
    model: Model,
}

impl<'a> Followed<'a> {
    async fn begin(world: &'a World, time: &'a Time<'a>, login: &str) -> Self {
        let person = world.person(login).await;
        Self {
            world,
            time,
            tokens: vec![person.pair.refresh_token.clone()],
            person,
            held: 0,
            model: Model {
                used_at: vec![None],
                now: 0,
                ended: false,
            },
        }
    }

    /// Does a step, which has to do what the model says.
    async fn step(&mut self, step: Step) {
        match step {
            Step::Refresh { is_lost } => {
                let given = self.present(self.held, 1).await;
                self.held = given.filter(|_| !is_lost).unwrap_or(self.held);
            }
            Step::Tabs { count, are_lost } => {
                let given = self.present(self.held, count).await;
                self.held = given.filter(|_| !are_lost).unwrap_or(self.held);
            }
            // The newest more often than any other.
            Step::Present(usize::MAX) => _ = self.present(self.tokens.len() - 1, 1).await,
            Step::Present(any) => _ = self.present(any % self.tokens.len(), 1).await,
            Step::Wait(seconds) => {
                self.time.pass(Duration::from_secs(seconds)).await;
                self.model.now += seconds;
            }
        }
        self.one_leaf_each().await;
    }

    /// Presents the token number `n` so often at once: the number of what each was given.
    async fn present(&mut self, n: usize, at_once: usize) -> Option<usize> {
        let presented = (0..at_once).map(|_| self.world.exchange(&self.tokens[n]));
        let given = futures_util::future::join_all(presented).await;
        let expected = self.model.present(n);
        for given in given {
            match (expected, given) {
                (Some(number), Ok(token)) if number == self.tokens.len() => self.tokens.push(token),
                (Some(number), Ok(token)) => assert!(same(&self.tokens[number], &token), "token {number}"),
                (None, Err(ServiceError::RefreshTokenReused | ServiceError::InvalidRefreshToken)) => {}
                (expected, given) => panic!("expected {expected:?}, got {given:?}"),
            }
        }
        expected
    }

    /// Of every session that goes on, one token has not been exchanged, and that is the newest.
    async fn one_leaf_each(&self) {
        const OTHERWISE: &str = "SELECT COUNT(*) FROM sessions s WHERE s.ended_at IS NULL AND ( \
             (SELECT COUNT(*) FROM refresh_tokens t WHERE t.session_id = s.id AND t.used_at IS NULL) <> 1 OR \
             (SELECT COUNT(*) FROM refresh_tokens t WHERE t.session_id = s.id AND t.used_at IS NULL \
              AND t.counter = s.leaf) <> 1)";
        assert_eq!(self.time.database.number(OTHERWISE).await, 0);
        let leaf = self.tokens.len() - 1;
        let mut work = self.world.service.store.read().await.unwrap();
        let newest = issuer::signing::RefreshToken::parse(&self.tokens[leaf]).unwrap();
        let newest = refresh::presented(&mut work, &newest.digest())
            .await
            .unwrap()
            .unwrap();
        let leaf = i64::try_from(leaf).unwrap();
        assert_eq!((newest.counter, newest.leaf), (leaf, leaf));
    }

    async fn has_ended(&self) -> bool {
        let session = self.person.caller.session;
        self.world
            .facts_after(0)
            .await
            .0
            .contains(&Fact::Session { session })
    }
}

/// Any order of steps leads where the model says. The clock is the test's, so on SQLite alone.
#[test]
fn any_order_of_exchanges_does_what_the_model_says() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let clock = Arc::new(ManualClock::at(UnixMillis(1_800_000_000_000)));
    let (world, database) = runtime.block_on(async {
        let database = Database::fresh(Kind::Sqlite).await.unwrap();
        (World::open_at(&database, clock.clone()).await, database)
    });
    let time = Time {
        database: &database,
        clock: Some(clock),
    };
    let step = prop_oneof![
        3 => any::<prop::sample::Index>().prop_map(|index| Step::Present(index.index(1 << 16))),
        1 => Just(Step::Present(usize::MAX)),
        3 => honest(),
    ];
    let count = Cell::new(0);
    let config = Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(step, 1..24), |steps| {
        count.set(count.get() + 1);
        runtime.block_on(async {
            let mut followed = Followed::begin(&world, &time, &format!("person{}", count.get())).await;
            for step in steps {
                followed.step(step).await;
            }
            assert_eq!(followed.has_ended().await, followed.model.ended);
        });
        Ok(())
    });
    outcome.unwrap();
}

on_both! {
    async fn whoever_keeps_to_the_protocol_stays_signed_in(database: &Database) {
        let (world, time) = Time::world(database).await;
        let steps = prop::collection::vec(honest(), 1..16);
        let mut runner = TestRunner::default();
        for case in 0..HONEST_CASES {
            let steps = steps.new_tree(&mut runner).unwrap().current();
            println!("{steps:?}");
            let mut followed = Followed::begin(&world, &time, &format!("person{case}")).await;
            for step in steps {
                followed.step(step).await;
                assert!(!followed.model.ended);
            }
            followed.step(Step::Refresh { is_lost: false }).await;
            assert!(!followed.has_ended().await);
        }
    }
}
