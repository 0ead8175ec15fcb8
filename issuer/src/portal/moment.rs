//! Times as pages show them.

use shared::time::UnixMillis;

/// A time as pages show it: by the minute, in UTC. The script turns it into the reader's own.
#[derive(Debug)]
pub(super) struct Moment(UnixMillis);

impl From<UnixMillis> for Moment {
    fn from(at: UnixMillis) -> Self {
        Self(at)
    }
}

impl Moment {
    /// As machines read it.
    pub(super) fn machine(&self) -> String {
        self.0.to_rfc3339()
    }

    /// As people read it.
    pub(super) fn people(&self) -> String {
        let text = self.0.to_rfc3339();
        let minutes: String = text.chars().take("2026-11-22T19:33".len()).collect();
        format!("{} UTC", minutes.replace('T', " "))
    }
}
