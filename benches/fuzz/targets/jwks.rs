//! Key sets: the issuer's, and the feed's. What is read is read again when it is written.
#![no_main]
#![expect(clippy::unwrap_used, reason = "what cannot go on fails the fuzzing")]

use libfuzzer_sys::fuzz_target;
use shared::feed::key::FeedKeys;
use shared::keys::{Jwk, JwkSet, KeySet};
use shared::limits::{FEED_KEYS_BYTES_MAX, JWKS_KEYS_MAX, KID_BYTES_MAX, RSA_BITS};

fuzz_target!(|json: &[u8]| {
    if let Ok(keys) = FeedKeys::from_jwks(json) {
        assert!(json.len() <= FEED_KEYS_BYTES_MAX && !keys.is_empty());
        assert_eq!(FeedKeys::from_jwks(&keys.to_jwks()).unwrap(), keys);
    }
    let Ok(set) = KeySet::from_jwks(json, 1) else {
        return;
    };
    assert!((1..=JWKS_KEYS_MAX).contains(&set.len()));
    let keys = set.kids().map(|kid| {
        let key = set.get(kid).unwrap();
        assert!((1..=KID_BYTES_MAX).contains(&kid.len()));
        // It may be shorter by the bits that are zero in its first byte.
        let bits = key.modulus().len() * 8;
        assert!(
            (*RSA_BITS.start()..RSA_BITS.end() + 8).contains(&bits),
            "a key of {bits} bits"
        );
        assert!(
            !key.verify(json, key.modulus()),
            "no signature is as large as the modulus"
        );
        Jwk::of(kid, key)
    });
    let written = serde_json::to_vec(&JwkSet { keys: keys.collect() }).unwrap();
    let again = KeySet::from_jwks(&written, 1).unwrap();
    assert_eq!(again.len(), set.len());
    for kid in set.kids() {
        let (key, again) = (set.get(kid).unwrap(), again.get(kid).unwrap());
        assert_eq!(
            (key.modulus(), key.exponent()),
            (again.modulus(), again.exponent())
        );
    }
});
