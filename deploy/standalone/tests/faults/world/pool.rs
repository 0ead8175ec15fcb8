//! Worlds are used again by the tests that follow, since they take seconds to start, and are gone with the last test.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{World, postgres};

/// More would starve each other.
static WORLDS: Semaphore = Semaphore::const_new(2);

static POOL: Mutex<Weak<Pool>> = Mutex::new(Weak::new());

/// What tests share, kept by those that run.
#[derive(Debug)]
struct Pool {
    idle: Mutex<Vec<World>>,
    template: TempDir,
}

/// A world of one test, while it has it.
#[derive(Debug)]
pub(crate) struct Lent {
    pub(crate) world: Arc<World>,
    pool: Arc<Pool>,
    _permit: SemaphorePermit<'static>,
}

/// The runtime of wires, load and pollers, which outlive a test.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(2).enable_all().build().unwrap()
    })
}

/// Whether worlds can be made here. Where something is not installed it is said aloud; in CI it is a failure.
pub(crate) fn is_possible(test: &str) -> bool {
    let redis = shared::testkit::RedisServer::start_or_skip(test, "");
    postgres::is_installed(test) && redis.is_some()
}

/// A world that works.
pub(crate) async fn lend() -> Lent {
    // Taken before waiting: whoever waits keeps the worlds alive.
    let pool = pool();
    let permit = WORLDS.acquire().await.unwrap();
    let idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let world = match idle {
        Some(world) => world,
        None => World::start(&pool.template).await,
    };
    Lent {
        world: Arc::new(world),
        pool,
        _permit: permit,
    }
}

impl Lent {
    /// For the next test. One that failed, or left a world as no other can use it, does not come here.
    pub(crate) fn give_back(self) {
        // Whatever still held it was waited for.
        let world = Arc::into_inner(self.world).expect("somebody still uses the world");
        self.pool
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(world);
    }
}

fn pool() -> Arc<Pool> {
    let mut shared = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let pool = Arc::new(Pool {
            idle: Mutex::default(),
            template: postgres::template(),
        });
        *shared = Arc::downgrade(&pool);
        pool
    })
}
