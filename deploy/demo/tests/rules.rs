//! The films and the rules agree on whom a film is for.

use std::collections::BTreeSet;

use movies::{Access, Films};

const RULES: &str = include_str!("../../standalone/rules.toml");

#[test]
fn every_film_for_subscribers_has_its_rule_and_no_other_film_has_one() {
    let document: toml::Table = RULES.parse().unwrap();
    assert_eq!(document["default"].as_str(), Some("allow"));
    let kept: BTreeSet<_> = document["rule"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|rule| {
            let path = rule["path"].as_str().unwrap().strip_prefix("/api/v1/films/")?;
            let names: Vec<_> = rule["roles"].as_array().unwrap().iter().collect();
            assert_eq!(names, [&toml::Value::from("subscriber")], "{path}");
            Some(path.strip_suffix("/{*rest}").unwrap_or(path).to_owned())
        })
        .collect();
    let for_subscribers: BTreeSet<_> = Films::built_in()
        .unwrap()
        .iter()
        .filter(|film| film.access == Access::Subscriber)
        .map(|film| film.id.as_str().to_owned())
        .collect();
    assert_eq!(kept, for_subscribers);
}

#[test]
fn the_rules_name_each_film_that_they_are_about() {
    for film in Films::built_in().unwrap().iter() {
        let comment = format!("# {} ({})\n", film.title, film.year);
        assert_eq!(
            RULES.contains(&comment),
            film.access == Access::Subscriber,
            "{comment}"
        );
    }
}
