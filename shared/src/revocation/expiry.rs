use crate::time::UnixMillis;

/// When a fact stops to matter: Unix time in whole seconds, rounded up, in four bytes.
///
/// A time before 1970 is 1970, one from 2106 on is never: both keep a fact no shorter than it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Expiry(pub(super) u32);

impl Expiry {
    pub(super) const NEVER: Self = Self(u32::MAX);

    pub(super) fn at(time: Option<UnixMillis>) -> Self {
        time.map_or(Self::NEVER, |UnixMillis(millis)| {
            // Rounded up without the overflow that adding 999 has.
            let seconds = millis
                .div_euclid(1000)
                .saturating_add(i64::from(millis.rem_euclid(1000) > 0));
            Self(u32::try_from(seconds.max(0)).unwrap_or(u32::MAX))
        })
    }

    pub(super) fn time(self) -> Option<UnixMillis> {
        (self != Self::NEVER).then(|| UnixMillis(i64::from(self.0) * 1000))
    }

    pub(super) fn has_passed(self, now: UnixMillis) -> bool {
        self.time().is_some_and(|time| time <= now)
    }
}
