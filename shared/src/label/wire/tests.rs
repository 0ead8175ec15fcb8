use proptest::prelude::*;

use super::*;

const NAME: &str = "[a-z][a-z0-9_-]{1,63}";

fn names() -> impl Strategy<Value = LabelNames> {
    proptest::collection::vec(NAME, 0..=limits::FILM_LABELS_MAX)
        .prop_map(|names| LabelNames::new(names.iter().map(|name| name.parse().unwrap())).unwrap())
}

fn definition() -> impl Strategy<Value = Definition> {
    let roles = proptest::collection::btree_map(any::<u128>(), NAME, 0..8);
    (any::<bool>(), roles).prop_map(|(anonymous, roles)| Definition {
        anonymous,
        roles: roles
            .into_iter()
            .map(|(id, name)| LabelRole {
                id: RoleId(Uuid::from_u128(id)),
                name: name.into(),
            })
            .collect(),
    })
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes);
    bytes
}

/// What was read, written again.
fn again(change: &LabelChange) -> Vec<u8> {
    written(|bytes| match change {
        LabelChange::Film { film, labels } => write_film(bytes, *film, labels),
        LabelChange::Definition { name, definition } => write_definition(bytes, name, definition.as_ref()),
    })
}

proptest! {
    #[test]
    fn films_are_read_again(film in any::<u128>(), labels in names()) {
        let film = FilmId(Uuid::from_u128(film));
        let bytes = written(|bytes| write_film(bytes, film, &labels));
        prop_assert_eq!(read_film(&bytes), Ok(LabelChange::Film { film, labels: Arc::new(labels) }));
    }

    #[test]
    fn definitions_are_read_again(name in NAME, definition in proptest::option::of(definition())) {
        let name: LabelName = name.parse().unwrap();
        let bytes = written(|bytes| write_definition(bytes, &name, definition.as_ref()));
        prop_assert_eq!(read_definition(&bytes), Ok(LabelChange::Definition { name, definition }));
    }

    #[test]
    fn there_is_one_text_for_each_change(
        bytes in proptest::collection::vec(prop_oneof![0..4_u8, Just(b'a'), Just(b'b'), any::<u8>()], 0..64)
    ) {
        for read in [read_film, read_definition] {
            if let Ok(change) = read(&bytes) {
                prop_assert_eq!(again(&change), bytes.as_slice());
            }
        }
    }

    #[test]
    fn chunks_are_read_item_by_item(
        films in proptest::collection::vec((any::<u128>(), names()), 0..20),
        name in NAME, definition in proptest::option::of(definition()),
    ) {
        let mut expected = vec![LabelChange::Definition { name: name.parse().unwrap(), definition }];
        expected.extend(films.into_iter().map(|(film, labels)| LabelChange::Film {
            film: FilmId(Uuid::from_u128(film)),
            labels: Arc::new(labels),
        }));
        let bytes = Chunk::of(&expected).into_bytes();
        prop_assert_eq!(read_chunk(&bytes).collect::<Result<Vec<_>, _>>(), Ok(expected));
        prop_assert!(read_chunk(&bytes[..bytes.len() - 1]).any(|item| item.is_err()));
    }
}

#[test]
fn what_nobody_writes_is_refused() {
    let film = |labels: &[u8]| read_film(&[[7; 16].as_slice(), labels].concat());
    assert!(film(b"").is_ok() && film(b"\x02ab\x02ac").is_ok());
    for labels in [
        &b"\x02ac\x02ab"[..],
        b"\x02ab\x02ab",
        b"\x02a",
        b"\x01a",
        b"\x02A1",
        b"\x00",
    ] {
        assert!(film(labels).is_err(), "{labels:?}");
    }
    for definition in [
        &b""[..],
        b"\x03\x02ab",
        b"\x00\x02ab0123456789abcdef\x01r",
        b"\x01\x02ab0123456789abcdef",
    ] {
        assert!(read_definition(definition).is_err(), "{definition:?}");
    }
    for chunk in [&b"\x00"[..], b"\x00\x05\x01", b"\x00\x01\x09", b"\x00\x00"] {
        assert!(read_chunk(chunk).any(|item| item.is_err()), "{chunk:?}");
    }
}
