//! `user import`, `user export`, `user set-password`, `user disable` and `user enable`.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;

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

/// Of "correct horse battery staple", as Django makes them, with little work.
const HASHES: [&str; 3] = [
    "pbkdf2_sha256$1000$s4ltS4ltS4lt$iIs2VV927JaaDv8cdGq9Qw0T+Ro2DLp3I2PmcIBfZI0=",
    "bcrypt_sha256$$2b$04$GU79qa7V68H4U/LXG83nfuJxlOC8JDPQJFaeDa7yGYVaKZEcPHUtW",
    "argon2$argon2id$v=19$m=64,t=2,p=1$czRsdFM0bHRTNGx0$KSqtJC4DMBfDgRFDcgMSwPr3Lq6sa5Bn6gaMzCkTNSk",
];

fn line(login: &str, hash: &str) -> String {
    format!("{}\n", json!({"login": login, "password_hash": hash}))
}

#[test]
fn people_move_in_from_django_while_the_issuer_serves() {
    let place = serving_place();
    let mut serving = Serving::start(&place);
    let address = serving.until("the issuer listens")["address"]
        .as_str()
        .unwrap()
        .to_owned();
    let lines: String = (0..9)
        .map(|nth| line(&format!("User{nth}"), HASHES[nth % 3]))
        .collect();
    place.file("users.jsonl", &lines);
    let ran = place.run(&["user", "import", "users.jsonl"]);
    ran.done("9 users taken, 0 passed over whose logins were there before, 0 lines refused.");
    // One line of the log, whatever the number of users.
    assert!(
        ran.err.lines().count() == 1 && ran.err.contains("\"action\":\"user.import\""),
        "{}",
        ran.err
    );
    place
        .run_with(&["user", "import", "-"], &lines)
        .done("0 users taken, 9 passed over");
    for nth in 0..3 {
        let login = |password| login(&address, &format!("user{nth}"), password).0;
        assert_eq!(login("correct horse"), 401);
        assert_eq!(login("correct horse battery staple"), 200);
        assert_eq!(login("correct horse battery staple"), 200, "hashed anew");
    }
    let ran = place.run(&["user", "export"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    let hashes: Vec<String> = ran
        .out
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["password_hash"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(hashes[..3].iter().all(|hash| hash.starts_with("$argon2id$")));
    assert_eq!(hashes[3], HASHES[0]);
    serving.signal("TERM");
    assert_eq!(serving.end().status, 0);
}

#[test]
fn lines_that_cannot_be_taken_are_told_by_number() {
    let place = Place::new();
    let text = [
        line("neo", HASHES[0]),
        "no json\n".to_owned(),
        "\n".to_owned(),
        line("Neo", HASHES[0]),
        line("trinity", "secret-of-trinity"),
        format!("{{\"login\":\"{}\"}}\n", "x".repeat(40_000)),
        line("morpheus", HASHES[1]).trim_end().to_owned(),
    ]
    .concat();
    place.file("users.jsonl", &text);
    let ran = place.run(&["user", "import", "users.jsonl"]);
    assert_eq!(
        (ran.status, ran.out.as_str()),
        (
            3,
            "2 users taken, 0 passed over whose logins were there before, 4 lines refused.\n"
        ),
        "{}",
        ran.err
    );
    let mut told: Vec<&str> = ran.err.lines().filter(|line| line.starts_with("line ")).collect();
    told.sort_unstable();
    assert_eq!(told.len(), 4, "{told:?}");
    for (line, says) in told.iter().zip([
        "line 2: the line is no JSON object",
        "line 4: the login is that of an earlier line",
        "line 5: `password_hash`: it is of no known kind",
        "line 6: the line has more than 32768 bytes",
    ]) {
        assert!(line.starts_with(says), "{line}");
    }
    assert!(!ran.err.contains("secret-of-trinity"));
}

#[test]
fn an_export_is_for_its_owner_alone_and_moves_people_elsewhere() {
    let (from, to) = (Place::new(), Place::new());
    from.file(
        "users.jsonl",
        &[line("neo", HASHES[0]), line("trinity", HASHES[1])].concat(),
    );
    from.run(&["user", "import", "users.jsonl"]).done("2 users taken");
    // One that was left behind, for others to read.
    from.file("all.jsonl.part", "");
    let part = from.path().join("all.jsonl.part");
    std::fs::set_permissions(&part, std::fs::Permissions::from_mode(0o644)).unwrap();
    from.run(&["user", "export", "--output", "all.jsonl"]).done("");
    assert!(!part.exists());
    let file = from.path().join("all.jsonl");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let all = std::fs::read_to_string(&file).unwrap();
    to.run_with(&["user", "import", "-"], &all).done("2 users taken");
    assert_eq!(to.run(&["user", "export"]).out, all);
    // Whoever reads only the beginning has it.
    let mut child = to.command(&["user", "export"]).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_import_that_is_interrupted_leaves_whole_batches_and_is_run_again() {
    let place = Place::new();
    let lines: Vec<String> = (0..2500)
        .map(|nth| line(&format!("user{nth}"), HASHES[0]))
        .collect();
    let exported = || place.run(&["user", "export"]).out.lines().count();
    let mut child = place.command(&["user", "import", "-"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for line in &lines[..1500] {
        input.write_all(line.as_bytes()).unwrap();
    }
    // A thousand are written before there is an end.
    while exported() < 1000 {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
    }
    let id = child.id().to_string();
    // Not SIGINT, which a shell that runs the tests in the background has its children ignore.
    let told = std::process::Command::new("kill")
        .args(["-s", "TERM", &id])
        .status();
    assert!(told.unwrap().success());
    assert!(!child.wait().unwrap().success());
    assert_eq!(exported(), 1000);
    place
        .run_with(&["user", "import", "-"], &lines.concat())
        .done("1500 users taken, 1000 passed over");
    assert_eq!(exported(), 2500);
}

#[test]
fn what_cannot_be_begun_makes_nothing() {
    let place = Place::new();
    place
        .run(&["user", "import", "none.jsonl"])
        .complains(1, &["none.jsonl", "No such file"]);
    place.run(&["user", "import"]).complains(2, &["<FILE>"]);
    assert!(!place.path().join("data").exists());
    place
        .run(&["user", "export", "--output", "nowhere/x.jsonl"])
        .complains(1, &["nowhere/x.jsonl", "No such file"]);
    place
        .run(&["user", "import", "--help"])
        .done("\"!user\" among them leaves `user` out");
    place.run(&["user", "export", "--help"]).done("secrets");
}
