//! One run: people log out all the while, something goes wrong, it is mended, and everything is judged.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use issuer::store::CommitObserver as _;
use shared::feed::key::FeedSigningKey;
use shared::id::SessionId;
use shared::revocation::{Fact, Revocation};
use shared::testkit::FeedModel;

use crate::checker::{History, Promise};
use crate::faults::{Cast, Fault};
use crate::labels::{FILMS, film};
use crate::nodes::{SimIssuer, SimVerifier};
use crate::world::{Database, Link, Node, START, World};

const ISSUERS: usize = 2;
const VERIFIERS: usize = 3;

/// Nothing goes wrong before everybody has loaded.
const WARM_UP: Duration = Duration::from_secs(4);

/// By then everything that was mended must work again: a lease lapses, an epoch is written, readers come back.
const SETTLED: Duration = Duration::from_secs(25);

/// How long revocations matter: short, so that the stream is trimmed within a run.
const LIFETIME: Duration = Duration::from_mins(1);

struct Run {
    world: World,
    issuers: Rc<RefCell<Vec<SimIssuer>>>,
    verifiers: Vec<SimVerifier>,
    history: Rc<RefCell<History>>,
}

/// What a run shows.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    revocations: usize,
    verdicts: u64,
    verdicts_refused: u64,
    trace: Vec<String>,
}

fn key() -> Arc<FeedSigningKey> {
    static KEY: OnceLock<Arc<FeedSigningKey>> = OnceLock::new();
    Arc::clone(KEY.get_or_init(|| Arc::new(FeedSigningKey::generate().unwrap())))
}

impl Run {
    fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let mut history = History::default();
        // More than a chunk from the beginning.
        for number in 0..FILMS {
            let value = number + 1;
            world.state().database.labels.put(film(number), value);
            history.relabelled(film(number), value).set(Some(START));
        }
        Self {
            issuers: Rc::new(RefCell::new(
                (0..ISSUERS)
                    .map(|index| SimIssuer::new(&world, index, key()))
                    .collect(),
            )),
            verifiers: (0..VERIFIERS)
                .map(|index| SimVerifier::new(&world, index, &key()))
                .collect(),
            history: Rc::new(RefCell::new(history)),
            world,
        }
    }

    /// People log out, at one issuer or the other.
    fn log_people_out(&self) -> tokio::task::JoinHandle<()> {
        let (world, issuers, history) = (
            self.world.clone(),
            Rc::clone(&self.issuers),
            Rc::clone(&self.history),
        );
        tokio::task::spawn_local(async move {
            loop {
                let (wait, issuer) = {
                    let dice = &mut world.state().dice;
                    (
                        dice.millis(1, 250),
                        usize::try_from(dice.below(ISSUERS as u64)).unwrap(),
                    )
                };
                tokio::time::sleep(wait).await;
                let is_film = world.state().dice.one_in(3);
                let (world, issuers, history) = (world.clone(), Rc::clone(&issuers), Rc::clone(&history));
                if is_film {
                    tokio::task::spawn_local(relabel(world, issuers, history, issuer));
                } else {
                    tokio::task::spawn_local(log_out(world, issuers, history, issuer));
                }
            }
        })
    }

    /// Time passes, and every verifier is asked all the while.
    async fn watch(&self, how_long: Duration, promise: Promise) -> Result<(), String> {
        let until = tokio::time::Instant::now() + how_long;
        while tokio::time::Instant::now() < until {
            for verifier in &self.verifiers {
                self.history.borrow_mut().judge(&self.world, verifier, promise)?;
            }
            let wait = self.world.state().dice.millis(50, 600);
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    async fn go(mut self, faults: &[Fault]) -> Result<Outcome, String> {
        let outcome = self.play(faults).await;
        let trace = std::mem::take(&mut self.world.state().trace);
        let history = self.history.borrow();
        match outcome {
            Ok(()) => Ok(Outcome {
                revocations: history.len(),
                verdicts: history.verdicts,
                verdicts_refused: history.verdicts_refused,
                trace,
            }),
            Err(why) => Err(format!("{}\n{why}", trace.join("\n"))),
        }
    }

    async fn play(&mut self, faults: &[Fault]) -> Result<(), String> {
        let promise = match faults {
            [] | [Fault::None] => Promise::AtOnce,
            [_] => Promise::Bounded,
            _ => Promise::InTheEnd,
        };
        self.watch(WARM_UP, Promise::Bounded).await?;
        let people = self.log_people_out();
        let (old_log, old_database, calm) = {
            let mut state = self.world.state();
            (
                state.log.clone(),
                state.database.clone(),
                state.dice.millis(0, 15_000),
            )
        };
        self.watch(calm, Promise::AtOnce).await?;
        let (old_log, old_database) = if calm.as_millis().is_multiple_of(2) {
            let state = self.world.state();
            (state.log.clone(), state.database.clone())
        } else {
            (old_log, old_database)
        };
        let more_calm = self.world.state().dice.millis(0, 3000);
        self.watch(more_calm, Promise::AtOnce).await?;
        for fault in faults {
            let (lasts, which, gap) = {
                let dice = &mut self.world.state().dice;
                let lasts = dice.millis(100, 30_000);
                (lasts, dice.below(64), dice.millis(0, 4000))
            };
            let which = usize::try_from(which).unwrap();
            self.cast(&old_log, &old_database)
                .suffer(*fault, which, lasts)
                .await;
            let watched = if faults.len() == 1 { lasts } else { gap };
            self.watch(watched, promise).await?;
        }
        self.cast(&old_log, &old_database).heal();
        if promise != Promise::AtOnce {
            // Who starts now knows nothing but what the stream says.
            self.watch(SETTLED / 2, promise).await?;
            self.verifiers[0].restart();
        }
        self.watch(SETTLED, promise).await?;
        people.abort();
        self.watch(Duration::from_secs(3), promise).await?;
        self.history.borrow().judge_end(&self.world, &self.verifiers)
    }

    fn cast<'a>(&'a mut self, old_log: &'a FeedModel, old_database: &'a Database) -> Cast<'a> {
        Cast {
            world: &self.world,
            issuers: &self.issuers,
            verifiers: &mut self.verifiers,
            history: &self.history,
            old_log,
            old_database,
        }
    }
}

