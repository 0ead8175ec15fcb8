//! How each proxy's page says that it is started, with the proxy asked to read its configuration and no more. What the
//! configurations do is tried by `tests/proxies`.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::page::{block, root};
use crate::run::Desk;

/// The program, its page, how the block begins, and the flags by which the program only reads.
const PROXIES: [(&str, &str, &str, &str); 4] = [
    (
        "nginx",
        "deploy/nginx/README.md",
        "export USHER_LISTEN",
        "-t \"$@\"",
    ),
    (
        "haproxy",
        "deploy/haproxy/README.md",
        "export USHER_LISTEN",
        "-c \"$@\"",
    ),
    (
        "caddy",
        "deploy/caddy/README.md",
        "export USHER_LISTEN_HOST",
        "validate \"$@\"",
    ),
    (
        "envoy",
        "deploy/envoy/README.md",
        "export USHER_LISTEN_HOST",
        "--mode validate \"$@\"",
    ),
];

fn installed(program: &str) -> Option<PathBuf> {
    // Debian has some where only root looks.
    let folders = std::env::var("PATH").unwrap() + ":/usr/sbin";
    let path = folders
        .split(':')
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.is_file());
    assert!(
        path.is_some() || std::env::var_os("CI").is_none(),
        "CI must have {program}"
    );
    if path.is_none() {
        eprintln!("SKIPPED: how a page says that a proxy is started; to run it install {program}");
    }
    path
}

#[test]
fn each_proxy_reads_what_its_page_has_it_read() {
    for (program, page, begins, reading) in PROXIES {
        let (Some(path), Some(_)) = (installed(program), installed("envsubst")) else {
            continue;
        };
        let desk = Desk::new();
        symlink(root().join("deploy"), desk.path().join("deploy")).unwrap();
        // `caddy run` becomes `caddy validate`.
        let subcommand = if program == "caddy" { "shift\n" } else { "" };
        desk.program(
            program,
            &format!("{subcommand}exec '{}' {reading}", path.display()),
        );
        let block = block(page, begins);
        // The page's files are in /tmp; a test's are its own.
        let script = block
            .text
            .replace("/tmp/", &format!("{}/", desk.path().display()));
        let output = desk.shell(&script).env("HOME", desk.path()).output().unwrap();
        assert!(output.status.success(), "{}: {output:?}", block.place());
    }
}
