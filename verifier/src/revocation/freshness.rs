//! How far a replica can be trusted, and by which bounds.

use std::time::Duration;

use shared::time::{BootTime, UnixMillis};

/// How far the replica can be trusted at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// There is no feed: tokens are believed until they expire.
    Off,
    /// No heartbeat yet that counts, or none since something did not fit together.
    Loading,
    /// Everything that was committed this long ago is here.
    Fresh {
        /// The replica's age.
        age: Duration,
    },
    /// The same, but longer ago than allowed.
    Stale {
        /// The replica's age.
        age: Duration,
    },
}

impl Freshness {
    /// Whether somebody may be admitted by what is known.
    pub const fn is_trusted(self) -> bool {
        matches!(self, Self::Off | Self::Fresh { .. })
    }

    /// The word for it in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Loading => "loading",
            Self::Fresh { .. } => "fresh",
            Self::Stale { .. } => "stale",
        }
    }
}

/// How old a replica may be.
#[derive(Clone, Copy, Debug)]
pub struct StalenessBounds {
    /// The greatest age with which it is fresh.
    pub max_staleness: Duration,
    /// How far a heartbeat's time may lie ahead of our clock.
    pub leeway: Duration,
}

impl StalenessBounds {
    /// What a heartbeat of `time`, read at `read_at`, is worth at `now` and `boot`.
    pub(super) fn judge(
        self,
        time: UnixMillis,
        read_at: BootTime,
        now: UnixMillis,
        boot: BootTime,
    ) -> Freshness {
        let age = boot.since(read_at).max(now.since(time));
        if self.is_ahead(time, now) {
            // Our clock has been set back, or theirs forward: by one of them the age is wrong.
            return Freshness::Loading;
        }
        if age <= self.max_staleness {
            Freshness::Fresh { age }
        } else {
            Freshness::Stale { age }
        }
    }

    /// Whether a heartbeat's time lies too far ahead of our clock.
    pub(super) fn is_ahead(self, time: UnixMillis, now: UnixMillis) -> bool {
        time > now.plus(self.leeway)
    }
}