/// A logout: the fact is committed with its cause, and then answered.
async fn log_out(
    world: World,
    issuers: Rc<RefCell<Vec<SimIssuer>>>,
    history: Rc<RefCell<History>>,
    issuer: usize,
) {
    let (node, link) = (Node::Issuer(issuer), Link::Database { issuer });
    let Some(status) = running(&issuers, issuer) else {
        return;
    };
    world.thawed(node).await;
    world.travel().await;
    let (id, created_at, fact, lasts) = {
        let now = world.now();
        let mut state = world.state();
        let id = state.database.next_id;
        state.database.next_id += 1;
        let number = u128::from(state.dice.next());
        let fact = if state.dice.one_in(40) {
            Fact::Key {
                kid: format!("key-{number:x}").into(),
            }
        } else {
            Fact::Session {
                session: SessionId(uuid::Uuid::from_u128(number)),
            }
        };
        let lasts = if state.dice.one_in(10) {
            state.dice.millis(20, 600)
        } else {
            state.dice.millis(0, 5)
        };
        (id, now, fact, lasts)
    };
    // The transaction stays open for a while: others commit before it, with higher numbers.
    tokio::time::sleep(lasts).await;
    world.thawed(node).await;
    let is_same =
        |status: &Arc<_>| running(&issuers, issuer).is_some_and(|running| Arc::ptr_eq(&running, status));
    if !world.works(link) || !is_same(&status) {
        return;
    }
    let expires = match fact {
        Fact::Key { .. } => None,
        _ => Some(created_at.plus(LIFETIME)),
    };
    let revocation = Revocation { fact, expires };
    world.state().database.insert(id, revocation.clone(), created_at);
    history.borrow_mut().committed(revocation.clone());
    // The answer is on its way, whatever happens to the database now.
    let is_last = std::mem::take(&mut world.state().stops_at_commit);
    if is_last {
        world.state().database_is_up = false;
    }
    world.travel().await;
    world.thawed(node).await;
    if (is_last || world.works(link)) && is_same(&status) {
        status.committed(vec![revocation.fact.clone()]);
        history.borrow_mut().answered(revocation, world.now());
    }
}

/// A film gets another label, or loses its own.
async fn relabel(
    world: World,
    issuers: Rc<RefCell<Vec<SimIssuer>>>,
    history: Rc<RefCell<History>>,
    issuer: usize,
) {
    let Some(status) = running(&issuers, issuer) else {
        return;
    };
    world.thawed(Node::Issuer(issuer)).await;
    world.travel().await;
    if !world.works(Link::Database { issuer }) {
        return;
    }
    let (answered, is_last) = {
        let mut state = world.state();
        let film = film(state.dice.below(FILMS));
        let value = state.dice.below(1000).saturating_sub(300);
        state.database.labels.put(film, value);
        let is_last = std::mem::take(&mut state.stops_at_commit);
        if is_last {
            state.database_is_up = false;
        }
        (history.borrow_mut().relabelled(film, value), is_last)
    };
    world.travel().await;
    world.thawed(Node::Issuer(issuer)).await;
    let is_same = running(&issuers, issuer).is_some_and(|running| Arc::ptr_eq(&running, &status));
    if (is_last || world.works(Link::Database { issuer })) && is_same {
        status.labels_committed();
        answered.set(Some(world.now()));
    }
}

