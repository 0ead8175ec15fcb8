//! A closed loop: each connection sends its next request as soon as it has the last answer. For throughput.

use std::time::Duration;

use shared::time::{Clock as _, SystemClock};

use super::{CONNECTIONS, Crowd, Request, Target};

/// When a load ends.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After this time, with the requests in rotation.
    Passed(Duration),
    /// When each request was sent once.
    EachOnce,
}

/// What was answered.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// So many requests.
    pub requests: u64,
    /// In so many seconds.
    pub seconds: f64,
}

/// Asks and asks. An answer with another status than its request expects is an error.
pub fn closed(target: &Target, requests: &[Request], until: Until) -> anyhow::Result<Answered> {
    let mut crowd = Crowd::connect(target, CONNECTIONS)?;
    let (mut once, mut again) = (requests.iter(), requests.iter().cycle());
    let begin = SystemClock.boot();
    let mut answered: Vec<usize> = (0..CONNECTIONS).collect();
    let (mut waiting, mut count) = (0, 0);
    loop {
        let is_over = match until {
            Until::Passed(time) => SystemClock.boot().since(begin) >= time,
            Until::EachOnce => false,
        };
        for number in answered.drain(..) {
            let next = match until {
                Until::Passed(_) => again.next(),
                Until::EachOnce => once.next(),
            };
            if let Some(request) = next.filter(|_| !is_over) {
                crowd.connection(number)?.send(request)?;
                waiting += 1;
            }
        }
        if waiting == 0 {
            break;
        }
        crowd.must_answer(&mut answered)?;
        waiting -= answered.len();
        count += answered.len() as u64;
    }
    Ok(Answered {
        requests: count,
        seconds: SystemClock.boot().since(begin).as_secs_f64(),
    })
}
