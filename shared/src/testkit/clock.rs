use std::sync::Mutex;
use std::time::Duration;

use crate::time::{BootTime, Clock, UnixMillis};

/// A clock that stands still until it is told otherwise. Wall and boot time can be moved apart.
#[derive(Debug)]
pub struct ManualClock(Mutex<(UnixMillis, BootTime)>);

impl ManualClock {
    /// A clock at this wall time, an hour after boot.
    pub fn at(now: UnixMillis) -> Self {
        Self(Mutex::new((now, BootTime(Duration::from_hours(1)))))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut times = self.0.lock().unwrap();
        times.0 = times.0.plus(by);
        times.1 = BootTime(times.1.0 + by);
    }

    /// Steps the wall clock alone, as an administrator or NTP would.
    pub fn step_wall(&self, to: UnixMillis) {
        self.0.lock().unwrap().0 = to;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        self.0.lock().unwrap().0
    }

    fn boot(&self) -> BootTime {
        self.0.lock().unwrap().1
    }
}
