//! Memory and open files of programs, looked at again and again.

use std::fmt::Write as _;

use super::site::Site;
use crate::report::Figure;
use crate::server::Process;

/// What was seen of each program.
pub struct Watch<'a>(Vec<Program<'a>>);

struct Program<'a> {
    name: &'static str,
    process: &'a Process,
    seen: Seen,
}

/// Readings in the order they were taken.
#[derive(Debug, Default)]
struct Seen {
    /// Resident bytes after warm-up.
    resident: Vec<u64>,
    /// Open descriptors after warm-up.
    open: Vec<u64>,
    /// The most descriptors that were open in warm-up.
    open_in_warm_up: u64,
}

impl<'a> Watch<'a> {
    /// Of every program of a site, at which nobody has looked yet.
    pub fn of(site: &'a Site) -> Self {
        let programs = site.programs().into_iter();
        let unseen = programs.map(|(name, process)| Program {
            name,
            process,
            seen: Seen::default(),
        });
        Self(unseen.collect())
    }

    /// Looks once.
    pub fn look(&mut self, is_warm: bool) -> anyhow::Result<()> {
        for program in &mut self.0 {
            let (resident, open) = (program.process.resident_bytes()?, program.process.descriptors()?);
            program.seen.look(is_warm, resident, open);
        }
        Ok(())
    }

    /// The table.
    pub fn figures(&self) -> Vec<Figure> {
        let mut figures = Vec::new();
        for Program { name, seen, .. } in &self.0 {
            let mut add = |what: &str, value: f64, unit| {
                figures.push(Figure::once(format!("{name}, {what}"), value, unit));
            };
            add("resident after warm-up", mib(first(&seen.resident)), "MiB");
            add("resident at the end", mib(last(&seen.resident)), "MiB");
            add("resident, the most", mib(most(&seen.resident)), "MiB");
            add("grown by", 100.0 * seen.growth(), "percent");
            add("descriptors in warm-up", count(seen.open_in_warm_up), "");
            add("descriptors at the end", count(last(&seen.open)), "");
            add("descriptors, the most", count(most(&seen.open)), "");
        }
        figures
    }

    /// Whether every program stayed as it was.
    ///
    /// # Errors
    ///
    /// Which ones did not.
    pub fn grown(&self, growth_max: f64) -> Result<(), String> {
        let mut grown = String::new();
        for Program { name, seen, .. } in &self.0 {
            if let Some(how) = seen.grown(growth_max) {
                // Writing to a `String` cannot fail.
                let _ = write!(grown, "{name}: {how}; ");
            }
        }
        if grown.is_empty() { Ok(()) } else { Err(grown) }
    }
}

impl Seen {
    fn look(&mut self, is_warm: bool, resident: u64, open: u64) {
        if is_warm {
            self.resident.push(resident);
            self.open.push(open);
        } else {
            self.open_in_warm_up = self.open_in_warm_up.max(open);
        }
    }

    /// By how much of it the memory grew.
    fn growth(&self) -> f64 {
        let after_warm_up = mib(first(&self.resident));
        (mib(last(&self.resident)) - after_warm_up) / after_warm_up
    }

    fn grown(&self, growth_max: f64) -> Option<String> {
        let (growth, open) = (self.growth(), last(&self.open));
        // Nothing seen is not flat.
        if !growth.is_finite() || growth > growth_max {
            return Some(format!("memory grew by {:.1} percent", 100.0 * growth));
        }
        let before = self.open_in_warm_up;
        (open > before).then(|| format!("{open} descriptors are open, {before} were"))
    }
}

/// The median of the first tenth, which no single reading decides.
fn first(readings: &[u64]) -> u64 {
    median(readings.get(..tenth(readings)).unwrap_or_default())
}

/// The median of the last tenth.
fn last(readings: &[u64]) -> u64 {
    median(
        readings
            .get(readings.len() - tenth(readings)..)
            .unwrap_or_default(),
    )
}

fn most(readings: &[u64]) -> u64 {
    readings.iter().max().copied().unwrap_or_default()
}

fn tenth(readings: &[u64]) -> usize {
    readings.len().div_ceil(10)
}

fn median(readings: &[u64]) -> u64 {
    let mut sorted = readings.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 bytes")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1024 * 1024)
}

#[expect(clippy::cast_precision_loss, reason = "no process has 2^52 files")]
fn count(descriptors: u64) -> f64 {
    descriptors as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that had so much after warm-up, in whole MiB.
    fn seen(resident: impl Fn(u64) -> u64, open: impl Fn(u64) -> u64) -> Seen {
        let mut seen = Seen::default();
        for number in 0..140 {
            seen.look(number >= 40, resident(number) << 20, open(number));
        }
        seen
    }

    #[test]
    fn what_stays_has_not_grown() {
        assert_eq!(
            seen(|number| 100 + number % 3, |number| 20 + number % 5).grown(0.05),
            None
        );
        // Memory may come in warm-up, and a single reading may be high.
        let jumps = seen(
            |number| if number < 30 || number == 139 { 900 } else { 100 },
            |_| 20,
        );
        assert_eq!(jumps.grown(0.05), None);
    }

    #[test]
    fn what_grows_is_found() {
        let memory = seen(|number| 100 + number / 4, |_| 20).grown(0.05).unwrap();
        assert!(memory.starts_with("memory grew by"), "{memory}");
        let files = seen(|_| 100, |number| 20 + number / 30).grown(0.05).unwrap();
        assert_eq!(files, "24 descriptors are open, 21 were");
        assert!(Seen::default().grown(0.05).is_some());
    }
}
