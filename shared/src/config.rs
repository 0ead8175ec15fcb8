//! Settings in layers: what is built in, a TOML file, environment variables, flags; each overrides the one before.
//!
//! A program describes its settings as `serde` structs, says where they come from with [`Sources`], and calls
//! [`load`]. Tables are merged key by key; everything else, lists included, is replaced whole. Keys that no struct
//! has are refused, whether the struct asks for that or not. Every error names where the value stands, its key,
//! what is wrong and what would be right; a program that meets one ends with status 2.
//!
//! # Environment variables
//!
//! `PREFIX__TABLE__KEY`: two underscores a level, upper case for the key's lower case. Their values, like those of
//! flags, are texts without a type: each is read as the type that its setting wants, so `12345` is a number for a
//! port and stays a text for a password. A list is its items parted by commas, or written as in TOML (`["a", "b"]`);
//! a table can be written as an inline table (`{ a = 1 }`). An empty value is an empty text, or an empty list.
//!
//! # Secrets
//!
//! A setting of type [`Secret`] named `x` may be given as `x_file` instead: a file that holds the secret alone. The
//! two override each other from layer to layer; both in one layer is an error. No error shows a secret's value.

mod address;
mod deserialize;
mod error;
mod limit;
mod list;
mod secret;
mod sources;
mod suggest;
#[cfg(test)]
mod tests;
mod tree;
mod units;
mod web;

use serde::de::DeserializeOwned;

pub use address::{ListenAddress, TrustedPeers};
pub use error::{ConfigError, Invalid, Origin, UnfitText};
pub use limit::{Limit, Rate};
pub use list::OneOrMany;
pub use secret::Secret;
pub use sources::Sources;
pub use units::{ByteSize, HumanDuration};
pub use web::{HostName, HttpUrl};

/// What a program wants to be told before it starts.
pub trait Settings: DeserializeOwned {
    /// Checks what a type alone cannot say: bounds, and settings that only make sense together.
    ///
    /// # Errors
    ///
    /// The first setting that is impossible, with what would be right.
    fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }
}

/// Reads, merges and checks the settings of a program.
///
/// # Errors
///
/// [`ConfigError`] if a source cannot be read, a key is unknown, a required one is missing, or a value is of a
/// wrong type or impossible.
pub fn load<T: Settings>(sources: &Sources) -> Result<T, ConfigError> {
    let merged = sources.merged()?;
    let settings: T =
        deserialize::from_node(merged.clone()).map_err(|problem| problem.into_config_error(sources))?;
    settings.check().map_err(|invalid| {
        let origin = tree::origin_of(&merged, &invalid.key);
        ConfigError::Setting {
            origin,
            key: invalid.key,
            problem: invalid.problem,
        }
    })?;
    Ok(settings)
}
