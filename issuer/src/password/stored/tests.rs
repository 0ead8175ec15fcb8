//! Known answers: hashes that Django 5.2, passlib 1.7, bcrypt 4.3 and argon2-cffi 25.1 made in Python.

use secrecy::SecretString;

use super::*;
use crate::password::hash::{Hasher, Verdict};
use crate::password::policy::Password;

const WANTED: HashParams = HashParams {
    memory_kib: 64,
    iterations: 2,
    parallelism: 1,
};

const PASSWORD: &str = "correct horse battery staple";

/// In the order of Django, passlib, bcrypt and argon2-cffi.
const OF_PASSWORD: [&str; 16] = [
    "pbkdf2_sha256$1000$s4ltS4ltS4lt$iIs2VV927JaaDv8cdGq9Qw0T+Ro2DLp3I2PmcIBfZI0=",
    "pbkdf2_sha1$1000$s4ltS4ltS4lt$VloL4pizli8ALGNFYGSJIFpWfTQ=",
    "argon2$argon2id$v=19$m=64,t=2,p=1$czRsdFM0bHRTNGx0$KSqtJC4DMBfDgRFDcgMSwPr3Lq6sa5Bn6gaMzCkTNSk",
    "bcrypt_sha256$$2b$04$WyXwQlFVcL/WVQBWxe/Z0uTZtu4yQkH5SV19WLL7b9RqrNjbEyVUO",
    "bcrypt$$2b$04$aKBszcCI8s/5SAYFnYu5ie7drG7NI/f9HscSyBICET/jv1gKCmfaS",
    "scrypt$16$s4ltS4ltS4lt$8$2$VZE7X4ykUGJJN7sy62t5ak7ILx0MGNTC3jQqM6PV1uWu2U8awn9BH03cTYo/RLc+A39UWv4UGOtAUW/QEOjeqg==",
    "$pbkdf2$1000$PaeU0tq717o3ZmztnRPinA$7Q1tye8b6SXSQC5AbGyMQEYZ6h0",
    "$pbkdf2-sha256$1000$W.vdO2dszTmHUEqpdW5tDQ$za1asWgFGIpFPpwHOsaDJS2g0kH6xJCaCAnKZbKTkGE",
    "$pbkdf2-sha512$1000$q3XuHQPAOAfg3DtHaO197w$iVWeXyErJXdai77Z8o3A4EQSE4dwJdh0NYQEuqYO2E7/FIonS.cWG1/7gUK4NqVUT5jJNdlY2GOuesJeUFSk0g",
    "$scrypt$ln=4,r=8,p=1$txZiLAVg7H3vHQMgxJjTOg$dXuVTl/JfQhEuXHHVgznfFDBTVEsxTDwJN3koD1pYSs",
    "$2a$04$uKz0AtUSiMJLyla43x8UuuST65f.p3l/tt1STGlugvyWASCanwDhG",
    "$2b$04$GLdpRseZGzTYEOTB/5KcNOqKDSrMzrg3TjGrTNEDOCI4CkW0SwPZ2",
    "$2y$04$vmfa/AwpNNcCMok/l/fLHuP8zfUt7acFYxojSi9bbfr4UWCDU2Mfu",
    "$argon2id$v=19$m=64,t=2,p=2$vYeljC0U/zYJy0bvS/AEmQ$tWgB9XMf2y5E5zOsEbYUeNGkHMDMHaFRZZDjK5yuPYQ",
    "$argon2i$v=19$m=64,t=2,p=2$ozGyK65/0l7397Oq+ylXOQ$0EGYopFuh4qRp6BG2JflHK0wVgIdeKkYtEzhZdgt+PI",
    "$argon2d$v=19$m=64,t=2,p=2$7P8lzouwLQS8D2twUYR71g$kUVlfY1MlQo6iV15tm3gZCfP6xe/QCdEQmFzYC1cm+U",
];

const UNICODE_PASSWORD: &str = "Grüße 🐎";

