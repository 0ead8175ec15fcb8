//! What is done to a label, or to a role that it names, is in force at the verifier when the issuer has answered.

use http::StatusCode;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, Usher};

const FILM: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

/// An `usher` with its superuser.
struct Scene {
    usher: Usher,
    root: Person,
}

impl Scene {
    async fn set(folder: &std::path::Path) -> Self {
        let usher = Usher::start(folder);
        let root = usher.superuser().await;
        Self { usher, root }
    }

    fn by_root(&self, method: &str, path: &str) -> RequestBuilder {
        self.usher.api(method, path, Some(&self.root.access_token))
    }

    async fn done(request: RequestBuilder) -> Value {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{status}: {}", answer.text().await.unwrap());
        if status == StatusCode::NO_CONTENT {
            return Value::Null;
        }
        answer.json().await.unwrap()
    }

    /// Makes a role and gives its id.
    async fn role(&self, name: &str) -> String {
        let made = Self::done(self.by_root("POST", "/api/v1/role").json(&json!({"name": name}))).await;
        made["id"].as_str().unwrap().to_owned()
    }

    /// Gives a role to somebody, who then has a token with it.
    async fn grant(&self, person: &Person, role: &str) -> Person {
        let path = format!("/api/v1/user/{}/role/{role}", person.id);
        Self::done(self.by_root("POST", &path)).await;
        self.usher.refresh(person).await.unwrap()
    }

    async fn define(&self, label: &str, definition: &Value) {
        Self::done(
            self.by_root("PUT", &format!("/api/v1/label/{label}"))
                .json(definition),
        )
        .await;
    }

    async fn put_on_film(&self, labels: &[&str]) {
        let path = format!("/api/v1/film/{FILM}/label");
        Self::done(self.by_root("PUT", &path).json(&json!({"labels": labels}))).await;
    }

    /// What the verifier says about the film, in either spelling of its id, to the holder of a token or to nobody.
    async fn verdict(&self, person: Option<&Person>) -> (u16, String) {
        let token = person.map(|person| person.access_token.as_str());
        let lower = self.usher.verdict(&format!("/api/v1/films/{FILM}"), token).await;
        let upper = format!("/api/v1/films/{}/reviews", FILM.to_uppercase());
        assert_eq!(self.usher.verdict(&upper, token).await, lower);
        lower
    }

    /// The labels that the verifier says somebody satisfies.
    async fn told(&self, person: Option<&Person>) -> String {
        let url = format!("{}/authz/ext-authz/anything", self.usher.verifier);
        let mut request = self.usher.client.get(url);
        if let Some(person) = person {
            request = request.bearer_auth(&person.access_token);
        }
        let answer = request.send().await.unwrap();
        answer.headers()["x-auth-labels"].to_str().unwrap().to_owned()
    }
}

fn allowed() -> (u16, String) {
    (200, String::new())
}

fn missing() -> (u16, String) {
    (401, "missing".to_owned())
}

fn label() -> (u16, String) {
    (403, "label".to_owned())
}

#[tokio::test]
async fn a_label_closes_a_film_at_once_and_opens_it_when_it_is_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::set(folder.path()).await;
    let user = scene.usher.register("neo").await;
    let subscriber = scene.usher.register("trinity").await;
    let subscriber = scene.grant(&subscriber, &scene.role("subscriber").await).await;
    assert_eq!(scene.verdict(None).await, allowed());
    scene
        .define("premium", &json!({"roles": ["subscriber"], "anonymous": false}))
        .await;
    for _ in 0..10 {
        scene.put_on_film(&["premium"]).await;
        assert_eq!(scene.verdict(None).await, missing());
        assert_eq!(scene.verdict(Some(&user)).await, label());
        assert_eq!(scene.verdict(Some(&subscriber)).await, allowed());
        assert_eq!(scene.verdict(Some(&scene.root)).await, allowed());
        scene.put_on_film(&[]).await;
        assert_eq!(scene.verdict(None).await, allowed());
    }
    scene.put_on_film(&["premium"]).await;
    scene
        .define("premium", &json!({"roles": [], "anonymous": true}))
        .await;
    assert_eq!(scene.verdict(None).await, allowed());
    assert_eq!(scene.told(None).await, "premium");
    scene
        .define("premium", &json!({"roles": [], "anonymous": false}))
        .await;
    assert_eq!(scene.verdict(Some(&subscriber)).await, label());
    assert_eq!(scene.told(Some(&subscriber)).await, "");
    Scene::done(scene.by_root("DELETE", "/api/v1/label/premium?force=true")).await;
    assert_eq!(scene.verdict(None).await, allowed(), "taken from the film");
    let malformed = scene
        .usher
        .verdict("/api/v1/films/1", Some(&scene.root.access_token));
    assert_eq!(malformed.await, (403, "request".to_owned()));
}

#[tokio::test]
async fn a_label_follows_the_roles_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::set(folder.path()).await;
    let role = scene.role("subscriber").await;
    let before = scene.grant(&scene.usher.register("neo").await, &role).await;
    scene
        .define("premium", &json!({"roles": ["subscriber"], "anonymous": false}))
        .await;
    scene.put_on_film(&["premium"]).await;
    assert_eq!(scene.verdict(Some(&before)).await, allowed());
    assert_eq!(scene.told(Some(&before)).await, "premium");

    let path = format!("/api/v1/role/{role}");
    Scene::done(scene.by_root("PUT", &path).json(&json!({"name": "patron"}))).await;
    assert_eq!(scene.verdict(Some(&before)).await, (401, "stale".to_owned()));
    let renamed = scene.usher.refresh(&before).await.unwrap();
    assert_eq!(scene.verdict(Some(&renamed)).await, allowed());

    // Another role takes the name that the label knew.
    let namesake = scene.usher.register("cypher").await;
    let namesake = scene.grant(&namesake, &scene.role("subscriber").await).await;
    assert_eq!(scene.verdict(Some(&namesake)).await, label());

    Scene::done(scene.by_root("DELETE", &path)).await;
    let deleted = scene.usher.refresh(&renamed).await.unwrap();
    assert_eq!(scene.verdict(Some(&deleted)).await, label());
    assert_eq!(scene.told(Some(&deleted)).await, "");
    assert_eq!(scene.verdict(Some(&scene.root)).await, allowed());
}

#[tokio::test]
async fn labels_are_there_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::set(folder.path()).await;
    scene.usher.register("neo").await;
    scene
        .define("premium", &json!({"roles": ["user"], "anonymous": false}))
        .await;
    scene.put_on_film(&["premium"]).await;
    scene.usher.kill();

    let scene = Scene::set(folder.path()).await;
    assert_eq!(scene.verdict(None).await, missing());
    let user = scene.usher.login("neo", PASSWORD).await;
    assert_eq!(scene.verdict(Some(&user)).await, allowed());
}
