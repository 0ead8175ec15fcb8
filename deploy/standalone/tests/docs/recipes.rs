//! The rules cookbook: under each heading stand rules and a table of cases, which the verifier has to decide as it says.

use crate::page::{Block, blocks, pages};
use crate::run::Desk;

const PAGE: &str = "verifier/cookbook.md";

#[test]
fn every_recipe_decides_its_cases_as_it_says() {
    let pages = pages();
    let page = pages.iter().find(|page| page.path == PAGE).unwrap();
    let found = blocks(page);
    let tables: Vec<&Block> = found.iter().filter(|block| block.language == "toml").collect();
    let recipes = page.text.lines().filter(|line| line.starts_with("## ")).count();
    assert!(recipes > 5, "{recipes}");
    assert_eq!(tables.len(), 2 * recipes, "each recipe has rules and cases");
    for pair in tables.chunks(2) {
        let [rules, cases] = pair else {
            unreachable!("two a recipe")
        };
        assert!(!rules.text.contains("[[case]]"), "{}", rules.place());
        assert!(cases.text.contains("[[case]]"), "{}", cases.place());
        let desk = Desk::new();
        desk.write("rules.toml", &rules.text);
        desk.write("cases.toml", &cases.text);
        let test = "export VERIFIER__REDIS__URL=redis://127.0.0.1:1\n\
                    verifier check-config --rules rules.toml && verifier test-rules --rules rules.toml cases.toml";
        let output = desk.shell(test).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{}:\n{said}", rules.place());
        assert!(!said.contains("warning"), "{}:\n{said}", rules.place());
    }
}