/// In the same order.
const OF_UNICODE_PASSWORD: [&str; 16] = [
    "pbkdf2_sha256$1000$s4ltS4ltS4lt$X+r2QvsPGN9REt3R0JmTxtHLjHnAtyVB6+xuKkeqQRM=",
    "pbkdf2_sha1$1000$s4ltS4ltS4lt$i6dwg4vjYoQxiFxRjTrwZee7DtM=",
    "argon2$argon2id$v=19$m=64,t=2,p=1$czRsdFM0bHRTNGx0$Gqxz3AYpgXfPNoQ8aD2zC+IzDuN5sJ+4eK6xl9UMFdE",
    "bcrypt_sha256$$2b$04$MkcQKJ5WSazu.G4HBiiw0OYVbF0ZW8SOnnY8ViNLzkflstOEHVzFO",
    "bcrypt$$2b$04$gQIhbKgqz92NOZlrwSR8zOuIIKJkmbpmAU0KwyHofQRRXL/4ml1mu",
    "scrypt$16$s4ltS4ltS4lt$8$2$27X98RzCRGIIzAKNKjXxhNwJ5+6fVMlwFPrL8zSEEXKcXVHYqDpRf6C9b0sTHz8BGfJotRH8I6loJpwo8lv8lA==",
    "$pbkdf2$1000$/z/nvFfq3RsDAEAoxViLUQ$O1hfCTsWSDSaTlFuvY54Mw4K0vQ",
    "$pbkdf2-sha256$1000$9R5jDIHw/t.bc25NCYEQog$gbl8A1gpzZIfunnHxWfEGOGoszCmlvjGtdl.iF6wJCY",
    "$pbkdf2-sha512$1000$yHkvhbD23jtnLMVY6713rg$XunvJc6rk5ZwbTBC.HRNuGua9jME7UdGBh7oXFbkre4tN/mQIicip2s.2mwd.SK6NDVtr0sFPW6VRZf0NURYzw",
    "$scrypt$ln=4,r=8,p=1$tXau9Z4TAuD8P2dsjTGmlA$A5nFKmW22abUMWyxG+CC8MFoCBuQLsvhdxqib3ffh5U",
    "$2a$04$pFg.jS8TuK2EpzwnqEUl2OAlwuGNqshtfOptG356nOIVgYLgztl72",
    "$2b$04$5.jCdHzpE/HfpY3Kltv2welkJsVBMNmg2uWGNc8JlRS4rnL/f6mtC",
    "$2y$04$SK40RcWnjOY1UDSdp6JvOeIl6J2HIj/dQ/xRc0aMyo62ac/QC3NIG",
    "$argon2id$v=19$m=64,t=2,p=2$4JIyRywybi5Ytl7Wu2H7Bw$XG/hRbT/ux6s8aEzxkzGobkL+zZ1n+W59knIrlwzz04",
    "$argon2i$v=19$m=64,t=2,p=2$r1+PrntM0Lo60+GaVC3Yeg$9mx0NeFCRGz0EIUA4JdLEuGQAg3M9hgEVz/rs+XZj4I",
    "$argon2d$v=19$m=64,t=2,p=2$kcWB4j/ea2UxZgaxS/Yxzg$PHX3bDmWRQIO4EJlbjEr0l6aan7fxAunyF6Km1NJ3qs",
];

/// With what Django gives them.
const DJANGOS_DEFAULTS: [&str; 3] = [
    "pbkdf2_sha256$1000000$s4ltS4ltS4lt$iRVkD6V9JiS1Mv2Ar3vuRQ7s0AZH0hzvK4+mpZisaCs=",
    "scrypt$16384$s4ltS4ltS4lt$8$5$TACw27x6TBTZHyH2DZru/vm4+prSImc2i9wxI+vDbAUV2Wt/9p/JWZEFF79/LHZGfeZ+fmJRW68jmJ9bfwQLAA==",
    "argon2$argon2id$v=19$m=102400,t=2,p=8$czRsdFM0bHRTNGx0$iLBPNSbBdUEGgRDBadmvEjruuODp3gWQ7bJxd9yX/OA",
];

/// Of 80 times `x`, of which bcrypt saw 72.
const BCRYPT_OF_LONG: &str = "$2b$04$mMo8liox5BhbH2kpg9o7KOiYuCyRJTLR6novmZiBHqrS1LB1pDgMu";

/// Of 71 times `x`: the NUL behind it is the last byte that counts.
const BCRYPT_OF_71: &str = "$2b$04$iv31fpieFwcQLRIA.YD7tevgk0SVSSAFBn941TTK3i.6qXcxFKkZ.";

/// Of `right`.
const BCRYPT_OF_RIGHT: &str = "$2b$04$0Tme5/iZ/hcNe9WHhQW9Ru7/EX7T7WA2s9LB6KFPisp805do69Cme";

/// Of "Grüße" with the `ü` in two code points, as some systems type it.
const DECOMPOSED: &str = "Gru\u{308}ße";
const OF_DECOMPOSED: [&str; 2] = [
    "$2b$04$xWpRFrmnV1YS.9GveZdYsOtk.2wsd4iog/o5GouMxjE64/Aby.KlS",
    "$argon2id$v=19$m=64,t=2,p=1$uYBdpPBvA2oBNIBbycFBCQ$/yMqTvuINOaM1XYg8lP/1ixxZ5oK5bffwoN0ZYjFDKE",
];

fn password(text: &str) -> Password {
    Password::presented(&SecretString::from(text))
}

fn read(text: &str) -> Result<Stored, HashRefused> {
    Stored::read(text, WANTED)
}

