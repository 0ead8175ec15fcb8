
mod common;
mod policy;

pub use policy::{PASSWORD_CHARACTERS_MAX, Password, PasswordPolicy, PasswordRefused};
