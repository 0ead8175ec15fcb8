use secrecy::SecretString;

use super::*;
use crate::password::stored::HashRefused;

const WANTED: HashParams = HashParams {
    memory_kib: 64,
    iterations: 2,
    parallelism: 1,
};

fn password(text: &str) -> Password {
    Password::presented(&SecretString::from(text))
}

fn verify(text: &str, stored: &str) -> Result<Verdict, HashRefused> {
    let hasher = Hasher::new(WANTED).unwrap();
    let mut memory = Memory::for_hasher(&hasher);
    let stored = Stored::read(stored, WANTED)?;
    Ok(hasher
        .verify(&password(text), Some(&stored), &mut memory)
        .unwrap())
}

#[test]
fn a_hash_is_argon2id_of_the_configured_parameters() {
    let hasher = Hasher::new(WANTED).unwrap();
    let mut memory = Memory::for_hasher(&hasher);
    let first = hasher.hash(&password("correct horse"), &mut memory).unwrap();
    let second = hasher.hash(&password("correct horse"), &mut memory).unwrap();
    assert!(first.starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{first}");
    assert_ne!(first, second, "every hash has a salt of its own");
    assert_eq!(
        verify("correct horse", &first).unwrap(),
        Verdict::Right { outdated: false }
    );
    assert_eq!(verify("Correct horse", &first).unwrap(), Verdict::Wrong);
    assert_eq!(verify("", &first).unwrap(), Verdict::Wrong);
}

/// Vectors of the reference implementation's `test.c`, the last of argon2's first version.
#[test]
fn hashes_of_other_makers_and_parameters_are_read() {
    for stored in [
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
    ] {
        assert_eq!(
            verify("password", stored).unwrap(),
            Verdict::Right { outdated: true },
            "{stored}"
        );
        assert_eq!(verify("passwore", stored).unwrap(), Verdict::Wrong, "{stored}");
    }
}

#[test]
fn a_hash_below_the_configured_parameters_is_outdated() {
    let of = |wanted: HashParams| {
        let hasher = Hasher::new(wanted).unwrap();
        hasher
            .hash(&password("correct horse"), &mut Memory::for_hasher(&hasher))
            .unwrap()
    };
    let right = |wanted| verify("correct horse", &of(wanted)).unwrap();
    assert_eq!(
        right(HashParams {
            memory_kib: 63,
            ..WANTED
        }),
        Verdict::Right { outdated: true }
    );
    assert_eq!(
        right(HashParams {
            iterations: 1,
            ..WANTED
        }),
        Verdict::Right { outdated: true }
    );
    let stronger = HashParams {
        memory_kib: 128,
        iterations: 3,
        parallelism: 2,
    };
    assert_eq!(right(stronger), Verdict::Right { outdated: false });
}

/// Attack: a stored hash that asks for gigabytes
/// Source: CWE-400
/// Result: it is refused
#[test]
fn a_stored_hash_that_asks_for_too_much_is_refused() {
    let hash = "c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    for cost in [
        "m=4194304,t=1,p=1",
        "m=262145,t=1,p=1",
        "m=262144,t=5,p=1",
        "m=64,t=4294967295,p=1",
    ] {
        let refused = verify("password", &format!("$argon2id$v=19${cost}${hash}"));
        assert!(
            matches!(refused, Err(HashRefused::TooExpensive { .. })),
            "{cost}: {refused:?}"
        );
    }
}

#[test]
fn what_is_no_argon2_hash_is_unreadable() {
    for stored in [
        "",
        "password",
        "$2b$12$abcdefghijklmnopqrstuv",
        "$argon2id$v=19$m=64,t=2,p=1",
        "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ",
        "$argon2id$v=7$m=64,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=7,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        &"$argon2id".repeat(1000),
    ] {
        assert!(verify("password", stored).is_err(), "{stored}");
    }
}

#[test]
fn what_cannot_be_a_password_is_wrong_even_for_the_hash_of_nothing() {
    let hasher = Hasher::new(WANTED).unwrap();
    let mut memory = Memory::for_hasher(&hasher);
    let of_nothing = hasher.hash(&password(""), &mut memory).unwrap();
    assert_eq!(
        verify("", &of_nothing).unwrap(),
        Verdict::Right { outdated: false }
    );
    assert_eq!(verify(&"a".repeat(5000), &of_nothing).unwrap(), Verdict::Wrong);
}

/// Attack: logins tried for the time that a wrong password takes
/// Source: CWE-208, CWE-204
/// Result: an unknown login costs the same hash
#[test]
fn nobody_costs_what_somebody_costs() {
    let hasher = Hasher::new(WANTED).unwrap();
    let mut memory = Memory::for_hasher(&hasher);
    assert_eq!(
        hasher
            .verify(&password("correct horse"), None, &mut memory)
            .unwrap(),
        Verdict::Wrong
    );
    assert_eq!(
        memory.blocks.len(),
        hasher.block_count(),
        "the blocks were filled"
    );
}

#[test]
fn memory_is_kept_for_the_configured_parameters_only() {
    let hasher = Hasher::new(WANTED).unwrap();
    let mut memory = Memory::for_hasher(&hasher);
    hasher.hash(&password("correct horse"), &mut memory).unwrap();
    let at = memory.blocks.as_ptr();
    let large = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    hasher.hash(&password("correct horse"), &mut memory).unwrap();
    assert_eq!(memory.blocks.as_ptr(), at);
    hasher
        .verify(
            &password("password"),
            Some(&Stored::read(large, WANTED).unwrap()),
            &mut memory,
        )
        .unwrap();
    assert!(memory.blocks.capacity() <= hasher.block_count());
}

#[test]
fn impossible_parameters_are_refused() {
    assert!(
        Hasher::new(HashParams {
            memory_kib: 7,
            ..WANTED
        })
        .is_err()
    );
    assert!(
        Hasher::new(HashParams {
            iterations: 0,
            ..WANTED
        })
        .is_err()
    );
    assert!(
        Hasher::new(HashParams {
            parallelism: 0,
            ..WANTED
        })
        .is_err()
    );
}
