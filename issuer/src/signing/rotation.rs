//! What is due for the signing keys, by the database's time. Every issuer reckons it, and one does it.

use std::time::Duration;

use shared::crypto::rsa::KeyBits;
use shared::limits::{KEYS_LOOK_EVERY, SIGNING_KEYS_MAX};
use shared::time::UnixMillis;

use crate::store::key::{KeyState, StoredKey};

/// What the operator decided about signing keys.
#[derive(Clone, Copy, Debug)]
pub struct KeyPolicy {
    /// Size of new ones.
    pub bits: KeyBits,
    /// How long one signs; `None`: until an operator says otherwise.
    pub rotate_every: Option<Duration>,
    /// How long one is published before it signs.
    pub publish_ahead: Duration,
}

impl KeyPolicy {
    /// From when a key that is made now may sign: every issuer publishes it for long enough by then.
    pub(super) fn earliest(&self, made_at: UnixMillis) -> UnixMillis {
        // An issuer sees it the next time it looks, or, where that fails, the time after.
        made_at.plus(KEYS_LOOK_EVERY * 2).plus(self.publish_ahead)
    }
}

/// A step that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To make the first key.
    First,
    /// To make and publish the next key.
    MakeNext {
        /// From when it is to sign.
        signs_at: UnixMillis,
    },
    /// To have the next key sign.
    Activate,
    /// To withdraw keys of which no token is alive.
    Withdraw,
}

/// The step that is due now, if one is.
pub(super) fn due(keys: &[StoredKey], policy: &KeyPolicy, now: UnixMillis) -> Option<Step> {
    let (mut since, mut next, mut withdraws) = (None, None, false);
    for key in keys {
        match key.state {
            KeyState::Active { since: at } => since = Some(at),
            KeyState::Next { signs_at } => next = Some(signs_at),
            KeyState::Retired { withdraw_at } => withdraws |= withdraw_at <= now,
        }
    }
    let Some(since) = since else {
        return Some(if next.is_some() {
            Step::Activate
        } else {
            Step::First
        });
    };
    if withdraws {
        return Some(Step::Withdraw);
    }
    if let Some(signs_at) = next {
        return (signs_at <= now).then_some(Step::Activate);
    }
    let ends_at = since.plus(policy.rotate_every?);
    let signs_at = policy.earliest(now).max(ends_at);
    let is_time = policy.earliest(now) >= ends_at;
    (is_time && keys.len() < SIGNING_KEYS_MAX).then_some(Step::MakeNext { signs_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: KeyPolicy = KeyPolicy {
        bits: KeyBits::Rsa2048,
        rotate_every: Some(Duration::from_secs(1000)),
        publish_ahead: Duration::from_secs(100),
    };

    fn key(state: KeyState) -> StoredKey {
        StoredKey {
            kid: "k".to_owned(),
            state,
            modulus: Vec::new(),
            exponent: Vec::new(),
            sealed: Vec::new(),
            created_at: UnixMillis(0),
        }
    }

    fn s(seconds: i64) -> UnixMillis {
        UnixMillis(seconds * 1000)
    }

    #[test]
    fn the_next_key_is_published_before_it_signs() {
        let active = key(KeyState::Active { since: s(0) });
        let due_at = |at| due(std::slice::from_ref(&active), &POLICY, at);
        assert_eq!(due(&[], &POLICY, s(0)), Some(Step::First));
        assert_eq!(due_at(s(897)), None);
        // Two seconds for every issuer to see it.
        assert_eq!(due_at(s(898)), Some(Step::MakeNext { signs_at: s(1000) }));
        // Nobody was there in time: it is published for as long all the same.
        assert_eq!(due_at(s(5000)), Some(Step::MakeNext { signs_at: s(5102) }));
        let by_hand = KeyPolicy {
            rotate_every: None,
            ..POLICY
        };
        assert_eq!(due(std::slice::from_ref(&active), &by_hand, s(9000)), None);

        let next = key(KeyState::Next { signs_at: s(1000) });
        let both = [active, next.clone()];
        assert_eq!(due(&both, &POLICY, s(999)), None);
        assert_eq!(due(&both, &POLICY, s(1000)), Some(Step::Activate));
        assert_eq!(due(&both, &by_hand, s(1000)), Some(Step::Activate));
        assert_eq!(due(&[next], &POLICY, s(0)), Some(Step::Activate));
    }

    #[test]
    fn retired_keys_go_when_their_tokens_have_and_there_are_not_too_many() {
        let active = key(KeyState::Active { since: s(0) });
        let retired = key(KeyState::Retired { withdraw_at: s(50) });
        let keys = [active, retired.clone()];
        assert_eq!(due(&keys, &POLICY, s(49)), None);
        assert_eq!(due(&keys, &POLICY, s(50)), Some(Step::Withdraw));
        let mut many = vec![keys[0].clone()];
        many.resize(SIGNING_KEYS_MAX, key(KeyState::Retired { withdraw_at: s(9000) }));
        assert_eq!(due(&many, &POLICY, s(2000)), None);
        many.pop();
        assert!(matches!(
            due(&many, &POLICY, s(2000)),
            Some(Step::MakeNext { .. })
        ));
    }
}
