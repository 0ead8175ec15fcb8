//! Durations and sizes, with their units.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::error::UnfitText;

/// Reads a type from a text by its `FromStr`, and shows the text where it does not fit.
macro_rules! deserialize_from_text {
    ($type:ty, $expected:expr) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct TextVisitor;

                impl serde::de::Visitor<'_> for TextVisitor {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse()
                            .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &$expected))
                    }
                }

                deserializer.deserialize_str(TextVisitor)
            }
        }
    };
}
pub(super) use deserialize_from_text;

/// A duration as people write it: `15m`, `30d`, `500ms`, `1h30m`. Units are `w`, `d`, `h`, `m`, `s` and `ms`, each
/// at most once, the greater before the smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct HumanDuration(pub Duration);

const DURATION: &str = "a duration such as `15m`, `30d`, `500ms` or `1h30m`, 100 years at most";

/// Units and their length in milliseconds, the greatest first.
const DURATION_UNITS: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Longer than anything that is configured, and short enough for every sum with it to be in range.
const DURATION_MAX: Duration = Duration::from_hours(100 * 365 * 24);

impl HumanDuration {
    /// So many seconds, for defaults.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The duration itself.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl From<HumanDuration> for Duration {
    fn from(duration: HumanDuration) -> Self {
        duration.0
    }
}

impl FromStr for HumanDuration {
    type Err = UnfitText;

    fn from_str(text: &str) -> Result<Self, UnfitText> {
        parse_duration(text)
            .map(Self)
            .ok_or(UnfitText { expected: DURATION })
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut millis = 0_u64;
    let mut units = DURATION_UNITS.iter();
    loop {
        let (number, after) = leading_number(rest)?;
        let unit_end = after
            .find(|c: char| !c.is_ascii_lowercase())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_end)?;
        // The iterator goes on from the unit before, so that none comes twice or out of order.
        let (_, unit_millis) = units.find(|(name, _)| *name == unit)?;
        millis = millis.checked_add(number.checked_mul(*unit_millis)?)?;
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    let duration = Duration::from_millis(millis);
    (duration <= DURATION_MAX).then_some(duration)
}

/// A whole number in decimal digits, and what comes after it.
fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return f.write_str("0s");
        }
        for (unit, unit_millis) in DURATION_UNITS {
            let count = millis / unit_millis;
            // Nobody says `4w2d` for 30 days.
            let awkward = unit == "w" && millis % unit_millis != 0;
            if count > 0 && !awkward {
                write!(f, "{count}{unit}")?;
                millis %= unit_millis;
            }
        }
        Ok(())
    }
}

deserialize_from_text!(HumanDuration, DURATION);

/// A number of bytes with its unit: `64MiB`. Units are `B`, `KiB`, `MiB`, `GiB`, and `kB`, `MB`, `GB` by thousands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const SIZE: &str = "a size such as `64MiB`, `512KiB` or `1GiB`";

const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

impl ByteSize {
    /// So many times 1024² bytes, for defaults.
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = UnfitText;

    fn from_str(text: &str) -> Result<Self, UnfitText> {
        let parse = || {
            let (number, unit) = leading_number(text.trim())?;
            let (_, unit_bytes) = SIZE_UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
            number.checked_mul(*unit_bytes).map(Self)
        };
        parse().ok_or(UnfitText { expected: SIZE })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = SIZE_UNITS
            .iter()
            .filter(|(unit, _)| unit.ends_with("iB") || *unit == "B");
        for (unit, unit_bytes) in binary {
            if self.0.is_multiple_of(*unit_bytes) && (self.0 > 0 || *unit == "B") {
                return write!(f, "{}{unit}", self.0 / unit_bytes);
            }
        }
        Ok(())
    }
}

deserialize_from_text!(ByteSize, SIZE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, millis) in [
            ("15m", 900_000),
            ("30d", 2_592_000_000),
            ("500ms", 500),
            ("1h30m", 5_400_000),
            ("0s", 0),
            (" 2w ", 1_209_600_000),
            ("1s1ms", 1001),
        ] {
            assert_eq!(
                text.parse(),
                Ok(HumanDuration(Duration::from_millis(millis))),
                "{text}"
            );
        }
        for text in [
            "",
            "15",
            "m",
            "15 m",
            "1.5h",
            "-1s",
            "30m1h",
            "1m1m",
            "15M",
            "15min",
            "99999999999999999999d",
            "40000d",
            "1h30",
            "１m",
        ] {
            assert!(text.parse::<HumanDuration>().is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_shown_as_they_are_written() {
        for text in ["15m", "30d", "500ms", "1h30m", "0s", "2w", "1d12h"] {
            assert_eq!(text.parse::<HumanDuration>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in [
            ("64MiB", 64 << 20),
            ("1 GiB", 1 << 30),
            ("2kB", 2000),
            ("7B", 7),
            ("0B", 0),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in [
            "",
            "64",
            "MiB",
            "64mib",
            "64M",
            "1.5GiB",
            "-1B",
            "18446744073709551615KiB",
        ] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        for text in ["64MiB", "1GiB", "1000B", "0B", "3KiB"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
    }
}
