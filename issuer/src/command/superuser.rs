//! `superuser create`.

use std::error::Error;
use std::io::{BufRead, IsTerminal};
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use shared::time::SystemClock;
use zeroize::Zeroizing;

use super::{CreateSuperuser, print};
use crate::app::{Feed, Issuer};
use crate::service::{Credentials, ServiceError, Superuser};
use crate::settings::Settings;

/// Makes a superuser.
pub(super) async fn create(arguments: &CreateSuperuser, settings: &Settings) -> Result<(), Box<dyn Error>> {
    let password = if arguments.password_stdin {
        read_line()?
    } else {
        ask_twice()?
    };
    let issuer = Issuer::open(settings, Arc::new(SystemClock), Feed::Disabled).await?;
    let credentials = Credentials {
        login: arguments.login.clone(),
        password,
    };
    let outcome = issuer.service().create_superuser(&credentials).await;
    issuer.service().store.close().await;
    match outcome {
        Ok(Superuser::Created) => print(&format!("Created the superuser {:?}.", arguments.login)),
        Ok(Superuser::Promoted) => {
            print(&format!(
                "{:?} is a superuser now, with the new password.",
                arguments.login
            ));
        }
        Err(ServiceError::Invalid(faults)) => {
            let faults: Vec<String> = faults
                .iter()
                .map(|fault| format!("{}: {}", fault.field, fault.message))
                .collect();
            return Err(faults.join("; ").into());
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
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
