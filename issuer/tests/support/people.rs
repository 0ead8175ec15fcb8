use issuer::service::Credentials;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Answer, Request, Site, claims};

/// Everybody's password, where it does not matter.
pub const PASSWORD: &str = "follow the white rabbit";

/// Id of the built-in role `user`.
pub const USER: &str = "00000000-0000-7000-8000-000000000001";
/// Id of the built-in role `role_editor`.
pub const ROLE_EDITOR: &str = "00000000-0000-7000-8000-000000000002";
/// Id of the built-in role `admin`.
pub const ADMIN: &str = "00000000-0000-7000-8000-000000000003";

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their id.
    pub id: String,
    /// Their login.
    pub login: String,
    /// Their access token.
    pub access: String,
    /// Their refresh token.
    pub refresh: String,
}

impl Person {
    /// Somebody from a `TokenPair`.
    pub fn of(login: &str, pair: &Value) -> Self {
        let text = |name: &str| pair[name].as_str().unwrap().to_owned();
        Self {
            id: text("user_id"),
            login: login.to_owned(),
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }

    /// Their session.
    pub fn session(&self) -> String {
        claims(&self.access)["sid"].as_str().unwrap().to_owned()
    }
}

/// A service that takes tokens in its own name.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// Its secret.
    pub secret: String,
}

impl Site {
    /// Makes a client as the command line does, with roles by their names.
    pub async fn machine(&self, name: &str, roles: &[&str]) -> Machine {
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        let secret = self
            .service
            .create_client(&name.parse().unwrap(), &roles)
            .await
            .unwrap();
        Machine {
            name: name.to_owned(),
            secret: secret.text().expose_secret().to_owned(),
        }
    }

    /// A request of a client, to be sent.
    pub fn oauth(&self, endpoint: &str, machine: &Machine, form: &[(&str, &str)]) -> Request {
        let request = self.post(&format!("/oauth2/{endpoint}"));
        request.basic(&machine.name, &machine.secret).form(form)
    }

    /// A request of the site's own client, which has no secret.
    pub fn web(&self, endpoint: &str, form: &[(&str, &str)]) -> Request {
        let form = [&[("client_id", "web")], form].concat();
        self.post(&format!("/oauth2/{endpoint}")).form(&form)
    }

    /// A token in a service's own name.
    pub async fn machine_token(&self, machine: &Machine) -> String {
        let asked = self.oauth("token", machine, &[("grant_type", "client_credentials")]);
        let tokens = asked.send().await.ok(200);
        tokens["access_token"].as_str().unwrap().to_owned()
    }
    /// Asks for a registration.
    pub async fn try_register(&self, login: &str, password: &str) -> Answer {
        let body = json!({"login": login, "password": password});
        self.post("/api/v1/user").json(&body).send().await
    }

    /// Asks for a login.
    pub async fn try_login(&self, login: &str, password: &str) -> Answer {
        let body = json!({"login": login, "password": password});
        self.post("/api/v1/user/login").json(&body).send().await
    }

    /// Somebody new.
    pub async fn register(&self, login: &str) -> Person {
        Person::of(login, &self.try_register(login, PASSWORD).await.ok(201))
    }

    /// Somebody again, in a new session.
    pub async fn login(&self, login: &str) -> Person {
        Person::of(login, &self.try_login(login, PASSWORD).await.ok(200))
    }

    /// Asks for a refresh.
    pub async fn try_refresh(&self, refresh_token: &str) -> Answer {
        let body = json!({"refresh_token": refresh_token});
        self.post("/api/v1/token/refresh").json(&body).send().await
    }

    /// The same session with tokens of now.
    pub async fn refresh(&self, person: &Person) -> Person {
        Person::of(&person.login, &self.try_refresh(&person.refresh).await.ok(200))
    }

    /// Makes a superuser as the command line does.
    pub async fn superuser(&self, login: &str) -> Person {
        let credentials = Credentials {
            login: login.to_owned(),
            password: PASSWORD.into(),
        };
        self.service.create_superuser(&credentials).await.unwrap();
        self.login(login).await
    }

    /// Somebody new with roles, named by their ids.
    pub async fn register_with(&self, superuser: &Person, login: &str, roles: &[&str]) -> Person {
        let person = self.register(login).await;
        for role in roles {
            let path = format!("/api/v1/user/{}/role/{role}", person.id);
            self.post(&path)
                .bearer(&superuser.access)
                .send()
                .await
                .no_content();
        }
        self.refresh(&person).await
    }

    /// A new role; its id.
    pub async fn role(&self, editor: &Person, name: &str) -> String {
        let made = self
            .post("/api/v1/role")
            .bearer(&editor.access)
            .json(&json!({ "name": name }))
            .send()
            .await
            .ok(201);
        made["id"].as_str().unwrap().to_owned()
    }
}
