//! An open loop: each request has its time, whether or not the one before has been answered. For latency.

use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use shared::time::{Clock as _, SystemClock};

use super::{CONNECTIONS, Crowd, Request, Target};

/// Asks at a steady rate, and gives back how many nanoseconds each answer came after the time at which its request was
/// meant to be sent: where the server holds the client up, that counts as well.
pub fn open(
    target: &Target,
    requests: &[Request],
    per_second: f64,
    lasting: Duration,
) -> anyhow::Result<Histogram<u64>> {
    let mut crowd = Crowd::connect(target, CONNECTIONS)?;
    let mut latencies = Histogram::new(3)?;
    let interval = Duration::from_secs_f64(1.0 / per_second);
    let mut requests = requests.iter().cycle();
    let mut meant_for = [Duration::ZERO; CONNECTIONS];
    let mut free: Vec<usize> = (0..CONNECTIONS).collect();
    let mut answered = Vec::with_capacity(CONNECTIONS);
    let (begin, mut due) = (SystemClock.boot(), Duration::ZERO);
    while due < lasting || free.len() < CONNECTIONS {
        let now = SystemClock.boot().since(begin);
        while due <= now
            && due < lasting
            && let Some(number) = free.pop()
        {
            let request = requests.next().context("no requests")?;
            crowd.connection(number)?.send(request)?;
            *meant_for.get_mut(number).context("an unknown connection")? = due;
            due += interval;
        }
        crowd.answered(&mut answered)?;
        let now = SystemClock.boot().since(begin);
        for number in answered.drain(..) {
            let meant_for = meant_for.get(number).context("an unknown connection")?;
            latencies.record(u64::try_from(now.saturating_sub(*meant_for).as_nanos())?)?;
            free.push(number);
        }
    }
    Ok(latencies)
}
