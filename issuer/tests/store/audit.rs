//! Each act leaves its event, and events stand.

use super::change::{ALL, Cast, Change};
use super::database::{Database, Kind, on_both};
use super::world::World;

/// What the trail says of a change, in the order of the trail.
fn expected(change: Change, cast: &Cast) -> Vec<(String, &'static str, Option<String>)> {
    let (root, person) = (cast.root.id.to_string(), cast.person.id.to_string());
    let by = |actor: &str, action, subject: &str| vec![(actor.to_owned(), action, Some(subject.to_owned()))];
    let role = cast.role.id.to_string();
    match change {
        // Ordinary, and in the log alone.
        Change::Logout => vec![],
        Change::LogoutEverywhere => by(&person, "session.end_all", &person),
        Change::SessionEnded => by(&root, "session.end", &person),
        Change::RoleGiven => by(&root, "role.grant", &person),
        Change::RoleTaken => by(&root, "role.revoke", &person),
        Change::RoleRenamed => by(&root, "role.change", &role),
        Change::RoleDeleted => by(&root, "role.delete", &role),
        Change::PasswordChanged => by(&person, "user.change_password", &person),
        Change::PasswordChangedByAnother => by(&root, "user.change_password", &person),
        Change::SuperuserGiven => by(&root, "superuser.grant", &person),
        Change::SuperuserTaken => by(&root, "superuser.revoke", &person),
        Change::Disabled => by(&root, "user.disable", &person),
        Change::Deleted => by(&root, "user.delete", &person),
        Change::DeletedSelf => by(&person, "user.delete", &person),
        Change::PasswordSetByCommand => by("operator", "user.change_password", &person),
        Change::DisabledByCommand => by("operator", "user.disable", &person),
        Change::PromotedByCommand => by("operator", "superuser.grant", &person),
    }
}

const TRAIL: &str =
    "SELECT actor || ' ' || action || ' ' || COALESCE(subject, '') FROM audit_events ORDER BY id";

on_both! {
    async fn each_change_leaves_its_event(database: &Database) {
        let world = World::open(database).await;
        for change in ALL {
            let cast = change.cast(&world).await;
            let before = database.texts(TRAIL).await;
            change.carry_out(&world, &cast).await.unwrap();
            // Ids of one millisecond are in no order.
            let mut new = database.texts(TRAIL).await;
            for old in before {
                new.remove(new.iter().position(|event| *event == old).unwrap());
            }
            let expected: Vec<String> = expected(change, &cast)
                .into_iter()
                .map(|(actor, action, subject)| format!("{actor} {action} {}", subject.unwrap_or_default()))
                .collect();
            assert_eq!(new, expected, "{change:?}");
            database.run("DELETE FROM users; DELETE FROM roles WHERE NOT built_in").await;
        }
    }

    async fn clients_leave_theirs(database: &Database) {
        let world = World::open(database).await;
        let name = "film-etl".parse().unwrap();
        world.service.create_client(&name, &[]).await.unwrap();
        assert!(world.service.create_client(&name, &[]).await.is_err());
        world.service.rotate_client_secret(&name).await.unwrap();
        world.service.delete_client(&name).await.unwrap();
        assert!(world.service.delete_client(&name).await.is_err());
        let events = "SELECT actor || ' ' || action || ' ' || detail FROM audit_events WHERE action LIKE 'client.%' ORDER BY 1";
        let expected = ["create", "delete", "rotate_secret"].map(|act| format!(r#"operator client.{act} {{"name":"film-etl"}}"#));
        assert_eq!(database.texts(events).await, expected);
    }

    async fn events_stand(database: &Database) {
        let world = World::open(database).await;
        world.superuser("root").await;
        for act in [
            "DELETE FROM audit_events",
            "UPDATE audit_events SET actor = 'somebody else'",
            "UPDATE audit_events SET detail = '{}', ip = NULL",
            "UPDATE audit_events SET ip = '192.0.2.1'",
        ] {
            let refused = database.try_run(act).await.unwrap_err();
            assert!(refused.to_string().contains("never changed"), "{act}: {refused}");
        }
        if database.kind == Kind::Postgres {
            database.try_run("TRUNCATE audit_events").await.unwrap_err();
        }
        // An address may be forgotten, with the user whose it was.
        database.run("UPDATE audit_events SET ip = NULL").await;
    }
}