fn verify(text: &str, stored: &str) -> Verdict {
    let hasher = Hasher::new(WANTED).unwrap();
    let mut memory = Memory::for_hasher(&hasher);
    let stored = read(stored).unwrap();
    hasher
        .verify(&password(text), Some(&stored), &mut memory)
        .unwrap()
}

const RIGHT_AND_OUTDATED: Verdict = Verdict::Right { outdated: true };

#[test]
fn hashes_of_other_houses_are_checked() {
    for (right, hashes) in [
        (PASSWORD, OF_PASSWORD.as_slice()),
        (UNICODE_PASSWORD, &OF_UNICODE_PASSWORD),
        (PASSWORD, &DJANGOS_DEFAULTS),
    ] {
        for stored in hashes {
            let expected = Verdict::Right {
                outdated: !is_as_strong_as_ours(stored),
            };
            assert_eq!(verify(right, stored), expected, "{stored}");
            for wrong in ["", "correct horse battery stapl", "correct horse battery staple "] {
                assert_eq!(verify(wrong, stored), Verdict::Wrong, "{stored}");
            }
        }
    }
}

/// Argon2id with the parameters of these tests or better, whoever made it, is as good as a new one.
fn is_as_strong_as_ours(stored: &str) -> bool {
    stored.starts_with("$argon2id$v=19$m=64,t=2,p=2$")
}

#[test]
fn of_a_long_password_bcrypt_looks_at_72_bytes() {
    let times = |count| "x".repeat(count);
    assert_eq!(verify(&times(80), BCRYPT_OF_LONG), RIGHT_AND_OUTDATED);
    assert_eq!(verify(&times(72), BCRYPT_OF_LONG), RIGHT_AND_OUTDATED);
    assert_eq!(verify(&times(71), BCRYPT_OF_LONG), Verdict::Wrong);
    assert_eq!(verify(&times(71), BCRYPT_OF_71), RIGHT_AND_OUTDATED);
    assert_eq!(verify(&times(72), BCRYPT_OF_71), Verdict::Wrong);
}

#[test]
fn nothing_follows_a_nul_in_bcrypt() {
    assert_eq!(verify("right", BCRYPT_OF_RIGHT), RIGHT_AND_OUTDATED);
    assert_eq!(verify("right\0wrong", BCRYPT_OF_RIGHT), Verdict::Wrong);
    assert_eq!(verify("right\0", BCRYPT_OF_RIGHT), Verdict::Wrong);
}

#[test]
fn a_hash_of_what_was_typed_is_right_too_and_is_made_anew_of_the_normal_form() {
    for stored in OF_DECOMPOSED {
        assert_eq!(verify(DECOMPOSED, stored), RIGHT_AND_OUTDATED, "{stored}");
        assert_eq!(verify("Grüße", stored), Verdict::Wrong, "{stored}");
    }
    // The other way round the normal form is right.
    let hasher = Hasher::new(WANTED).unwrap();
    let mut memory = Memory::for_hasher(&hasher);
    let own = hasher.hash(&password("Grüße"), &mut memory).unwrap();
    assert_eq!(verify(DECOMPOSED, &own), Verdict::Right { outdated: false });
}

#[test]
fn a_wrong_password_costs_the_houses_hash_whatever_is_stored() {
    let hasher = Hasher::new(WANTED).unwrap();
    let cheap =
        "$argon2id$v=19$m=8,t=1,p=1$VoVUn0ZJrSSABRzQqQv2Qw$CkZLcXBDFdrFz65zQ3rD2Xospfg6TTetwzLWv5wmOww";
    for stored in OF_PASSWORD.into_iter().chain([cheap]) {
        let mut memory = Memory::for_hasher(&hasher);
        let stored_hash = read(stored).unwrap();
        let verdict = hasher.verify(&password("wrong"), Some(&stored_hash), &mut memory);
        assert_eq!(verdict.unwrap(), Verdict::Wrong);
        assert_eq!(memory.block_count(), 64, "{stored}");
    }
}

