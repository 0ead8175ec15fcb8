use super::*;

/// What becomes of an anonymous caller, of one without roles, of an editor and of a superuser.
fn verdicts(ask: &Ask, labels: FilmVerdict) -> [Result<(), Reason>; 4] {
    let (none, editor) = (RoleSet::default(), ["editor", "user"].into_iter().collect());
    let assumed = |roles, is_superuser| Some(Assumed { roles, is_superuser });
    [
        None,
        assumed(&none, false),
        assumed(&editor, false),
        assumed(&none, true),
    ]
    .map(|caller| decide_assuming(ask, labels, caller))
}

fn roles(names: &[&str]) -> Ask {
    Ask::AnyRole(names.iter().map(|name| (*name).into()).collect())
}

#[test]
fn each_ask_against_each_caller() {
    use Reason::{Denied, Missing, Role};
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
        for labels in [FilmVerdict::NotAsked, FilmVerdict::Open] {
            assert_eq!(verdicts(&ask, labels), expected, "{ask:?}");
        }
    }
}

#[test]
fn labels_ask_for_more_than_the_rule_and_never_for_less() {
    use Reason::{Label, Missing, Role, StaleReplica};
    for (ask, labels, expected) in [
        (
            Ask::Nothing,
            FilmVerdict::Closed,
            [Err(Missing), Err(Label), Err(Label), Ok(())],
        ),
        (
            roles(&["editor"]),
            FilmVerdict::Closed,
            [Err(Missing), Err(Role), Err(Label), Ok(())],
        ),
        (
            Ask::Nothing,
            FilmVerdict::Untold,
            [Err(StaleReplica), Err(StaleReplica), Err(StaleReplica), Ok(())],
        ),
        (
            roles(&["editor"]),
            FilmVerdict::Untold,
            [Err(Missing), Err(Role), Err(StaleReplica), Ok(())],
        ),
    ] {
        assert_eq!(verdicts(&ask, labels), expected, "{ask:?} {labels:?}");
    }
}
