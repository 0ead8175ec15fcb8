//! The films and the labels on them agree on whom a film is for.

use std::collections::BTreeMap;

use movies::{Access, Films};
use serde_json::Value;

const RULES: &str = include_str!("../../standalone/rules.toml");
const LABELS: &str = include_str!("../labels.jsonl");

#[test]
fn every_film_for_subscribers_carries_the_label_and_no_other_film_carries_any() {
    let labels: BTreeMap<String, Value> = LABELS
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            (
                line["film_id"].as_str().unwrap().to_owned(),
                line["labels"].clone(),
            )
        })
        .collect();
    assert_eq!(labels.len(), LABELS.lines().count(), "none twice");
    let for_subscribers: BTreeMap<String, Value> = Films::built_in()
        .unwrap()
        .iter()
        .filter(|film| film.access == Access::Subscriber)
        .map(|film| (film.id.as_str().to_owned(), serde_json::json!(["subscribers"])))
        .collect();
    assert!(!for_subscribers.is_empty());
    assert_eq!(labels, for_subscribers);
}

#[test]
fn the_rules_have_the_labels_decide_about_films_and_all_below_them() {
    let document: toml::Table = RULES.parse().unwrap();
    assert_eq!(document["default"].as_str(), Some("allow"));
    let rules = document["rule"].as_array().unwrap();
    let path = |rule: &toml::Value| rule["path"].as_str().unwrap().to_owned();
    let about_films: Vec<_> = rules
        .iter()
        .filter(|rule| path(rule).starts_with("/api/v1/films"))
        .collect();
    let [rule] = about_films[..] else {
        unreachable!("one rule is about films");
    };
    assert_eq!(path(rule), "/api/v1/films/{film_id}/{*rest}");
    assert_eq!(rule["film"].as_str(), Some("{film_id}"));
}
