//! Ids that need not be kept to be known: the same number makes the same id.

use std::sync::Arc;

use shared::id::FilmId;
use shared::label::{LabelChange, LabelName, LabelNames};
use shared::revocation::{Fact, Revocation};
use shared::time::UnixMillis;
use uuid::Uuid;

/// When the ids were made, at the earliest: in Unix milliseconds.
const BEGIN: UnixMillis = UnixMillis(1_800_000_000_000);
/// Over how long they were made.
const SPAN_MS: u64 = 900_000;

/// Numbers from here on make ids that are in no set.
pub const UNKNOWN: u64 = 1 << 40;

/// When half of the revocations have expired, and the other half has not.
pub const HALF_EXPIRED: UnixMillis = UnixMillis(BEGIN.0 + 3_600_000);

/// The session id of a number: a `UUIDv7`, as the issuer's are.
pub fn session(number: u64) -> Uuid {
    let (a, b) = (mix(2 * number), mix(2 * number + 1));
    let millis = u64::try_from(BEGIN.0).unwrap_or(0) + a % SPAN_MS;
    let mut random = [0; 10];
    random.copy_from_slice(&(u128::from(mix(a)) << 64 | u128::from(b)).to_le_bytes()[..10]);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// The revocation of that session. Every second one expires at [`HALF_EXPIRED`], the others an hour later.
pub fn revocation(number: u64) -> Revocation {
    let later_ms = if number.is_multiple_of(2) { 0 } else { 3_600_000 };
    Revocation {
        fact: Fact::Session {
            session: session(number).into(),
        },
        expires: Some(UnixMillis(HALF_EXPIRED.0 + later_ms)),
    }
}

/// A film with one to three of 40 labels, most of them one of a few.
pub fn film(number: u64) -> anyhow::Result<LabelChange> {
    let dice = mix(number);
    let count = 1 + usize::from(dice.is_multiple_of(4)) + usize::from(dice.is_multiple_of(16));
    let names = (0..count as u64).map(|at| format!("label-{}", mix(dice + at) % 40).parse());
    let names: Vec<LabelName> = names.collect::<Result<_, _>>()?;
    Ok(LabelChange::Film {
        film: FilmId(session(number)),
        labels: Arc::new(LabelNames::new(names)?),
    })
}

/// The finalizer of `SplitMix64` (Steele, Lea, Flood 2014): a bijection that looks random.
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
