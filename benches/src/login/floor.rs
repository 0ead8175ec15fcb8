//! The bare password hash: nobody who checks a password by it is faster.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use shared::time::{Clock as _, SystemClock};

/// The issuer's defaults: argon2id, 19 MiB, 2 passes, 1 lane.
pub const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes a second on so many threads, each of which has its memory from the start.
pub fn hashes_per_second(threads: usize, lasting: Duration) -> anyhow::Result<f64> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| anyhow!("{error}"))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let begun = SystemClock.boot();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut memory = vec![Block::default(); argon2.params().block_count()];
                    while !stop.load(Ordering::Relaxed) {
                        let mut output = [0; 32];
                        argon2
                            .hash_password_into_with_memory(
                                b"follow the white rabbit",
                                &[7; 16],
                                &mut output,
                                &mut memory,
                            )
                            .map_err(|error| anyhow!("{error}"))?;
                        std::hint::black_box(&output);
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
