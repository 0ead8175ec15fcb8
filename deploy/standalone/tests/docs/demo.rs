//! The walk through the demo, typed as its page has it, with `start.sh` itself behind it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::check::sibling;
use crate::page::{block, root};
use crate::run::Desk;

const PAGE: &str = "deploy/demo/README.md";

/// What each block of the walk is answered, in order: statuses of HTTP.
const WALK: [(&str, &[u16]); 7] = [
    ("SITE=http", &[]),
    ("curl -si $OPEN", &[200, 401]),
    ("NEO=$(curl -s $SITE/api/v1/user ", &[403]),
    ("ADMIN=", &[204]),
    ("curl -si $CLOSED -H", &[401, 200]),
    ("curl -si -X POST $SITE/api/v1/user/logout", &[204, 401]),
    ("LABEL=", &[200, 401, 204, 200]),
];

/// The whole demo, which stops what it started when it is told to.
struct Demo {
    script: Child,
    ports: Vec<u16>,
    password: String,
    films: String,
}

impl Demo {
    fn start(desk: &Desk) -> Self {
        let listeners: Vec<TcpListener> = (0..5)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
            .collect();
        let ports: Vec<u16> = listeners
            .iter()
            .map(|listener| listener.local_addr().unwrap().port())
            .collect();
        drop(listeners);
        let names = [
            "DEMO_PORT",
            "DEMO_ISSUER_PORT",
            "DEMO_VERIFIER_PORT",
            "DEMO_MOVIES_PORT",
            "DEMO_ADMIN_PORT",
        ];
        let mut start = desk.shell(&format!(
            "exec '{}'",
            root().join("deploy/demo/start.sh").display()
        ));
        for (name, port) in names.iter().zip(&ports) {
            start.env(name, port.to_string());
        }
        let mut script = start
            .env("ISSUER__PASSWORD__MEMORY_KIB", "64")
            .env("ISSUER__PASSWORD__ITERATIONS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(desk.path().join("start.err")).unwrap())
            .spawn()
            .unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(script.stdout.take().unwrap()).lines() {
            said.push(line.unwrap());
            if said.last().unwrap().contains("goes on from here") {
                break;
            }
        }
        let word_after = |begins: &str| {
            let line = said
                .iter()
                .find_map(|line| line.trim_start().strip_prefix(begins));
            let line = line.unwrap_or_else(|| {
                let faults = std::fs::read_to_string(desk.path().join("start.err")).unwrap();
                panic!("start.sh did not say {begins:?}: {said:?}\n{faults}")
            });
            line.split_whitespace().next().unwrap().to_owned()
        };
        let (password, films) = (word_after("password "), word_after("the films' database "));
        Self {
            script,
            ports,
            password,
            films,
        }
    }

    /// A block of the page with this demo's addresses, and what the reader puts in.
    fn here(&self, begins: &str) -> String {
        let mut text = block(PAGE, begins).text;
        for (page, here) in [8000, 8080].iter().zip(&self.ports) {
            text = text.replace(&format!("127.0.0.1:{page}"), &format!("127.0.0.1:{here}"));
        }
        text.replace("\"PASSWORD\"", &format!("\"{}\"", self.password))
            .replace("FILMS.db", &self.films)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It traps this, and ends what it started.
        let _ = Command::new("kill").arg(self.script.id().to_string()).status();
        let _ = self.script.wait();
    }
}

/// Has `cargo` do for these tests what it does for a reader, with the programs that are built already.
fn give_cargo(desk: &Desk, programs: &Path) {
    let release = desk.path().join("release");
    std::os::unix::fs::symlink(programs, &release).unwrap();
    let folder = desk.path().display();
    desk.program(
        "cargo",
        &format!(
            "case $1 in\n\
             build) ;;\n\
             metadata) echo '{{\"target_directory\":\"{folder}\"}}' ;;\n\
             run) while [ \"$1\" != -- ]; do shift; done; shift; exec '{folder}/release/film-etl' \"$@\" --issuer \"$ISSUER\" ;;\n\
             *) exit 1 ;;\n\
             esac"
        ),
    );
}

fn statuses(answers: &str) -> Vec<u16> {
    let lines = answers.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    lines.map(|rest| rest[..3].parse().unwrap()).collect()
}

#[test]
fn the_walk_through_the_demo_is_as_the_page_says() {
    let (Some(films), Some(_)) = (sibling("film-etl"), sibling("movies")) else {
        return;
    };
    let nginx = Command::new("bash")
        .args(["-c", "PATH=$PATH:/usr/sbin command -v nginx"])
        .output()
        .unwrap();
    if !nginx.status.success() {
        assert!(std::env::var_os("CI").is_none(), "CI must have nginx");
        eprintln!("SKIPPED: the walk through the demo; to run it install nginx");
        return;
    }
    let desk = Desk::new();
    give_cargo(&desk, films.parent().unwrap());
    let demo = Demo::start(&desk);
    desk.write("PASSWORD_FILE", &demo.password);
    let mut script = String::new();
    for (begins, _) in WALK {
        script += &demo.here(begins);
        script += "\necho ═════\n";
    }
    // Where an Elasticsearch is, there is one line more.
    let etl = demo.here("curl -s -X PUT http");
    script.push_str(etl.split("# Where an Elasticsearch is").next().unwrap());
    // The program asks there if nothing else is said; the demo of a test has another port.
    let issuer = format!("http://127.0.0.1:{}", demo.ports[1]);
    let output = desk.shell(&script).env("ISSUER", issuer).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}\n{complaints}");
    let answers: Vec<&str> = said.split("═════").collect();
    for ((begins, expected), answers) in WALK.iter().zip(&answers) {
        assert_eq!(statuses(answers), *expected, "{begins}: {answers}");
    }
    assert!(answers[4].contains("\"reason\":\"stale\""), "{}", answers[4]);
    assert!(answers[5].contains("\"reason\":\"revoked\""), "{}", answers[5]);
    let documents = std::fs::read_to_string(desk.path().join("bulk.ndjson")).unwrap();
    assert!(documents.contains("\"labels\":[\"subscriber\"]"), "{documents}");
    assert!(
        answers[7].contains("\"labels\":[\"subscriber\"]"),
        "{}",
        answers[7]
    );
}
