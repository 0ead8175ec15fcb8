//! Lines of imports: of people, and of films with their labels. What is read says the same in another spelling.
#![no_main]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what cannot go on fails the fuzzing"
)]

use issuer::login::LoginName;
use issuer::service::{FilmLine, UserLine};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use shared::label::LabelName;
use shared::limits::ROLES_MAX;

fuzz_target!(|line: &[u8]| {
    if UserLine::from_json(line).is_ok() {
        let said: Value = serde_json::from_slice(line).unwrap();
        assert!(LoginName::parse(said["login"].as_str().unwrap()).is_ok());
        assert!(said["password_hash"].is_string());
        assert!(
            said.get("roles")
                .is_none_or(|roles| roles.as_array().unwrap().len() <= ROLES_MAX)
        );
        assert!(UserLine::from_json(&serde_json::to_vec(&said).unwrap()).is_ok());
    }
    if let Ok(film) = FilmLine::from_json(line) {
        same(&film);
    }
    let fields = std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.split_once(','));
    if let Some(film) = fields.and_then(|(film, labels)| FilmLine::from_fields(film, labels).ok()) {
        same(&film);
    }
});

/// A film is read again from both of its forms.
fn same(film: &FilmLine) {
    let (id, names): (_, Vec<&str>) = (
        film.film.to_string(),
        film.labels.iter().map(LabelName::as_str).collect(),
    );
    let written = json!({"film_id": id, "labels": names}).to_string();
    assert_eq!(FilmLine::from_json(written.as_bytes()).as_ref(), Ok(film));
    assert_eq!(FilmLine::from_fields(&id, &names.join("|")).as_ref(), Ok(film));
}
