use std::collections::BTreeMap;

use super::*;
use crate::{Film, Films};

async fn films(today: Option<&str>) -> BTreeMap<String, FilmRow> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("films.db");
    make_database(&file).await.unwrap();
    let mut database = FilmDatabase::open(&file).await.unwrap();
    let mut snapshot = database.snapshot(today).await.unwrap();
    let films = snapshot.page("", 1000).await.unwrap();
    // In pieces they are the same.
    let (mut pieces, mut after) = (Vec::new(), String::new());
    while let Some(last) = {
        let page = snapshot.page(&after, 4).await.unwrap();
        let last = page.last().cloned();
        pieces.extend(page);
        last
    } {
        after = last.id;
    }
    assert_eq!(pieces, films);
    films.into_iter().map(|film| (film.id.clone(), film)).collect()
}

#[tokio::test]
async fn the_films_of_the_service_are_in_the_database() {
    let stored = films(None).await;
    for Film {
        id,
        title,
        year,
        director,
        genre,
        ..
    } in Films::built_in().unwrap().iter()
    {
        let film = &stored[id.as_str()];
        assert_eq!((&film.title, &film.genres), (title, &vec![genre.clone()]));
        assert!(film.release_date.starts_with(&year.to_string()), "{title}");
        let mut directors: Vec<&str> = director.split(" and ").collect();
        directors.sort_unstable();
        assert_eq!(film.directors, directors);
        assert!(!film.is_new, "{title}");
    }
    let new: Vec<&str> = stored
        .values()
        .filter(|film| film.is_new)
        .map(|film| film.title.as_str())
        .collect();
    let titles = [
        "The Last Projectionist",
        "Salt and Satellites",
        "Night Bus to Aktau",
        "The Quiet Algorithm",
    ];
    assert_eq!(new, titles);
}

#[tokio::test]
async fn a_film_is_new_for_three_years() {
    let spirited_away = "6a015b66-5e4a-429c-9be7-df00cba497dd";
    for (today, expected) in [
        ("2001-01-01", true),
        ("2004-07-19", true),
        ("2004-07-20", false),
        ("2026-11-26", false),
    ] {
        let film = &films(Some(today)).await[spirited_away];
        assert_eq!(film.is_new, expected, "{today}");
        assert_eq!(labels(film), if expected { &["subscriber"][..] } else { &[] });
    }
}

#[tokio::test]
async fn what_cannot_be_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("films.db");
    let missing = FilmDatabase::open(&file).await.unwrap_err();
    assert!(matches!(missing, DatabaseError::Sqlite { .. }) && !file.exists());
    make_database(&file).await.unwrap();
    assert!(matches!(
        make_database(&file).await,
        Err(DatabaseError::Exists(_))
    ));
    let mut database = FilmDatabase::open(&file).await.unwrap();
    for day in ["yesterday", "2026-2-30", "now"] {
        assert!(
            matches!(
                database.snapshot(Some(day)).await.err(),
                Some(DatabaseError::Day(_))
            ),
            "{day}"
        );
    }
}

#[tokio::test]
async fn a_document_is_two_lines() {
    let film = &films(None).await["0f3b9a52-6f0e-4c1e-9a55-2d7b1c8e4a10"];
    let mut text = Vec::new();
    write_document(&mut text, film, &["a", "b"]).unwrap();
    assert_eq!(
        String::from_utf8(text).unwrap(),
        concat!(
            r#"{"index":{"_index":"films","_id":"0f3b9a52-6f0e-4c1e-9a55-2d7b1c8e4a10"}}"#,
            "\n",
            r#"{"id":"0f3b9a52-6f0e-4c1e-9a55-2d7b1c8e4a10","title":"The General","release_date":"1926-12-31","rating":8.1,"#,
            r#""genres":["comedy"],"directors":["Buster Keaton","Clyde Bruckman"],"labels":["a","b"]}"#,
            "\n"
        )
    );
}
