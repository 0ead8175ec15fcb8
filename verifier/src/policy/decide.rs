//! The verdict: what a rule asks, against who is asking. Pure.

use shared::id::FilmId;
use shared::label::{LabelTable, Satisfied};
use shared::reason::Reason;
use shared::revocation::LiveToken;
use shared::role::RoleSet;

use super::rule::Ask;

/// Who is asking, as far as it is proved.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a>(Option<Proved<'a>>);

#[derive(Clone, Copy, Debug)]
struct Proved<'a> {
    roles: &'a RoleSet,
    is_superuser: bool,
}

impl<'a> Caller<'a> {
    /// Somebody who presented no token, or none that counts.
    pub const ANONYMOUS: Self = Self(None);

    /// Somebody whose token is valid and not revoked.
    pub fn live(token: LiveToken<'a>) -> Self {
        let claims = token.token().claims();
        Self(Some(Proved {
            roles: &claims.roles,
            is_superuser: claims.superuser,
        }))
    }
}

/// What the labels of a film say to a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilmVerdict {
    /// The rule does not ask them.
    NotAsked,
    /// The film has none, or the caller satisfies each.
    Open,
    /// One of them asks for more.
    Closed,
    /// Nobody can tell: too little is known of labels.
    Untold,
}

impl FilmVerdict {
    /// What they say to somebody who satisfies these labels, by a table; `None`: by nothing.
    pub fn of(film: FilmId, known: Option<(&LabelTable, &Satisfied)>) -> Self {
        match known {
            None => Self::Untold,
            Some((table, satisfied)) if table.is_open(film, satisfied) => Self::Open,
            Some(_) => Self::Closed,
        }
    }
}

/// A caller who has what the rule itself asks for. [`meet`] alone makes it.
#[derive(Clone, Copy, Debug)]
pub struct Met<'a>(Caller<'a>);

/// The proof that a caller may do what was asked about. [`Met::permit`] alone makes it.
#[derive(Clone, Copy, Debug)]
pub struct Permitted(());

/// Judges a caller by what is asked of it.
///
/// # Errors
///
/// - [`Reason::Missing`] if a token is needed and there is none.
/// - [`Reason::Role`] if the token has none of the roles.
/// - [`Reason::Denied`] if nobody but a superuser may pass.
pub fn meet<'a>(ask: &Ask, caller: Caller<'a>) -> Result<Met<'a>, Reason> {
    match (ask, caller.0) {
        (
            _,
            Some(Proved {
                is_superuser: true, ..
            }),
        )
        | (Ask::Nothing, _)
        | (Ask::Authenticated, Some(_)) => Ok(Met(caller)),
        (_, None) => Err(Reason::Missing),
        (Ask::AnyRole(names), Some(Proved { roles, .. })) => {
            if names.iter().any(|name| roles.contains(name)) {
                Ok(Met(caller))
            } else {
                Err(Reason::Role)
            }
        }
        (Ask::Deny, Some(_)) => Err(Reason::Denied),
    }
}

impl Met<'_> {
    /// Judges the caller by the labels of the film, too. A superuser passes them all, known or not.
    ///
    /// # Errors
    ///
    /// - [`Reason::Missing`] if a label asks for more than an anonymous caller has.
    /// - [`Reason::Label`] if it asks for more than the token has.
    /// - [`Reason::StaleReplica`] if nobody can tell.
    pub fn permit(self, labels: FilmVerdict) -> Result<Permitted, Reason> {
        match (labels, self.0.0) {
            (
                _,
                Some(Proved {
                    is_superuser: true, ..
                }),
            )
            | (FilmVerdict::NotAsked | FilmVerdict::Open, _) => Ok(Permitted(())),
            (FilmVerdict::Closed, None) => Err(Reason::Missing),
            (FilmVerdict::Closed, Some(_)) => Err(Reason::Label),
            (FilmVerdict::Untold, _) => Err(Reason::StaleReplica),
        }
    }
}

/// Who is assumed to ask, where rules are tried without tokens.
#[derive(Clone, Copy, Debug)]
pub struct Assumed<'a> {
    /// The roles.
    pub roles: &'a RoleSet,
    /// Whether it is a superuser.
    pub is_superuser: bool,
}

/// What [`meet`] and [`Met::permit`] would say, `None` being an anonymous caller. It proves nothing: there is no
/// [`Permitted`] in it.
///
/// # Errors
///
/// Theirs.
pub fn decide_assuming(ask: &Ask, labels: FilmVerdict, caller: Option<Assumed<'_>>) -> Result<(), Reason> {
    let proved = caller.map(|Assumed { roles, is_superuser }| Proved { roles, is_superuser });
    meet(ask, Caller(proved))?.permit(labels).map(|_| ())
}

#[cfg(test)]
mod tests;
