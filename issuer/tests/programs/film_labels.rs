//! `film-labels import` and `film-labels export`.

use std::io::Write;

use serde_json::{Value, json};

use crate::serving::{Serving, ask, serving_place};
use crate::{Place, Ran};

const LOGIN: &str = "root";
const PASSWORD: &str = "tumble down the burrow";

/// Lines of a large import.
const MANY: usize = 25_000;

fn film(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

fn line(number: usize, labels: &[&str]) -> String {
    format!("{}\n", json!({"film_id": film(number), "labels": labels}))
}

/// A place where an issuer serves, with the labels `paid` and `new`.
struct Labelled {
    place: Place,
    serving: Serving,
    address: String,
    token: String,
}

impl Labelled {
    fn start() -> Self {
        let place = serving_place();
        let create = ["superuser", "create", "--login", LOGIN, "--password-stdin"];
        place.run_with(&create, PASSWORD).done("Created");
        let mut serving = Serving::start(&place);
        let address = serving.until("the issuer listens")["address"]
            .as_str()
            .unwrap()
            .to_owned();
        let mut labelled = Self {
            place,
            serving,
            address,
            token: String::new(),
        };
        let login = labelled.send(
            "POST",
            "/api/v1/user/login",
            &json!({"login": LOGIN, "password": PASSWORD}),
        );
        login["access_token"]
            .as_str()
            .unwrap()
            .clone_into(&mut labelled.token);
        for label in ["paid", "new"] {
            let draft = json!({"roles": ["user"], "anonymous": false});
            assert_eq!(
                labelled.send("PUT", &format!("/api/v1/label/{label}"), &draft)["name"],
                label
            );
        }
        labelled
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let answer = ask(
            &self.address,
            &format!(
                "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
                 authorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
                self.token,
                body.len()
            )
            .replace("authorization: Bearer \r\n", ""),
        );
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    fn labels_of(&self, number: usize) -> Value {
        let answer = ask(
            &self.address,
            &format!(
                "GET /api/v1/film/{}/label HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
                film(number),
                self.token
            ),
        );
        let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        body["labels"].clone()
    }

    fn import(&self, file: &str, text: &str) -> Ran {
        self.place.file(file, text);
        let mut ran = self.place.run(&["film-labels", "import", file]);
        // What it did is logged once, whatever the number of films, and tells nothing of the lines.
        let logged = |line: &&str| line.starts_with('{');
        assert!(ran.err.lines().filter(logged).count() <= 1, "{}", ran.err);
        assert!(
            ran.err
                .lines()
                .filter(logged)
                .all(|line| line.contains("film.import")),
            "{}",
            ran.err
        );
        let told: Vec<&str> = ran.err.lines().filter(|line| !logged(line)).collect();
        ran.err = told.join("\n");
        ran
    }

    fn export(&self) -> String {
        let ran = self.place.run(&["film-labels", "export"]);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""));
        ran.out
    }

    fn end(self) {
        self.serving.signal("TERM");
        assert_eq!(self.serving.end().status, 0);
    }
}

#[test]
fn films_are_labelled_while_the_issuer_serves() {
    let site = Labelled::start();
    let ran = site.import(
        "films.jsonl",
        &[line(1, &["paid"]), line(2, &["paid", "new"]), line(3, &[])].concat(),
    );
    ran.done("3 lines taken, 0 refused.");
    assert_eq!(ran.err, "");
    assert_eq!(site.labels_of(2), json!(["new", "paid"]));
    // The CSV of a spreadsheet: a mark before it, line ends of its own, quotes.
    let csv = format!(
        "\u{feff}film_id,labels\r\n{},new\r\n\r\n\"{}\",\"new | paid\"\r\n{},\r\n",
        film(1),
        film(4),
        film(2)
    );
    site.import("films.csv", &csv).done("3 lines taken, 0 refused.");
    assert_eq!(site.labels_of(1), json!(["new"]));
    assert_eq!(site.labels_of(4), json!(["new", "paid"]));
    assert_eq!(site.labels_of(2), json!([]));

    let lines = [line(1, &["new"]), line(4, &["new", "paid"])].concat();
    assert_eq!(site.export(), lines);
    let csv = format!("film_id,labels\n{},new\n{},new|paid\n", film(1), film(4));
    site.place
        .run(&["film-labels", "export", "--format", "csv"])
        .done(&csv);
    for (file, expected) in [("out.csv", &csv), ("out.jsonl", &lines), ("out.csv", &csv)] {
        site.place
            .run(&["film-labels", "export", "--output", file])
            .done("");
        assert_eq!(
            &std::fs::read_to_string(site.place.path().join(file)).unwrap(),
            expected
        );
        assert!(!site.place.path().join(format!("{file}.part")).exists());
        site.place
            .run(&["film-labels", "import", file])
            .done("2 lines taken, 0 refused.");
    }
    let ran = site
        .place
        .run_with(&["film-labels", "import", "-"], &line(5, &["paid"]));
    ran.done("1 lines taken");
    let csv = format!("film_id,labels\n{},new", film(5));
    let ran = site
        .place
        .run_with(&["film-labels", "import", "--format", "csv", "-"], &csv);
    ran.done("1 lines taken");
    assert_eq!(site.labels_of(5), json!(["new"]));
    site.end();
}

