//! Clients, and what overlaps a change of one.

use issuer::service::{ClientError, OauthClient, RoleDraft, ServiceError};
use issuer::store::session::Origin;
use secrecy::ExposeSecret;
use shared::reason::Reason;

use super::database::{Database, Kind, on_both};
use super::world::World;

on_both! {
    async fn of_two_that_take_one_name_one_has_it(database: &Database) {
        let world = World::open(database).await;
        let name = "film-etl".parse().unwrap();
        let create = || world.service.create_client(&name, &[]);
        let outcomes = tokio::join!(create(), create(), create());
        let outcomes: [_; 3] = outcomes.into();
        let taken = |outcome: &Result<_, ClientError>| matches!(outcome, Err(ClientError::NameTaken(_)));
        assert_eq!(outcomes.iter().filter(|outcome| taken(outcome)).count(), 2, "{outcomes:?}");
        let made = outcomes.iter().flatten().next().unwrap();
        assert!(world.client_token("film-etl", made.text()).await.is_some());
        assert_eq!(world.service.clients().await.unwrap().len(), 1);
    }

    async fn a_client_with_a_role_that_is_not_there_is_not_made(database: &Database) {
        let world = World::open(database).await;
        let name = "film-etl".parse().unwrap();
        let roles = ["user", "nonsense"].map(str::to_owned);
        let refused = world.service.create_client(&name, &roles).await;
        assert!(matches!(&refused, Err(ClientError::UnknownRole(role)) if role == "nonsense"), "{refused:?}");
        assert!(world.service.clients().await.unwrap().is_empty());
        // Said twice, it is one role.
        world.client("film-etl", &["user", "admin", "user"]).await;
        let listed = world.service.clients().await.unwrap();
        assert_eq!((listed[0].name.as_str(), &listed[0].roles[..]), ("film-etl", &["admin".to_owned(), "user".to_owned()][..]));
        for unknown in [
            world.service.rotate_client_secret(&"other".parse().unwrap()).await.map(|_| ()),
            world.service.delete_client(&"other".parse().unwrap()).await,
        ] {
            assert!(matches!(unknown, Err(ClientError::Unknown(_))), "{unknown:?}");
        }
    }

    async fn a_secret_is_kept_as_a_digest_alone(database: &Database) {
        let world = World::open(database).await;
        let secret = world.client("film-etl", &[]).await;
        let dump = database.dump().await.join("\n");
        assert!(!dump.contains(secret.expose_secret()) && !dump.contains("usher_cs_"), "{dump}");
    }

    async fn no_token_is_signed_for_a_secret_that_is_another_by_now(database: &Database) {
        let world = World::open(database).await;
        let secret = world.client("film-etl", &[]).await;
        let proved = world.prove("film-etl", &secret).await.unwrap();
        world.service.rotate_client_secret(&proved.name).await.unwrap();
        assert!(world.service.service_token(&proved).await.unwrap().is_none());
        let name = proved.name.clone();
        world.service.delete_client(&name).await.unwrap();
        assert!(world.service.service_token(&proved).await.unwrap().is_none());
    }

    async fn an_act_of_a_service_ends_with_what_it_rests_on(database: &Database) {
        let world = World::open(database).await;
        let mut secret = world.client("film-etl", &["role_editor"]).await;
        let draft = RoleDraft { name: "subscriber".to_owned(), description: None };
        for step in ["revoked", "rotated", "deleted"] {
            let token = world.client_token("film-etl", &secret).await.unwrap();
            let caller = world.service.authenticate(token.expose_secret(), Origin::default()).await.unwrap();
            let client = world.prove("film-etl", &secret).await.unwrap();
            let name = client.name.clone();
            // It was judged before, and acts afterwards.
            match step {
                "revoked" => world.service.revoke_token(&OauthClient::Service(client), &token, &Origin::default()).await.unwrap(),
                "rotated" => secret = world.service.rotate_client_secret(&name).await.unwrap().text().clone(),
                _ => world.service.delete_client(&name).await.unwrap(),
            }
            let refused = world.service.create_role(&caller, &draft).await;
            let wanted = if step == "revoked" { Reason::Revoked } else { Reason::Stale };
            assert!(matches!(refused, Err(ServiceError::InvalidToken(reason)) if reason == wanted), "{step}: {refused:?}");
        }
    }
}
