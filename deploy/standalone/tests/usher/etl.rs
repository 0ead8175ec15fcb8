//! The demo's ETL against a real issuer: labels of films go in, documents of those that were taken come out.

use std::collections::BTreeMap;
use std::path::Path;

use movies::etl::{
    EtlError, FilmDatabase, IssuerError, NEW_FILM_LABEL, Outcome, SignedIn, make_database, run,
};
use serde_json::{Value, json};

use crate::support::{Person, Usher};

/// Films of the demo's database, and those that are younger than three years.
const FILMS: usize = 35;
const NEW_FILMS: usize = 4;

struct Ran {
    outcome: Outcome,
    /// By the ids of the films.
    documents: BTreeMap<String, Value>,
}

impl Ran {
    /// How many documents have this one label, of which there is no other.
    fn labelled(&self) -> usize {
        let labels: Vec<&Value> = self.documents.values().map(|film| &film["labels"]).collect();
        assert!(
            labels
                .iter()
                .all(|labels| **labels == json!([]) || **labels == json!([NEW_FILM_LABEL]))
        );
        labels.iter().filter(|labels| **labels != &json!([])).count()
    }
}

async fn signed_in(usher: &Usher, login: &str, password: &str) -> Result<SignedIn, IssuerError> {
    SignedIn::with_password(&usher.issuer.parse().unwrap(), login, &password.into()).await
}

async fn ran(usher: &Usher, films: &Path, today: Option<&str>) -> Ran {
    let issuer = signed_in(usher, "root-of-tests", "quite a long password")
        .await
        .unwrap();
    let (mut database, mut output) = (FilmDatabase::open(films).await.unwrap(), Vec::new());
    let outcome = run(&mut database, &issuer, today, &mut output).await.unwrap();
    issuer.sign_out().await.unwrap();
    let text = String::from_utf8(output).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut documents = BTreeMap::new();
    for pair in lines.chunks(2) {
        let [action, film] = pair else {
            panic!("an action without its document")
        };
        let id = film["id"].as_str().unwrap();
        assert_eq!(action, &json!({"index": {"_index": "films", "_id": id}}));
        assert!(
            documents.insert(id.to_owned(), film.clone()).is_none(),
            "{id} twice"
        );
    }
    assert_eq!(outcome.taken, documents.len() as u64);
    Ran { outcome, documents }
}

/// The whole table of the issuer.
async fn table(usher: &Usher, root: &Person) -> String {
    let request = usher.api("GET", "/api/v1/film/label", Some(&root.access_token));
    request.send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn films_get_their_labels_and_documents() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(&folder.path().join("usher"));
    let films = folder.path().join("films.db");
    make_database(&films).await.unwrap();
    let root = usher.superuser().await;

    // Nobody has made the label yet: the new films are refused, and are in no document.
    let early = ran(&usher, &films, None).await;
    assert_eq!((early.outcome.refused.len(), early.labelled()), (NEW_FILMS, 0));
    assert_eq!(early.documents.len(), FILMS - NEW_FILMS);
    for film in &early.outcome.refused {
        assert!(film.reason.contains("there is no label"), "{film:?}");
        assert!(!early.documents.contains_key(&film.id));
    }

    let role = usher.api("POST", "/api/v1/role", Some(&root.access_token));
    let role = role.json(&json!({"name": "subscriber"})).send().await.unwrap();
    assert_eq!(role.status(), 201);
    let label = usher.api("PUT", "/api/v1/label/subscriber", Some(&root.access_token));
    let label = label
        .json(&json!({"roles": ["subscriber"], "anonymous": false}))
        .send()
        .await
        .unwrap();
    assert_eq!(label.status(), 201);

    let first = ran(&usher, &films, None).await;
    assert_eq!((first.outcome.refused.len(), first.documents.len()), (0, FILMS));
    assert_eq!(first.labelled(), NEW_FILMS);
    let refused_before = early.outcome.refused.iter().map(|film| &film.id);
    for id in refused_before {
        assert_eq!(first.documents[id]["labels"], json!([NEW_FILM_LABEL]));
    }
    for (id, film) in &first.documents {
        let seen = usher.api(
            "GET",
            &format!("/api/v1/film/{id}/label"),
            Some(&root.access_token),
        );
        let seen: Value = seen.send().await.unwrap().json().await.unwrap();
        assert_eq!(seen["labels"], film["labels"], "{id}");
    }

    let before = table(&usher, &root).await;
    assert_eq!(before.lines().count(), NEW_FILMS);
    let second = ran(&usher, &films, None).await;
    assert_eq!(
        (second.outcome, second.documents),
        (first.outcome, first.documents)
    );
    assert_eq!(table(&usher, &root).await, before);

    // Films grow old, and are open then.
    let later = ran(&usher, &films, Some("2200-01-01")).await;
    assert_eq!((later.documents.len(), later.labelled()), (FILMS, 0));
    assert_eq!(table(&usher, &root).await, "");
}

#[tokio::test]
async fn whoever_may_not_label_films_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(&folder.path().join("usher"));
    let films = folder.path().join("films.db");
    make_database(&films).await.unwrap();
    usher.register("neo").await;
    let wrong = signed_in(&usher, "neo", "follow the black rabbit")
        .await
        .unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "the issuer refused the login: 401 /problems/invalid-credentials"
    );
    let neo = signed_in(&usher, "neo", crate::support::PASSWORD).await.unwrap();
    let (mut database, mut output) = (FilmDatabase::open(&films).await.unwrap(), Vec::new());
    let refused = run(&mut database, &neo, None, &mut output).await.unwrap_err();
    assert!(
        matches!(&refused, EtlError::Issuer(IssuerError::Refused { status: 403, problem, .. }) if problem == "/problems/forbidden"),
        "{refused}"
    );
    assert!(output.is_empty());
}
