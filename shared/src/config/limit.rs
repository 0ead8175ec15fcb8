//! Limits, which can be switched off.

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Visitor};

use super::error::UnfitText;
use super::units::{HumanDuration, deserialize_from_text};

/// The name by which the settings' deserializer knows [`Limit`].
pub(super) const NEWTYPE: &str = "shared::config::Limit";

/// The word that switches a limit off.
pub(super) const OFF: &str = "off";

/// A limit of any type, or `off`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit<T> {
    /// There is none.
    #[default]
    Off,
    /// It is this.
    At(T),
}

impl<T> Limit<T> {
    /// The limit, if there is one.
    pub fn at(self) -> Option<T> {
        match self {
            Self::Off => None,
            Self::At(limit) => Some(limit),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Limit<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LimitVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for LimitVisitor<T> {
            type Value = Limit<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a limit or `off`")
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Limit<T>, E> {
                Ok(Limit::Off)
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, limit: D) -> Result<Limit<T>, D::Error> {
                T::deserialize(limit).map(Limit::At)
            }
        }

        deserializer.deserialize_newtype_struct(NEWTYPE, LimitVisitor(PhantomData))
    }
}

/// How often something may happen: `30/1m`, or `off` for as often as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// As often as it likes.
    Off,
    /// So many times in each stretch of time.
    Limited {
        /// How many times.
        count: NonZeroU32,
        /// In how long; more than zero.
        per: Duration,
    },
}

const RATE: &str = "a rate such as `30/1m`, or `off`";

impl Rate {
    /// `count` a minute, for defaults; [`Rate::Off`] for zero.
    pub const fn per_minute(count: u32) -> Self {
        match NonZeroU32::new(count) {
            Some(count) => Self::Limited {
                count,
                per: Duration::from_mins(1),
            },
            None => Self::Off,
        }
    }
}

impl FromStr for Rate {
    type Err = UnfitText;

    fn from_str(text: &str) -> Result<Self, UnfitText> {
        if text.trim() == OFF {
            return Ok(Self::Off);
        }
        let parse = || {
            let (count, per) = text.trim().split_once('/')?;
            let HumanDuration(per) = per.parse().ok()?;
            (!per.is_zero()).then_some(Self::Limited {
                count: count.parse().ok()?,
                per,
            })
        };
        parse().ok_or(UnfitText { expected: RATE })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str(OFF),
            Self::Limited { count, per } => write!(f, "{count}/{}", HumanDuration(*per)),
        }
    }
}

deserialize_from_text!(Rate, RATE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_counts_per_time() {
        assert_eq!("30/1m".parse(), Ok(Rate::per_minute(30)));
        assert_eq!("off".parse(), Ok(Rate::Off));
        for text in [
            "",
            "30",
            "0/1m",
            "30/0s",
            "-1/1m",
            "30/m",
            "OFF",
            "30/1m/1m",
            "4294967296/1m",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        assert_eq!(Rate::per_minute(5).to_string(), "5/1m");
    }
}
