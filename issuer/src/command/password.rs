//! A password from an operator: asked for, or read from standard input, and never an argument.

use std::error::Error;
use std::io::{BufRead, IsTerminal};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// Asks for a new password twice, or reads it from the first line of standard input.
pub(super) fn ask(from_stdin: bool) -> Result<SecretString, Box<dyn Error>> {
    if from_stdin { read_line() } else { ask_twice() }
}

/// The first line of standard input, without its end.
fn read_line() -> Result<SecretString, Box<dyn Error>> {
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err("no password on standard input".into());
    }
    Ok(password.into())
}

fn ask_twice() -> Result<SecretString, Box<dyn Error>> {
    if !std::io::stdin().is_terminal() {
        return Err("no terminal to ask for the password: use --password-stdin".into());
    }
    let first: SecretString = rpassword::prompt_password("Password: ")?.into();
    let second: SecretString = rpassword::prompt_password("Once more: ")?.into();
    if first.expose_secret() == second.expose_secret() {
        Ok(first)
    } else {
        Err("the two passwords differ".into())
    }
}