fn running(issuers: &RefCell<Vec<SimIssuer>>, issuer: usize) -> Option<Arc<issuer::publish::RelayStatus>> {
    let issuers = issuers.borrow();
    let found = &issuers[issuer];
    found.is_running().then(|| Arc::clone(&found.status))
}

fn run(seed: u64, faults: &[Fault]) -> Result<Outcome, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async { Run::new(seed).go(faults).await })
}

/// The seeds to try, `count` of them unless the environment says otherwise.
fn seeds(count: u64) -> Vec<u64> {
    let number = |name| {
        let value = std::env::var(name).ok()?;
        Some(
            value
                .parse::<u64>()
                .unwrap_or_else(|_| panic!("{name} is no number")),
        )
    };
    match number("USHER_SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("USHER_SIMULATION_SEEDS").unwrap_or(count)).collect(),
    }
}

fn hold(faults: impl Fn(u64) -> Vec<Fault>, count: u64) {
    let (mut revocations, mut verdicts, mut refused) = (0, 0, 0);
    for seed in seeds(count) {
        let faults = faults(seed);
        match run(seed, &faults) {
            Ok(outcome) => {
                revocations += outcome.revocations;
                verdicts += outcome.verdicts;
                refused += outcome.verdicts_refused;
            }
            Err(why) => panic!("seed {seed}, {faults:?}:\n{why}"),
        }
    }
    println!("{revocations} revocations, {verdicts} verdicts, {refused} of them \"I do not know\"");
}

macro_rules! alone {
    ($($name:ident: $fault:ident),+ $(,)?) => {$(
        #[test]
        fn $name() {
            hold(|_| vec![Fault::$fault], SEEDS_ALONE);
        }
    )+

        #[test]
        fn every_fault_has_its_own_test() {
            assert_eq!([$(Fault::$fault),+], Fault::ALL);
        }
    };
}

/// Seeds for each fault alone.
const SEEDS_ALONE: u64 = 24;

/// Seeds for several at once.
const SEEDS_TOGETHER: u64 = 120;

alone! {
    nothing_goes_wrong: None,
    the_log_stops: LogStops,
    the_log_is_emptied: LogEmptied,
    the_log_comes_back_old: LogComesBackOld,
    the_log_loses_its_tail: LogLosesTail,
    the_log_loses_the_term: LogLosesTerm,
    the_stream_is_deleted: StreamDeleted,
    the_stream_is_trimmed: StreamTrimmed,
    an_entry_is_dropped: EntryDropped,
    an_entry_is_altered: EntryAltered,
    an_entry_is_forged: EntryForged,
    garbage_is_appended: GarbageAppended,
    a_heartbeat_is_copied: HeartbeatCopied,
    a_table_is_damaged: TableDamaged,
    a_verifier_is_cut_off: VerifierCutOff,
    an_issuer_is_cut_off_from_the_log: IssuerCutOffFromLog,
    an_issuer_is_cut_off_from_the_database: IssuerCutOffFromDatabase,
    the_database_stops: DatabaseStops,
    the_database_stops_at_a_commit: DatabaseStopsAtCommit,
    the_database_is_set_back: DatabaseSetBack,
    an_issuer_is_killed: IssuerKilled,
    issuers_are_killed_in_turn: IssuersKilledInTurn,
    an_issuer_stands_still: IssuerStandsStill,
    a_verifier_is_killed: VerifierKilled,
    a_verifiers_clock_steps_forward: VerifierClockForward,
    a_verifiers_clock_steps_back: VerifierClockBack,
    an_issuers_clock_steps_forward: IssuerClockForward,
}

#[test]
fn several_faults_lose_nothing() {
    let several = |seed: u64| {
        let mut dice = crate::world::Dice::new(seed ^ 0x5eed);
        let count = 2 + dice.below(4);
        let mut faults: Vec<Fault> = (0..count)
            .map(|_| Fault::ALL[usize::try_from(dice.below(Fault::ALL.len() as u64)).unwrap()])
            .collect();
        // What both the database and the log have lost is lost.
        if faults.contains(&Fault::DatabaseSetBack) {
            faults.retain(|fault| !fault.harms_log());
        }
        faults
    };
    hold(several, SEEDS_TOGETHER);
}

#[test]
fn a_seed_reproduces_a_run() {
    for fault in [Fault::LogComesBackOld, Fault::IssuersKilledInTurn] {
        assert_eq!(run(7, &[fault]).unwrap(), run(7, &[fault]).unwrap(), "{fault:?}");
    }
}
