use serde_json::json;

use super::*;

fn film(id: &str) -> serde_json::Value {
    json!({"id": id, "title": "T", "year": 1926, "director": "D", "genre": "g", "access": "open"})
}

#[test]
fn the_films_of_the_demo_are_there() {
    let films = Films::built_in().unwrap();
    assert!(films.iter().count() >= 30);
    let general = films.find("0f3b9a52-6f0e-4c1e-9a55-2d7b1c8e4a10").unwrap();
    assert_eq!(
        (general.title.as_str(), general.year, general.access),
        ("The General", 1926, Access::Open)
    );
    let subscribers = films.find("7c9e6679-7425-40de-944b-e07fc1f90ae7").unwrap();
    assert_eq!(subscribers.access, Access::Subscriber);
    assert_eq!(
        films
            .iter()
            .filter(|film| film.access == Access::Subscriber)
            .count(),
        6
    );
}

#[test]
fn an_id_has_one_spelling() {
    for id in [
        "7C9E6679-7425-40DE-944B-E07FC1F90AE7",
        "7c9e6679742540de944be07fc1f90ae7",
        "{7c9e6679-7425-40de-944b-e07fc1f90ae7}",
        "urn:uuid:7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "7c9e6679-7425-40de-944b-e07fc1f90ae",
        "7c9e66797-425-40de-944b-e07fc1f90ae7",
        "",
    ] {
        assert!(Films::built_in().unwrap().find(id).is_none(), "{id}");
        let error = Films::parse(&json!([film(id)]).to_string()).unwrap_err();
        assert!(error.to_string().contains("films"), "{id}: {error}");
    }
}

#[test]
fn two_films_of_one_id_are_refused() {
    let one = film("7c9e6679-7425-40de-944b-e07fc1f90ae7");
    let error = Films::parse(&json!([one, one]).to_string()).unwrap_err();
    assert!(matches!(error, FilmsError::IdTwice(_)), "{error}");
}
