//! Imports go one way: `main → app → http → (pipeline | service) → leaves → shared`. The compiler sees the edges
//! between crates; this reads the `use` lines for the edges within them.
#![expect(clippy::unwrap_used, reason = "what cannot go on fails the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// From the layer of this module on, a layer's modules do not import each other either.
const LEAF: &str = "settings";

/// The modules of `issuer/src`, from what leans on most to what leans on nothing of its own.
const ISSUER: &[&[&str]] = &[
    &["main", "command"],
    &["app"],
    // The pages lean on the API, and it on nothing of theirs.
    &["portal"],
    &["http"],
    &["service"],
    &[
        "password",
        "publish",
        "rate_limit",
        "settings",
        "signing",
        "verifiers",
    ],
    // The keyring and the outbox live in the database.
    &["store"],
    // The small words.
    &["client_address", "client_name", "device", "login"],
];

/// The modules of `verifier/src`, likewise.
const VERIFIER: &[&[&str]] = &[
    &["main", "explain", "test_rules"],
    &["app"],
    &["http", "metrics"],
    &["pipeline"],
    &["cache", "keys", "policy", "revocation", "settings", "snapshot"],
];

/// Edges between leaves, or against the stream, that are there on purpose: crate, from, to, and why.
const EXCEPTIONS: &[(&str, &str, &str, &str)] = &[
    (
        "issuer",
        "settings",
        "http",
        "`SameSite` is a word of the cookies",
    ),
    (
        "verifier",
        "settings",
        "policy",
        "`OnStale` is a word of the rules",
    ),
];

/// A path that a file imports or names, without `::` before it: `crate::store::user`, `shared::id` …
fn imported(source: &str) -> BTreeSet<String> {
    let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut paths = BTreeSet::new();
    // `use` trees with braces at their root: `use {a::b, c::d}` and `use crate::{a, b::c}`.
    for statement in code.split(';') {
        let Some(tree) = statement.split_once("use ").map(|(_, tree)| tree.trim()) else {
            continue;
        };
        if let Some((root, branches)) = tree.split_once('{') {
            let root = root.trim();
            if matches!(root, "" | "crate::" | "super::") || root.ends_with("super::") {
                paths.extend(top_level(branches).map(|branch| format!("{root}{branch}")));
                continue;
            }
        }
        paths.insert(tree.to_owned());
    }
    // Paths in the code itself.
    for (at, _) in code.match_indices("crate::") {
        let path = &code[at..];
        let end = path
            .find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | ':'))
            .unwrap_or(path.len());
        paths.insert(path[..end].to_owned());
    }
    for name in ["issuer", "verifier"] {
        let call = format!("{name}::");
        for (at, _) in code.match_indices(&call) {
            let before = code[..at].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':')) {
                paths.insert(call.clone());
            }
        }
    }
    paths
}

/// The branches of a `use` tree, from behind its opening brace, that are not within further braces.
fn top_level(branches: &str) -> impl Iterator<Item = String> {
    let (mut depth, mut found) = (1, vec![String::new()]);
    for c in branches.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => found.push(String::new()),
            _ if depth == 1 => found.last_mut().unwrap().push(c),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
        .into_iter()
        .map(|branch| branch.trim().to_owned())
        .filter(|branch| !branch.is_empty())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file under a folder of the workspace, with its path from there.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = root().join(folder);
    let (mut found, mut open) = (Vec::new(), vec![folder.clone()]);
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(&folder).unwrap().to_owned(), source));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {}", folder.display());
    found
}

/// The top-level module that a file of `src` belongs to: `store` for `store.rs` and `store/user.rs`.
fn module_of(file: &Path) -> String {
    let first = file.iter().next().unwrap().to_str().unwrap();
    first.strip_suffix(".rs").unwrap_or(first).to_owned()
}

/// The top-level module that a path in a file names, if it names one of the crate's own. Absolute paths are enough
/// to look at: `super` leaves a top-level module only from `foo.rs` itself, where it is `crate`.
fn named(path: &str, file: &Path) -> Option<String> {
    let from_root = path.strip_prefix("crate::").or_else(|| {
        let depth = file.iter().count();
        let up = path.split("::").take_while(|part| *part == "super").count();
        (up > 0 && up >= depth).then(|| path.trim_start_matches("super::"))
    })?;
    let name: String = from_root
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!name.is_empty()).then_some(name)
}

