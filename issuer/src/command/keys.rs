//! `keys list`, `keys rotate`, `keys revoke` and `keys rewrap`: the keys that sign access tokens.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use shared::cli::describe;
use shared::time::SystemClock;

use super::print;
use crate::app::{open_key_file, open_keys, open_store};
use crate::settings::Settings;
use crate::signing::{Revoked, Rewrapped, SealingKey, SigningKeys, list_keys, rewrap};
use crate::store::Store;
use crate::store::key::{KeyState, StoredKey};

/// `keys …`
#[derive(Clone, Debug, Subcommand)]
pub enum KeysCommand {
    /// List the keys that are published, and those that were revoked
    List,
    /// Have another key sign: it is published at once, and signs once `keys.publish_ahead` is over, so that no token is refused
    Rotate(RotateKeys),
    /// Withdraw a key for good, at every edge: all tokens that it signed are refused, and people have to refresh. Another one
    /// signs at once
    Revoke(RevokeKey),
    /// Encrypt everything secret in the database with the key of the settings instead of an old one
    Rewrap(RewrapKeys),
}

/// `keys rotate …`
#[derive(Clone, Copy, Debug, Args)]
pub struct RotateKeys {
    /// Sign with it at once. A verifier fetches it at the first token of it that it sees, and refuses that one (`unknown_key`),
    /// and more of them for as long as its `jwks_cooldown` lasts: for emergencies
    #[arg(long)]
    now: bool,
}

/// `keys revoke …`
#[derive(Clone, Debug, Args)]
pub struct RevokeKey {
    /// The key's id, as `keys list` shows it
    #[arg(allow_hyphen_values = true)]
    kid: String,
}

/// `keys rewrap …`
#[derive(Clone, Debug, Args)]
pub struct RewrapKeys {
    /// The file with the encryption key that was used until now
    #[arg(long, value_name = "FILE")]
    old_key_file: PathBuf,
}

/// Carries one of them out.
pub(super) async fn run(command: &KeysCommand, settings: &Settings) -> Result<(), Box<dyn Error>> {
    match command {
        KeysCommand::List => list(settings).await,
        KeysCommand::Rotate(arguments) => rotate(*arguments, settings).await,
        KeysCommand::Revoke(arguments) => revoke(&arguments.kid, settings).await,
        KeysCommand::Rewrap(arguments) => rewrap_all(&arguments.old_key_file, settings).await,
    }
}

async fn store(settings: &Settings) -> Result<Store, Box<dyn Error>> {
    Ok(open_store(settings, Arc::new(SystemClock), settings.database.migrate).await?)
}

async fn keys(settings: &Settings) -> Result<SigningKeys, Box<dyn Error>> {
    Ok(open_keys(settings, Arc::new(SystemClock)).await?)
}

async fn list(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let store = store(settings).await?;
    let listed = list_keys(&store).await;
    store.close().await;
    let (keys, revoked) = listed?;
    // `kid` comes first, for `awk`; 22 characters are 16 bytes in base64url.
    print(&format!(
        "{:<22}  {:<7}  {:<24}  what follows",
        "kid", "state", "made"
    ));
    for StoredKey {
        kid,
        state,
        created_at,
        ..
    } in keys
    {
        let (state, follows) = match state {
            KeyState::Next { signs_at } => ("next", format!("signs from {signs_at}")),
            KeyState::Active { since } => ("active", format!("signs since {since}")),
            KeyState::Retired { withdraw_at } => ("retired", format!("published until {withdraw_at}")),
        };
        print(&format!("{kid:<22}  {state:<7}  {created_at:<24}  {follows}"));
    }
    for (kid, at) in revoked {
        print(&format!("{kid:<22}  revoked  {:<24}  since {at}", ""));
    }
    Ok(())
}

async fn rotate(arguments: RotateKeys, settings: &Settings) -> Result<(), Box<dyn Error>> {
    let keys = keys(settings).await?;
    let rotated = keys.rotate(arguments.now).await;
    keys.close().await;
    let rotated = rotated?;
    print(&match rotated.signs_at {
        Some(at) => format!("{} is published, and signs from {at}.", rotated.kid),
        None => format!("{} signs from now on.", rotated.kid),
    });
    Ok(())
}

async fn revoke(kid: &str, settings: &Settings) -> Result<(), Box<dyn Error>> {
    let keys = keys(settings).await?;
    let revoked = keys.revoke(kid).await;
    keys.close().await;
    print(&match revoked? {
        Revoked::Now { successor: None } => format!("{kid} is revoked."),
        Revoked::Now {
            successor: Some(successor),
        } => format!("{kid} is revoked, and {successor} signs from now on."),
        Revoked::Before => format!("{kid} was revoked before."),
    });
    Ok(())
}

async fn rewrap_all(old: &Path, settings: &Settings) -> Result<(), Box<dyn Error>> {
    let old = SealingKey::read(old).map_err(|error| format!("{}: {}", old.display(), describe(&error)))?;
    let file = open_key_file(settings)?;
    let store = store(settings).await?;
    let outcome = rewrap(&store, &old, &file.key()).await;
    store.close().await;
    let Rewrapped { rewrapped, kept } = outcome?;
    print(&format!(
        "{rewrapped} secrets are encrypted with the key of the settings now; {kept} were already."
    ));
    Ok(())
}