#[test]
fn bad_lines_are_told_by_number_and_keep_no_other_out() {
    let site = Labelled::start();
    let long = "x".repeat(5000);
    let text = [
        line(1, &["paid"]),
        "no json\n".to_owned(),
        "\n".to_owned(),
        line(2, &["none"]),
        format!("{{\"film_id\":\"{long}\"}}\n"),
        "{\"film_id\":\"1\",\"labels\":[]}\n".to_owned(),
        line(3, &["new"]).trim_end().to_owned(),
    ]
    .concat();
    let ran = site.import("films.jsonl", &text);
    assert_eq!(
        (ran.status, ran.out.as_str()),
        (3, "2 lines taken, 4 refused.\n"),
        "{}",
        ran.err
    );
    let mut told: Vec<&str> = ran.err.lines().collect();
    told.sort_unstable();
    assert_eq!(told.len(), 4, "{told:?}");
    for (line, says) in told.iter().zip([
        "line 2: the line is no JSON object",
        "line 4: there is no label \"none\"",
        "line 5: the line has more than 4096 bytes",
        "line 6: `film_id` is missing, or no UUID",
    ]) {
        assert!(line.starts_with(says), "{line}");
    }
    assert_eq!(site.labels_of(3), json!(["new"]));

    let csv = format!(
        "film_id,labels\n{0},paid\n{0},\"paid\n{0}\n{1},new\n",
        film(7),
        film(8)
    );
    let ran = site.import("films.csv", &csv);
    assert_eq!(
        (ran.status, ran.out.as_str()),
        (3, "2 lines taken, 2 refused.\n"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("line 3: ") && ran.err.contains("a quote is left open"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("line 4: ") && ran.err.contains("there are 1"),
        "{}",
        ran.err
    );
    assert_eq!(site.labels_of(8), json!(["new"]));
    site.end();
}

#[test]
fn a_large_import_tells_of_every_bad_line_and_is_free_to_run_again() {
    let site = Labelled::start();
    let text: String = (1..=MANY)
        .map(|number| match number % 5 {
            0 => line(number, &["none"]),
            1 => "bad\n".to_owned(),
            _ => line(number, &["paid"]),
        })
        .collect();
    let refused = MANY / 5 * 2;
    let mut before = None;
    for _ in 0..2 {
        let ran = site.import("films.jsonl", &text);
        assert_eq!(ran.status, 3);
        assert_eq!(
            ran.out,
            format!("{} lines taken, {refused} refused.\n", MANY - refused)
        );
        let mut told: Vec<usize> = ran
            .err
            .lines()
            .map(|line| {
                line.strip_prefix("line ")
                    .unwrap()
                    .split(':')
                    .next()
                    .unwrap()
                    .parse()
                    .unwrap()
            })
            .collect();
        told.sort_unstable();
        let bad: Vec<usize> = (1..=MANY).filter(|number| number % 5 < 2).collect();
        assert_eq!(told, bad);
        let exported = site.export();
        assert_eq!(exported.lines().count(), MANY - refused);
        assert!(before.is_none_or(|before| before == exported));
        before = Some(exported);
    }
    // Whoever reads only the beginning has it.
    let mut child = site.place.command(&["film-labels", "export"]).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    site.end();
}

#[test]
fn what_cannot_be_begun_is_said() {
    let place = Place::new();
    let import = |file: &str| place.run(&["film-labels", "import", file]);
    import("none.jsonl").complains(1, &["none.jsonl", "No such file"]);
    import("films.txt").complains(2, &["films.txt", "--format jsonl"]);
    place.run(&["film-labels", "import"]).complains(2, &["<FILE>"]);
    place
        .run(&["film-labels", "import", "--format", "xml", "-"])
        .complains(2, &["jsonl, csv"]);
    place
        .run(&["film-labels", "export", "--output", "films"])
        .complains(2, &["--format csv"]);
    assert!(!place.path().join("data").exists(), "nothing is begun");
    for (file, text) in [
        ("empty.csv", ""),
        ("bare.csv", "7c9e6679-7425-40de-944b-e07fc1f90ae7,paid\n"),
    ] {
        place.file(file, text);
        import(file).complains(1, &["the first line is not `film_id,labels`"]);
    }
    place.file("empty.jsonl", "");
    import("empty.jsonl").done("0 lines taken, 0 refused.");
    std::fs::create_dir(place.path().join("folder.csv")).unwrap();
    import("folder.csv").complains(1, &["directory"]);
    place
        .run(&["film-labels", "export", "--output", "folder.csv"])
        .complains(1, &["folder.csv", "cannot be written"]);
    place
        .run(&["film-labels", "export", "--output", "nowhere/x.csv"])
        .complains(1, &["nowhere/x.csv", "No such file"]);
}

#[test]
fn a_pipe_is_read_as_it_comes() {
    let site = Labelled::start();
    let mut child = site
        .place
        .command(&["film-labels", "import", "-"])
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for number in 0..1000 {
        input.write_all(line(number, &["new"]).as_bytes()).unwrap();
    }
    // A thousand lines are written before there is an end.
    while site.labels_of(999) != json!(["new"]) {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    site.end();
}
