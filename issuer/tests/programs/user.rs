//! `user set-password`, `user disable` and `user enable`.

use serde_json::{Value, json};

use crate::serving::{Serving, ask, serving_place};
use crate::{Place, Ran};

const PASSWORD: &str = "tumble down the burrow";
const NEW_PASSWORD: &str = "tumble down the burrow again";

/// Posts JSON to an issuer: the status, and what came back.
pub(crate) fn post(address: &str, path: &str, token: Option<&str>, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let bearer = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    let answer = ask(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             {bearer}content-length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// Signs in: the status, and the pair of tokens.
pub(crate) fn login(address: &str, login: &str, password: &str) -> (u16, Value) {
    let credentials = json!({"login": login, "password": password});
    post(address, "/api/v1/user/login", None, &credentials)
}

fn set_password(place: &Place, login: &str, password: &str) -> Ran {
    let arguments = ["user", "set-password", "--login", login, "--password-stdin"];
    place.run_with(&arguments, &format!("{password}\n"))
}

#[test]
fn an_operator_helps_somebody_while_the_issuer_serves() {
    let place = serving_place();
    let mut serving = Serving::start(&place);
    let address = serving.until("the issuer listens")["address"]
        .as_str()
        .unwrap()
        .to_owned();
    let credentials = json!({"login": "neo", "password": PASSWORD});
    let (status, pair) = post(&address, "/api/v1/user", None, &credentials);
    assert_eq!(status, 201, "{pair}");
    let refresh = |pair: &Value| {
        let body = json!({"refresh_token": pair["refresh_token"]});
        post(&address, "/api/v1/token/refresh", None, &body).0
    };

    set_password(&place, "NEO", NEW_PASSWORD).done("\"NEO\" has the new password");
    assert_eq!(refresh(&pair), 401, "the session is ended");
    assert_eq!(login(&address, "neo", PASSWORD).0, 401);
    let (status, pair) = login(&address, "neo", NEW_PASSWORD);
    assert_eq!(status, 200);

    let command = |verb: &str| place.run(&["user", verb, "--login", "neo"]);
    command("disable").done("\"neo\" is disabled");
    command("disable").done("was disabled before");
    assert_eq!(refresh(&pair), 401);
    assert_eq!(login(&address, "neo", NEW_PASSWORD).0, 403);
    command("enable").done("\"neo\" is enabled");
    command("enable").done("was enabled before");
    assert_eq!(login(&address, "neo", NEW_PASSWORD).0, 200);
    serving.signal("TERM");
    assert_eq!(serving.end().status, 0);
}

#[test]
fn what_an_operator_may_not_do_is_said() {
    let place = Place::new();
    let create = ["superuser", "create", "--login", "root", "--password-stdin"];
    place.run_with(&create, PASSWORD).done("Created");
    set_password(&place, "root", "short").complains(1, &["password", "at least 8 characters"]);
    set_password(&place, "root", "").complains(1, &["no password on standard input"]);
    set_password(&place, "nobody", PASSWORD).complains(1, &["there is no user \"nobody\""]);
    set_password(&place, "no body", PASSWORD).complains(1, &["login: "]);
    let unasked = place.run(&["user", "set-password", "--login", "root"]);
    unasked.complains(1, &["use --password-stdin"]);
    // A password is never an argument.
    let told = place.run(&["user", "set-password", "--login", "root", "--password", PASSWORD]);
    assert_eq!(told.status, 2);
    place
        .run(&["user", "disable", "--login", "nobody"])
        .complains(1, &["there is no user \"nobody\""]);
    place
        .run(&["user", "disable", "--login", "no body"])
        .complains(1, &["login: "]);
    place.run(&["user", "disable"]).complains(2, &["--login"]);
    place
        .run(&["user", "disable", "--login", "root"])
        .complains(1, &["the last superuser"]);
}
