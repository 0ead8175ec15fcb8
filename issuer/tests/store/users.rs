//! People who are brought along, and given out again.

use issuer::service::{ExportedUser, UserFault, UserImportOutcome, UserLine};
use serde_json::{Value, json};

use super::database::{Database, Kind, on_both};
use super::world::{PASSWORD, World, credentials};

/// bcrypt of "correct horse battery staple", by the library in Python.
const BCRYPT: &str = "$2b$04$E3on6zPQqlNmWL1KsnfnSuEAld7bD4jKAKs.Ps.kRDMKx9mVDsqy6";
const BCRYPT_PASSWORD: &str = "correct horse battery staple";

fn line(login: &str) -> Value {
    json!({"login": login, "password_hash": BCRYPT})
}

async fn import(world: &World, lines: &[Value]) -> UserImportOutcome {
    let mut import = world.service.import_users();
    for line in lines {
        import
            .take(UserLine::from_json(line.to_string().as_bytes()))
            .await
            .unwrap();
    }
    import.finish().await.unwrap()
}

/// What an import says: taken, passed over, and the numbers of refused lines.
fn said(outcome: &UserImportOutcome) -> (u64, u64, Vec<u64>) {
    assert_eq!(outcome.refused_count, outcome.refused.len() as u64);
    let refused = outcome.refused.iter().map(|refused| refused.line).collect();
    (outcome.taken, outcome.existing, refused)
}

async fn export(world: &World) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = world.service.user_page(&after).await.unwrap();
        all.extend(
            page.iter()
                .map(|user| serde_json::to_value(ExportedUser::of(user)).unwrap()),
        );
        match page.last() {
            Some(last) => after.clone_from(&last.login),
            None => return all,
        }
    }
}

async fn hash_of(database: &Database, login: &str) -> String {
    let sql = format!("SELECT password_hash FROM users WHERE login = '{login}'");
    database.texts(&sql).await.remove(0)
}

