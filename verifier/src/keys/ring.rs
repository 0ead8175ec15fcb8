//! The keys in force, each with the generation since which it has been.

use std::collections::HashMap;

use shared::crypto::rsa::VerifyingKey;
use shared::keys::KeySet;

/// A set of keys that remembers since when it has each.
///
/// What a key proved stays proved exactly as long as that key, under that id, is in force; so whoever keeps such a proof
/// keeps [`HeldKey::since`] with it, and asks [`KeyRing::holds`].
#[derive(Debug, Default)]
pub struct KeyRing {
    set: KeySet,
    since: HashMap<Box<str>, u64, foldhash::fast::RandomState>,
}

/// A key of a [`KeyRing`].
#[derive(Clone, Copy, Debug)]
pub struct HeldKey<'a> {
    /// The key.
    pub key: &'a VerifyingKey,
    /// The generation in which it came into force.
    pub since: u64,
}

impl KeyRing {
    /// The key of this id.
    pub fn get(&self, kid: &str) -> Option<HeldKey<'_>> {
        let key = self.set.get(kid)?;
        let since = *self.since.get(kid)?;
        Some(HeldKey { key, since })
    }

    /// Whether the key that had this id in the generation `since` is in force still.
    pub fn holds(&self, kid: &str, since: u64) -> bool {
        self.since.get(kid) == Some(&since)
    }

    /// A number that grows with each ring that replaced another.
    pub fn generation(&self) -> u64 {
        self.set.generation()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// The ids, in no order.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.set.kids()
    }

    /// The ring that takes this one's place, or `None` if the set has the very same keys.
    pub(super) fn replaced_by(&self, set: KeySet) -> Option<Self> {
        let since: HashMap<_, _, _> = set
            .kids()
            .map(|kid| {
                let kept = self
                    .get(kid)
                    .filter(|held| set.get(kid).is_some_and(|key| is_same(held.key, key)));
                (kid.into(), kept.map_or(set.generation(), |held| held.since))
            })
            .collect();
        (since != self.since).then_some(Self { set, since })
    }
}

fn is_same(one: &VerifyingKey, other: &VerifyingKey) -> bool {
    one.modulus() == other.modulus() && one.exponent() == other.exponent()
}

#[cfg(test)]
mod tests {
    use shared::testkit::TestKey;

    use super::*;

    #[test]
    fn a_key_is_held_as_long_as_it_is_the_same_one() {
        let (zero, one) = (TestKey::number(0), TestKey::number(1));
        let first = KeyRing::default()
            .replaced_by(TestKey::key_set(&[&zero], 1))
            .unwrap();
        assert!(
            first.replaced_by(TestKey::key_set(&[&zero], 2)).is_none(),
            "nothing has changed"
        );

        let second = first.replaced_by(TestKey::key_set(&[&zero, &one], 2)).unwrap();
        assert_eq!(second.get(&zero.kid).unwrap().since, 1);
        assert_eq!(second.get(&one.kid).unwrap().since, 2);
        assert!(second.holds(&zero.kid, 1) && !second.holds(&one.kid, 1));

        let third = second.replaced_by(TestKey::key_set(&[&one], 3)).unwrap();
        assert!(!third.holds(&zero.kid, 1) && third.get(&zero.kid).is_none());
        assert!(third.holds(&one.kid, 2));

        let impostor = TestKey::number(2).with_kid(&one.kid);
        let fourth = third.replaced_by(TestKey::key_set(&[&impostor], 4)).unwrap();
        assert!(
            !fourth.holds(&one.kid, 2),
            "another key under the old id proves nothing of the old one's tokens"
        );

        let fifth = fourth.replaced_by(TestKey::key_set(&[&zero], 5)).unwrap();
        assert!(
            !fifth.holds(&zero.kid, 1),
            "a key that was away and came back starts anew"
        );
    }
}
