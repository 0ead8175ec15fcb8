//! The rules, compiled to a tree of path segments.
//!
//! The first rule in file order decides, and templates may overlap; so each node of the tree keeps the positions of
//! the rules that end there, and a lookup follows every branch that fits, for the lowest position. A branch whose
//! lowest position cannot win any more is not entered.

use std::collections::HashMap;

use super::rule::Rule;
use super::template::{Segment, Template};

/// Rules in file order, with the tree that finds the first one that matches.
#[derive(Debug, Default)]
pub struct Table {
    rules: Vec<Rule>,
    root: Node,
}

/// A rule that a request matches.
#[derive(Clone, Copy, Debug)]
pub struct Match<'a> {
    /// Its position in the file, from 0.
    pub position: usize,
    /// The rule.
    pub rule: &'a Rule,
    /// Whether the rule asks for a host, and none is known.
    pub is_host_unknown: bool,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, Self, foldhash::fast::RandomState>,
    one: Option<Box<Self>>,
    /// Positions of the rules whose template ends here, ascending.
    ends: Vec<usize>,
    /// Positions of the rules whose template ends here in `{*rest}`, ascending.
    rests: Vec<usize>,
    /// The lowest position here and below.
    lowest: Option<usize>,
}

impl Table {
    /// Compiles the rules.
    pub fn new(rules: Vec<Rule>) -> Self {
        let mut root = Node::default();
        for (position, rule) in rules.iter().enumerate() {
            root.insert(position, &rule.template);
        }
        Self { rules, root }
    }

    /// The rules in file order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The first rule in file order that matches. `path` is canonical; `host` is `None` where none is known.
    pub fn find(&self, path: &str, method: &str, host: Option<&str>) -> Option<Match<'_>> {
        let fits = |rule: &Rule| rule.has_method(method) && host.is_none_or(|host| rule.has_host(host));
        let mut best = None;
        self.root.find(
            path.strip_prefix('/').unwrap_or(path),
            &|at| self.rules.get(at).is_some_and(fits),
            &mut best,
        );
        let position = best?;
        let rule = self.rules.get(position)?;
        Some(Match {
            position,
            rule,
            is_host_unknown: host.is_none() && !rule.hosts.is_empty(),
        })
    }

    /// The first earlier rule that takes every request which the rule at `position` is about, so that it can never
    /// match; `None` if there is none. (Several earlier rules may do that together; this is not looked for.)
    pub fn covering(&self, position: usize) -> Option<&Rule> {
        let later = self.rules.get(position)?;
        let covers = |at: usize| {
            at < position
                && self.rules.get(at).is_some_and(|earlier| {
                    contains_all(&earlier.methods, &later.methods)
                        && contains_all(&earlier.hosts, &later.hosts)
                })
        };
        let mut best = None;
        self.root.cover(
            later.template.segments(),
            later.template.has_rest(),
            &covers,
            &mut best,
        );
        best.and_then(|at| self.rules.get(at))
    }
}

impl Node {
    fn insert(&mut self, position: usize, template: &Template) {
        let mut node = self;
        node.lowest.get_or_insert(position);
        for segment in template.segments() {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::One(_) => node.one.get_or_insert_default(),
            };
            node.lowest.get_or_insert(position);
        }
        if template.has_rest() {
            node.rests.push(position);
        } else {
            node.ends.push(position);
        }
    }

    /// `rest` is what is left of the path, without a slash at either end.
    fn find(&self, rest: &str, fits: &impl Fn(usize) -> bool, best: &mut Option<usize>) {
        if !is_lower(self.lowest, *best) {
            return;
        }
        improve(best, &self.rests, fits);
        if rest.is_empty() {
            improve(best, &self.ends, fits);
            return;
        }
        let (segment, rest) = first_segment(rest);
        if let Some(node) = self.literals.get(segment) {
            node.find(rest, fits, best);
        }
        if let Some(node) = &self.one {
            node.find(rest, fits, best);
        }
    }

    /// As [`Self::find`], for whatever a template matches instead of one path.
    fn cover(
        &self,
        segments: &[Segment],
        has_rest: bool,
        covers: &impl Fn(usize) -> bool,
        best: &mut Option<usize>,
    ) {
        if !is_lower(self.lowest, *best) {
            return;
        }
        improve(best, &self.rests, covers);
        let Some((segment, segments)) = segments.split_first() else {
            if !has_rest {
                improve(best, &self.ends, covers);
            }
            return;
        };
        if let Segment::Literal(text) = segment
            && let Some(node) = self.literals.get(text)
        {
            node.cover(segments, has_rest, covers, best);
        }
        if let Some(node) = &self.one {
            node.cover(segments, has_rest, covers, best);
        }
    }
}

/// The first segment of a path, and what is behind its slash. Segments are short: to look at each byte is faster than to
/// search.
fn first_segment(path: &str) -> (&str, &str) {
    let end = path.bytes().position(|byte| byte == b'/');
    end.and_then(|end| Some((path.get(..end)?, path.get(end + 1..)?)))
        .unwrap_or((path, ""))
}

/// Whether a position could still be the first.
fn is_lower(position: Option<usize>, best: Option<usize>) -> bool {
    position.is_some_and(|position| best.is_none_or(|best| position < best))
}

/// Takes the first of these positions that fits, if it comes before the best so far.
fn improve(best: &mut Option<usize>, positions: &[usize], fits: &impl Fn(usize) -> bool) {
    let found = positions
        .iter()
        .copied()
        .take_while(|at| best.is_none_or(|best| *at < best))
        .find(|at| fits(*at));
    if found.is_some() {
        *best = found;
    }
}

/// Whether the first list takes all that the second does; an empty list takes everything.
fn contains_all(earlier: &[Box<str>], later: &[Box<str>]) -> bool {
    earlier.is_empty() || (!later.is_empty() && later.iter().all(|one| earlier.contains(one)))
}

#[cfg(test)]
mod tests;
