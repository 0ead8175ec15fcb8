//! How much several threads get done in a time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use shared::time::{Clock as _, SystemClock};

/// Turns a second of so many threads, each of which makes what it needs, by its number, and takes turns with it.
pub fn per_second<T>(
    threads: usize,
    lasting: Duration,
    make: impl Fn(usize) -> anyhow::Result<T> + Sync,
    turn: impl Fn(&mut T) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<f64> {
    let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let begun = SystemClock.boot();
    std::thread::scope(|scope| {
        let (done, stop, make, turn) = (&done, &stop, &make, &turn);
        let workers: Vec<_> = (0..threads)
            .map(|number| {
                scope.spawn(move || {
                    let mut own = make(number)?;
                    while !stop.load(Ordering::Relaxed) {
                        turn(&mut own)?;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        std::thread::sleep(lasting);
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().map_err(|_| anyhow!("a thread panicked"))??;
        }
        let took = SystemClock.boot().since(begun).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        Ok(done.load(Ordering::Relaxed) as f64 / took)
    })
}
