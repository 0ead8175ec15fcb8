//! What the database keeps of the revocation feed: who may write it, each fact's place in it, and the way back after
//! the database itself was set back.
//!
//! Every time is the database's, read first in its unit of work ([`Work::now`]).

mod batch;
mod labels;
mod lease;
mod restore;

pub use batch::{Batch, live_after, take_batch};
pub use labels::{LabelChanges, LabelPage, LabelsTaken, label_changes, label_page, take_labels};
pub use lease::{LeaseView, acquire, look, release, renew};
pub use restore::restore;
use shared::feed::term::Term;

use super::sql::defect;
use super::{Row, StoreError, Work};

/// A number as the databases keep it, in 63 bits.
fn stored(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| defect(format!("{number} is more than the database can hold")))
}

/// A number that the database keeps, and that is never negative.
fn unsigned(row: &Row, name: &str) -> Result<u64, StoreError> {
    let number = row.number(name)?;
    u64::try_from(number).map_err(|_| defect(format!("{name} is {number}")))
}
