//! Signals to processes that a test has started.

use std::process::Child;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// Sends a signal. At SIGSTOP it returns when every thread of the process has stopped: until then, some could go on answering.
pub fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_child(child);
    kill_process(pid, signal).unwrap();
    if signal == Signal::STOP {
        // Left to be told again: to whoever stops it twice, and to whoever waits for its end.
        let either = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(pid), either).unwrap().unwrap();
        assert!(status.stopped(), "it ended instead: {status:?}");
    }
}
