//! `superuser create`.

use std::error::Error;
use std::sync::Arc;

use shared::time::SystemClock;

use super::{CreateSuperuser, password, print, refused};
use crate::app::{Feed, Issuer};
use crate::service::{Credentials, Superuser};
use crate::settings::Settings;

/// Makes a superuser.
pub(super) async fn create(arguments: &CreateSuperuser, settings: &Settings) -> Result<(), Box<dyn Error>> {
    let password = password::ask(arguments.password_stdin)?;
    let issuer = Issuer::open(settings, Arc::new(SystemClock), Feed::Disabled).await?;
    let credentials = Credentials {
        login: arguments.login.clone(),
        password,
    };
    let outcome = issuer.service().create_superuser(&credentials).await;
    issuer.service().store.close().await;
    match outcome.map_err(refused)? {
        Superuser::Created => print(&format!("Created the superuser {:?}.", arguments.login)),
        Superuser::Promoted => {
            print(&format!(
                "{:?} is a superuser now, with the new password.",
                arguments.login
            ));
        }
    }
    Ok(())
}
