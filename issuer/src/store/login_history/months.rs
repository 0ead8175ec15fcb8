//! The partitions of the login history on PostgreSQL, one for each month (UTC). SQLite has none.
//!
//! The migration `login_history_months` says how they are made and dropped. Each call belongs into a transaction of its own,
//! which is committed at once: logins wait for it.

use shared::limits;
use shared::time::UnixMillis;
use time::{Date, Month, OffsetDateTime, Time};

use crate::store::sql::{Statement, args, defect};
use crate::store::{StoreError, Work};

/// What became of the partition of a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It was there, or none is needed.
    There,
    /// It was made, with what the default partition held of the month.
    Now,
    /// The default partition holds too much for it. Logins go there, until retention has made room.
    Left,
    /// Somebody else is at it, or holds a lock: later.
    Busy,
}

/// The first instants of the month that `now` is in and of so many that follow.
pub fn from(now: UnixMillis, ahead: u32) -> Vec<UnixMillis> {
    let nanoseconds = i128::from(now.0) * 1_000_000;
    let Ok(at) = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds) else {
        return Vec::new();
    };
    let mut month = (at.year(), at.month());
    let mut begins = Vec::new();
    for _ in 0..=ahead {
        begins.extend(first_instant(month.0, month.1));
        let next = month.1.next();
        month = (month.0 + i32::from(next == Month::January), next);
    }
    begins
}

fn first_instant(year: i32, month: Month) -> Option<UnixMillis> {
    let date = Date::from_calendar_date(year, month, 1).ok()?;
    let at = OffsetDateTime::new_utc(date, Time::MIDNIGHT);
    Some(UnixMillis(at.unix_timestamp() * 1000))
}

/// Makes the partition of the month that begins at `begin`, if it is not there.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn make(work: &mut Work, begin: UnixMillis) -> Result<Made, StoreError> {
    const MAKE: Statement = Statement::postgres("SELECT login_history_make_month($1, $2, $3, $4) AS outcome");
    if !work.is_postgres() {
        return Ok(Made::There);
    }
    let arguments = args![
        begin,
        i64::from(limits::HISTORY_MOVED_MAX),
        i64::try_from(limits::HISTORY_SCANNED_BYTES_MAX).unwrap_or(i64::MAX),
        lock_wait_ms()
    ];
    let row = work.fetch_one(&MAKE, arguments).await?;
    match row.text("outcome")?.as_str() {
        "there" => Ok(Made::There),
        "made" => Ok(Made::Now),
        "left" => Ok(Made::Left),
        "busy" => Ok(Made::Busy),
        other => Err(defect(format!("unknown outcome {other:?}"))),
    }
}

/// Drops the oldest partition if all of it is before `before`. Its name, if one was dropped.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer, or somebody holds a lock for too long.
pub async fn drop_oldest(work: &mut Work, before: UnixMillis) -> Result<Option<String>, StoreError> {
    const DROP: Statement = Statement::postgres("SELECT login_history_drop_month($1, $2) AS dropped");
    if !work.is_postgres() {
        return Ok(None);
    }
    let row = work.fetch_one(&DROP, args![before, lock_wait_ms()]).await?;
    row.text_or_null("dropped")
}

fn lock_wait_ms() -> i64 {
    i64::try_from(limits::HISTORY_LOCK_WAIT.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_over_the_end_of_a_year() {
        // 2026-11-30T23:59:59.999Z
        let begins = from(UnixMillis(1_796_083_199_999), 3);
        let shown: Vec<String> = begins.into_iter().map(UnixMillis::to_rfc3339).collect();
        assert_eq!(
            shown,
            [
                "2026-11-01T00:00:00.000Z",
                "2026-12-01T00:00:00.000Z",
                "2027-01-01T00:00:00.000Z",
                "2027-02-01T00:00:00.000Z"
            ]
        );
        let begins = from(UnixMillis(1_796_083_200_000), 0);
        assert_eq!(begins, [UnixMillis(1_796_083_200_000)]);
    }
}
