//! `client create`, `client list`, `client rotate-secret` and `client delete`.

use crate::serving::{Serving, ask, serving_place};
use crate::{Place, Ran};

/// The secret of the two lines that `create` and `rotate-secret` print.
fn secret(ran: &Ran, name: &str) -> String {
    ran.done("client_secret: ");
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(
        (lines.len(), lines[0]),
        (2, format!("client_id: {name}").as_str()),
        "{}",
        ran.out
    );
    let secret = lines[1].strip_prefix("client_secret: ").unwrap();
    assert!(secret.starts_with("usher_cs_") && secret.len() == 52, "{secret}");
    assert!(!ran.err.contains(secret), "the secret is in the log");
    secret.to_owned()
}

/// Name and roles of each that is listed.
fn listed(place: &Place) -> Vec<(String, String)> {
    let ran = place.run(&["client", "list"]);
    ran.done("name");
    assert!(!ran.out.contains("usher_cs_"), "{}", ran.out);
    let words = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (
            words[0].to_owned(),
            words.get(4).copied().unwrap_or_default().to_owned(),
        )
    };
    ran.out.lines().skip(1).map(words).collect()
}

#[test]
fn clients_come_and_go() {
    let place = Place::new();
    assert!(listed(&place).is_empty());
    let create = |arguments: &[&str]| place.run(&[&["client", "create", "--name"], arguments].concat());
    let first = secret(
        &create(&["film-etl", "--role", "user", "--role", "role_editor"]),
        "film-etl",
    );
    secret(&create(&["gateway"]), "gateway");
    let pair = |name: &str, roles: &str| (name.to_owned(), roles.to_owned());
    assert_eq!(
        listed(&place),
        [pair("film-etl", "role_editor,user"), pair("gateway", "")]
    );
    create(&["film-etl"]).complains(1, &["there is a client film-etl already"]);
    create(&["other", "--role", "nonsense"]).complains(1, &["there is no role \"nonsense\""]);

    let rotate = place.run(&["client", "rotate-secret", "--name", "film-etl"]);
    assert_ne!(secret(&rotate, "film-etl"), first);
    place
        .run(&["client", "delete", "--name", "gateway"])
        .done("The client gateway is deleted.");
    for command in ["delete", "rotate-secret"] {
        let ran = place.run(&["client", command, "--name", "gateway"]);
        ran.complains(1, &["there is no client gateway"]);
    }
    assert_eq!(listed(&place), [pair("film-etl", "role_editor,user")]);
}

#[test]
fn names_are_told_what_they_may_be() {
    let place = Place::new();
    for name in ["", "a", "Film", "film etl", "film:etl", "1st"] {
        let ran = place.run(&["client", "create", "--name", name]);
        ran.complains(2, &["--name", "2 to 64 characters"]);
    }
    for command in ["create", "delete", "rotate-secret"] {
        let ran = place.run(&["client", command, "--name", "web"]);
        ran.complains(2, &["`web` is the site's own client"]);
        let help = place.run(&["client", command, "--help"]);
        help.done("a small letter, then small letters");
    }
    place.run(&["client", "create"]).complains(2, &["--name"]);
    assert!(
        !place.path().join("data").exists(),
        "what is used wrongly makes nothing"
    );
}

#[test]
fn a_wrong_secret_is_logged_without_what_was_presented() {
    let place = serving_place();
    let mut serving = Serving::start(&place);
    let public = serving.until("the issuer listens")["address"]
        .as_str()
        .unwrap()
        .to_owned();
    let form = "grant_type=client_credentials&client_id=film-etl&client_secret=hunter2hunter2";
    let request = format!(
        "POST /oauth2/token HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{form}",
        form.len()
    );
    assert!(ask(&public, &request).starts_with("HTTP/1.1 401 "));
    serving.signal("TERM");
    let said = serving.end().err;
    let events: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("client.wrong_secret"))
        .collect();
    assert!(
        events.len() == 1 && events[0].contains("\"ip\":\"127.0.0.1\""),
        "{said}"
    );
    assert!(!said.contains("hunter2") && !said.contains("film-etl"), "{said}");
}
