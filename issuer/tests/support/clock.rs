use std::sync::Mutex;
use std::time::Duration;

use shared::time::{BootTime, Clock, SystemClock, UnixMillis};

/// The machine's clock, moved on by what a test says.
///
/// A clock that stands still would soon be off PostgreSQL's own, and the issuer then stops signing.
#[derive(Debug, Default)]
pub struct ShiftedClock(Mutex<(Duration, Duration)>);

impl ShiftedClock {
    /// Moves the wall clock alone. On PostgreSQL nothing is signed from then on.
    pub fn shift_wall(&self, by: Duration) {
        self.0.lock().unwrap().0 += by;
    }

    /// Moves the time since boot alone, by which limits refill.
    pub fn shift_boot(&self, by: Duration) {
        self.0.lock().unwrap().1 += by;
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> UnixMillis {
        SystemClock.now().plus(self.0.lock().unwrap().0)
    }

    fn boot(&self) -> BootTime {
        BootTime(SystemClock.boot().0 + self.0.lock().unwrap().1)
    }
}