on_both! {
    async fn people_move_in_and_their_passwords_are_hashed_anew(database: &Database) {
        let world = World::open(database).await;
        let root = world.superuser("root").await;
        world.role(&root, "editor").await;
        let lines = [
            json!({"login": "Neo", "password_hash": BCRYPT, "roles": ["editor"], "created_at": "2020-01-31T12:00:00Z"}),
            json!({"login": "trinity", "password_hash": BCRYPT, "active": false}),
            json!({"login": "oracle", "password_hash": BCRYPT, "superuser": true, "roles": ["!user"]}),
        ];
        assert_eq!(said(&import(&world, &lines).await), (3, 0, vec![]));
        assert_eq!(world.facts_after(0).await.0.len(), 0, "nobody had a token");

        assert!(world.login("neo", "wrong").await.is_err());
        assert_eq!(hash_of(database, "neo").await, BCRYPT);
        let pair = world.login("NEO", BCRYPT_PASSWORD).await.unwrap();
        let neo = world.holder(pair).await;
        let user = world.service.user(&neo.caller, neo.id).await.unwrap();
        assert_eq!((user.roles, user.superuser), (vec!["editor".to_owned(), "user".to_owned()], false));
        assert_eq!(user.created_at.to_rfc3339(), "2020-01-31T12:00:00.000Z");
        assert!(hash_of(database, "neo").await.starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
        assert!(world.login("neo", BCRYPT_PASSWORD).await.is_ok(), "as before, by the new hash");
        assert!(world.login("neo", "wrong").await.is_err());

        let disabled = world.login("trinity", BCRYPT_PASSWORD).await;
        assert!(matches!(disabled, Err(issuer::service::ServiceError::AccountDisabled)), "{disabled:?}");
        let pair = world.login("oracle", BCRYPT_PASSWORD).await.unwrap();
        let oracle = world.holder(pair).await;
        assert!(oracle.caller.superuser && oracle.caller.roles.is_empty());
    }

    async fn an_import_is_run_again_at_no_cost(database: &Database) {
        let world = World::open(database).await;
        let person = world.person("person").await;
        let lines: Vec<Value> = (0..2500).map(|nth| line(&format!("user{nth}"))).chain([line("person")]).collect();
        // It broke off after the first batch.
        let mut part = world.service.import_users();
        for line in &lines[..1999] {
            part.take(UserLine::from_json(line.to_string().as_bytes())).await.unwrap();
        }
        assert_eq!(part.taken(), 1000, "whole batches alone");
        drop(part);
        assert_eq!(said(&import(&world, &lines).await), (1500, 1001, vec![]));
        assert_eq!(said(&import(&world, &lines).await), (0, 2501, vec![]));
        assert_eq!(database.number("SELECT COUNT(*) FROM users").await, 2501);
        assert_eq!(database.number("SELECT COUNT(*) FROM user_roles").await, 2501);
        assert_eq!(world.refusal(&person.pair).await, None);
        assert!(world.login("person", PASSWORD).await.is_ok());
        assert_ne!(hash_of(database, "person").await, BCRYPT);
    }

    async fn a_line_that_cannot_be_taken_keeps_no_other_out(database: &Database) {
        let world = World::open(database).await;
        let tomorrow = world.service.clock.now().plus(std::time::Duration::from_hours(24)).to_rfc3339();
        let mut lines = vec![
            line("neo"),
            line("ＮＥＯ"),
            json!({"login": "morpheus", "password_hash": "$2b$31$E3on6zPQqlNmWL1KsnfnSuEAld7bD4jKAKs.Ps.kRDMKx9mVDsqy6"}),
            json!({"login": "cypher", "password_hash": BCRYPT, "roles": ["traitor"]}),
            json!({"login": "tank", "password_hash": BCRYPT, "created_at": tomorrow}),
            json!({"login": "dozer", "password_hash": "!nothing"}),
        ];
        lines.extend((0..1000).map(|nth| line(&format!("user{nth}"))));
        // In another batch than the first of its name.
        lines.push(line("Neo"));
        let outcome = import(&world, &lines).await;
        assert_eq!(said(&outcome), (1001, 0, vec![2, 3, 4, 5, 6, 1007]));
        let faults: Vec<String> = outcome.refused.iter().map(|refused| refused.fault.to_string()).collect();
        for (fault, says) in faults.iter().zip([
            "that of an earlier line",
            "bcrypt with cost = 31 is refused: 15 is the most",
            "there is no role \"traitor\"",
            "`created_at` lies ahead",
            "`password_hash`: it is of no known kind",
            "that of an earlier line",
        ]) {
            assert!(fault.contains(says), "{fault}");
        }
        assert_eq!(outcome.refused[0].fault, UserFault::Again);
    }

    async fn what_is_given_out_can_be_taken_in(database: &Database) {
        let world = World::open(database).await;
        let root = world.superuser("root").await;
        let role = world.role(&root, "editor").await;
        let person = world.person("person").await;
        world.service.set_user_role(&root.caller, person.id, role.id, true).await.unwrap();
        let lines: Vec<Value> = (0..1500)
            .map(|nth| json!({
                "login": format!("user{nth}"), "password_hash": BCRYPT, "active": nth % 3 > 0,
                "roles": if nth % 2 == 0 { vec!["!user"] } else { vec!["editor", "admin"] },
                "created_at": format!("2020-01-31T12:00:{:02}.{:03}Z", nth % 60, nth % 1000),
            }))
            .collect();
        assert_eq!(said(&import(&world, &lines).await).0, 1500);
        let given = export(&world).await;
        assert_eq!(given.len(), 1502);
        assert!(given.is_sorted_by_key(|line| line["login"].as_str().unwrap().to_owned()));
        assert_eq!(given[0]["login"], "person");
        assert_eq!(given[0]["roles"], json!(["editor"]));
        let hash = hash_of(database, "person").await;
        assert_eq!(given[0]["password_hash"], json!(hash));

        for kind in [Kind::Sqlite, database.kind] {
            let other = Database::fresh(kind).await.unwrap();
            let elsewhere = World::open(&other).await;
            let root = elsewhere.superuser("root").await;
            elsewhere.role(&root, "editor").await;
            other.run("DELETE FROM users").await;
            assert_eq!(said(&import(&elsewhere, &given).await), (1502, 0, vec![]));
            assert_eq!(export(&elsewhere).await, given);
            assert!(elsewhere.login("person", PASSWORD).await.is_ok());
            elsewhere.service.store.close().await;
            other.remove().await;
        }
        assert!(!format!("{:?}", world.service.user_page("").await.unwrap()).contains("$argon2id"));
    }

    async fn a_stored_hash_that_cannot_be_checked_is_like_a_wrong_password(database: &Database) {
        let world = World::open(database).await;
        let person = world.person("person").await;
        database.run("UPDATE users SET password_hash = 'broken'").await;
        let outcome = world.login("person", PASSWORD).await;
        assert!(matches!(outcome, Err(issuer::service::ServiceError::InvalidCredentials)), "{outcome:?}");
        // An operator mends it.
        world.service.set_password_of(&credentials("person", PASSWORD)).await.unwrap();
        assert!(world.login("person", PASSWORD).await.is_ok());
        assert!(world.refusal(&person.pair).await.is_some());
    }
}
