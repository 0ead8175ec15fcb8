//! No core dumps: they would have keys, passwords and tokens in them.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Has this process leave no core dump, neither as a file nor for a program that collects them, and has no other process of
/// the same user read its memory (prctl(2), core(5)).
///
/// # Errors
///
/// What the system says, if it does not allow it.
pub fn forbid() -> io::Result<()> {
    // A program that collects dumps gets them whatever the limit is, but not of what may not be dumped.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rustix::process::{dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn there_is_nothing_to_dump() {
        forbid().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    }
}
