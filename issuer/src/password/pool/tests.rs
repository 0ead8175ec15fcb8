use std::sync::mpsc;

use shared::time::SystemClock;

use super::*;

const CHEAP: HashParams = HashParams {
    memory_kib: 64,
    iterations: 1,
    parallelism: 1,
};

fn pool_of(params: HashParams, max_concurrent: usize, queue: usize) -> Result<HashingPool, StartError> {
    let settings = PoolSettings {
        max_concurrent,
        queue,
        failure_floor: Duration::ZERO,
    };
    HashingPool::new(params, settings, Arc::new(SystemClock))
}

fn password(text: &str) -> Password {
    Password::presented(&SecretString::from(text))
}

/// A job that says when it has begun and ends when it is told.
struct Gate {
    begun: oneshot::Receiver<()>,
    open: mpsc::Sender<()>,
}

fn gate() -> (
    Gate,
    impl FnOnce(&mut Memory) -> Result<(), HashFailure> + Send + 'static,
) {
    let (started, begun) = oneshot::channel();
    let (open, opened) = mpsc::channel();
    let job = move |_: &mut Memory| {
        started.send(()).unwrap();
        // An error is a gate that was dropped: open, too.
        let _ = opened.recv();
        Ok(())
    };
    (Gate { begun, open }, job)
}

/// A pool of one thread, which is busy until the gate opens.
async fn busy(queue: usize) -> (Arc<HashingPool>, mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
    let pool = Arc::new(pool_of(CHEAP, 1, queue).unwrap());
    let (gate, job) = gate();
    let first = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { pool.run(0, job).await.unwrap() }
    });
    gate.begun.await.unwrap();
    (pool, gate.open, first)
}

#[tokio::test]
async fn passwords_are_hashed_and_checked() {
    let pool = pool_of(CHEAP, 2, 4).unwrap();
    let stored = SecretString::from(pool.hash(&password("correct horse")).await.unwrap());
    let verify = async |text, stored| pool.verify(&password(text), stored).await.unwrap();
    assert!(matches!(
        verify("correct horse", Some(&stored)).await,
        Checked::Right { outdated: false }
    ));
    for (text, stored) in [("battery staple", Some(&stored)), ("correct horse", None)] {
        assert!(matches!(
            verify(text, stored).await,
            Checked::Wrong(Wrong { refused: None, .. })
        ));
    }
    assert_eq!(
        pool.counts(),
        PoolCounts {
            done: 4,
            ..PoolCounts::default()
        }
    );
}

/// Attack: a login whose stored hash asks for gigabytes
/// Source: CWE-400
/// Result: the password counts as wrong
#[tokio::test]
async fn a_hash_of_gigabytes_is_wrong() {
    let pool = pool_of(CHEAP, 1, 1).unwrap();
    let stored = SecretString::from(
        "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    );
    let checked = pool.verify(&password("password"), Some(&stored)).await;
    assert!(matches!(
        checked,
        Ok(Checked::Wrong(Wrong {
            refused: Some(HashRefused::TooExpensive { .. }),
            ..
        }))
    ));
}

#[tokio::test]
async fn a_wrong_password_is_told_no_sooner_than_the_floor() {
    const FLOOR: Duration = Duration::from_millis(200);
    let settings = PoolSettings {
        max_concurrent: 4,
        queue: 4,
        failure_floor: FLOOR,
    };
    let pool = HashingPool::new(CHEAP, settings, Arc::new(SystemClock)).unwrap();
    let own = SecretString::from(pool.hash(&password("correct horse")).await.unwrap());
    let bcrypt = "$2b$04$E3on6zPQqlNmWL1KsnfnSuEAld7bD4jKAKs.Ps.kRDMKx9mVDsqy6";
    let (bcrypt, broken) = (SecretString::from(bcrypt), SecretString::from("broken"));
    for stored in [None, Some(&own), Some(&bcrypt), Some(&broken)] {
        let began = SystemClock.boot();
        let Ok(Checked::Wrong(wrong)) = pool.verify(&password("wrong"), stored).await else {
            panic!("it is wrong");
        };
        assert_eq!(
            wrong.refused.is_some(),
            stored.is_some_and(|stored| stored.expose_secret() == "broken")
        );
        wrong.may_be_told().await;
        assert!(SystemClock.boot().since(began) >= FLOOR);
    }
}

#[tokio::test]
async fn large_jobs_wait_for_each_other_and_nobody_waits_for_them() {
    let pool = Arc::new(pool_of(CHEAP, 3, 4).unwrap());
    let most = u64::from(STORED_HASH_MEMORY_KIB_MAX);
    let (first_gate, job) = gate();
    let first = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { pool.run(most / 2 + 1, job).await.unwrap() }
    });
    first_gate.begun.await.unwrap();
    let (mut second_gate, job) = gate();
    let mut second = Box::pin(pool.run(most / 2, job));
    assert!(poll_once(second.as_mut()).await.is_none());
    // One that would fit comes after the one that does not.
    let (mut third_gate, job) = gate();
    let mut third = Box::pin(pool.run(1, job));
    assert!(poll_once(third.as_mut()).await.is_none());
    pool.hash(&password("correct horse")).await.unwrap();
    assert!(second_gate.begun.try_recv().is_err() && third_gate.begun.try_recv().is_err());
    first_gate.open.send(()).unwrap();
    first.await.unwrap();
    (&mut second_gate.begun).await.unwrap();
    (&mut third_gate.begun).await.unwrap();
    second_gate.open.send(()).unwrap();
    third_gate.open.send(()).unwrap();
    second.await.unwrap();
    third.await.unwrap();
}

