//! Sessions on the pages, held against real ones: what was typed is typed again, and what was answered has to be answered.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::page::{Block, block};

/// A line of its own for lines that are left out.
const LEFT_OUT: &str = "…";

/// What the last line of the greeting has.
const LAST_LINE: &str = "/user/logout";

/// Between the answers of two commands.
const MARK: &str = "═════";

/// A running `usher`, as its first start has it, on ports of its own; killed when dropped.
#[derive(Debug)]
pub(crate) struct Standing {
    child: Child,
    folder: TempDir,
    greeting: Vec<String>,
    pub(crate) issuer: String,
    verifier: String,
    admin: String,
}

impl Standing {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
        for flag in ["--issuer-listen", "--verifier-listen", "--admin-listen"] {
            command.args([flag, "127.0.0.1:0"]);
        }
        let mut child = command
            .args(["--log-level", "error", "--data-dir"])
            .arg(folder.path())
            .env("ISSUER__PASSWORD__MEMORY_KIB", "64")
            .env("ISSUER__PASSWORD__ITERATIONS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut greeting: Vec<String> = Vec::new();
        while !greeting.last().is_some_and(|line| line.contains(LAST_LINE)) {
            greeting.push(lines.next().expect("usher ended before its greeting").unwrap());
        }
        let address = |name: &str| {
            let mut lines = greeting.iter().map(|line| line.split_whitespace());
            let mut words = lines.find(|words| words.clone().next() == Some(name)).unwrap();
            words.nth(1).unwrap().to_owned()
        };
        let (issuer, verifier, admin) = (address("issuer"), address("verifier"), address("admin"));
        Self {
            child,
            folder,
            greeting,
            issuer,
            verifier,
            admin,
        }
    }

    /// Where its database is.
    pub(crate) fn data_dir(&self) -> &Path {
        self.folder.path()
    }

    /// What a page says of addresses, with those of this one.
    fn here(&self, text: &str) -> String {
        self.addresses()
            .iter()
            .fold(text.to_owned(), |text, (page, here)| text.replace(page, here))
    }

    fn as_on_page(&self, text: &str) -> String {
        self.addresses()
            .iter()
            .fold(text.to_owned(), |text, (page, here)| text.replace(here, page))
    }

    fn addresses(&self) -> [(&str, &str); 3] {
        [
            ("http://127.0.0.1:8080", &self.issuer),
            ("http://127.0.0.1:8081", &self.verifier),
            ("http://127.0.0.1:9080", &self.admin),
        ]
    }

    /// Sends a login and a password there, and gives the status and the body.
    pub(crate) fn post(&self, path: &str, login: &str, password: &str) -> (String, String) {
        let body = format!("{{\"login\":\"{login}\",\"password\":\"{password}\"}}");
        let output = Command::new("curl")
            .args([
                "-s",
                "-w",
                "\n%{http_code}",
                "-H",
                "Content-Type: application/json",
                "-d",
                &body,
            ])
            .arg(format!("{}{path}", self.issuer))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (body, status) = said.rsplit_once('\n').unwrap();
        (status.to_owned(), body.to_owned())
    }

