//! Clients of each verifier, who ask again and again.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::history::History;
use crate::world::{SIGNED_IN, VERIFIERS, World};

/// Between rounds of questions: two cores have more to do.
const PACE: Duration = Duration::from_millis(15);

/// The pollers, until they are told to stop.
#[derive(Debug)]
pub(crate) struct Pollers {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Pollers {
    pub(crate) fn start(world: &Arc<World>, history: &Arc<History>, seed: u64) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for verifier in 0..VERIFIERS {
            let (world, history, stop) = (Arc::clone(world), Arc::clone(history), stop.clone());
            let mut dice = Dice::new(seed.wrapping_add(verifier as u64));
            tasks.spawn(async move {
                while !stop.is_cancelled() {
                    for (id, access) in history.questions(verifier, |below| dice.below(below)) {
                        let began = Instant::now();
                        let verdict = world.verifiers[verifier]
                            .ask(&world.client, SIGNED_IN, Some(&access))
                            .await;
                        history.verdict(verifier, id, began, &verdict);
                    }
                    tokio::time::sleep(PACE).await;
                }
            });
        }
        Self { stop, tasks }
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

/// Numbers that are the same again for the same seed (xorshift64*, Vigna 2016).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below another, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap() % end
    }
}
