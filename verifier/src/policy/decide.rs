//! The verdict: what a rule asks, against who is asking. Pure.

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

/// The proof that a caller may do what was asked about. [`decide`] alone makes it.
#[derive(Clone, Copy, Debug)]
pub struct Permitted(());

/// Judges a caller by what is asked of it.
///
/// # Errors
///
/// - [`Reason::Missing`] if a token is needed and there is none.
/// - [`Reason::Role`] if the token has none of the roles.
/// - [`Reason::Denied`] if nobody but a superuser may pass.
pub fn decide(ask: &Ask, caller: Caller<'_>) -> Result<Permitted, Reason> {
    match (ask, caller.0) {
        (
            _,
            Some(Proved {
                is_superuser: true, ..
            }),
        )
        | (Ask::Nothing, _)
        | (Ask::Authenticated, Some(_)) => Ok(Permitted(())),
        (_, None) => Err(Reason::Missing),
        (Ask::AnyRole(names), Some(Proved { roles, .. })) => {
            if names.iter().any(|name| roles.contains(name)) {
                Ok(Permitted(()))
            } else {
                Err(Reason::Role)
            }
        }
        (Ask::Deny, Some(_)) => Err(Reason::Denied),
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

/// What [`decide`] would say, `None` being an anonymous caller. It proves nothing: there is no [`Permitted`] in it.
///
/// # Errors
///
/// Those of [`decide`].
pub fn decide_assuming(ask: &Ask, caller: Option<Assumed<'_>>) -> Result<(), Reason> {
    let proved = caller.map(|Assumed { roles, is_superuser }| Proved { roles, is_superuser });
    decide(ask, Caller(proved)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(ask: &Ask) -> [Result<(), Reason>; 4] {
        let (none, editor) = (RoleSet::default(), ["editor", "user"].into_iter().collect());
        [
            Caller::ANONYMOUS,
            Caller(Some(Proved {
                roles: &none,
                is_superuser: false,
            })),
            Caller(Some(Proved {
                roles: &editor,
                is_superuser: false,
            })),
            Caller(Some(Proved {
                roles: &none,
                is_superuser: true,
            })),
        ]
        .map(|caller| decide(ask, caller).map(|_| ()))
    }

    #[test]
    fn each_ask_against_each_caller() {
        use Reason::{Denied, Missing, Role};
        let roles = |names: &[&str]| Ask::AnyRole(names.iter().map(|name| (*name).into()).collect());
        for (ask, expected) in [
            (Ask::Nothing, [Ok(()), Ok(()), Ok(()), Ok(())]),
            (Ask::Authenticated, [Err(Missing), Ok(()), Ok(()), Ok(())]),
            (roles(&["editor"]), [Err(Missing), Err(Role), Ok(()), Ok(())]),
            (
                roles(&["admin", "user"]),
                [Err(Missing), Err(Role), Ok(()), Ok(())],
            ),
            (roles(&["admin"]), [Err(Missing), Err(Role), Err(Role), Ok(())]),
            (Ask::Deny, [Err(Missing), Err(Denied), Err(Denied), Ok(())]),
        ] {
            assert_eq!(verdicts(&ask), expected, "{ask:?}");
        }
    }
}