/// Attack: more logins at once than can be hashed
/// Source: CWE-400
/// Result: 503 past the queue
#[tokio::test]
async fn past_the_queue_callers_are_turned_away() {
    let (pool, open, first) = busy(1).await;
    let mut second = Box::pin(pool.run(0, |_| Ok(())));
    assert!(poll_once(second.as_mut()).await.is_none());
    assert!(matches!(
        pool.run(0, |_| Ok(())).await,
        Err(PoolError::Overloaded)
    ));
    let counts = PoolCounts {
        queued: 1,
        running: 1,
        overloaded: 1,
        ..PoolCounts::default()
    };
    assert_eq!(pool.counts(), counts);
    open.send(()).unwrap();
    second.await.unwrap();
    first.await.unwrap();
    assert_eq!(
        pool.counts(),
        PoolCounts {
            done: 2,
            overloaded: 1,
            ..PoolCounts::default()
        }
    );
}

#[tokio::test]
async fn without_a_queue_a_free_thread_still_takes_a_job() {
    let pool = pool_of(CHEAP, 1, 0).unwrap();
    pool.hash(&password("correct horse")).await.unwrap();
    pool.hash(&password("correct horse")).await.unwrap();
}

#[tokio::test]
async fn an_abandoned_job_is_not_run_and_holds_no_place() {
    let (pool, open, first) = busy(1).await;
    let (ran, has_run) = mpsc::channel::<()>();
    let mut abandoned = Box::pin(pool.run(0, move |_| {
        ran.send(()).unwrap();
        Ok(())
    }));
    assert!(poll_once(abandoned.as_mut()).await.is_none());
    drop(abandoned);
    // The queue has one place, which the abandoned job held.
    let mut second = Box::pin(pool.run(0, |_| Ok(())));
    assert!(poll_once(second.as_mut()).await.is_none());
    assert_eq!(pool.counts().abandoned, 1);
    drop(second);
    open.send(()).unwrap();
    first.await.unwrap();
    pool.hash(&password("correct horse")).await.unwrap();
    assert_eq!(
        pool.counts(),
        PoolCounts {
            done: 2,
            abandoned: 2,
            ..PoolCounts::default()
        }
    );
    assert!(has_run.try_recv().is_err());
}

#[tokio::test]
async fn a_panic_loses_no_thread() {
    let pool = pool_of(CHEAP, 1, 1).unwrap();
    for _ in 0..3 {
        let failed = pool.run::<()>(0, |_| panic!("a defect")).await;
        assert!(matches!(failed, Err(PoolError::Failed(HashFailure::Panicked))));
    }
    pool.hash(&password("correct horse")).await.unwrap();
    assert_eq!(
        pool.counts(),
        PoolCounts {
            done: 4,
            ..PoolCounts::default()
        }
    );
}

#[tokio::test]
async fn threads_end_with_the_pool() {
    let mut pool = pool_of(CHEAP, 3, 1).unwrap();
    pool.hash(&password("correct horse")).await.unwrap();
    let threads = std::mem::take(&mut pool.threads);
    assert_eq!(threads.len(), 3);
    drop(pool);
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn impossible_parameters_do_not_start() {
    let params = HashParams {
        memory_kib: 1,
        ..CHEAP
    };
    assert!(matches!(pool_of(params, 1, 1), Err(StartError::Params(_))));
}

/// Polls once, so that the job is in the queue.
async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
