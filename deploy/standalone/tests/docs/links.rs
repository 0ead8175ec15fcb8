//! Where the pages lead: files, headings, and names in sources.

use std::path::Path;

use crate::page::{Page, pages, root};

/// The targets of `[text](target)` with their texts, but not those on the web.
fn links(page: &Page) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut text = page.text.as_str();
    while let Some((before, after)) = text.split_once("](") {
        let name = before.rsplit('[').next().unwrap();
        let (target, rest) = after.split_once(')').unwrap();
        if !target.contains("://") && !target.contains(['\n', ' ']) {
            found.push((name.to_owned(), target.to_owned()));
        }
        text = rest;
    }
    found
}

/// The anchor that a heading has on the web.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().chars();
    kept.filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
        .map(|c| if c == ' ' { '-' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}

fn has_heading(text: &str, wanted: &str) -> bool {
    let mut headings = text.lines().filter(|line| line.starts_with('#'));
    headings.any(|line| anchor(line) == wanted)
}

/// A link whose text is one name in backticks, to a source, says that the name is there.
fn named(text: &str, target: &str) -> Option<String> {
    let name = text.strip_prefix('`')?.strip_suffix('`')?;
    let is_name = name.chars().all(|c| c.is_alphanumeric() || "_:".contains(c));
    let is_source = Path::new(target)
        .extension()
        .is_some_and(|extension| extension == "rs");
    (is_name && is_source).then(|| name.rsplit("::").next().unwrap().to_owned())
}

#[test]
fn every_link_leads_somewhere() {
    let (mut links_seen, mut wrong) = (0, Vec::new());
    for page in pages() {
        let folder = root().join(&page.path);
        let folder = folder.parent().unwrap();
        for (text, target) in links(&page) {
            links_seen += 1;
            let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
            let path = if file.is_empty() {
                root().join(&page.path)
            } else {
                folder.join(file)
            };
            let is_good = path.exists()
                && (heading.is_empty() || has_heading(&std::fs::read_to_string(&path).unwrap(), heading))
                && named(&text, file)
                    .is_none_or(|name| std::fs::read_to_string(&path).unwrap().contains(&name));
            if !is_good {
                wrong.push(format!("{}: [{text}]({target})", page.path));
            }
        }
    }
    assert!(links_seen > 100, "{links_seen}");
    assert!(wrong.is_empty(), "these lead nowhere: {wrong:#?}");
}
