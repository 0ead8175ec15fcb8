//! `keys list`, `keys rotate`, `keys revoke` and `keys rewrap`.

use crate::Place;

/// The lines of `keys list`, each in words, without the heading.
fn listed(place: &Place) -> Vec<Vec<String>> {
    let ran = place.run(&["keys", "list"]);
    ran.done("kid");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    ran.out.lines().skip(1).map(words).collect()
}

fn states(place: &Place) -> Vec<String> {
    listed(place).into_iter().map(|line| line[1].clone()).collect()
}

#[test]
fn keys_are_rotated_and_revoked() {
    let place = Place::new();
    assert!(listed(&place).is_empty());
    let ran = place.run(&["keys", "rotate"]);
    ran.done("is published, and signs from 2");
    assert_eq!(states(&place), ["active", "next"]);
    let next = listed(&place)[1][0].clone();
    assert!(ran.out.starts_with(&next), "{}", ran.out);
    // The one that is published follows, however often it is said.
    let again = place.run(&["keys", "rotate"]);
    assert_eq!((again.status, &again.out), (0, &ran.out));
    place
        .run(&["keys", "rotate", "--now"])
        .done(&format!("{next} signs from now on."));
    assert_eq!(states(&place), ["retired", "active"]);
    place.run(&["keys", "rotate", "--now"]).done("signs from now on.");
    assert_eq!(states(&place), ["retired", "retired", "active"]);

    let kids: Vec<String> = listed(&place).into_iter().map(|line| line[0].clone()).collect();
    place
        .run(&["keys", "revoke", &kids[0]])
        .done(&format!("{} is revoked.", kids[0]));
    place
        .run(&["keys", "revoke", &kids[0]])
        .done("was revoked before");
    let ran = place.run(&["keys", "revoke", &kids[2]]);
    ran.done(&format!("{} is revoked, and ", kids[2]));
    assert_eq!(states(&place), ["retired", "active", "revoked", "revoked"]);
    let active = listed(&place)[1][0].clone();
    assert!(
        ran.out.contains(&format!("{active} signs from now on.")),
        "{}",
        ran.out
    );
    for unknown in ["nonsense", "-nonsense"] {
        place
            .run(&["keys", "revoke", unknown])
            .complains(1, &["there is no signing key", unknown]);
    }
    place.run(&["keys", "revoke"]).complains(2, &["<KID>"]);
}

#[test]
fn the_encryption_key_is_replaced() {
    let place = Place::new();
    let create = |login| {
        let arguments = ["superuser", "create", "--login", login, "--password-stdin"];
        place.run_with(&arguments, "tumble down the burrow\n")
    };
    create("root").done("Created");
    place.run(&["keys", "rotate"]).done("is published");
    let before = listed(&place);
    let data = place.path().join("data");
    std::fs::rename(data.join("usher.key"), place.path().join("old.key")).unwrap();

    // A new key is made beside the database, and does not open what is in it.
    let ran = create("other");
    ran.complains(1, &["does not open", "keys.encryption_key_file"]);
    let rewrap = |old: &str| place.run(&["keys", "rewrap", "--old-key-file", old]);
    rewrap("none.key").complains(1, &["none.key", "No such file"]);
    place.file("bad.key", "not a key");
    rewrap("bad.key").complains(1, &["bad.key", "32 bytes in base64"]);
    place.file("wrong.key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    rewrap("wrong.key").complains(1, &["signing-key/", "opens neither with the old"]);
    create("other").complains(1, &["does not open"]);

    // Two signing keys, the feed's, and what refresh tokens are derived from.
    rewrap("old.key").done("4 secrets are encrypted with the key of the settings now; 0 were already.");
    rewrap("old.key").done("0 secrets are encrypted with the key of the settings now; 4 were already.");
    create("other").done("Created");
    assert_eq!(listed(&place), before);
    std::fs::copy(place.path().join("old.key"), data.join("usher.key")).unwrap();
    create("third").complains(1, &["does not open"]);
    place.run(&["keys", "rewrap"]).complains(2, &["--old-key-file"]);
}
