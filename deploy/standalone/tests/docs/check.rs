//! Each command on a page, looked at without running it: the program is known, and takes these words; files, packages and
//! paths of HTTP are there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::page::root;
use crate::programs::{is_fresh, path, program};
use crate::shell::{Script, UNKNOWN};

/// What a reader has on the machine, or is told to install.
const TOOLS: [&str; 30] = [
    "apt-get",
    "caddy",
    "cat",
    "createdb",
    "curl",
    "cut",
    "docker",
    "echo",
    "envoy",
    "envsubst",
    "git",
    "grep",
    "haproxy",
    "jq",
    "mkdir",
    "nginx",
    "openssl",
    "pg_dump",
    "pg_restore",
    "printf",
    "promtool",
    "psql",
    "python3",
    "redis-cli",
    "sed",
    "sha256sum",
    "sqlite3",
    "tr",
    "traefik",
    "umask",
];

/// Subcommands of Cargo that pages use.
const CARGO: [&str; 9] = [
    "audit",
    "auditable",
    "bench",
    "build",
    "cyclonedx",
    "deb",
    "deny",
    "run",
    "test",
];

/// What is asked of programs that are not ours, or not in the document.
const OTHER_PATHS: [&str; 10] = [
    "/_bulk",
    "/api/v1/films",
    "/api/v1/films/*",
    "/authz/auth-request",
    "/authz/forward-auth",
    "/docs/",
    "/explain",
    "/healthz",
    "/metrics",
    "/readyz",
];

/// What is wrong with the commands of a block; `page` says where files are looked for besides the root, and `defined` what
/// the shell was told in earlier blocks.
pub(crate) fn faults(text: &str, page: &str, defined: &BTreeSet<String>) -> Vec<String> {
    let mut script = Script::read(text);
    script.functions.extend(defined.iter().cloned());
    let mut faults = Vec::new();
    for words in &script.commands {
        if let Some(fault) = fault(words, &script.functions) {
            faults.push(format!("`{}`: {fault}", words.join(" ")));
        }
        let files = words
            .iter()
            .chain(&script.read)
            .filter(|word| is_of_repository(word));
        faults.extend(
            files
                .filter(|word| !exists(word, page))
                .map(|word| format!("there is no {word}")),
        );
    }
    faults
}

fn fault(words: &[String], functions: &BTreeSet<String>) -> Option<String> {
    let (name, arguments) = words.split_first().unwrap();
    match name.as_str() {
        "issuer" | "verifier" => refused(&program(name), arguments),
        "usher" => refused(Path::new(env!("CARGO_BIN_EXE_usher")), arguments),
        "cargo" => cargo(arguments),
        "curl" => arguments
            .iter()
            .find_map(|word| path_of(word))
            .and_then(|path| unknown_path(&path)),
        _ if name.contains('/') || functions.contains(name) || name.starts_with(UNKNOWN) => None,
        _ if TOOLS.contains(&name.as_str()) => None,
        _ => Some("nobody knows this program; a tool that readers have goes to TOOLS".to_owned()),
    }
}

/// What a program of ours says to these words. Help is asked for at their end, so that they are read and nothing is done.
fn refused(program: &Path, arguments: &[String]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .arg("--help")
        .output()
        .unwrap();
    (!output.status.success()).then(|| String::from_utf8(output.stderr).unwrap())
}

fn cargo(arguments: &[String]) -> Option<String> {
    let subcommand = arguments.first()?;
    if !CARGO.contains(&subcommand.as_str()) {
        return Some("no such subcommand on our pages; see CARGO".to_owned());
    }
    let value = |flag: &str| {
        let at = arguments.iter().position(|word| word == flag)?;
        arguments.get(at + 1).map(String::as_str)
    };
    let package = value("-p").or_else(|| value("--package"));
    let folder = package.map(|name| (name, folder_of(name)));
    if let Some((name, None)) = &folder {
        return Some(format!("there is no package {name}"));
    }
    if let (Some(test), Some((name, Some(folder)))) = (value("--test"), &folder)
        && !folder.join("tests").join(test).join("main.rs").exists()
    {
        return Some(format!("{name} has no tests {test}"));
    }
    let program = match (value("--bin"), package) {
        (Some("usher"), _) => Path::new(env!("CARGO_BIN_EXE_usher")).to_owned(),
        (Some("film-etl"), _) => sibling("film-etl")?,
        (Some(name @ ("issuer" | "verifier")), _) => program(name),
        (Some(other), _) => return Some(format!("there is no program {other}")),
        (None, Some("benches")) if subcommand == "run" => sibling("benches")?,
        _ => return None,
    };
    let own = arguments.iter().skip_while(|word| *word != "--").skip(1);
    refused(&program, &own.cloned().collect::<Vec<_>>())
}

