//! Blocks that are run as they stand, in a folder that has what they name, and the blocks of settings.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::fates::{FATES, Fate};
use crate::page::{Block, block, blocks_in, root};
use crate::programs::program;
use crate::session::Standing;

/// A folder with a shell in it that finds our programs.
#[derive(Debug)]
pub(crate) struct Desk {
    folder: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("programs")).unwrap();
        let desk = Self { folder };
        for name in ["issuer", "verifier"] {
            // `serve` would not end: there the settings are checked.
            let path = program(name).display().to_string();
            desk.program(
                name,
                &format!(
                    "if [ \"$1\" = serve ]; then shift; exec '{path}' check-config \"$@\"; fi\nexec '{path}' \"$@\""
                ),
            );
        }
        desk
    }

    /// Has the shell find a program of this name, which is this script.
    pub(crate) fn program(&self, name: &str, script: &str) {
        let path = self.path().join("programs").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A shell that ends at the first command that fails.
    pub(crate) fn shell(&self, script: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut shell = Command::new("bash");
        shell
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(self.path())
            .env(
                "PATH",
                format!("{}:{path}", self.path().join("programs").display()),
            );
        shell
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn blocks_that_can_be_run_are_run() {
    let standing = Standing::start();
    let token = standing.register("reader");
    for (page, begins, fate) in FATES {
        if !matches!(fate, Fate::Run) {
            continue;
        }
        let desk = Desk::new();
        let rules = std::fs::read_to_string(root().join("deploy/standalone/rules.toml")).unwrap();
        desk.write("rules.toml", &rules);
        desk.write("cases.toml", &block("verifier/rules.md", "[label.premium]").text);
        desk.write("token", &token);
        desk.write(
            "verifier.toml",
            &format!(
                "issuer = \"{}\"\nrevocations = \"off\"\nrules = \"rules.toml\"\n",
                standing.issuer
            ),
        );
        let block = block(page, begins);
        // These rules ask the labels of films, and there are none here.
        desk.write("rules.toml", rules.split("# The films, and").next().unwrap());
        let output = desk.shell(&block.text).output().unwrap();
        assert!(output.status.success(), "{}: {}", block.place(), said(&output));
    }
}

/// Settings and rules on the pages are read as the programs read them.
#[test]
fn every_block_of_settings_is_good() {
    let blocks = blocks_in(&["toml"]);
    assert!(blocks.len() > 4, "{blocks:?}");
    for block in blocks {
        let desk = Desk::new();
        desk.write("rules.toml", "default = \"deny\"\n");
        desk.write("redis.password", "follow the white rabbit");
        let script = kind(&block).script(&desk, &block);
        let output = desk.shell(&script).output().unwrap();
        assert!(output.status.success(), "{}: {}", block.place(), said(&output));
    }
}

enum Kind {
    Rules,
    Cases,
    Settings(&'static str),
}

fn kind(block: &Block) -> Kind {
    let text = &block.text;
    if text.contains("[[case]]") {
        Kind::Cases
    } else if text.contains("[[rule]]") || text.starts_with("default") {
        Kind::Rules
    } else if block.page.starts_with("issuer/") || block.first_line().contains("issuer.toml") {
        Kind::Settings("issuer")
    } else {
        Kind::Settings("verifier")
    }
}

impl Kind {
    fn script(&self, desk: &Desk, block: &Block) -> String {
        match self {
            Self::Rules => {
                // A part of a file has no default.
                let default = if block.text.contains("default") {
                    ""
                } else {
                    "default = \"deny\"\n"
                };
                desk.write("rules.toml", &format!("{default}{}", block.text));
                "VERIFIER__REDIS__URL=redis://127.0.0.1:1 verifier check-config --rules rules.toml".to_owned()
            }
            // What the cases say is for the recipes; here they have to be read, and 2 is what cannot be.
            Self::Cases => {
                desk.write("cases.toml", &block.text);
                "VERIFIER__REDIS__URL=redis://127.0.0.1:1 verifier test-rules --rules rules.toml cases.toml || [ $? = 1 ]".to_owned()
            }
            Self::Settings(program) => {
                desk.write("settings.toml", &block.text);
                format!("{program} check-config --config settings.toml")
            }
        }
    }
}

/// What is shown as JSON is JSON; `…` stands for what is long.
#[test]
fn every_block_of_json_is_read() {
    for block in blocks_in(&["json"]) {
        serde_json::from_str::<Value>(&block.text)
            .unwrap_or_else(|error| panic!("{}: {error}", block.place()));
    }
}
