//! What `auto_explain` writes into the log of PostgreSQL.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// Indexes that are named; of more, how many there are.
const NAMED_MAX: usize = 3;

/// How a statement was run.
#[derive(Debug)]
pub struct Plan {
    /// The statement.
    pub text: String,
    /// What the planner thought that it costs.
    pub cost: f64,
    /// Tables that it reads whole.
    pub scanned: BTreeSet<String>,
    /// Indexes that it uses.
    indexes: BTreeSet<String>,
    /// Tables that it writes to.
    written: BTreeSet<String>,
}

impl Plan {
    /// The indexes in words.
    pub fn indexes(&self) -> String {
        let named: Vec<&str> = self.indexes.iter().take(NAMED_MAX).map(String::as_str).collect();
        let (named, more) = (named.join(", "), self.indexes.len().saturating_sub(NAMED_MAX));
        match (named.as_str(), more) {
            ("", _) if self.written.is_empty() => "no table".to_owned(),
            ("", _) => "writes alone".to_owned(),
            (_, 0) => named,
            (_, more) => format!("{named} and {more} more"),
        }
    }

    fn of(entry: &Value) -> Option<Self> {
        let top = entry.get("Plan")?;
        let mut plan = Self {
            text: entry.get("Query Text")?.as_str()?.to_owned(),
            cost: top.get("Total Cost")?.as_f64()?,
            scanned: BTreeSet::new(),
            indexes: BTreeSet::new(),
            written: BTreeSet::new(),
        };
        plan.walk(top);
        Some(plan)
    }

    fn walk(&mut self, node: &Value) {
        let text = |name: &str| node.get(name).and_then(Value::as_str).map(str::to_owned);
        match text("Node Type").as_deref() {
            Some("Seq Scan") => self.scanned.extend(text("Relation Name")),
            Some("ModifyTable") => self.written.extend(text("Relation Name")),
            _ => {}
        }
        self.indexes.extend(text("Index Name"));
        for below in node.get("Plans").and_then(Value::as_array).into_iter().flatten() {
            self.walk(below);
        }
    }
}

/// Every plan in the log so far. Its last entry may not be whole yet, and is left out then.
pub fn read(log: &Path) -> anyhow::Result<Vec<Plan>> {
    let log = std::fs::read_to_string(log)?;
    let (mut plans, mut lines) = (Vec::new(), log.lines().peekable());
    while let Some(line) = lines.next() {
        if !line.ends_with("plan:") {
            continue;
        }
        let mut entry = String::new();
        // The lines of an entry begin with a tab.
        while let Some(more) = lines.next_if(|line| line.starts_with('\t')) {
            entry.push_str(more);
        }
        if let Ok(entry) = serde_json::from_str(&entry) {
            plans.extend(Plan::of(&entry));
        }
    }
    Ok(plans)
}
