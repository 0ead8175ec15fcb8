//! Which cores something may run on.

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A machine parted in two: one core for what is measured, the others for everything else.
#[derive(Debug)]
pub struct Apart {
    measured: CpuSet,
    others: CpuSet,
}

impl Apart {
    /// Parts the cores that this program may run on. `None` where there is only one.
    pub fn of_machine() -> anyhow::Result<Option<Self>> {
        let all = sched_getaffinity(None).context("the cores of this program")?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let (first, mut others) = (cores.next().context("a core")?, CpuSet::new());
        for core in cores {
            others.set(core);
        }
        let mut measured = CpuSet::new();
        measured.set(first);
        Ok((others.count() > 0).then_some(Self { measured, others }))
    }

    /// Does something on the core for what is measured. Threads and processes that it starts stay there.
    pub fn measured<T>(&self, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        on(&self.measured, work)
    }

    /// Does something on the other cores. Threads and processes that it starts stay there.
    pub fn others<T>(&self, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        on(&self.others, work)
    }
}

fn on<T>(cores: &CpuSet, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let before = sched_getaffinity(None)?;
    sched_setaffinity(None, cores).context("moving to other cores")?;
    let done = work();
    sched_setaffinity(None, &before).context("moving back")?;
    done
}
