//! What can be told of a decision while it is made.

use shared::credentials::{Credentials, CredentialsError};
use shared::id::FilmId;
use shared::label::Satisfied;
use shared::reason::Reason;

use crate::cache::CachedToken;
use crate::policy::{Ask, OnStale, Route};
use crate::revocation::{Freshness, KnownLabels};

/// One step of a decision, in the order in which they are taken. A decision ends at the first that refuses.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// What decides: a rule or the default.
    Route(Route<'a>),
    /// What the request presents.
    Credentials(Result<Credentials<'a>, CredentialsError>),
    /// Whether the token's form and signature hold.
    Signature(Result<&'a CachedToken, Reason>),
    /// Whether its claims hold here and now.
    Claims(Result<(), Reason>),
    /// Whether it was revoked.
    Revocations(Result<(), Reason>),
    /// How far the revocations can be trusted, and what becomes of a token holder where they cannot.
    Freshness(Freshness, OnStale),
    /// Whether a page of another site may have sent a cookie.
    CrossSite(bool),
    /// What the rule says to the holder of a token.
    Rule(&'a Ask, Result<(), Reason>),
    /// What the rule says to whoever has none, or none that counts.
    AnonymousRule(&'a Ask, Result<(), Reason>),
    /// What the labels of the film say, where the rule asks them.
    Film(FilmStep<'a>),
}

/// What goes into a verdict by labels.
#[derive(Clone, Copy, Debug)]
pub struct FilmStep<'a> {
    /// The film.
    pub film: FilmId,
    /// How far the labels can be trusted.
    pub freshness: Freshness,
    /// What is known of labels, and which of them the caller satisfies; `None`: nothing that may be decided by.
    pub known: Option<(&'a KnownLabels, &'a Satisfied)>,
    /// The verdict.
    pub judged: Result<(), Reason>,
}

/// Somebody who is told the steps.
pub trait Observer {
    /// Takes a step in.
    fn take(&mut self, step: Step<'_>);
}

/// Nobody: what it is told is not even put together.
#[derive(Clone, Copy, Debug)]
pub struct Unobserved;

impl Observer for Unobserved {
    #[inline(always)]
    fn take(&mut self, _: Step<'_>) {}
}