#[test]
fn what_asks_for_too_much_is_refused_and_says_which() {
    let (salt, hash) = (
        "GmOM0Zoz5pzTutcawzgHgA",
        "cFuCWZSRo2ZNHvRx.bySv5ORRTv/DMNMMbil.odUQS8",
    );
    for (stored, parameter) in [
        (format!("$2b$16${}", &BCRYPT_OF_LONG[7..]), "cost"),
        (format!("$2b$99${}", &BCRYPT_OF_LONG[7..]), "cost"),
        (format!("bcrypt_sha256$$2b$31${}", &BCRYPT_OF_LONG[7..]), "cost"),
        (format!("$pbkdf2-sha256$5000001${salt}${hash}"), "iterations"),
        (format!("$pbkdf2-sha256$i=4294967296${salt}${hash}"), "iterations"),
        (format!("$pbkdf2$2500001${salt}${hash}"), "iterations"),
        (format!("pbkdf2_sha256$99999999999$x${hash}"), "iterations"),
        (
            format!("$scrypt$ln=18,r=8,p=1${salt}${hash}"),
            "128 × N × r (KiB of memory)",
        ),
        (format!("$scrypt$ln=63,r=8,p=1${salt}${hash}"), "ln"),
        (format!("$scrypt$ln=14,r=4294967295,p=1${salt}${hash}"), "r"),
        (format!("$scrypt$ln=14,r=8,p=1025${salt}${hash}"), "p"),
        (format!("$scrypt$ln=14,r=8,p=65${salt}${hash}"), "128 × N × r × p"),
        (
            format!("scrypt$1073741824$x$8$1${hash}"),
            "128 × N × r (KiB of memory)",
        ),
        (
            format!("argon2$argon2id$v=19$m=262145,t=1,p=1${salt}${hash}"),
            "m (KiB",
        ),
        (format!("$argon2d$v=19$m=262144,t=5,p=1${salt}${hash}"), "m × t"),
    ] {
        let stored = stored.replace('.', if stored.contains("argon2") { "+" } else { "." });
        let refused = read(&stored).err();
        let Some(HashRefused::TooExpensive { parameter: found, .. }) = &refused else {
            panic!("{stored}: {refused:?}");
        };
        assert!(found.starts_with(parameter), "{stored}: {refused:?}");
    }
    // At the bound.
    for stored in [
        format!("$2b$15${}", &BCRYPT_OF_LONG[7..]),
        format!("$pbkdf2-sha256$5000000${salt}${hash}"),
        format!("$scrypt$ln=14,r=8,p=64${salt}${hash}"),
    ] {
        assert!(read(&stored).is_ok(), "{stored}");
    }
}

#[test]
fn what_is_no_hash_is_refused() {
    let tail = &BCRYPT_OF_LONG[7..];
    let (salt, hash) = (
        "GmOM0Zoz5pzTutcawzgHgA",
        "cFuCWZSRo2ZNHvRx.bySv5ORRTv/DMNMMbil.odUQS8",
    );
    for stored in [
        String::new(),
        "$".to_owned(),
        "password".to_owned(),
        "!Django writes this for accounts without a password".to_owned(),
        "md5$salt$0cc175b9c0f1b6a831c399e269772661".to_owned(),
        "sha1$salt$86f7e437faa5a7fce15d1ddcb9eaeaea377667b8".to_owned(),
        "$1$salt$qJH7.N4xYta3aEG/dfqo/0".to_owned(),
        format!("$2x$04${tail}"),
        format!("$2b$03${tail}"),
        format!("$2b$4${tail}"),
        format!("$2b$+4${tail}"),
        format!("$2b$04${tail}x"),
        format!("$2b$04${}", &tail[1..]),
        format!("$2b$04${}ü{}", &tail[..21], &tail[23..]),
        format!("bcrypt$2b$04${tail}"),
        format!("$bcrypt-sha256$v=2,t=2b,r=12${salt}${hash}"),
        format!("$pbkdf2-sha256$0${salt}${hash}"),
        format!("$pbkdf2-sha256$-1${salt}${hash}"),
        format!("$pbkdf2-sha256$i=1000,i=1000${salt}${hash}"),
        format!("$pbkdf2-sha256$i=1000,x=1${salt}${hash}"),
        format!("$pbkdf2-sha256$i=1000,l=31${salt}${hash}"),
        format!("$pbkdf2-sha256$1000${salt}$cFuC"),
        format!("$pbkdf2-sha256$1000${salt}"),
        format!("$pbkdf2-sha256$1000${salt}${hash}$"),
        format!("pbkdf2_sha256$1000$sa\0lt${hash}"),
        format!("pbkdf2_md5$1000$salt${hash}"),
        format!("$scrypt$ln=0,r=8,p=1${salt}${hash}"),
        format!("$scrypt$ln=14,r=8${salt}${hash}"),
        format!("scrypt$15$x$8$1${hash}"),
        format!("scrypt$0$x$8$1${hash}"),
        format!("argon2${hash}"),
        format!("pbkdf2_sha256$1000${}${hash}", "x".repeat(500)),
    ] {
        let refused = read(&stored).err();
        assert!(
            matches!(
                refused,
                Some(HashRefused::UnknownKind | HashRefused::TooLong | HashRefused::Malformed { .. })
            ),
            "{stored}: {refused:?}"
        );
    }
}

#[test]
fn a_refusal_tells_nothing_of_the_hash() {
    let refused = read("$pbkdf2-sha256$1000$GmOM0Zoz5pzTutcawzgHgA$cFuC!")
        .err()
        .unwrap();
    let told = format!("{refused} {refused:?}");
    assert!(!told.contains("GmOM") && !told.contains("cFuC"), "{told}");
}
