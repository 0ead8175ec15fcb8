//! Which core does what: servers have one of their own.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that this process may use: how they are shared out.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    everything: CpuSet,
    client: CpuSet,
    server: CpuSet,
    is_pinned: bool,
}

impl Cores {
    /// Takes the first core for the client and the last for the server. With one core, they share it.
    pub fn share_out() -> anyhow::Result<Self> {
        let everything = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| everything.is_set(*core));
        let first = cores.next().unwrap_or_default();
        let last = cores.next_back().unwrap_or(first);
        Ok(Self {
            everything,
            client: only(first),
            server: only(last),
            is_pinned: first != last,
        })
    }

    /// The same, where there are two cores at least; `None` where there is one.
    pub fn apart() -> anyhow::Result<Option<Self>> {
        Ok(Some(Self::share_out()?).filter(|cores| cores.is_pinned))
    }

    /// Does something on the client's core. What it starts stays there.
    pub fn on_client<T>(&self, act: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.be_client()?;
        let done = act();
        self.be_free()?;
        done
    }

    /// From now on this thread, and what it starts, has the client's core.
    pub fn be_client(&self) -> anyhow::Result<()> {
        Ok(sched_setaffinity(None, &self.client)?)
    }

    /// From now on this thread has every core again.
    pub fn be_free(&self) -> anyhow::Result<()> {
        Ok(sched_setaffinity(None, &self.everything)?)
    }

    /// Does something, such as to start a process, on the server's core.
    pub fn on_server<T>(&self, act: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        sched_setaffinity(None, &self.server)?;
        let done = act();
        self.be_client()?;
        done
    }

    /// In words.
    pub fn words(&self) -> &'static str {
        if self.is_pinned {
            "the server on one core, the client on another"
        } else {
            "server and client on the only core, which says little"
        }
    }
}

fn only(core: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(core);
    set
}
