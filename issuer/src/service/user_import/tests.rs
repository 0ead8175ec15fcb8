use serde_json::json;

use super::*;

const HASH: &str = "$2b$04$E3on6zPQqlNmWL1KsnfnSuEAld7bD4jKAKs.Ps.kRDMKx9mVDsqy6";

fn read(line: &serde_json::Value) -> Result<UserLine, UserFault> {
    UserLine::from_json(line.to_string().as_bytes())
}

#[test]
fn a_line_is_read_with_what_may_be_left_out() {
    let now = UnixMillis(1_800_000_000_000);
    let line = read(&json!({"login": "ＮＥＯ", "password_hash": HASH})).unwrap();
    let user = line.to_new_user(now);
    assert_eq!((user.login, user.password_hash), ("neo", HASH));
    assert_eq!((user.active, user.superuser, user.created_at), (true, false, now));
    assert!(line.is_user() && line.roles().next().is_none());

    let line = json!({
        "login": "neo", "password_hash": HASH, "roles": ["user", "editor", "admin", "editor"],
        "active": false, "superuser": true, "created_at": "2020-01-31T13:00:00.1239+01:00",
    });
    let line = read(&line).unwrap();
    let user = line.to_new_user(now);
    assert_eq!(
        (user.active, user.superuser, user.created_at),
        (false, true, UnixMillis(1_580_472_000_123))
    );
    assert_eq!(user.id.0.get_timestamp().unwrap().to_unix().0, 1_580_472_000);
    assert_eq!(line.roles().collect::<Vec<_>>(), ["admin", "editor"]);
    assert!(line.is_user());
    let line = read(&json!({"login": "neo", "password_hash": HASH, "roles": ["!user"]})).unwrap();
    assert!(!line.is_user() && line.roles().next().is_none());
}

#[test]
fn what_cannot_be_taken_says_why() {
    let many: Vec<String> = (0..=limits::ROLES_MAX).map(|nth| format!("role{nth}")).collect();
    for (more, says) in [
        (json!({"login": "a b"}), "`login`: A login takes letters"),
        (json!({"login": "ab"}), "`login`: A login needs at least 3"),
        (json!({"login": 7}), "`login` is missing, or not a text"),
        (json!({"password_hash": null}), "`password_hash` is missing"),
        (json!({"roles": "user"}), "`roles` is missing, or not a list"),
        (json!({"roles": [7]}), "`roles` is missing, or not a list"),
        (json!({"roles": ["No Role"]}), "there is no role \"No Role\""),
        (json!({"roles": ["user", "!user"]}), "of one mind"),
        (json!({"roles": many}), "more than 128 roles"),
        (
            json!({"active": 1}),
            "`active` is missing, or not `true` or `false`",
        ),
        (json!({"superuser": "no"}), "`superuser` is missing"),
        (
            json!({"created_at": "yesterday"}),
            "`created_at` is missing, or not a time",
        ),
        (
            json!({"created_at": "2020-01-31"}),
            "`created_at` is missing, or not a time",
        ),
        (json!({"created_at": "1969-12-31T23:59:59Z"}), "since 1970"),
        (
            json!({"created_at": 1_580_472_000}),
            "`created_at` is missing, or not a time",
        ),
        (json!({"email": "neo@example.org"}), "there is no field \"email\""),
    ] {
        let mut line = json!({"login": "neo", "password_hash": HASH});
        line.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let fault = read(&line).unwrap_err().to_string();
        assert!(fault.contains(says), "{more}: {fault}");
    }
    for (line, says) in [
        ("", "no JSON object"),
        ("[]", "no JSON object"),
        ("{\"login\":\"neo\",\"login\":\"neo\"}", "\"login\" stands twice"),
        ("{\"password_hash\":\"x\"}", "`login` is missing"),
    ] {
        let fault = UserLine::from_json(line.as_bytes()).unwrap_err().to_string();
        assert!(fault.contains(says), "{line}: {fault}");
    }
}

#[test]
fn a_line_hides_its_hash() {
    let line = read(&json!({"login": "neo", "password_hash": HASH})).unwrap();
    assert!(!format!("{line:?}").contains("E3on6zPQ"));
}
