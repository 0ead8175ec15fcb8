use super::*;

const FILM: &str = "7C9E6679-7425-40de-944b-e07fc1f90ae7";

fn line(labels: &[&str]) -> FilmLine {
    FilmLine {
        film: FilmId(FILM.parse().unwrap()),
        labels: LabelNames::new(labels.iter().map(|name| name.parse().unwrap())).unwrap(),
    }
}

#[test]
fn both_forms_say_the_same() {
    let json = |labels: &str| {
        FilmLine::from_json(format!("{{\"film_id\":\"{FILM}\",\"labels\":{labels}}}").as_bytes())
    };
    assert_eq!(json("[]"), Ok(line(&[])));
    assert_eq!(json(r#"["paid","adult","paid"]"#), Ok(line(&["adult", "paid"])));
    assert_eq!(
        FilmLine::from_fields(FILM, "paid|adult"),
        Ok(line(&["adult", "paid"]))
    );
    assert_eq!(FilmLine::from_fields(&FILM.to_lowercase(), ""), Ok(line(&[])));
    assert_eq!(FilmLine::from_fields(FILM, "paid|"), Ok(line(&["paid"])));
}

#[test]
fn what_cannot_be_taken_says_why() {
    let good = r#""film_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7""#;
    for (text, fault) in [
        (String::new(), LineFault::NoObject),
        ("[]".to_owned(), LineFault::NoObject),
        ("{}".to_owned(), LineFault::NoFilm),
        (
            r#"{"film_id":"7c9e6679742540de944be07fc1f90ae7","labels":[]}"#.to_owned(),
            LineFault::NoFilm,
        ),
        (r#"{"film_id":7,"labels":[]}"#.to_owned(), LineFault::NoFilm),
        (format!("{{{good}}}"), LineFault::NoLabels),
        (format!("{{{good},\"labels\":\"paid\"}}"), LineFault::NoLabels),
        (format!("{{{good},\"labels\":[1]}}"), LineFault::NoLabels),
        (
            format!("{{{good},\"labels\":[],\"title\":\"x\"}}"),
            LineFault::UnknownField("title".to_owned()),
        ),
        (
            format!("{{{good},{good},\"labels\":[]}}"),
            LineFault::FieldTwice("film_id".to_owned()),
        ),
        (
            format!("{{{good},\"labels\":[\"No\"]}}"),
            LineFault::UnknownLabel("there is no label \"No\"".to_owned()),
        ),
    ] {
        assert_eq!(FilmLine::from_json(text.as_bytes()), Err(fault), "{text}");
    }
    let many: Vec<String> = (0..=limits::FILM_LABELS_MAX)
        .map(|number| format!("label-{number}"))
        .collect();
    assert!(matches!(
        FilmLine::from_fields(FILM, &many.join("|")),
        Err(LineFault::TooMany(_))
    ));
}
