//! Every block of commands on every page.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::faults;
use crate::fates::{FATES, Fate};
use crate::page::{Block, blocks, blocks_in, pages, root};
use crate::session;
use crate::shell::Script;

/// A block of commands is fenced as one of these; a session also has answers in it.
pub(crate) const SESSION: &str = "console";

/// What else stands between fences: settings and JSON, which are read ([`crate::run`]), parts of foreign files, and pictures.
const OTHER: [&str; 5] = ["", "json", "nginx", "python", "toml"];

#[test]
fn no_block_hides_behind_another_language() {
    let blocks: Vec<Block> = pages().iter().flat_map(blocks).collect();
    let other = blocks.iter().filter(|block| {
        let language = block.language.as_str();
        !OTHER.contains(&language) && !["sh", SESSION].contains(&language)
    });
    let other: Vec<String> = other
        .map(|block| format!("{}: {}", block.place(), block.language))
        .collect();
    assert!(
        other.is_empty(),
        "commands are fenced as `sh` or `{SESSION}`: {other:#?}"
    );
}

fn fate_of(block: &Block) -> Option<(usize, Fate)> {
    // The longest beginning is meant.
    let known = FATES
        .iter()
        .enumerate()
        .filter(|(_, (page, begins, _))| *page == block.page && block.text.starts_with(begins));
    known
        .max_by_key(|(_, (_, begins, _))| begins.len())
        .map(|(row, (.., fate))| (row, *fate))
}

#[test]
fn every_block_of_commands_is_known_and_every_row_is_used() {
    let (mut used, mut unknown) = (BTreeSet::new(), Vec::new());
    for block in blocks_in(&["sh", SESSION]) {
        match fate_of(&block) {
            Some((row, _)) => {
                used.insert(row);
            }
            None => unknown.push(format!("{}: {}", block.place(), block.first_line())),
        }
    }
    assert!(
        unknown.is_empty(),
        "nothing is known of these blocks; say in deploy/standalone/tests/docs/fates.rs what runs them: {unknown:#?}"
    );
    let unused = (0..FATES.len())
        .filter(|row| !used.contains(row))
        .map(|row| FATES[row]);
    let unused: Vec<_> = unused.collect();
    assert!(
        unused.is_empty(),
        "no page has these blocks any more: {unused:#?}"
    );
}

#[test]
fn what_runs_a_block_is_there() {
    for (page, begins, fate) in FATES {
        match fate {
            Fate::By(file, word) => {
                let text = std::fs::read_to_string(root().join(file));
                let has_word = text.is_ok_and(|text| text.contains(word));
                assert!(has_word, "{page}, {begins}: {file} has no {word}");
            }
            Fate::Looked(reason) => assert!(reason.len() > 10, "{page}, {begins}: {reason}"),
            Fate::Run => {}
        }
    }
}

#[test]
fn every_command_in_a_block_is_a_good_one() {
    let mut wrong = Vec::new();
    // A reader pastes the blocks of a page into one shell.
    let mut defined: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for block in blocks_in(&["sh", SESSION]) {
        let text = match block.language.as_str() {
            SESSION => session::commands(&block).join("\n"),
            _ => block.text.clone(),
        };
        let defined = defined.entry(block.page.clone()).or_default();
        let faults = faults(&text, &block.page, defined);
        wrong.extend(faults.iter().map(|fault| format!("{}: {fault}", block.place())));
        defined.extend(Script::read(&text).functions);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Commands in running text and tables: `issuer keys list`. Brackets are about what can be left out.
#[test]
fn every_command_in_the_text_is_a_good_one() {
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for page in pages() {
        // What is fenced is looked at elsewhere.
        let text: String = page.text.split("```").step_by(2).collect();
        let spans = text.split('`').skip(1).step_by(2);
        for span in spans.filter(|span| is_command(span)) {
            let command = span.replace(['[', ']', '…'], "").replace('\n', " ");
            // `N` stands for a name.
            let words = command.split(' ').map(|word| {
                if word.len() == 1 && ("A"..="Z").contains(&word) {
                    "name"
                } else {
                    word
                }
            });
            let command = words.collect::<Vec<_>>().join(" ");
            if seen.insert(command.clone()) {
                wrong.extend(
                    faults(&command, &page.path, &BTreeSet::new())
                        .into_iter()
                        .map(|fault| format!("{}: {fault}", page.path)),
                );
            }
        }
    }
    assert!(seen.len() > 25, "{seen:?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn is_command(span: &str) -> bool {
    let mut words = span.split_whitespace();
    let program = words.next().unwrap_or_default();
    ["issuer", "verifier", "usher", "cargo"].contains(&program)
        && words
            .next()
            .is_some_and(|word| word.starts_with(|c: char| c.is_ascii_lowercase() || c == '-' || c == '['))
}