fn rank(layers: &[&[&str]], module: &str) -> Option<usize> {
    layers.iter().position(|layer| layer.contains(&module))
}

fn is_test(file: &Path) -> bool {
    file.iter().any(|part| part == "tests" || part == "tests.rs")
}

fn violations(name: &str, layers: &[&[&str]]) -> Vec<String> {
    let mut found = Vec::new();
    let leaves = rank(layers, LEAF).unwrap();
    for (file, source) in sources(&format!("{name}/src")) {
        let module = module_of(&file);
        if module == "lib" || is_test(&file) {
            continue;
        }
        let Some(own) = rank(layers, &module) else {
            found.push(format!(
                "{name}: the module `{module}` has no layer yet; give it one in this test"
            ));
            continue;
        };
        for path in imported(&source) {
            let Some(other) = named(&path, &file) else {
                continue;
            };
            let Some(its) = rank(layers, &other) else { continue };
            let is_excepted = EXCEPTIONS
                .iter()
                .any(|(of, from, to, _)| (*of, *from, *to) == (name, &module, &other));
            let is_leaf_to_leaf = its == own && own >= leaves;
            if other != module && (its < own || is_leaf_to_leaf) && !is_excepted {
                let file = file.display();
                found.push(format!("{name}/src/{file} ({module}) imports {path} ({other})"));
            }
        }
    }
    found
}

#[test]
fn imports_within_the_issuer_go_one_way() {
    assert_eq!(violations("issuer", ISSUER), [""; 0]);
}

#[test]
fn imports_within_the_verifier_go_one_way() {
    assert_eq!(violations("verifier", VERIFIER), [""; 0]);
}

#[test]
fn only_usher_and_the_benches_see_both_halves() {
    for (folder, others) in [
        ("shared", ["issuer", "verifier"].as_slice()),
        ("issuer", &["verifier"]),
        ("verifier", &["issuer"]),
        ("deploy/demo", &["issuer", "verifier", "shared", "usher"]),
    ] {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = manifest.get(table).and_then(toml::Value::as_table) else {
                continue;
            };
            for other in others {
                assert!(
                    !dependencies.contains_key(*other),
                    "{folder} has {other} among its {table}"
                );
            }
        }
        for (file, source) in sources(folder) {
            for path in imported(&source) {
                let first = path.split("::").next().unwrap();
                // A module of that name (`verifier.issuer` …) is behind `crate` or `self`.
                assert!(
                    !others.contains(&first),
                    "{folder}/{} imports {path}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn every_crate_of_the_workspace_is_looked_at() {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let members: BTreeSet<_> = manifest["workspace"]["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member.as_str().unwrap())
        .collect();
    // A new one belongs into the test above, or sees both halves like the last three.
    assert_eq!(
        members,
        BTreeSet::from([
            "shared",
            "issuer",
            "verifier",
            "deploy/demo",
            "deploy/standalone",
            "benches",
            "benches/fuzz"
        ])
    );
}

#[test]
fn use_lines_are_read() {
    let source = "
        //! use crate::hidden;
        use std::fmt;
        use crate::store::{self, user::User};
        use crate::{http, signing::{mint, seal}, service as s};
        pub(crate) use super::login;
        fn f() { let _ = crate::device::of(1); issuer::app::run(); my_issuer::x(); }
    ";
    let file = Path::new("password.rs");
    let names: BTreeSet<_> = imported(source)
        .iter()
        .filter_map(|path| named(path, file))
        .collect();
    let expected = ["store", "http", "signing", "service", "login", "device"];
    assert_eq!(names, expected.map(String::from).into());
    assert!(imported(source).contains("issuer::"));
    // From a file one deeper, the same `super` is its own module.
    assert_eq!(named("super::login", Path::new("password/hash.rs")), None);
    assert_eq!(
        named("super::super::login", Path::new("password/hash.rs")),
        Some("login".into())
    );
}