/// A program that Cargo builds when the whole workspace is tested, and not for these tests alone.
pub(crate) fn sibling(name: &str) -> Option<PathBuf> {
    let is_there = is_fresh(name);
    assert!(
        is_there || std::env::var_os("CI").is_none(),
        "CI tests the whole workspace, and {name} is not built"
    );
    if !is_there {
        eprintln!("SKIPPED: what the pages give to {name}; to look at it test the whole workspace");
    }
    is_there.then(|| path(name))
}

/// Where a package of ours is.
fn folder_of(package: &str) -> Option<PathBuf> {
    let folders = [
        "issuer",
        "verifier",
        "shared",
        "benches",
        "deploy/demo",
        "deploy/standalone",
    ];
    let wanted = format!("name = \"{package}\"");
    folders.iter().map(|folder| root().join(folder)).find(|folder| {
        std::fs::read_to_string(folder.join("Cargo.toml"))
            .unwrap()
            .contains(&wanted)
    })
}

/// The path that a word of `curl` asks for, with `*` for what is filled in; `None` if it is no address.
fn path_of(word: &str) -> Option<String> {
    let path = match word.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => word.strip_prefix(UNKNOWN)?.strip_prefix('/')?,
    };
    let path = path.split('?').next()?;
    let is_id = |part: &str| part.contains(UNKNOWN) || (part.len() == 36 && part.matches('-').count() == 4);
    let parts = path.split('/').map(|part| if is_id(part) { "*" } else { part });
    Some(parts.fold(String::new(), |path, part| path + "/" + part))
}

fn unknown_path(path: &str) -> Option<String> {
    static KNOWN: OnceLock<BTreeSet<String>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let output = Command::new(program("issuer")).arg("openapi").output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let paths = document["paths"].as_object().unwrap().keys();
        paths
            .map(|path| {
                let parts = path
                    .split('/')
                    .map(|part| if part.starts_with('{') { "*" } else { part });
                parts.collect::<Vec<_>>().join("/")
            })
            .chain(OTHER_PATHS.map(str::to_owned))
            .collect()
    });
    // The request itself stands behind this one.
    let is_question = path.starts_with("/authz/ext-authz/");
    let is_filled = |known: &&String| {
        let (ours, theirs) = (path.split('/'), known.split('/'));
        ours.clone().count() == theirs.clone().count()
            && ours
                .zip(theirs)
                .all(|(ours, theirs)| ours == theirs || theirs == "*")
    };
    let is_known = is_question || known.iter().any(|path| is_filled(&path));
    (!is_known).then(|| format!("nobody answers at {path}"))
}

fn is_of_repository(word: &str) -> bool {
    let word = word.strip_prefix("./").unwrap_or(word);
    [
        "deploy/",
        "issuer/",
        "verifier/",
        "benches/",
        "shared/",
        ".ci/",
        ".github/",
    ]
    .iter()
    .any(|folder| word.starts_with(folder))
}

fn exists(word: &str, page: &str) -> bool {
    root().join(word).exists() || root().join(page).with_file_name(word).exists()
}

#[test]
fn what_is_wrong_is_found() {
    let wrong = [
        ("issuer users import x", "users"),
        ("issuer user import --fast x", "--fast"),
        ("cargo run --bin ushr", "ushr"),
        ("cargo test -p isuer", "isuer"),
        ("cargo test -p usher --test prxies", "prxies"),
        ("curl -s http://127.0.0.1:8080/api/v1/usr/me", "/api/v1/usr/me"),
        ("frobnicate x", "nobody knows"),
        ("nginx -c deploy/nginx/nginx.cnf", "nginx.cnf"),
        ("verifier explain --metod GET", "--metod"),
    ];
    for (command, word) in wrong {
        let faults = faults(command, "README.md", &BTreeSet::new());
        assert!(
            faults.iter().any(|fault| fault.contains(word)),
            "{command}: {faults:?}"
        );
    }
    let good = "field() { sed x; }; issuer user import users.jsonl && curl -s $SITE/api/v1/user/$(field id)/role/$ROLE";
    assert_eq!(faults(good, "README.md", &BTreeSet::new()), Vec::<String>::new());
}
