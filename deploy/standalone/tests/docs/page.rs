//! The pages, and the blocks on them.

use std::path::{Path, PathBuf};

/// A page, by its path in the repository.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// What stands between two fences.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) page: String,
    /// Where it begins, counted from 1.
    pub(crate) line: usize,
    pub(crate) language: String,
    pub(crate) text: String,
}

impl Block {
    pub(crate) fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.page, self.line)
    }
}

/// The folder of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// Every page of the repository.
pub(crate) fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    collect(&root(), &mut paths);
    paths.sort();
    let page = |path: PathBuf| Page {
        text: std::fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(),
    };
    let pages: Vec<Page> = paths.into_iter().map(page).collect();
    assert!(pages.iter().any(|page| page.path == "README.md"), "{pages:?}");
    pages
}

/// Pages, but not in folders that are built, or hidden from visitors of the repository.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_hidden = name.starts_with('.') && name != ".github";
        if path.is_dir() && !is_hidden && name != "target" {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

/// The blocks of a page, without the indentation that they have in a list.
pub(crate) fn blocks(page: &Page) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(Block, usize)> = None;
    for (number, line) in page.text.lines().enumerate() {
        let bare = line.trim_start();
        if let Some(rest) = bare.strip_prefix("```") {
            if let Some((block, _)) = open.take() {
                found.push(block);
                continue;
            }
            let block = Block {
                page: page.path.clone(),
                line: number + 1,
                language: rest.trim().to_owned(),
                text: String::new(),
            };
            open = Some((block, line.len() - bare.len()));
        } else if let Some((block, indent)) = &mut open {
            block.text.push_str(line.get(*indent..).unwrap_or_default());
            block.text.push('\n');
        }
    }
    assert!(open.is_none(), "{}: a block has no end", page.path);
    found
}

/// All blocks in these languages.
pub(crate) fn blocks_in(languages: &[&str]) -> Vec<Block> {
    let mut found: Vec<Block> = pages().iter().flat_map(blocks).collect();
    found.retain(|block| languages.contains(&block.language.as_str()));
    found
}

/// The one block of a page that begins so.
pub(crate) fn block(page: &str, begins: &str) -> Block {
    let page = Page {
        path: page.to_owned(),
        text: std::fs::read_to_string(root().join(page)).unwrap(),
    };
    let mut found = blocks(&page);
    found.retain(|block| block.text.starts_with(begins));
    assert_eq!(found.len(), 1, "{}: blocks that begin with {begins:?}", page.path);
    found.remove(0)
}
