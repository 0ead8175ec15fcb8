//! What a bench found: for people a table, for programs JSON.

use std::fmt;

use serde::Serialize;

/// Past this much between the quartiles, by the median, a ratio means nothing.
const SPREAD_MAX: f64 = 0.15;

/// The figures of one part of a bench.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The command that prints it, such as `revocation --part memory`.
    pub bench: &'static str,
    /// With what it was run, in words.
    pub setting: String,
    /// The figures, in the order they are shown.
    pub figures: Vec<Figure>,
    /// What a reader has to know besides.
    pub notes: Vec<String>,
}

impl Report {
    /// Adds the ratio of two things that were measured in turns, one number a pair, unless the runs differ too much.
    pub fn compare(&mut self, name: &str, ratios: Vec<f64>) {
        let ratio = Spread::of(ratios);
        if ratio.relative() <= SPREAD_MAX {
            self.figures.push(Figure::median(name, ratio, "times"));
        } else {
            self.notes.push(format!(
                "{name}: no ratio, the runs differ too much ({:.2} to {:.2}); is something else running?",
                ratio.low, ratio.high
            ));
        }
    }
}

/// One number.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what: `ns`, `bytes a revocation` …
    pub unit: &'static str,
    /// Between which values the middle half of the runs lies; `None`: there was one run.
    pub quartiles: Option<(f64, f64)>,
}

impl Figure {
    /// The most that it or its quartiles say.
    pub fn most(&self) -> f64 {
        self.quartiles
            .map_or(self.value, |(_, high)| high.max(self.value))
    }

    /// A figure of one run.
    pub fn once(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            quartiles: None,
        }
    }

    /// The median of several runs.
    pub fn median(name: impl Into<String>, spread: Spread, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value: spread.median,
            unit,
            quartiles: Some((spread.low, spread.high)),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.bench, self.setting)?;
        let names = self.figures.iter().map(|figure| figure.name.chars().count());
        let width = names.max().unwrap_or_default();
        for figure in &self.figures {
            let Figure {
                name, value, unit, ..
            } = figure;
            write!(f, "  {name:width$}  {value:12.2} {unit}")?;
            if let Some((low, high)) = figure.quartiles {
                write!(f, "  (middle half of the runs: {low:.2} to {high:.2})")?;
            }
            writeln!(f)?;
        }
        for note in &self.notes {
            writeln!(f, "  {note}")?;
        }
        Ok(())
    }
}

/// Where the middle half of several runs lies.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// A quarter of the runs is below.
    pub low: f64,
    /// Half of them are.
    pub median: f64,
    /// Three quarters are.
    pub high: f64,
}

impl Spread {
    /// The spread of at least one run.
    pub fn of(mut runs: Vec<f64>) -> Self {
        runs.sort_by(f64::total_cmp);
        let at = |quarter: usize| runs.get(runs.len() * quarter / 4).copied().unwrap_or(f64::NAN);
        Self {
            low: at(1),
            median: at(2),
            high: at(3),
        }
    }

    /// How far the middle half is apart, as a part of the median.
    pub fn relative(self) -> f64 {
        (self.high - self.low) / self.median
    }
}
