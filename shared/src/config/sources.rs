//! The layers that settings are read from.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{ConfigError, Origin};
use super::tree::{self, Document, Node, Table, Value};

/// A settings file, in bytes. Ours need some 4 KiB.
pub(super) const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What separates the levels of a key in the name of an environment variable.
const LEVEL: &str = "__";

/// Where settings come from, lowest layer first whatever the order of the calls: built in, file, environment, flags.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    built_in: Option<String>,
    file: Option<PathBuf>,
    environments: Vec<Environment>,
    flags: Vec<Flag>,
}

#[derive(Clone, Debug)]
struct Environment {
    prefix: String,
    table: Option<String>,
    variables: Vec<(String, OsString)>,
}

#[derive(Clone, Debug)]
struct Flag {
    name: String,
    key: String,
    values: Vec<String>,
}

impl Sources {
    /// No source at all: every setting has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Settings of the program itself, as TOML, below every other layer.
    #[must_use]
    pub fn built_in(mut self, toml: impl Into<String>) -> Self {
        self.built_in = Some(toml.into());
        self
    }

    /// A TOML file. It must be there.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// The process's environment variables that begin with `prefix` and two underscores, such as `ISSUER`.
    /// Their keys lie below `table`, or at the top if it is `None`.
    #[must_use]
    pub fn environment(self, prefix: &str, table: Option<&str>) -> Self {
        self.variables(prefix, table, std::env::vars_os())
    }

    /// Like [`Self::environment`], with variables that the caller has.
    #[must_use]
    pub fn variables(
        mut self,
        prefix: &str,
        table: Option<&str>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let start = format!("{prefix}{LEVEL}");
        let mut ours: Vec<(String, OsString)> = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.starts_with(&start))
            .collect();
        ours.sort();
        self.environments.push(Environment {
            prefix: prefix.to_owned(),
            table: table.map(str::to_owned),
            variables: ours,
        });
        self
    }

    /// What a flag said about the setting `key`: nothing, one value, or several that make a list.
    #[must_use]
    pub fn flag(mut self, name: &str, key: &str, values: impl IntoIterator<Item = String>) -> Self {
        let values: Vec<String> = values.into_iter().collect();
        if !values.is_empty() {
            self.flags.push(Flag {
                name: name.to_owned(),
                key: key.to_owned(),
                values,
            });
        }
        self
    }

    /// The settings file, if there is one.
    pub fn file_path(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Every layer laid over the ones below it.
    pub(super) fn merged(&self) -> Result<Node, ConfigError> {
        let mut settings = Table::new();
        if let Some(text) = &self.built_in {
            tree::merge(&mut settings, Document::Whole(Origin::BuiltIn).parse(text)?);
        }
        if let Some(path) = &self.file {
            let text = read(path)?;
            let document = Document::File {
                path: Arc::from(path.as_path()),
                text: &text,
            };
            tree::merge(&mut settings, document.parse(&text)?);
        }
        let mut environment = Table::new();
        for source in &self.environments {
            source.add_to(&mut environment)?;
        }
        tree::merge(&mut settings, environment);
        let mut flags = Table::new();
        for flag in &self.flags {
            flag.add_to(&mut flags)?;
        }
        tree::merge(&mut settings, flags);
        Ok(Node::new(Value::Table(settings), Origin::BuiltIn))
    }

    /// How a key that is missing can be given.
    pub(super) fn how_to_give(&self, key: &str) -> String {
        let variable = self
            .environments
            .iter()
            .find_map(|environment| environment.variable_of(key));
        let file = self.file.as_deref().map(|path| format!("in {}", path.display()));
        match (file, variable) {
            (Some(file), Some(variable)) => {
                format!("set it {file}, or as the environment variable {variable}")
            }
            (None, Some(variable)) => {
                format!("set it in a settings file (--config), or as the environment variable {variable}")
            }
            (Some(file), None) => format!("set it {file}"),
            (None, None) => "set it in a settings file (--config)".to_owned(),
        }
    }
}

impl Environment {
    fn add_to(&self, settings: &mut Table) -> Result<(), ConfigError> {
        for (name, value) in &self.variables {
            let origin = Origin::Variable(name.as_str().into());
            let misplaced = |problem: &str| ConfigError::Misplaced {
                origin: origin.clone(),
                problem: problem.to_owned(),
            };
            let Some(value) = value.to_str() else {
                return Err(misplaced("its value is not UTF-8"));
            };
            let key = name
                .get(self.prefix.len() + LEVEL.len()..)
                .unwrap_or_default()
                .to_lowercase();
            let path: Vec<&str> = self
                .table
                .as_deref()
                .into_iter()
                .chain(key.split(LEVEL))
                .collect();
            if path.iter().any(|level| level.is_empty()) {
                return Err(misplaced(
                    "a level of its name is empty: write PREFIX__TABLE__KEY",
                ));
            }
            let node = Node::new(Value::Untyped(value.to_owned()), origin.clone());
            if !tree::insert(settings, &path, node) {
                return Err(misplaced(
                    "another variable gives the same setting, or one above or below it",
                ));
            }
        }
        Ok(())
    }

    fn variable_of(&self, key: &str) -> Option<String> {
        let below = match &self.table {
            None => key,
            Some(table) => key.strip_prefix(table.as_str())?.strip_prefix('.')?,
        };
        Some(format!(
            "{}{LEVEL}{}",
            self.prefix,
            below.replace('.', LEVEL).to_uppercase()
        ))
    }
}

impl Flag {
    fn add_to(&self, settings: &mut Table) -> Result<(), ConfigError> {
        let origin = Origin::Flag(self.name.as_str().into());
        let mut values: Vec<Node> = self
            .values
            .iter()
            .map(|value| Node::new(Value::Untyped(value.clone()), origin.clone()))
            .collect();
        let node = match (values.pop(), values.is_empty()) {
            (None, _) => return Ok(()),
            (Some(only), true) => only,
            (Some(last), false) => {
                values.push(last);
                Node::new(Value::Array(values), origin.clone())
            }
        };
        let path: Vec<&str> = self.key.split('.').collect();
        if tree::insert(settings, &path, node) {
            return Ok(());
        }
        Err(ConfigError::Misplaced {
            origin,
            problem: format!(
                "another flag gives `{}`, or a setting above or below it",
                self.key
            ),
        })
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    let mut bounded = file.take(FILE_BYTES_MAX + 1);
    bounded.read_to_string(&mut text).map_err(unreadable)?;
    if bounded.limit() == 0 {
        return Err(ConfigError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(text)
}
