//! `client create`, `client list`, `client rotate-secret` and `client delete`: services that take tokens or introspect.

use std::error::Error;
use std::sync::Arc;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use shared::time::SystemClock;

use super::print;
use crate::app::{Feed, Issuer};
use crate::client_name::ClientName;
use crate::service::Service;
use crate::settings::Settings;
use crate::signing::ClientSecret;
use crate::store::client::Client;

/// `client …`
#[derive(Clone, Debug, Subcommand)]
pub enum ClientCommand {
    /// Make a client, and print its secret this once: `client_id: …` and `client_secret: …`
    Create(CreateClient),
    /// List the clients with their roles
    List,
    /// Give a client another secret, and print it this once. The old one, and every token that the client has, are refused
    /// at once, at every edge
    RotateSecret(NamedClient),
    /// Delete a client. Its tokens are refused at once, at every edge
    Delete(NamedClient),
}

/// `client create …`
#[derive(Clone, Debug, Args)]
pub struct CreateClient {
    #[command(flatten)]
    client: NamedClient,
    /// A role that the client is to have, by name; may be said several times
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
}

/// Which client.
#[derive(Clone, Debug, Args)]
pub struct NamedClient {
    /// The client's name, which is its `client_id`: 2 to 64 characters, a small letter, then small letters, digits, `_` and
    /// `-`. `web` is the site's own client
    #[arg(long)]
    name: ClientName,
}

/// Carries one of them out.
pub(super) async fn run(command: &ClientCommand, settings: &Settings) -> Result<(), Box<dyn Error>> {
    let issuer = Issuer::open(settings, Arc::new(SystemClock), Feed::Disabled).await?;
    let outcome = carry_out(command, issuer.service()).await;
    issuer.service().store.close().await;
    outcome
}

async fn carry_out(command: &ClientCommand, service: &Service) -> Result<(), Box<dyn Error>> {
    match command {
        ClientCommand::Create(CreateClient { client, role }) => {
            let secret = service.create_client(&client.name, role).await?;
            print_secret(&client.name, &secret);
        }
        ClientCommand::List => list(&service.clients().await?),
        ClientCommand::RotateSecret(client) => {
            let secret = service.rotate_client_secret(&client.name).await?;
            print_secret(&client.name, &secret);
        }
        ClientCommand::Delete(client) => {
            service.delete_client(&client.name).await?;
            print(&format!("The client {} is deleted.", client.name));
        }
    }
    Ok(())
}

fn print_secret(name: &ClientName, secret: &ClientSecret) {
    let secret = secret.text().expose_secret();
    print(&format!("client_id: {name}\nclient_secret: {secret}"));
}

fn list(clients: &[Client]) {
    // The name comes first, for `awk`.
    print(&format!(
        "{:<24}  {:<36}  {:<24}  {:<24}  roles",
        "name", "id", "made", "secret made"
    ));
    for client in clients {
        print(&format!(
            "{:<24}  {}  {:<24}  {:<24}  {}",
            client.name,
            client.id,
            client.created_at,
            client.rotated_at,
            client.roles.join(",")
        ));
    }
}
