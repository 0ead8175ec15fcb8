use serde_json::{Value, json};

use super::*;
use crate::testkit::TestKey;

fn read(set: &Value) -> Result<KeySet, KeySetError> {
    KeySet::from_jwks(set.to_string().as_bytes(), 1)
}

fn jwk() -> Value {
    serde_json::to_value(TestKey::number(0).jwk()).unwrap()
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut jwk = jwk();
    jwk[name] = value.into();
    jwk
}

#[test]
fn a_set_reads_back_what_it_wrote() {
    let (first, second) = (TestKey::number(0), TestKey::number(1));
    let set = KeySet::from_jwks(&TestKey::jwks(&[&first, &second]), 7).unwrap();
    assert_eq!((set.len(), set.generation()), (2, 7));
    let message = b"signed";
    let signature = second.signing.sign(message).unwrap();
    assert!(set.get("test-1").unwrap().verify(message, &signature));
    assert!(!set.get("test-0").unwrap().verify(message, &signature));
    assert!(set.get("test-2").is_none());
}

#[test]
fn keys_that_are_not_for_us_are_passed_over() {
    let mut silent = jwk();
    silent.as_object_mut().unwrap().remove("use");
    silent.as_object_mut().unwrap().remove("alg");
    assert_eq!(read(&json!({"keys": [silent]})).unwrap().len(), 1);
    let for_verifying = with("key_ops", json!(["sign", "verify"]));
    assert_eq!(read(&json!({"keys": [for_verifying]})).unwrap().len(), 1);
    let foreign = [
        json!({"kty": "EC", "kid": "ec", "crv": "P-256", "x": "AA", "y": "AA"}),
        json!({"kty": "oct", "kid": "oct", "k": "AAAA"}),
        json!(null),
        json!("key"),
        with("use", "enc"),
        with("alg", "RS512"),
        with("alg", "HS256"),
        with("key_ops", json!(["encrypt"])),
        with("key_ops", json!("verify")),
        with("kid", ""),
        with("kid", Value::Null),
        with("kid", "k".repeat(200)),
        with("e", "AQ"),
        with("e", "Ag"),
        with("e", ""),
        with("n", "AQAB"),
        with("n", "not base64!"),
        with("n", base64url(&[0xff; 128])),
        with("n", base64url(&[0xff; 2048])),
    ];
    for key in foreign {
        assert!(
            matches!(read(&json!({"keys": [key]})), Err(KeySetError::NoUsableKey)),
            "{key}"
        );
        let beside = json!({"keys": [key, with("kid", "good")]});
        assert_eq!(
            read(&beside).unwrap().kids().collect::<Vec<_>>(),
            ["good"],
            "{key}"
        );
    }
}

#[test]
fn sets_out_of_bounds_are_refused() {
    assert!(matches!(
        read(&json!({"keys": [jwk(), jwk()]})),
        Err(KeySetError::DuplicateKid)
    ));
    assert!(matches!(
        read(&json!({"keys": []})),
        Err(KeySetError::NoUsableKey)
    ));
    for text in ["", "<html>", "[]", "{}", r#"{"keys":{}}"#] {
        assert!(
            matches!(
                KeySet::from_jwks(text.as_bytes(), 1),
                Err(KeySetError::NotJwkSet(_))
            ),
            "{text}"
        );
    }
    let many: Vec<Value> = (0..65).map(|n| with("kid", n.to_string())).collect();
    assert!(matches!(
        read(&json!({"keys": many})),
        Err(KeySetError::TooMany(65))
    ));
    let large = vec![b' '; limits::JWKS_BYTES_MAX + 1];
    assert!(matches!(
        KeySet::from_jwks(&large, 1),
        Err(KeySetError::TooLarge(_))
    ));
}
