//! A soak: mixed load on real programs for a long time, after which they have no more memory and no more open files than
//! soon after their start.

mod people;
mod site;
mod tally;
mod watch;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{anyhow, ensure};
use clap::Args;
use shared::time::{BootTime, Clock as _, SystemClock};

use self::site::Site;
use self::tally::Tally;
use self::watch::Watch;
use crate::report::{Figure, Report};

/// People at once. Each has a pause between two requests, so that half of a core is enough.
const PEOPLE: usize = 12;

/// Of the whole time, this part is warm-up: tokens and revocations live for less, so that as many come as go from then on.
const WARM_UP: f64 = 0.25;

/// How often the programs are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often another key signs.
const ROTATE_EVERY: Duration = Duration::from_secs(20);

/// How much more memory there may be at the end, as a part.
const GROWTH_MAX: f64 = 0.05;

/// For how long.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many minutes it takes, with the warm-up, which is a quarter of them
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(10..=10_000))]
    minutes: u64,
}

/// Runs, shows the report, and fails if anything grew or was answered otherwise than it should be.
pub fn run(arguments: &Arguments, show: &mut dyn FnMut(Report)) -> anyhow::Result<()> {
    let site = Site::start()?;
    let lasts = Duration::from_mins(arguments.minutes);
    let tally = Tally::default();
    let watch = under_load(&site, lasts, &tally)?;
    let wrong = tally.wrong();
    show(report(&site, arguments.minutes, &watch, &tally));
    ensure!(
        wrong.is_empty(),
        "answers that should not have been: {}",
        wrong.join("; ")
    );
    watch.grown(GROWTH_MAX).map_err(|grown| anyhow!("{grown}"))
}

fn under_load<'a>(site: &'a Site, lasts: Duration, tally: &Tally) -> anyhow::Result<Watch<'a>> {
    let is_over = AtomicBool::new(false);
    let begin = SystemClock.boot();
    std::thread::scope(|scope| {
        for number in 0..PEOPLE {
            let is_over = &is_over;
            scope.spawn(move || people::come_and_go(site, number, is_over, tally));
        }
        scope.spawn(|| rotate(site, &is_over, tally));
        let watched = look(site, begin, lasts);
        is_over.store(true, Ordering::Relaxed);
        watched
    })
}

/// Looks at the programs until the time is over.
fn look(site: &Site, begin: BootTime, lasts: Duration) -> anyhow::Result<Watch<'_>> {
    let mut watch = Watch::of(site);
    loop {
        let passed = SystemClock.boot().since(begin);
        if passed >= lasts {
            return Ok(watch);
        }
        watch.look(passed >= lasts.mul_f64(WARM_UP))?;
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Has one key after the other sign, as an operator would.
fn rotate(site: &Site, is_over: &AtomicBool, tally: &Tally) {
    let mut rotated = SystemClock.boot();
    while !is_over.load(Ordering::Relaxed) {
        if SystemClock.boot().since(rotated) >= ROTATE_EVERY {
            rotated = SystemClock.boot();
            tally.take("rotations", site.rotate_keys());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn report(site: &Site, minutes: u64, watch: &Watch<'_>, tally: &Tally) -> Report {
    let mut figures = watch.figures();
    figures.extend(tally.figures());
    let wrong = tally.wrong_count();
    figures.push(Figure::once("answers out of place", wrong, ""));
    Report {
        bench: "soak",
        setting: format!("{PEOPLE} people for {minutes} minutes; {}", site.servers),
        figures,
        notes: vec![
            "after warm-up, which is a quarter of the time, and at the end: the median of a tenth of what was seen since".into(),
            "descriptors: the most that were open in warm-up, at the end, and the most after warm-up".into(),
        ],
    }
}
