//! `verifier/attacks.md`: what is tried against the project, as the tests themselves say it. A test whose documentation
//! begins with `Attack:` is a row, with its `Source:` and its `Result:`; so is each drill of the fault suite and each fault
//! of the simulation, by its name.
#![expect(clippy::unwrap_used, reason = "what cannot go on fails the test")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const PAGE: &str = "verifier/attacks.md";

/// The environment variable that has the page written anew.
const WRITE: &str = "USHER_WRITE_ATTACKS";

/// Each test here is an attack, and says so.
const ATTACKS: &str = "verifier/tests/it/attacks";

/// Each test here is a fault.
const DRILLS: &str = "deploy/standalone/tests/faults";

/// The faults here are the names in `alone!`.
const SIMULATION: &str = "deploy/standalone/tests/simulation/schedule.rs";

/// Rows that there are at least: that many were asked for.
const ROWS_MIN: usize = 150;

/// A test, as its source has it.
#[derive(Debug, Default)]
struct Test {
    file: String,
    name: String,
    doc: Vec<String>,
    attributes: Vec<String>,
}

impl Test {
    /// What follows a word of the documentation, up to the next such word.
    fn said(&self, word: &str) -> Option<String> {
        let is_word = |line: &str| {
            ["Attack:", "Source:", "Result:"]
                .iter()
                .any(|word| line.starts_with(word))
        };
        let mut lines = self.doc.iter().skip_while(|line| !line.starts_with(word));
        let mut said = lines.next()?.strip_prefix(word)?.trim().to_owned();
        for line in lines.take_while(|line| !is_word(line) && !line.is_empty()) {
            said.push(' ');
            said.push_str(line);
        }
        Some(said)
    }

    fn is_attack(&self) -> bool {
        self.doc.iter().any(|line| line.starts_with("Attack:"))
    }

    fn is_ignored(&self) -> bool {
        self.attributes
            .iter()
            .any(|attribute| attribute.contains("ignore"))
    }

    /// Its name, which leads to its file from the page's folder.
    fn link(&self) -> String {
        format!("[`{}`](../{})", self.name, self.file)
    }
}

/// The tests of a source: functions with the attribute, and those that are named in `on_both_databases!`.
fn tests_in(file: &str, source: &str) -> Vec<Test> {
    let twice: BTreeSet<&str> = source
        .split_once("on_both_databases!(")
        .and_then(|(_, rest)| rest.split_once(')'))
        .map(|(names, _)| names.split(',').map(str::trim).collect())
        .unwrap_or_default();
    let (mut tests, mut test) = (Vec::new(), Test::default());
    for line in source.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("///") {
            test.doc.push(doc.trim().to_owned());
        } else if line.starts_with("#[") {
            test.attributes.push(line.to_owned());
        } else {
            let code = line.strip_prefix("async ").unwrap_or(line);
            let name = code
                .strip_prefix("fn ")
                .and_then(|rest| rest.split(['(', '<']).next());
            if let Some(name) = name {
                let has_attribute =
                    |attribute: &String| attribute.contains("test]") || attribute.contains("test(");
                let is_test = test.attributes.iter().any(has_attribute) || twice.contains(name);
                file.clone_into(&mut test.file);
                name.clone_into(&mut test.name);
                assert!(
                    is_test || !test.is_attack(),
                    "{file}: {name} is an attack and no test"
                );
                if is_test {
                    tests.push(std::mem::take(&mut test));
                }
            }
            test = Test::default();
        }
    }
    tests
}

/// The names in `alone! { … }`.
fn simulated(source: &str) -> Vec<Test> {
    let (_, list) = source.split_once("\nalone! {").unwrap();
    let (list, _) = list.split_once("\n}").unwrap();
    let names = list.lines().filter_map(|line| line.trim().split_once(':'));
    names
        .filter(|(name, _)| *name != "nothing_goes_wrong")
        .map(|(name, _)| Test {
            file: SIMULATION.to_owned(),
            name: name.to_owned(),
            ..Test::default()
        })
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every source file below a folder, by its path from the root, in order.
fn sources(folder: &Path, found: &mut Vec<String>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap();
            found.push(path.replace('\\', "/"));
        }
    }
}

fn every_test() -> Vec<Test> {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    let read = |file: &String| tests_in(file, &std::fs::read_to_string(root().join(file)).unwrap());
    // This file shows what it reads.
    files
        .iter()
        .filter(|file| !file.starts_with("benches/tests"))
        .flat_map(read)
        .collect()
}

