//! As much of the shell's grammar as it takes to see which programs a block calls, and with what.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

/// What stands in a word for something that the shell puts there.
pub(crate) const UNKNOWN: &str = "$_";

/// The commands of a block: their words, without assignments and redirections.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) commands: Vec<Vec<String>>,
    /// Files that commands read (`<file`).
    pub(crate) read: Vec<String>,
    pub(crate) functions: BTreeSet<String>,
}

/// Words of the shell's own, before which or instead of which no program is named.
const KEYWORDS: [&str; 10] = ["export", "{", "}", "if", "then", "else", "fi", "do", "done", "!"];

impl Script {
    pub(crate) fn read(text: &str) -> Self {
        let mut script = Self::default();
        script.command_list(&mut text.replace("\\\n", " ").chars().peekable());
        script
    }

    /// Reads commands up to the end or an unquoted `)`.
    fn command_list(&mut self, rest: &mut Peekable<Chars<'_>>) {
        let mut words = vec![String::new()];
        loop {
            let next = rest.next();
            match next {
                None | Some(')') => break,
                Some('#') if words.last().unwrap().is_empty() => {
                    while rest.next_if(|&c| c != '\n').is_some() {}
                }
                Some('(') => {
                    // `name()` defines a function.
                    self.functions.extend(words.pop());
                    words.push(String::new());
                    rest.next_if_eq(&')');
                }
                Some('\n' | ';' | '|' | '&') => {
                    // `2>&1` and `&>` are no ends.
                    if next == Some('&') && words.last().unwrap().ends_with('>') {
                        words.last_mut().unwrap().push('&');
                    } else {
                        self.end(&mut words);
                    }
                }
                Some(' ' | '\t') => words.push(String::new()),
                Some(c) => self.character(c, words.last_mut().unwrap(), rest),
            }
        }
        self.end(&mut words);
    }

    fn character(&mut self, c: char, word: &mut String, rest: &mut Peekable<Chars<'_>>) {
        match c {
            '\'' => word.extend(rest.by_ref().take_while(|&c| c != '\'')),
            '"' => {
                while let Some(c) = rest.next_if(|&c| c != '"') {
                    self.quoted(c, word, rest);
                }
                rest.next();
            }
            _ => self.quoted(c, word, rest),
        }
    }

    /// What is so within double quotes as well.
    fn quoted(&mut self, c: char, word: &mut String, rest: &mut Peekable<Chars<'_>>) {
        match c {
            '\\' => word.extend(rest.next()),
            '$' if rest.next_if_eq(&'(').is_some() => {
                self.command_list(rest);
                word.push_str(UNKNOWN);
            }
            '$' if rest.next_if_eq(&'{').is_some() => {
                let _name: String = rest.by_ref().take_while(|&c| c != '}').collect();
                word.push_str(UNKNOWN);
            }
            '$' => {
                let mut name = String::new();
                while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                }
                // The folder that the reader stands in is the repository's.
                match name.as_str() {
                    "PWD" => word.push('.'),
                    _ => word.push_str(UNKNOWN),
                }
            }
            _ => word.push(c),
        }
    }

    fn end(&mut self, words: &mut Vec<String>) {
        let mut command = Vec::new();
        let mut words = std::mem::replace(words, vec![String::new()])
            .into_iter()
            .filter(|word| !word.is_empty() && !word.starts_with("2>"));
        while let Some(word) = words.next() {
            let is_leading = command.is_empty();
            if let Some(written) = word.strip_prefix("<<<").or_else(|| word.strip_prefix('>')) {
                if written.is_empty() {
                    words.next();
                }
            } else if let Some(file) = word.strip_prefix('<') {
                self.read.extend(if file.is_empty() {
                    words.next()
                } else {
                    Some(file.to_owned())
                });
            } else if !(is_leading && (is_assignment(&word) || KEYWORDS.contains(&word.as_str()))) {
                command.push(word);
            }
        }
        if !command.is_empty() {
            self.commands.push(command);
        }
    }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

#[test]
fn commands_are_read() {
    let script = Script::read(
        "export A=1 B='x y'   # a comment\n\
         f() { sed \"s/.*\\\"$1\\\"/\\1/\"; }\n\
         T=$(curl -s $SITE/a -d '{\"a\":1}' | f id); echo \"$T\"\n\
         tool --in <deploy/a >b 2>&1 && issuer user \\\n  import x.jsonl\n",
    );
    let commands: Vec<String> = script.commands.iter().map(|words| words.join(" ")).collect();
    let expected = [
        "sed s/.*\"$_\"/1/",
        "curl -s $_/a -d {\"a\":1}",
        "f id",
        "echo $_",
        "tool --in",
        "issuer user import x.jsonl",
    ];
    assert_eq!(commands, expected);
    assert_eq!(script.read, ["deploy/a"]);
    assert!(script.functions.contains("f"));
}
