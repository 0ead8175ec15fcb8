//! Labels on films: who may see what carries one, and which films carry which.
//!
//! Each film and each definition is a register: the last change of it in the feed's order counts. So changes are kept in
//! their order, unlike [revocations](crate::revocation), which only grow.

mod name;
mod table;
pub mod wire;

use std::sync::Arc;

pub use name::{InvalidLabelName, LabelName, LabelNames, TooManyLabels};
pub use table::{Definitions, FilmLabels, LabelTable, Satisfied};

use crate::id::{FilmId, RoleId};

/// What a label asks: any one of the roles satisfies it, or nothing is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// Whether everybody satisfies it, anonymous callers too.
    pub anonymous: bool,
    /// The roles, in the order of their ids, each with its name. When one is renamed or deleted, the label changes with it.
    pub roles: Vec<LabelRole>,
}

/// A role as a label refers to it: by its id, with its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelRole {
    /// The role itself.
    pub id: RoleId,
    /// Its name, as tokens carry it.
    pub name: Box<str>,
}

/// A change of what is known about labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelChange {
    /// The film carries these labels from now on, and no others.
    Film {
        /// The film.
        film: FilmId,
        /// Its labels; none: open to all.
        labels: Arc<LabelNames>,
    },
    /// The label asks this from now on.
    Definition {
        /// The label.
        name: LabelName,
        /// What it asks; `None`: there is no such label any more.
        definition: Option<Definition>,
    },
}