fn cell(text: &str) -> String {
    text.trim_end_matches('.').replace('|', "\\|")
}

/// A name as the sentence that it is.
fn sentence(name: &str) -> String {
    let text = name.replace('_', " ");
    ["postgres", "redis"]
        .iter()
        .zip(["PostgreSQL", "Redis"])
        .fold(text, |text, (word, name)| text.replace(word, name))
}

fn page(attacks: &[&Test], drills: &[&Test], simulated: &[Test]) -> String {
    let mut page = format!(
        "# Attacks and faults

What is tried against Usher. Each row is a test that `cargo test --workspace` runs, and the page is made of what the tests say:
after a change, `{WRITE}=1 cargo test -p benches --test attacks` writes it anew. None of these tests is ignored.

{} rows: {} attacks, {} faults of real processes, {} simulated ones.

## Attacks

| attack | source | test | result |
| --- | --- | --- | --- |
",
        attacks.len() + drills.len() + simulated.len(),
        attacks.len(),
        drills.len(),
        simulated.len(),
    );
    for test in attacks {
        let said = |word| cell(&test.said(word).unwrap());
        writeln!(
            page,
            "| {} | {} | {} | {} |",
            said("Attack:"),
            said("Source:"),
            test.link(),
            said("Result:")
        )
        .unwrap();
    }
    page.push_str(
        "
## Faults of real processes

Three verifiers, two issuers, PostgreSQL and Redis, with wires between them that break. The result is the same for each, and is
judged from outside: no token that an issuer has answered to have revoked is admitted for longer than `max_staleness`, no
verdict about a good token is wrong, and all of it is whole again by itself.

| fault | test |
| --- | --- |
",
    );
    for test in drills {
        writeln!(page, "| {} | {} |", sentence(&test.name), test.link()).unwrap();
    }
    page.push_str(
        "
## Simulated faults

The same promises, on simulated time, at many moments for each fault: the issuers' relay, the feed and the verifiers' replica
are the real ones.

| fault | test |
| --- | --- |
",
    );
    for test in simulated {
        writeln!(page, "| {} | {} |", sentence(&test.name), test.link()).unwrap();
    }
    page
}

#[test]
fn the_page_has_every_attack_and_every_fault() {
    let tests = every_test();
    let (mut attacks, mut drills) = (Vec::new(), Vec::new());
    for test in &tests {
        let is_drill = test.file.starts_with(DRILLS);
        if test.file.starts_with(ATTACKS) {
            assert!(test.is_attack(), "{}: {} says no attack", test.file, test.name);
        }
        if !test.is_attack() && !is_drill {
            continue;
        }
        assert!(!test.is_ignored(), "{}: {} is ignored", test.file, test.name);
        if is_drill {
            drills.push(test);
            continue;
        }
        for word in ["Attack:", "Source:", "Result:"] {
            let is_said = test.said(word).is_some_and(|said| !said.is_empty());
            assert!(is_said, "{}: {} has no `{word}`", test.file, test.name);
        }
        attacks.push(test);
    }
    let schedule = std::fs::read_to_string(root().join(SIMULATION)).unwrap();
    let simulated = simulated(&schedule);
    assert!(attacks.len() + drills.len() + simulated.len() >= ROWS_MIN);

    let (page, path) = (page(&attacks, &drills, &simulated), root().join(PAGE));
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let is_current = committed == page;
    assert!(
        is_current,
        "{PAGE} is not what the tests say: `{WRITE}=1 cargo test -p benches --test attacks` writes it"
    );
}

#[test]
fn what_a_test_says_is_read() {
    let source = "/// Attack: a\n/// b.\n/// Source: c\n/// Result: d\n#[tokio::test]\nasync fn e() {}\n\n\
        on_both_databases!(f, g);\n/// Attack: h\nasync fn f(database: Database) {}\nfn i() {}\n\
        #[test]\n#[ignore]\nfn j() {}\n";
    let tests = tests_in("x.rs", source);
    let names: Vec<&str> = tests.iter().map(|test| &*test.name).collect();
    assert_eq!(names, ["e", "f", "j"]);
    let said = |word| tests.first().unwrap().said(word).unwrap();
    assert_eq!((said("Attack:"), said("Result:")), ("a b.".into(), "d".into()));
    assert!(tests.last().unwrap().is_ignored());
}
