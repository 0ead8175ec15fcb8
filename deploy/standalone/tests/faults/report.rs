//! The table: what was seen of each fault from outside.

use std::sync::Once;
use std::time::Duration;

use crate::history::Seen;

/// Prints a fault's line.
pub(crate) fn line(fault: &str, seen: &Seen, recovered_after: Duration) {
    static HEAD: Once = Once::new();
    HEAD.call_once(|| {
        println!("| fault | revocations | asked again | verdicts | admitted late by at most | undecided for at most | whole again after |");
        println!("| --- | --- | --- | --- | --- | --- | --- |");
    });
    let s = |duration: Duration| format!("{:.2} s", duration.as_secs_f64());
    println!(
        "| {fault} | {} | {} | {} | {} | {} | {} |",
        seen.revocations,
        seen.unanswered,
        seen.verdicts,
        s(seen.admitted_late),
        s(seen.undecided_for),
        s(recovered_after)
    );
}
