//! Rates and times as bars, for people who would rather look than read.

use std::path::Path;

use anyhow::anyhow;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::{Figure, Report};

/// What is drawn: the rest of the figures are ratios, or say how much of something there was.
const UNITS: [&str; 3] = ["requests a second", "µs a request", "µs"];

const WIDTH: i32 = 960;
const NAMES: i32 = 280;
const VALUES: i32 = 90;
const LINE: i32 = 24;
const TITLE: i32 = 40;
const MARGIN: i32 = 16;

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const OURS: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const THEIRS: RGBColor = RGBColor(0xb0, 0xb7, 0xc0);

/// Figures that share a scale.
struct Panel<'a> {
    title: String,
    figures: Vec<&'a Figure>,
}

/// Draws what can be drawn of the reports into a file, as SVG: the median as a bar, the middle half of the runs as a line.
pub fn write(file: &Path, reports: &[Report]) -> anyhow::Result<()> {
    let panels: Vec<_> = reports.iter().flat_map(panels).collect();
    let height: i32 = panels.iter().map(Panel::height).sum();
    let size = (WIDTH.unsigned_abs(), (height + 2 * MARGIN).unsigned_abs());
    let root = SVGBackend::new(file, size).into_drawing_area();
    let draw = || -> Result<(), Box<dyn std::error::Error + '_>> {
        root.fill(&WHITE)?;
        let mut top = MARGIN;
        for panel in &panels {
            panel.draw(&root, top)?;
            top += panel.height();
        }
        root.present()?;
        Ok(())
    };
    draw().map_err(|error| anyhow!("cannot draw {}: {error}", file.display()))
}

fn panels(report: &Report) -> impl Iterator<Item = Panel<'_>> {
    UNITS.into_iter().filter_map(|unit| {
        let figures: Vec<_> = report
            .figures
            .iter()
            .filter(|figure| figure.unit == unit)
            .collect();
        (!figures.is_empty()).then(|| Panel {
            title: format!("{}: {unit}", report.bench),
            figures,
        })
    })
}

impl Panel<'_> {
    fn height(&self) -> i32 {
        TITLE + LINE * i32::try_from(self.figures.len()).unwrap_or_default()
    }

    fn draw<DB: DrawingBackend>(
        &self,
        root: &DrawingArea<DB, plotters::coord::Shift>,
        top: i32,
    ) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        let most = self
            .figures
            .iter()
            .map(|figure| figure.most())
            .fold(f64::MIN_POSITIVE, f64::max);
        let place = f64::from(WIDTH - NAMES - VALUES - MARGIN);
        #[expect(clippy::cast_possible_truncation, reason = "within the picture")]
        let at = |value: f64| NAMES + (value / most * place) as i32;
        let text = |size: f64| ("sans-serif", size).into_font().color(&INK);
        let beside = |to: HPos| text(14.0).pos(Pos::new(to, VPos::Center));
        root.draw(&Text::new(self.title.clone(), (MARGIN, top + 8), text(18.0)))?;
        for (line, figure) in (0..).zip(&self.figures) {
            let middle = top + TITLE + line * LINE;
            let color = if figure.name.starts_with("verifier") {
                OURS
            } else {
                THEIRS
            };
            let bar = [(NAMES, middle - 8), (at(figure.value), middle + 8)];
            root.draw(&Text::new(
                figure.name.clone(),
                (NAMES - 8, middle),
                beside(HPos::Right),
            ))?;
            root.draw(&Rectangle::new(bar, color.filled()))?;
            if let Some((low, high)) = figure.quartiles {
                root.draw(&PathElement::new(
                    [(at(low), middle), (at(high), middle)],
                    INK.stroke_width(2),
                ))?;
            }
            let value = format!("{:.1}", figure.value);
            root.draw(&Text::new(
                value,
                (at(figure.most()) + 6, middle),
                beside(HPos::Left),
            ))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_has_a_bar_and_its_name() {
        let figure = |name: &str, unit| Figure {
            name: name.into(),
            value: 12.5,
            unit,
            quartiles: Some((11.0, 13.0)),
        };
        let report = Report {
            bench: "verify --part hot",
            setting: String::new(),
            figures: vec![
                figure("verifier", "requests a second"),
                figure("a <peer>", "µs"),
                figure("a ratio", "times"),
            ],
            notes: Vec::new(),
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plot.svg");
        write(&file, &[report]).unwrap();
        let svg = std::fs::read_to_string(file).unwrap();
        for text in [
            "verify --part hot: requests a second",
            "verifier",
            "a &lt;peer&gt;",
            "12.5",
        ] {
            assert!(svg.contains(text), "{text} is not in {svg}");
        }
        assert!(!svg.contains("a ratio"));
    }
}