    /// Somebody new, and an access token of theirs.
    pub(crate) fn register(&self, login: &str) -> String {
        let (status, body) = self.post("/api/v1/user", login, "follow the white rabbit");
        assert_eq!(status, "201", "{body}");
        let (_, rest) = body.split_once("\"access_token\":\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was typed, each with what was answered.
fn steps(block: &Block) -> Vec<(String, Vec<String>)> {
    let mut steps: Vec<(String, Vec<String>)> = Vec::new();
    for line in block.text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push((command.to_owned(), Vec::new()));
        } else {
            steps
                .last_mut()
                .expect("a session begins with `$ `")
                .1
                .push(line.to_owned());
        }
    }
    steps
}

/// What was typed.
pub(crate) fn commands(block: &Block) -> Vec<String> {
    steps(block).into_iter().map(|(command, _)| command).collect()
}

/// A line without what is another one each time: tokens, ids, dates, passwords.
fn lasting(line: &str) -> String {
    for changing in ["date: ", "x-request-id: ", "  password "] {
        if line.starts_with(changing) {
            return changing.to_owned();
        }
    }
    let word = |word: &str| {
        let is_id = word.len() == 36 && word.matches('-').count() == 4 && word.starts_with("01");
        is_id || word.starts_with("eyJ") || word.starts_with("guest-")
    };
    let mut lasting = String::new();
    let mut rest = line.trim_end();
    while !rest.is_empty() {
        let is_of_word = |c: char| c.is_ascii_alphanumeric() || "-_.…".contains(c);
        let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
        let (head, tail) = rest.split_at(end);
        lasting.push_str(if word(head) { LEFT_OUT } else { head });
        let next = tail.chars().next();
        lasting.extend(next);
        rest = next.map_or("", |c| &tail[c.len_utf8()..]);
    }
    match lasting.split_once("\"password\":\"") {
        Some((before, after)) => {
            let after = after.split_once('"').map_or("", |(_, after)| after);
            format!("{before}\"password\":\"…\"{after}")
        }
        None => lasting,
    }
}

/// Whether the answer is the one on the page, but for what is left out there.
fn agree(page: &[String], answer: &[String]) -> bool {
    match page.split_first() {
        None => answer.is_empty(),
        Some((line, rest)) if line == LEFT_OUT => {
            (0..=answer.len()).any(|skipped| agree(rest, &answer[skipped..]))
        }
        Some((line, rest)) => {
            answer.first().is_some_and(|said| lasting(said) == lasting(line)) && agree(rest, &answer[1..])
        }
    }
}

fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

#[test]
fn the_recorded_session_is_what_happens() {
    let start = steps(&block("README.md", "$ cargo run --release --bin usher"));
    let [(_, greeting)] = start.as_slice() else {
        panic!("one command starts it")
    };
    let session = block("README.md", "$ TOKEN=");
    let steps = steps(&session);
    assert!(steps.len() > 2, "register, ask, log out and ask again");
    let standing = Standing::start();
    let said = standing.as_on_page(&standing.greeting.join("\n"));
    assert!(
        agree(&lines(&greeting.join("\n")), &lines(&said)),
        "usher said:\n{said}"
    );

    // One shell for all of them, since they hand on variables.
    let script = commands(&session).join(&format!("\necho; echo {MARK}\n"));
    let output = Command::new("bash")
        .args(["-c", &standing.here(&script)])
        .output()
        .unwrap();
    let said = standing
        .as_on_page(&String::from_utf8(output.stdout).unwrap())
        .replace('\r', "");
    let answers: Vec<&str> = said.split(MARK).collect();
    assert_eq!(answers.len(), steps.len(), "{said}");
    for ((command, expected), answer) in steps.iter().zip(answers) {
        let answer = answer.strip_prefix('\n').unwrap_or(answer);
        assert!(
            agree(&lines(&expected.join("\n")), &lines(answer)),
            "{}\n$ {command}\n{answer}",
            session.place()
        );
    }
}

#[test]
fn only_what_changes_is_let_pass() {
    let all = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
    let page = all(&[
        "HTTP/1.1 200 OK",
        "x-auth-subject: 01a2202f-a50c-7358-b033-75ebf6530331",
        "…",
        "date: a",
    ]);
    assert!(agree(
        &page,
        &all(&[
            "HTTP/1.1 200 OK",
            "x-auth-subject: 01b2202f-a50c-7358-b033-75ebf6530331",
            "date: b"
        ])
    ));
    assert!(!agree(
        &page,
        &all(&["HTTP/1.1 200 OK", "x-auth-subject: nobody", "date: b"])
    ));
    assert!(!agree(
        &page,
        &all(&[
            "HTTP/1.1 401 Unauthorized",
            "x-auth-subject: 01b2202f-a50c-7358-b033-75ebf6530331",
            "date: b"
        ])
    ));
    assert!(!agree(&page, &page[..2]));
}
