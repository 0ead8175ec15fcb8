use super::*;

const POLICY: PasswordPolicy = PasswordPolicy { min_length: 8 };

fn parse(text: &str) -> Result<String, PasswordRefused> {
    Password::parse(&SecretString::from(text), POLICY, None).map(|password| password.text.to_string())
}

#[test]
fn every_kind_of_character_is_taken() {
    for text in [
        "correct horse battery staple",
        "  blanks around  ",
        "пароль-подлиннее",
        "密码密码密码密码",
        "👨\u{200d}👩\u{200d}👧❤\u{fe0f}🤖🫠🪿",
        "\u{e000}\u{e001}private use",
    ] {
        assert_eq!(parse(text).unwrap(), text);
    }
}

#[test]
fn spellings_of_one_password_are_one_password() {
    assert_eq!(parse("Cafe\u{301}\u{3000}noir").unwrap(), "Caf\u{e9} noir");
    let presented = Password::presented(&SecretString::from("Cafe\u{301}\u{a0}noir"));
    assert_eq!(&*presented.text, "Caf\u{e9} noir");
    assert_ne!(parse("CORRECT horse").unwrap(), parse("correct horse").unwrap());
}

#[test]
fn length_is_counted_in_characters_after_normalisation() {
    assert_eq!(parse(""), Err(PasswordRefused::TooShort { min_length: 8 }));
    assert_eq!(parse("zq7!xkw"), Err(PasswordRefused::TooShort { min_length: 8 }));
    assert!(parse("zq7!xkwm").is_ok());
    assert_eq!(
        parse(&"e\u{301}".repeat(7)),
        Err(PasswordRefused::TooShort { min_length: 8 })
    );
    // The longest, decomposed and whole: nothing is cut.
    assert_eq!(
        parse(&"\u{3b9}\u{308}\u{301}".repeat(256)).unwrap(),
        "\u{390}".repeat(256)
    );
    assert_eq!(parse(&"🤖".repeat(256)).unwrap().chars().count(), 256);
    assert_eq!(parse(&"a".repeat(257)), Err(PasswordRefused::TooLong));
    assert_eq!(parse(&"a".repeat(1 << 20)), Err(PasswordRefused::TooLong));
}

#[test]
fn what_would_not_last_is_invalid() {
    for text in [
        "correct\0horse",
        "correct\thorse",
        "correct horse\n",
        "correct\u{85}horse",
        "correct\u{378}horse",
    ] {
        assert_eq!(parse(text), Err(PasswordRefused::Invalid), "{text:?}");
    }
}

/// Attack: passwords from a list of common ones, and the login itself
/// Source: NIST SP 800-63B-4 section 3.1.1.2
/// Result: they are refused
#[test]
fn common_passwords_and_the_login_are_refused_in_any_case() {
    assert_eq!(parse("PassWord1"), Err(PasswordRefused::Common));
    assert_eq!(parse("1234567890"), Err(PasswordRefused::Common));
    let login = LoginName::parse("Guybrush").unwrap();
    let same = |text: &str| Password::parse(&SecretString::from(text), POLICY, Some(&login)).err();
    assert_eq!(same("GuyBrush"), Some(PasswordRefused::SameAsLogin));
    assert_eq!(same("ＧｕｙＢｒｕｓｈ"), Some(PasswordRefused::SameAsLogin));
    assert_eq!(same("Guybrush Threepwood"), None);
}

#[test]
fn refusals_name_their_numbers() {
    let refused = PasswordRefused::TooShort { min_length: 15 };
    assert_eq!(
        (refused.code(), refused.message().contains("15")),
        ("too_short", true)
    );
    assert!(PasswordRefused::TooLong.message().contains("256"));
}

#[test]
fn what_is_presented_is_bounded_and_never_shown() {
    assert!(!Password::presented(&SecretString::from("a".repeat(RAW_BYTES_MAX + 1))).is_possible());
    let whole = "\u{3b9}\u{308}\u{301}".repeat(256);
    assert!(Password::presented(&SecretString::from(whole)).is_possible());
    let shown = format!("{:?}", Password::presented(&SecretString::from("correct horse")));
    assert_eq!(shown, "Password([REDACTED])");
}
